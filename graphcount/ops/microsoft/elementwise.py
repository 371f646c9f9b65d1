"""Activations of onnxruntime, with their bias (onnxruntime/docs/ContribOperators.md)."""

from __future__ import annotations

from graphcount.ops.call import Call, Shapes
from graphcount.ops.formulas import UNARY, CostRule, like_input, multiple, outputs, total, when
from graphcount.ops.inference import BOOL, UINT32, always, broadcasting, over, replace, same
from graphcount.ops.operator import Operator, each, family
from graphcount.symbolic import Dim


def _gated_halves(call: Call) -> Dim:
    return 4 * outputs(call)


def bias_split_gelu(call: Call) -> Shapes:
    """BiasSplitGelu: half of the channels gate the other half."""
    data = call.input(0)
    return [replace(data, len(data) - 1, over(data[-1], 2)) if data else None]


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
            cost=CostRule(
                "the bias and the residual if any; dropout does nothing at inference",
                elementwise=total(like_input, when(2, like_input)),
            ),
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
        **each(
            "BitmaskDropout BitmaskBiasDropout",
            Operator(shape=same(0, 0), dtypes=always(0, UINT32)),
        ),
        **each("ComplexMul ComplexMulConj", Operator(shape=broadcasting)),
    },
)
