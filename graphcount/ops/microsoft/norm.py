"""Normalisation of onnxruntime: skip forms add each of their sums.

Source: onnxruntime/docs/ContribOperators.md.
"""

from __future__ import annotations

from graphcount.ops.call import Call, Shape, Shapes, size
from graphcount.ops.formulas import (
    CostRule,
    attribute,
    input_shape,
    like_input,
    multiple,
    outputs,
    total,
    when,
)
from graphcount.ops.inference import (
    BFLOAT16,
    FLOAT,
    HALF,
    INT32,
    always,
    of_input,
    replace,
    same,
    times,
)
from graphcount.ops.norm import layer_norm, norm_cost
from graphcount.ops.operator import Operator, Role, family
from graphcount.symbolic import Dim


def _swish(call: Call) -> Dim:
    return outputs(call) if attribute(call, "activation", 0) else 0


def _group(scale: int, shift: int, skips: tuple[int, ...] = ()) -> CostRule:
    rule = norm_cost(scale, shift, skips)
    return CostRule(
        "normalisation, the sums before it and the Swish behind it: one for each element",
        elementwise=total(rule.elementwise, _swish),
    )


EMBED = CostRule(
    "looked-up rows are added (word + position + segment) and normalised",
    elementwise=total(multiple(2, outputs), when(1, outputs)),
)


def embed_layer_norm(call: Call) -> Shapes:
    """EmbedLayerNormalization: (B, S, hidden), one mask index a sequence, and the sum."""
    ids, table_ = call.input(0), call.input(2)
    hidden = table_[1] if table_ is not None else None
    if ids is None:
        return [(None, None, hidden), (None,), (None, None, hidden)]
    result: Shape = (*ids, hidden)
    return [result, ids[:1], result]


def skip_layer_norm(call: Call) -> Shapes:
    """SkipLayerNormalization: Y, mean and deviation of the last axis, and the sum."""
    data = call.input(0)
    if data is None:
        return [None] * 4
    statistic = replace(data, len(data) - 1, 1)
    return [data, statistic, statistic, data]


def norm_rotary(call: Call) -> Shapes:
    """RMSNormRotary: (B, S, heads * width), and what was normalised (B, S, heads, width)."""
    data = call.input(0)
    if data is None:
        return [None, None]
    batch, length, heads, stride = data
    width: Dim | None = call.node.integer("input_width", 0) or stride
    result: Shape = (batch, length, times(heads, width))
    if call.node.integer("flatten_batch", 0):
        result = (1, times(batch, length), result[2])
    return [result, (batch, length, heads, width)]


def _rotated(call: Call) -> Dim:
    heads = size(input_shape(call, 0, 4)[:3])
    return outputs(call) + heads * attribute(call, "rotary_embedding_dim")


LOOKED_UP = ((0, 2), (1, 4), (8, 3))
"""Words, segments and positions, each with its table."""

_THREE_TABLES: list[Role] = ["embedding"] * 3
_FIVE_WEIGHTS: list[Role] = ["quantized weight"] * 5
_FIVE_SCALES: list[Role] = ["quantization scale"] * 5
_FIVE_ZERO_POINTS: list[Role] = ["zero point"] * 5

TABLE = family(
    "norm",
    {
        "EmbedLayerNormalization": Operator(
            roles=("index", "index", *_THREE_TABLES, "scale", "bias", "mask", "index"),
            shape=embed_layer_norm,
            dtypes=lambda c: [c.dtype(2), INT32, c.dtype(2)],
            cost=EMBED,
            lookups=LOOKED_UP,
        ),
        "QEmbedLayerNormalization": Operator(
            roles=("index", "index", *_FIVE_WEIGHTS, "mask", *_FIVE_SCALES, *_FIVE_ZERO_POINTS),
            shape=embed_layer_norm,
            dtypes=always(FLOAT, INT32, FLOAT),
            cost=EMBED,
            lookups=LOOKED_UP[:2],
        ),
        "SkipLayerNormalization": Operator(
            roles=("operand", "operand", "scale", "bias", "bias"),
            shape=skip_layer_norm,
            dtypes=always(0, FLOAT, FLOAT, 0),
            cost=norm_cost(2, 3, (1, 4)),
            form_of="LayerNormalization",
        ),
        "SkipSimplifiedLayerNormalization": Operator(
            roles=("operand", "operand", "scale", "bias"),
            shape=skip_layer_norm,
            dtypes=always(0, FLOAT, FLOAT, 0),
            cost=norm_cost(2, None, (1, 3)),
            form_of="LayerNormalization",
        ),
        "SimplifiedLayerNormalization": Operator(
            roles=("operand", "scale"),
            shape=layer_norm,
            dtypes=of_input(1),
            cost=norm_cost(1, None),
            form_of="LayerNormalization",
        ),
        "LayerNormalization": Operator(
            roles=("operand", "scale", "bias"), shape=layer_norm, cost=norm_cost(1, 2)
        ),
        "GroupNorm": Operator(roles=("operand", "scale", "bias"), shape=same(0), cost=_group(1, 2)),
        "SkipGroupNorm": Operator(
            roles=("operand", "scale", "bias", "operand", "bias"),
            shape=same(0, 0),
            cost=_group(1, 2, (3, 4)),
        ),
        "NhwcInstanceNorm": Operator(
            roles=("operand", "scale", "bias"), shape=same(0), cost=norm_cost(1, 2)
        ),
        "BranchwiseRMSNorm": Operator(
            roles=("operand", "scale"), shape=same(0), cost=norm_cost(1, None)
        ),
        "GatedRMSNorm": Operator(
            roles=("operand", "scale", "operand"),
            shape=same(0),
            cost=CostRule(
                "normalisation, the gate's function and their product: three for each element",
                elementwise=multiple(3, like_input),
            ),
        ),
        "QOrderedLayerNormalization": Operator(
            roles=("operand", "quantization scale", "scale", "bias", "quantization scale"),
            shape=same(0),
            cost=norm_cost(2, 3),
            form_of="LayerNormalization",
        ),
        "RMSNormRotary": Operator(
            roles=("operand", "scale", "index", "rotary table", "rotary table", "scalar"),
            shape=norm_rotary,
            dtypes=lambda call: [HALF if call.node.integer("output_fp16", 0) else BFLOAT16, FLOAT],
            cost=CostRule(
                "normalisation of each element, and a rotation of some", elementwise=_rotated
            ),
        ),
    },
)
