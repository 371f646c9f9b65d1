"""Convolutions and pooling."""

from graphcount.ops.spec import SCALE, SCALED_DATA, SCALED_WEIGHT, OpSpec
from graphcount.ops.tables import each, table

TABLE = table(
    "",
    {
        "Conv": OpSpec(("data", "weight", "bias")),
        "ConvTranspose": OpSpec(("data", "weight", "bias")),
        "CausalConvWithState": OpSpec(("data", "weight", "bias", "state")),
        "DeformConv": OpSpec(("data", "weight", "operand", "bias", "mask")),
        "ConvInteger": OpSpec(("data", "quantized weight", "zero point", "zero point")),
        "QLinearConv": OpSpec((*SCALED_DATA, *SCALED_WEIGHT, *SCALE, "quantized bias")),
        **each(
            "AveragePool GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool",
            OpSpec(("data",)),
        ),
        "MaxUnpool": OpSpec(("data", "index", "shape")),
        "MaxRoiPool": OpSpec(("data", "operand")),
        "RoiAlign": OpSpec(("data", "operand", "index")),
        "Col2Im": OpSpec(("data", "shape", "shape")),
    },
)
