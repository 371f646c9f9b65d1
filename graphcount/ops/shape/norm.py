"""Normalisation (Operators.md: BatchNormalization, LayerNormalization, …)."""

from __future__ import annotations

from graphcount.ops.call import Call
from graphcount.ops.shape.kit import Rule, Shapes, axis_of, same
from graphcount.ops.tables import Key, each, table


def layer_norm(call: Call) -> Shapes:
    """LayerNormalization: mean and deviation keep the dimensions before `axis`."""
    data = call.input(0)
    if data is None:
        return [None, None, None]
    axis = axis_of(call.node.integer("axis", -1), len(data))
    statistic = (*data[:axis], *(1,) * (len(data) - axis))
    return [data, statistic, statistic]


TABLE: dict[Key, Rule] = table(
    "",
    each("BatchNormalization", same(0, 3, 4, 3, 4)),
    each(
        "InstanceNormalization GroupNormalization LpNormalization LRN MeanVarianceNormalization",
        same(0),
    ),
    each("LayerNormalization RMSNormalization SimplifiedLayerNormalization", layer_norm),
)
