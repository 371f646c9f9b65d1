"""Quantization; dequantized data is looked through to the operator that uses it.

QuantizeLinear and DequantizeLinear are arithmetic (scale and zero point): one an element.
Sources: ONNX Operators.md; the qonnx operator definitions.
"""

from __future__ import annotations

from graphcount.ops.attributes import not_negative
from graphcount.ops.call import Call, Shapes
from graphcount.ops.formulas import CostRule, like_input
from graphcount.ops.inference import FLOAT, UINT8, always, same
from graphcount.ops.operator import FIRST, SCALE, Operator, Scaled, each, family
from graphcount.ops.precision import bipolar, dequantized, integers_of, small_floats


def quantized_type(call: Call) -> list[int]:
    """QuantizeLinear: of the zero point, else `output_dtype`, else uint8."""
    return [call.dtype(2) or call.node.integer("output_dtype", 0) or UINT8]


def dequantized_type(call: Call) -> list[int]:
    """DequantizeLinear: `output_dtype`, else the type of the scale."""
    return [call.node.integer("output_dtype", 0) or call.dtype(1) or FLOAT]


def dynamic_quantize(call: Call) -> Shapes:
    """DynamicQuantizeLinear: the values, one scale, one zero point."""
    return [call.input(0), (), ()]


BLOCK_SIZE = not_negative("block_size")
QUANTIZE = CostRule("one scaling for each element", elementwise=like_input)

QUANTIZE_LINEAR = Operator(
    roles=("operand", "quantization scale", "zero point"),
    passes=FIRST,
    shape=same(0),
    dtypes=quantized_type,
    cost=QUANTIZE,
    scaled=(Scaled(1, 2, scales="axis"),),
    attribute_check=BLOCK_SIZE,
)
DEQUANTIZE_LINEAR = Operator(
    roles=("quantized weight", "quantization scale", "zero point"),
    passes=FIRST,
    shape=same(0),
    dtypes=dequantized_type,
    precision=dequantized,
    cost=QUANTIZE,
    scaled=(Scaled(1, 2, 0, "axis"),),
    attribute_check=BLOCK_SIZE,
)
"""ONNX's own; onnxruntime's domain has the same two for older opsets (ContribOperators.md)."""

TABLE = family(
    "quant",
    {
        "QuantizeLinear": QUANTIZE_LINEAR,
        "DequantizeLinear": DEQUANTIZE_LINEAR,
        "DynamicQuantizeLinear": Operator(
            roles=("operand",),
            passes=FIRST,
            shape=dynamic_quantize,
            dtypes=always(UINT8, FLOAT, UINT8),
            cost=QUANTIZE,
        ),
    },
)

QONNX = family(
    "quant",
    {
        **each(
            "Quant IntQuant",
            Operator(
                roles=("operand", *SCALE, "scalar"),
                passes=FIRST,
                shape=same(0),
                precision=integers_of(3),
                cost=QUANTIZE,
            ),
        ),
        "BipolarQuant": Operator(
            roles=("operand", "quantization scale"),
            passes=FIRST,
            shape=same(0),
            precision=bipolar,
            cost=QUANTIZE,
        ),
        "Trunc": Operator(
            roles=("operand", *SCALE, "scalar"),
            rest="scalar",
            passes=FIRST,
            shape=same(0),
            precision=integers_of(4, 5),
            cost=QUANTIZE,
        ),
        "FloatQuant": Operator(
            roles=("operand", "quantization scale"),
            rest="scalar",
            passes=FIRST,
            shape=same(0),
            precision=small_floats,
            cost=QUANTIZE,
        ),
    },
)
"""What Brevitas writes; QONNX called its domain finn.custom_op.general and onnx.brevitas before."""
