"""Activations of onnxruntime, with their bias (onnxruntime/docs/ContribOperators.md)."""

from __future__ import annotations

from graphcount.ops.call import Call, Shapes, size
from graphcount.ops.formulas import (
    OUTPUT,
    UNARY,
    CostRule,
    dimension,
    input_shape,
    like_input,
    multiple,
    outputs,
    total,
    when,
)
from graphcount.ops.inference import (
    BOOL,
    INT32,
    UINT32,
    always,
    broadcast,
    broadcasting,
    ceil_over,
    over,
    product,
    replace,
    same,
    scalar,
)
from graphcount.ops.operator import FIRST, Operator, each, family, traits
from graphcount.symbolic import Dim


def _gated_halves(call: Call) -> Dim:
    return 4 * outputs(call)


def bias_split_gelu(call: Call) -> Shapes:
    """BiasSplitGelu: half of the channels gate the other half."""
    data = call.input(0)
    return [replace(data, len(data) - 1, over(data[-1], 2)) if data else None]


def bitmask(call: Call) -> Shapes:
    """BitmaskDropout: as the data, and a mask of one bit an element, 32 in each of its own."""
    data = call.input(0)
    return [data, (ceil_over(product(data), 32),) if data is not None else None]


def swiglu(call: Call) -> Shapes:
    """SwiGLU: as the gate, or half as wide when this holds both halves."""
    data = call.input(0)
    if data is None or call.has(1):
        return [data]
    return [replace(data, len(data) - 1, over(data[-1], 2))]


def mul_integer(call: Call) -> Shapes:
    """MulInteger: A at 0, B at 2."""
    return [broadcast([call.input(0), call.input(2)])]


def every_input(call: Call) -> Dim:
    """Count one for each element of every input."""
    read: Dim = 0
    for index in range(len(call.inputs)):
        read = read + size(input_shape(call, index))
    return read


def _rows(call: Call) -> Dim:
    return size(input_shape(call, 0)[:-1])


def _gate(call: Call) -> Dim:
    """GatedAdd: a product with a weight [K, 1] for each row, where there is one."""
    rows = _rows(call)
    return rows * dimension(call, 3, 0) if call.has(3) else 0


def _gated_sum(call: Call) -> Dim:
    return 2 * outputs(call) + (_rows(call) if call.has(3) else 0)


_BIAS_DROPOUT = CostRule(
    "the bias and the residual if any; dropout does nothing at inference",
    elementwise=total(like_input, when(2, like_input)),
)

TABLE = family(
    "elementwise",
    {
        "BiasGelu": Operator(
            roles=("operand", "bias"),
            shape=same(0),
            cost=CostRule(
                "the bias, then the function: two for each element",
                elementwise=multiple(2, like_input),
            ),
            form_of="Gelu",
        ),
        "BiasSplitGelu": Operator(
            roles=("operand", "bias"),
            shape=bias_split_gelu,
            cost=CostRule(
                "bias on both halves, Gelu on one, their product: four for each output element",
                elementwise=_gated_halves,
            ),
        ),
        "FastGelu": Operator(
            roles=("operand", "bias"),
            shape=same(0),
            cost=CostRule(
                "Gelu, after the bias if any", elementwise=total(like_input, when(1, like_input))
            ),
            form_of="Gelu",
        ),
        "BiasAdd": Operator(
            roles=("operand", "bias", "operand"),
            shape=same(0),
            cost=CostRule(
                "bias and residual: two for each element", elementwise=multiple(2, like_input)
            ),
        ),
        "BiasDropout": Operator(
            roles=("operand", "bias", "operand", "scalar", "scalar"),
            shape=same(0, 0),
            dtypes=always(0, BOOL),
            cost=_BIAS_DROPOUT,
        ),
        "BiasSoftmax": Operator(
            roles=("operand", "mask"),
            shape=same(0),
            cost=CostRule(
                "the bias, then the function: two for each element",
                elementwise=multiple(2, like_input),
            ),
        ),
        **each(
            "Gelu QuickGelu",
            Operator(roles=("operand",), shape=same(0), cost=UNARY, form_of="Gelu"),
        ),
        "BitmaskDropout": Operator(
            roles=("operand", "scalar", "scalar"),
            passes=FIRST,
            shape=bitmask,
            dtypes=always(0, UINT32),
            cost=CostRule("does nothing at inference"),
        ),
        "BitmaskBiasDropout": Operator(
            roles=("operand", "bias", "operand", "scalar", "scalar"),
            shape=bitmask,
            dtypes=always(0, UINT32),
            cost=_BIAS_DROPOUT,
        ),
        **each(
            "ComplexMul ComplexMulConj",
            Operator(roles=("operand", "operand"), shape=broadcasting, cost=OUTPUT),
        ),
        "SwiGLU": Operator(roles=("operand", "operand"), shape=swiglu, cost=OUTPUT),
        "ScaledSiLU": Operator(
            roles=("operand", "scalar"),
            shape=same(0),
            cost=CostRule(
                "the scale, then the function: two for each element",
                elementwise=multiple(2, like_input),
            ),
            form_of="Swish",
        ),
        "QOrderedGelu": Operator(
            roles=("operand", "quantization scale", "quantization scale"),
            shape=same(0),
            cost=UNARY,
            form_of="Gelu",
        ),
        "GatedAdd": Operator(
            roles=("operand", "operand", "operand", "weight"),
            shape=same(0),
            cost=CostRule(
                "a product and a sum for each element; rows x width of a gate that is projected",
                _gate,
                _gated_sum,
            ),
        ),
        "LinearAttentionGate": Operator(
            roles=("operand", "bias", "scale", "operand"),
            shape=same(0, 3),
            dtypes=always(0, 0),
            cost=CostRule(
                "a sum, Softplus and a scale for each decay, Sigmoid for each rate",
                elementwise=total(multiple(3, like_input), when(3, like_input)),
            ),
        ),
        "MulInteger": Operator(
            roles=("quantized weight", "zero point", "quantized weight", "zero point"),
            shape=mul_integer,
            dtypes=always(INT32),
            cost=OUTPUT,
            form_of="Mul",
            traits=traits("arithmetic", "unscaled"),
        ),
        "IsAllFinite": Operator(
            rest="operand",
            shape=scalar,
            dtypes=always(BOOL),
            cost=CostRule("one for each element of every input", elementwise=every_input),
        ),
        "MurmurHash3": Operator(
            rest="literal",
            shape=same(0),
            dtypes=lambda call: [UINT32 if call.node.integer("positive", 1) else INT32],
            cost=UNARY,
        ),
    },
)
