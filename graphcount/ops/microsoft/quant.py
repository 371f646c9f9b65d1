"""Quantized operators of onnxruntime: one operation in integers for each output element.

Conversion is an element each, also inside the operators that do both ends themselves.
Source: onnxruntime/docs/ContribOperators.md.
"""

from __future__ import annotations

from graphcount.ops.call import Call, Shape, ShapeRule, Shapes
from graphcount.ops.formulas import READ, CostRule, inputs, outputs
from graphcount.ops.inference import (
    BFLOAT16,
    FLOAT,
    INT8,
    INT32,
    INT64,
    UINT8,
    UINT32,
    add,
    always,
    axis_of,
    broadcast,
    by_attribute,
    of_input,
    replace,
    same,
    shape_from,
)
from graphcount.ops.operator import (
    FIRST,
    FOLDS,
    SCALE,
    SCALED_WEIGHT,
    Operator,
    Scaled,
    Trait,
    family,
    traits,
)
from graphcount.ops.packing import per_byte, rows_of
from graphcount.ops.pool import POOL, global_pool, pool
from graphcount.ops.precision import dequantized
from graphcount.ops.quant import DEQUANTIZE_LINEAR, QUANTIZE, QUANTIZE_LINEAR
from graphcount.ops.reduction import reduce, reduced


def qlinear_binary(call: Call) -> Shapes:
    """QLinearAdd, QLinearMul: A at 0, B at 3."""
    return [broadcast([call.input(0), call.input(3)])]


def qlinear_where(call: Call) -> Shapes:
    """QLinearWhere: condition at 0, X at 1, Y at 4."""
    return [broadcast([call.input(0), call.input(1), call.input(4)])]


def qlinear_concat(call: Call) -> Shapes:
    """QLinearConcat: after the result's scale and zero point, (tensor, scale, zero point) each."""
    shapes = call.inputs[2::3]
    first = shapes[0] if shapes else None
    if first is None:
        return [None]
    axis = axis_of(call.node.integer("axis", 0), len(first))
    if any(shape is None or len(shape) != len(first) for shape in shapes):
        return [replace(first, axis, None)]
    return [replace(first, axis, add(*(shape[axis] for shape in shapes if shape is not None)))]


def qlinear_pool(call: Call) -> Shapes:
    """QLinearAveragePool: one result, with channels last where `channels_last` says so."""
    return pool(call)[:1]


def qlinear_reduce_mean(call: Call) -> Shapes:
    """QLinearReduceMean: over the attribute `axes`, or all."""
    data = call.input(0)
    if data is None:
        return [None]
    axes = call.node.integers("axes") or tuple(range(len(data)))
    chosen = {axis_of(axis, len(data)) for axis in axes}
    return [reduced(data, chosen, bool(call.node.integer("keepdims", 1)))]


def gather_block_quantized(call: Call) -> Shapes:
    """GatherBlockQuantized: Gather; two 4-bit elements in each byte of a uint8 table."""
    data, indices = call.input(0), call.input(1)
    if data is None or indices is None:
        return [None]
    axis = axis_of(call.node.integer("gather_axis", 0), len(data))
    last = data[-1]
    packed = call.dtype(0) == 2 and call.node.integer("bits", 4) == 4
    unpacked: Shape = (*data[:-1], last * 2 if packed and last is not None else last)
    return [(*unpacked[:axis], *indices, *unpacked[axis + 1 :])]


def quantize_bfp(call: Call) -> Shapes:
    """QuantizeBFP: bytes as the format needs them, and the shape and strides of the input."""
    data = call.input(0)
    rank: Shape = (len(data) if data is not None else None,)
    return [(None,), rank, rank]


def dequantize_bfp(call: Call) -> Shapes:
    """DequantizeBFP: the shape that input 1 holds."""
    return [shape_from(call, 1)]


def summed_type(call: Call) -> list[int]:
    """ReduceSumInteger: int32 of int8, uint32 of uint8."""
    return [{INT8: INT32, UINT8: UINT32}.get(call.dtype(0), 0)]


def gather_packed(call: Call) -> Shapes:
    """GatherPacked: the shape of the indices, then K."""
    indices = call.input(1)
    return [(*indices, call.node.integer("K", 0) or None) if indices is not None else None]


QUANTIZE_FIRST = CostRule("one scaling for each element", elementwise=inputs)
QLINEAR = CostRule("one operation in integers for each output element", elementwise=outputs)


