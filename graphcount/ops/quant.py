"""Quantization; dequantized data is looked through to the operator that uses it."""

from graphcount.ops.spec import SCALE, SCALED_WEIGHT, OpSpec
from graphcount.ops.tables import each, table

_LINEAR = {
    "QuantizeLinear": OpSpec(("operand", "quantization scale", "zero point"), frozenset({0})),
    "DequantizeLinear": OpSpec(
        ("quantized weight", "quantization scale", "zero point"), frozenset({0})
    ),
}

TABLE = {
    **table("", {**_LINEAR, "DynamicQuantizeLinear": OpSpec(("operand",), frozenset({0}))}),
    **table("com.microsoft", _LINEAR),
    **table(
        "qonnx.custom_op.general",
        {
            "Quant": OpSpec(("operand", *SCALE, "scalar"), frozenset({0})),
            "BipolarQuant": OpSpec(("operand", "quantization scale"), frozenset({0})),
            "Trunc": OpSpec(("operand", *SCALE, "scalar", "scalar"), frozenset({0})),
        },
    ),
    **table(
        "com.microsoft",
        {
            **each(
                "QLinearAdd QLinearMul",
                OpSpec((*SCALED_WEIGHT, *SCALED_WEIGHT, *SCALE)),
            ),
            **each(
                "QLinearSigmoid QLinearLeakyRelu QLinearAveragePool QLinearGlobalAveragePool"
                " QLinearSoftmax QLinearReduceMean",
                OpSpec(("operand", *SCALE, *SCALE)),
            ),
        },
    ),
}
