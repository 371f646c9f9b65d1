"""Attention operators of onnxruntime; `projections` has their formulas.

Source: onnxruntime/docs/ContribOperators.md.
"""

from __future__ import annotations

from dataclasses import replace

from graphcount.ops.attention import ROTARY, AttentionSizes, attention_cost
from graphcount.ops.call import Call, Shape, Shapes, size
from graphcount.ops.formulas import (
    OUTPUT,
    CostRule,
    Formula,
    UnknownDimError,
    attribute,
    checked,
    input_shape,
    maybe,
    output_shape,
    outputs,
    ranked,
)
from graphcount.ops.inference import HALF, add, always, of_input, over, same
from graphcount.ops.microsoft.projections import (
    Projected,
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
    with_past,
)
from graphcount.ops.operator import KeptState, Operator, Role, family, past
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


def projected_by(*weights: int) -> Formula:
    """Return the MACs of weights that the first input meets, one after the other."""

    def macs(call: Call) -> Dim:
        columns: Dim = 0
        for index in weights:
            columns = columns + input_shape(call, index, 2)[1]
        return size(input_shape(call, 0, 3)) * columns

    return macs


def biased_by(*biases: int) -> Formula:
    """Return the additions of biases of such weights."""

    def added(call: Call) -> Dim:
        columns: Dim = 0
        for index in biases:
            columns = columns + input_shape(call, index, 1)[0]
        return size(input_shape(call, 0, 3)[:-1]) * columns

    return added


def ordered(call: Call) -> Projected:
    """QOrderedAttention: Q, K and V have a weight each (5, 6, 7)."""
    batch, length, _ = ranked(call, 0, 3) or (None,) * 3
    query, value = (ranked(call, index, 2) or (None, None) for index in (5, 7))
    count = call.node.integer("num_heads", 0) or None
    keys = with_past(call, length, 18, 3)
    return Projected(batch, count, length, length, keys, query[1], value[1])


def ordered_attention(call: Call) -> Shapes:
    """QOrderedAttention: (B, S, value width)."""
    projected = ordered(call)
    return [(projected.batch, projected.queries, projected.v_width)]


def ordered_window(call: Call) -> Projected:
    """QOrderedLongformerAttention: a query meets `window` keys on each side."""
    batch, length, _ = ranked(call, 0, 3) or (None,) * 3
    weight = ranked(call, 2, 2)
    width = over(weight[1], 3) if weight is not None else None
    count = call.node.integer("num_heads", 0) or None
    return Projected(batch, count, length, length, 2 * attribute(call, "window"), width, width)


# ------------------------------------------------------- DecoderAttention, steered by inputs


def _flag(call: Call, index: int) -> bool:
    given = call.value(index)
    if given is None or len(given) != 1 or not isinstance(given[0], int):
        raise UnknownDimError
    return bool(given[0])


def _decoded(call: Call) -> tuple[Dim | None, Shape | None]:
    """Return the keys in all, and the input that keys and values are made of, if any is.

    static_kv (8) is cross attention, over input 1; with use_past (9) and a state (10) keys come
    from the cache, to which self attention adds its own.
    """
    query, key, cache = ranked(call, 0, 3), ranked(call, 1, 3), call.input(6)
    static, cached = _flag(call, 8), _flag(call, 9) and _flag(call, 10)
    kept = cache[2] if cache is not None and len(cache) == 4 else None
    if static:
        return (kept, None) if cached else (key[0] if key is not None else None, key)
    new = query[0] if query is not None else None
    return add(kept, new) if cached else new, query


def decoder_attention(call: Call) -> Shapes:
    """DecoderAttention: (S, B, hidden), keys and values (B, heads, L, head size)."""
    query = ranked(call, 0, 3)
    if query is None:
        return [None, None, None]
    keys = maybe(lambda: checked(_decoded(call)[0]))
    heads = call.node.integer("num_heads", 0) or None
    cache = (query[1], heads, keys, over(query[2], heads))
    return [query, cache, cache]


