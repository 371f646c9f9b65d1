"""Quantization (Operators.md; ContribOperators.md for com.microsoft)."""

from __future__ import annotations

from graphcount.ops.call import Call, Shape
from graphcount.ops.shape.conv import conv_at, global_pool, pool
from graphcount.ops.shape.kit import (
    Rule,
    Shapes,
    add,
    axis_of,
    broadcast,
    integers_of,
    replace,
    same,
)
from graphcount.ops.shape.linear import gemm_at, matmul_at
from graphcount.ops.shape.reduction import reduced
from graphcount.ops.tables import Key, each, table


def dynamic_quantize(call: Call) -> Shapes:
    """DynamicQuantizeLinear: the numbers, one scale, one zero point."""
    return [call.input(0), (), ()]


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
    """QLinearAveragePool; `channels_last` moves the channels."""
    return pool(call)[:1] if not call.node.integer("channels_last", 0) else [None]


def qlinear_global_pool(call: Call) -> Shapes:
    """QLinearGlobalAveragePool; `channels_last` moves the channels."""
    data = call.input(0)
    if data is None or not call.node.integer("channels_last", 0):
        return global_pool(call)
    return [(data[0], *(1,) * (len(data) - 2), data[-1])]


def qlinear_reduce_mean(call: Call) -> Shapes:
    """QLinearReduceMean: over the attribute `axes`, or all."""
    data = call.input(0)
    if data is None:
        return [None]
    axes = call.node.integers("axes") or tuple(range(len(data)))
    chosen = {axis_of(axis, len(data)) for axis in axes}
    return [reduced(data, chosen, bool(call.node.integer("keepdims", 1)))]


def gather_block_quantized(call: Call) -> Shapes:
    """GatherBlockQuantized: Gather; two 4-bit numbers in each byte of a uint8 table."""
    data, indices = call.input(0), call.input(1)
    if data is None or indices is None:
        return [None]
    axis = axis_of(call.node.integer("gather_axis", 0), len(data))
    last = data[-1]
    packed = call.dtype(0) == 2 and call.node.integer("bits", 4) == 4
    unpacked: Shape = (*data[:-1], last * 2 if packed and last is not None else last)
    return [(*unpacked[:axis], *indices, *unpacked[axis + 1 :])]


def matmul_n_bits(call: Call) -> Shapes:
    """MatMulNBits, MatMulBnb4: (…, K) times a packed (N, K): N is an attribute."""
    data = call.input(0)
    n = call.node.integer("N", 0)
    return [(*data[:-1], n or None) if data is not None else None]


def matmul_fp_q4(call: Call) -> Shapes:
    """MatMulFpQ4: the shape of B is input 2."""
    data, shape = call.input(0), integers_of(call, 2)
    return [(*data[:-1], shape[1]) if data is not None and shape else None]


_LINEAR = each("QuantizeLinear DequantizeLinear", same(0))

TABLE: dict[Key, Rule] = {
    **table("", _LINEAR, {"DynamicQuantizeLinear": dynamic_quantize}),
    **table(
        "com.microsoft",
        _LINEAR,
        each("QLinearAdd QLinearMul", qlinear_binary),
        each("QLinearSigmoid QLinearLeakyRelu QLinearSoftmax", same(0)),
        each("MatMulInteger16 MatMulIntegerToFloat DynamicQuantizeMatMul", matmul_at(0, 1)),
        each("MatMulNBits MatMulBnb4", matmul_n_bits),
        {
            "MatMulFpQ4": matmul_fp_q4,
            "QLinearConv": conv_at(3),
            "QLinearConcat": qlinear_concat,
            "QLinearWhere": qlinear_where,
            "QLinearAveragePool": qlinear_pool,
            "QLinearGlobalAveragePool": qlinear_global_pool,
            "QLinearReduceMean": qlinear_reduce_mean,
            "QGemm": gemm_at(0, 3),
            "GatherBlockQuantized": gather_block_quantized,
        },
    ),
    **table(
        "qonnx.custom_op.general", each("Quant IntQuant FloatQuant BipolarQuant Trunc", same(0))
    ),
    **table("onnx.brevitas", each("Quant IntQuant FloatQuant BipolarQuant Trunc", same(0))),
}