def _binary(form_of: str, *names: Trait) -> Operator:
    """Return the record of arithmetic of two quantized operands."""
    return Operator(
        roles=(*SCALED_WEIGHT, *SCALED_WEIGHT, *SCALE),
        shape=qlinear_binary,
        dtypes=of_input(7),
        cost=QLINEAR,
        form_of=form_of,
        scaled=(Scaled(1, 2, 0), Scaled(4, 5, 3), Scaled(6, 7)),
        traits=traits(*names),
    )


def _unary(form_of: str, shape: ShapeRule, cost: CostRule = QLINEAR) -> Operator:
    """Return the record of a function of one quantized operand."""
    return Operator(
        roles=("operand", *SCALE, *SCALE),
        shape=shape,
        cost=cost,
        form_of=form_of,
        scaled=(Scaled(1, 2, 0), Scaled(3, 4)),
    )


TABLE = family(
    "quant",
    {
        "QLinearConcat": Operator(
            roles=("quantization scale", "zero point"),
            rest="operand",
            shape=qlinear_concat,
            dtypes=of_input(1),
            cost=QLINEAR,
            form_of="Concat",
        ),
        "QLinearWhere": Operator(
            roles=("mask", *SCALED_WEIGHT, *SCALED_WEIGHT, *SCALE),
            shape=qlinear_where,
            dtypes=of_input(1),
            cost=QLINEAR,
            form_of="Where",
            scaled=(Scaled(2, 3, 1), Scaled(5, 6, 4), Scaled(7, 8)),
        ),
        "GatherBlockQuantized": Operator(
            roles=("quantized weight", "index", "quantization scale", "zero point"),
            shape=gather_block_quantized,
            dtypes=of_input(2),
            cost=CostRule("each looked-up element is scaled", elementwise=outputs),
            lookups=((1, 0),),
            form_of="Gather",
            packing=per_byte("bits", frozenset({0, 3})),
        ),
        "QuantizeLinear": QUANTIZE_LINEAR,
        "DequantizeLinear": DEQUANTIZE_LINEAR,
        "QLinearAdd": _binary("Add", "arithmetic"),
        "QLinearMul": _binary("Mul", "arithmetic", "scales"),
        "QLinearSigmoid": _unary("Sigmoid", same(0)),
        "QLinearLeakyRelu": _unary("LeakyRelu", same(0)),
        "QLinearSoftmax": _unary("Softmax", same(0)),
        "QLinearAveragePool": _unary("AveragePool", qlinear_pool, POOL),
        "QLinearGlobalAveragePool": _unary("GlobalAveragePool", global_pool, READ),
        "QLinearReduceMean": _unary("ReduceMean", qlinear_reduce_mean, READ),
        "QuantizeWithOrder": Operator(
            roles=("operand", "quantization scale"),
            passes=FIRST,
            shape=same(0),
            dtypes=always(INT8),
            cost=QUANTIZE,
        ),
        "DequantizeWithOrder": Operator(
            roles=("quantized weight", "quantization scale"),
            passes=FIRST,
            shape=same(0),
            dtypes=by_attribute("to", 0),
            precision=dequantized,
            cost=QUANTIZE,
        ),
        "QuantizeBFP": Operator(
            roles=("operand",),
            passes=FIRST,
            shape=quantize_bfp,
            dtypes=always(UINT8, INT64, INT64),
            cost=QUANTIZE_FIRST,
        ),
        "DequantizeBFP": Operator(
            roles=("quantized weight", "shape", "shape"),
            passes=FIRST,
            shape=dequantize_bfp,
            dtypes=by_attribute("dtype", FLOAT),
            cost=CostRule("one scaling for each element", elementwise=outputs),
        ),
        "ReduceSumInteger": Operator(
            roles=("operand",),
            shape=reduce,
            dtypes=summed_type,
            cost=READ,
            form_of="ReduceSum",
            traits=FOLDS,
        ),
        "GatherPacked": Operator(
            roles=("quantized weight", "index"),
            shape=gather_packed,
            dtypes=by_attribute("output_dtype", BFLOAT16),
            cost=CostRule("each looked-up element is scaled", elementwise=outputs),
            lookups=((1, 0),),
            form_of="Gather",
            packing=rows_of(0),
        ),
    },
)
