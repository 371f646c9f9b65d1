"""Quantized operators: integer matrix work is counted as matrix work, conversion an element.

QuantizeLinear and DequantizeLinear are arithmetic (scale and zero point): one an element, also
inside the operators that do both ends themselves: what they quantize or dequantize.
Sources: ONNX Operators.md; onnxruntime/docs/ContribOperators.md; the qonnx operator definitions.
"""

from __future__ import annotations

from graphcount.ops.cost.linear import matmul, product
from graphcount.ops.cost.pool import POOL, READ
from graphcount.ops.cost.spec import Rule, alike, outputs
from graphcount.ops.tables import each, table

QUANTIZE = Rule("one scaling for each element", elementwise=alike)
QLINEAR = Rule("one operation in integers for each output element", elementwise=outputs)

TABLE = {
    **table(
        "",
        {
            **each("QuantizeLinear DequantizeLinear DynamicQuantizeLinear", QUANTIZE),
            "QLinearMatMul": product(
                matmul(0, 3), "each output is a sum of integer products", outputs
            ),
        },
    ),
    **table(
        "com.microsoft",
        {
            **each("QuantizeLinear DequantizeLinear", QUANTIZE),
            **each(
                "QLinearAdd QLinearMul QLinearSigmoid QLinearLeakyRelu QLinearSoftmax"
                " QLinearWhere QLinearConcat",
                QLINEAR,
            ),
            "QLinearAveragePool": POOL,
            **each("QLinearGlobalAveragePool QLinearReduceMean", READ),
            "GatherBlockQuantized": Rule("each looked-up element is scaled", elementwise=outputs),
        },
    ),
    **table("qonnx.custom_op.general", each("Quant BipolarQuant Trunc", QUANTIZE)),
    **table("onnx.brevitas", each("Quant BipolarQuant Trunc", QUANTIZE)),
}
