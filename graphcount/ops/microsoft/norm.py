"""Normalisation of onnxruntime: skip forms add each of their sums.

Source: onnxruntime/docs/ContribOperators.md.
"""

from __future__ import annotations

from graphcount.ops.call import Call, Shape, Shapes
from graphcount.ops.formulas import CostRule, attribute, multiple, outputs, total, when
from graphcount.ops.inference import FLOAT, INT32, always, of_input, replace, same
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
        "NhwcInstanceNorm": Operator(shape=same(0)),
    },
)
