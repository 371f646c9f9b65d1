"""Normalisation."""

from graphcount.ops.spec import OpSpec
from graphcount.ops.tables import each, table

TABLE = table(
    "",
    {
        "BatchNormalization": OpSpec(("data", "scale", "bias", "running mean", "running variance")),
        **each(
            "InstanceNormalization LayerNormalization GroupNormalization",
            OpSpec(("data", "scale", "bias")),
        ),
        **each("RMSNormalization SimplifiedLayerNormalization", OpSpec(("data", "scale"))),
        **each("LpNormalization LRN MeanVarianceNormalization", OpSpec(("data",))),
    },
)
