"""Attention operators of onnxruntime; `projections` has their formulas.

Source: onnxruntime/docs/ContribOperators.md.
"""

from __future__ import annotations

from dataclasses import replace

from graphcount.ops.attention import ROTARY, attention_cost
from graphcount.ops.call import Call, Shapes, size
from graphcount.ops.formulas import OUTPUT, CostRule, attribute, input_shape, output_shape, outputs
from graphcount.ops.inference import HALF, always, of_input, same
from graphcount.ops.microsoft.projections import (
    costed,
    grouped,
    grouped_attention,
    joint,
    multi_head,
    multi_head_attention,
    new_key_biases,
    packed,
    packed_attention,
    packed_biases,
    packed_multi_head,
    packed_multi_head_attention,
    projection,
    projection_bias,
    rotations,
    self_attention,
    twice_projected,
    windowed,
)
from graphcount.ops.operator import Operator, Role, family
from graphcount.symbolic import Dim


def _gate(call: Call) -> Dim:
    """GatedRelativePositionBias: each head of each token times a weight [head size, D]."""
    batch, length, width = input_shape(call, 0, 3)
    return batch * length * width * input_shape(call, 3, 2)[1]


def _gate_bias(call: Call) -> Dim:
    batch, length, width = input_shape(call, 0, 3)
    biases = attribute(call, "num_heads") * input_shape(call, 3, 2)[1] if call.has(4) else 0
    return batch * length * (biases + (width if call.has(1) else 0))


def _both_outputs(call: Call) -> Dim:
    return outputs(call) + size(output_shape(call, 1))


def relative_position_bias(call: Call) -> Shapes:
    """RelativePositionBias: (1, heads, query length, key length)."""
    bias = call.input(0)
    lengths = [(call.value(index) or (None,))[0] for index in (1, 2)]
    return [(1, bias[1] if bias is not None else None, *lengths)]


def gated_relative_position_bias(call: Call) -> Shapes:
    """GatedRelativePositionBias: (B, heads, S, S)."""
    query = call.input(0)
    count = call.node.integer("num_heads", 0) or None
    return [(query[0], count, query[1], query[1]) if query is not None else None]


QKV: tuple[Role, ...] = ("operand", "operand", "operand")
PROJECTED: tuple[Role, ...] = ("operand", "weight", "bias")
SCALES: tuple[Role, ...] = ("quantization scale", "quantization scale")
ZERO_POINTS: tuple[Role, ...] = ("zero point", "zero point")
CACHE: tuple[Role, ...] = ("state", "state")
ROTARY_TABLES: tuple[Role, ...] = ("rotary table", "rotary table")

_ATTENTION = Operator(
    roles=(*PROJECTED, "mask", "state", "mask", "shape"),
    shape=self_attention(4),
    cost=attention_cost(costed(joint(4)), mask=(3, 5), projection=projection, bias=projection_bias),
    past={4: 3},
)

TABLE = family(
    "attention",
    {
        "Attention": _ATTENTION,
        "DecoderMaskedSelfAttention": replace(
            _ATTENTION, roles=(*_ATTENTION.roles, "shape", "index")
        ),
        "PackedAttention": Operator(
            roles=(*PROJECTED, "mask", "mask", "mask"),
            shape=packed_attention,
            cost=attention_cost(
                costed(packed), mask=(5,), projection=projection, bias=projection_bias
            ),
        ),
        "LongformerAttention": Operator(
            roles=(*PROJECTED, "mask", "weight", "bias", "mask"),
            shape=same(0),
            cost=attention_cost(
                costed(windowed), mask=(3,), projection=twice_projected, bias=projection_bias
            ),
        ),
        "QAttention": Operator(
            roles=("operand", "quantized weight", "bias", *SCALES, "mask", *ZERO_POINTS, "state"),
            shape=self_attention(8),
            dtypes=of_input(3),
            cost=attention_cost(
                costed(joint(8)), mask=(5,), projection=projection, bias=projection_bias
            ),
            past={8: 3},
            form_of="Attention",
        ),
        "MultiHeadAttention": Operator(
            roles=(*QKV, "bias", "mask", "mask", *CACHE, "shape", "index"),
            shape=multi_head_attention(6),
            cost=attention_cost(costed(multi_head(6)), mask=(4, 5), bias=new_key_biases(3, 6)),
            past={6: 2, 7: 2},
        ),
        "PackedMultiHeadAttention": Operator(
            roles=(*QKV, "bias", "mask", "mask", "mask"),
            shape=packed_multi_head_attention,
            cost=attention_cost(costed(packed_multi_head), mask=(6,), bias=packed_biases),
        ),
        "DecoderMaskedMultiHeadAttention": Operator(
            roles=(*QKV, "mask", "mask", *CACHE, "shape", "shape", "index", "bias"),
            shape=multi_head_attention(5),
            cost=attention_cost(costed(multi_head(5)), mask=(3, 4), bias=new_key_biases(10, 5)),
            past={5: 2, 6: 2},
        ),
        "GroupQueryAttention": Operator(
            roles=(
                *(*QKV, *CACHE, "shape", "shape", *ROTARY_TABLES, "index", "mask", "weight"),
                *(*SCALES, "scale", "scale", "shape"),
            ),
            shape=grouped_attention(6),
            dtypes=of_input(0, 3, 4),
            cost=attention_cost(costed(grouped(6)), mask=(10,), extra=rotations(6)),
            past={3: 2, 4: 2},
        ),
        "SparseAttention": Operator(
            roles=(*QKV, *CACHE, "index", "index", "shape", "shape", *ROTARY_TABLES),
            shape=grouped_attention(7),
            cost=attention_cost(costed(grouped(7)), extra=rotations(7)),
            past={3: 2, 4: 2},
        ),
        "RotaryEmbedding": Operator(
            roles=("operand", "index", "rotary table", "rotary table"), shape=same(0), cost=ROTARY
        ),
        "GemmaRotaryEmbedding": Operator(
            rest="rotary table",
            shape=same(1, 3),
            dtypes=always(HALF),
            cost=CostRule(
                "a rotation turns each element of queries and keys", elementwise=_both_outputs
            ),
        ),
        "RelativePositionBias": Operator(
            roles=("embedding", "scalar", "scalar"),
            shape=relative_position_bias,
            cost=OUTPUT,
        ),
        "GatedRelativePositionBias": Operator(
            roles=("operand", "bias", "operand", "weight", "bias", "weight", "mask"),
            shape=gated_relative_position_bias,
            cost=CostRule("tokens x heads x head size x gate width", _gate, outputs, _gate_bias),
        ),
    },
)