def _decoder_sizes(call: Call) -> AttentionSizes:
    length, batch, width = input_shape(call, 0, 3)
    keys = checked(_decoded(call)[0])
    return AttentionSizes(batch, attribute(call, "num_heads"), length, keys, width, width)


def _source(call: Call) -> Dim:
    """Return elements of what keys and values are made of."""
    _, source = _decoded(call)
    return size(tuple(checked(one) for one in source)) if source is not None else 0


def _decoder_projection(call: Call) -> Dim:
    query, both = input_shape(call, 2, 2)[1], input_shape(call, 3, 2)[1]
    return size(input_shape(call, 0, 3)) * query + _source(call) * both


def _decoder_bias(call: Call) -> Dim:
    return size(input_shape(call, 0, 3)) + 2 * _source(call)


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
    states=past((4, 1), axis=3, batch=1),
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
            states=past((8, 1), axis=3, batch=1),
            form_of="Attention",
        ),
        "MultiHeadAttention": Operator(
            roles=(*QKV, "bias", "mask", "mask", *CACHE, "shape", "index"),
            shape=multi_head_attention(6),
            cost=attention_cost(costed(multi_head(6)), mask=(4, 5), bias=new_key_biases(3, 6)),
            states=past((6, 1), (7, 2)),
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
            states=past((5, 1), (6, 2)),
        ),
        "GroupQueryAttention": Operator(
            roles=(
                *(*QKV, *CACHE, "shape", "shape", *ROTARY_TABLES, "index", "mask", "weight"),
                *(*SCALES, "scale", "scale", "shape"),
            ),
            shape=grouped_attention(6),
            dtypes=of_input(0, 3, 4),
            cost=attention_cost(costed(grouped(6)), mask=(10,), extra=rotations(6)),
            states=past((3, 1), (4, 2)),
        ),
        "SparseAttention": Operator(
            roles=(*QKV, *CACHE, "index", "index", "shape", "shape", *ROTARY_TABLES),
            shape=grouped_attention(7),
            cost=attention_cost(costed(grouped(7)), extra=rotations(7)),
            states=past((3, 1), (4, 2)),
        ),
        "DecoderAttention": Operator(
            roles=(
                *("operand", "operand", "weight", "weight", "bias", "mask", *CACHE),
                *("scalar", "scalar", "scalar", "scalar"),
            ),
            shape=decoder_attention,
            cost=attention_cost(
                _decoder_sizes, mask=(5,), projection=_decoder_projection, bias=_decoder_bias
            ),
            states=past((6, 1), (7, 2)),
        ),
        "QOrderedAttention": Operator(
            roles=(
                *("operand", *2 * SCALES, *3 * ("quantized weight",), *SCALES),
                *("quantization scale", "bias", "bias", "bias", *SCALES, "quantization scale"),
                *("mask", "state", "mask"),
            ),
            shape=ordered_attention,
            cost=attention_cost(
                costed(ordered),
                mask=(17, 19),
                projection=projected_by(5, 6, 7),
                bias=biased_by(11, 12, 13),
            ),
            states={18: KeptState(None, "keys-values", 3, 1)},
            form_of="Attention",
        ),
        "QOrderedLongformerAttention": Operator(
            roles=(
                *("operand", "quantization scale", "quantized weight", "quantization scale"),
                *("bias", *SCALES, "mask", "quantized weight", "quantization scale", "bias"),
                *("quantization scale", "mask", "quantization scale"),
            ),
            shape=same(0),
            cost=attention_cost(
                costed(ordered_window),
                mask=(7,),
                projection=projected_by(2, 8),
                bias=biased_by(4),
            ),
        ),
        "MRotaryEmbedding": Operator(
            roles=("operand", "index", "rotary table", "rotary table"), shape=same(0), cost=ROTARY
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
