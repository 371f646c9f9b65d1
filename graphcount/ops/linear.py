"""Matrix products. Inputs as in the ONNX operator definitions (Operators.md)."""

from graphcount.ops.spec import SCALE, SCALED_WEIGHT, OpSpec
from graphcount.ops.tables import table

TABLE = table(
    "",
    {
        "MatMul": OpSpec(("weight", "weight")),
        "Gemm": OpSpec(("weight", "weight", "bias")),
        "Einsum": OpSpec(rest="weight"),
        "MatMulInteger": OpSpec(
            ("quantized weight", "quantized weight", "zero point", "zero point")
        ),
        "QLinearMatMul": OpSpec((*SCALED_WEIGHT, *SCALED_WEIGHT, *SCALE)),
        "Det": OpSpec(("operand",)),
    },
)
