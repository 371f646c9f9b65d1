"""Operators that treat each element by itself: one operation for each output element.

A fused function (Gelu, Swish, HardSigmoid) counts one as well: the column counts elements, not
instructions. n operands of Sum, Mean, Min or Max are n - 1 operations, as a chain of Add would be.
The place tells which operand is a parameter.
Source: ONNX Operators.md; Broadcasting.md.
"""

from __future__ import annotations

from dataclasses import replace

from graphcount.ops import arithmetic
from graphcount.ops.attributes import one_of
from graphcount.ops.call import (
    Call,
    DataRule,
    DtypeRule,
    Facts,
    Number,
    Results,
    Shape,
    Shapes,
)
from graphcount.ops.elements import FLOATS, each_element, folded
from graphcount.ops.formulas import OUTPUT, UNARY, CostRule, outputs
from graphcount.ops.inference import BOOL, always, broadcast, broadcasting, of_input, same
from graphcount.ops.operator import FIRST, Operator, Trait, each, family, traits
from graphcount.symbolic import Dim


def broadcasting_since_7(call: Call) -> Shapes:
    """Broadcasting, unless the model is older than opset 7."""
    return [call.input(0)] if call.opset < 7 else [broadcast(call.inputs)]


def dropout_types(call: Call) -> list[int]:
    """Dropout: the mask is of booleans since opset 10, before it has the type of the data."""
    return [call.dtype(0), call.dtype(0) if call.opset < 10 else BOOL]


def _chain(call: Call) -> Dim:
    return outputs(call) * max(1, len(call.node.inputs) - 1)


CHAIN = CostRule("operands - 1 operations for each output element", elementwise=_chain)


# ---------------------------------------------------------------------------------------- data


def divided(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Div: integers are rounded towards zero, floats are not."""
    if facts.dtype(0) in FLOATS:
        return each_element(arithmetic.quotient)(facts, outputs)
    return each_element(arithmetic.whole_quotient)(facts, outputs)


def modulo(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Mod: with the sign of the divisor, or with `fmod` of the dividend."""
    c_like = facts.node.integer("fmod", 0)
    return each_element(arithmetic.fmod if c_like else arithmetic.remainder)(facts, outputs)


def chosen(condition: Number, yes: Number, no: Number) -> Number:
    """Return `yes` where the condition holds, else `no`."""
    if isinstance(condition, int):
        return yes if condition else no
    return yes if yes == no else None


def clipped(number: Number, low: Number = None, high: Number = None) -> Number:
    """Return a value between two bounds (Clip)."""
    return arithmetic.minimum_of(arithmetic.maximum_of(number, low), high)


# --------------------------------------------------------------------------------------- rows


def _broadcast(
    data: DataRule | None = None,
    *names: Trait,
    dtypes: DtypeRule | None = None,
    cost: CostRule = OUTPUT,
) -> Operator:
    """Return the record of an operator on operands that broadcast."""
    return Operator(
        rest="operand",
        shape=broadcasting_since_7,
        dtypes=dtypes,
        data=data,
        cost=cost,
        traits=traits(*names),
    )


def _compares(data: DataRule, *names: Trait) -> Operator:
    """Return the record of a comparison of two operands."""
    return _broadcast(data, "compares", *names, dtypes=always(BOOL))


def _unary(
    data: DataRule | None = None, *names: Trait, dtypes: DtypeRule | None = None
) -> Operator:
    """Return the record of a function of one element."""
    return Operator(
        roles=("operand",),
        shape=same(0),
        dtypes=dtypes,
        data=data,
        cost=UNARY,
        traits=traits(*names),
    )


TABLE = family(
    "elementwise",
    {
        "Add": _broadcast(each_element(folded(arithmetic.plus)), "arithmetic"),
        "Sub": _broadcast(each_element(arithmetic.minus), "arithmetic"),
        "Mul": _broadcast(each_element(arithmetic.multiplied), "arithmetic", "scales"),
        "Div": _broadcast(divided, "arithmetic", "scales"),
        "Pow": _broadcast(each_element(arithmetic.power), "arithmetic"),
        "Mod": _broadcast(modulo),
        "Min": _broadcast(each_element(folded(arithmetic.minimum_of)), cost=CHAIN),
        "Max": _broadcast(each_element(folded(arithmetic.maximum_of)), cost=CHAIN),
        "Mean": _broadcast(cost=CHAIN),
        "Sum": _broadcast(each_element(folded(arithmetic.plus)), cost=CHAIN),
        "And": _broadcast(each_element(arithmetic.both), dtypes=always(BOOL)),
        "Or": _broadcast(each_element(arithmetic.either), dtypes=always(BOOL)),
        "Xor": _broadcast(dtypes=always(BOOL)),
        **each("BitwiseAnd BitwiseOr BitwiseXor", _broadcast()),
        "BitShift": replace(_broadcast(), attribute_check=one_of("direction", "LEFT", "RIGHT")),
        "Equal": _compares(each_element(arithmetic.equal)),
        "Greater": _compares(each_element(lambda a, b: arithmetic.below(b, a))),
        "GreaterOrEqual": _compares(each_element(lambda a, b: arithmetic.at_most(b, a))),
        "Less": _compares(each_element(arithmetic.below), "falls"),
        "LessOrEqual": _compares(each_element(arithmetic.at_most), "falls"),
        "PRelu": Operator(roles=("operand", "slope"), shape=same(0), cost=UNARY),
        "Where": Operator(
            roles=("mask", "operand", "operand"),
            shape=broadcasting,
            dtypes=of_input(1),
            data=each_element(chosen),
            cost=OUTPUT,
        ),
        "Clip": Operator(
            roles=("operand", "literal", "literal"),
            shape=same(0),
            data=each_element(clipped),
            cost=UNARY,
            traits=traits("overwrites"),
        ),
        "Dropout": Operator(
            roles=("operand", "scalar", "scalar"),
            passes=FIRST,
            shape=same(0, 0),
            dtypes=dropout_types,
            cost=CostRule("does nothing at inference"),
        ),
        "Abs": _unary(each_element(lambda a: arithmetic.maximum_of(a, arithmetic.minus(0, a)))),
        **each("Acos BitwiseNot", _unary(None, "falls")),
        **each(
            "Acosh Asin Asinh Atanh Cos Cosh Gelu HardSwish Log Mish Reciprocal"
            " Sign Sin Sinh Sqrt Swish Tan",
            _unary(),
        ),
        "SwiGLU": Operator(roles=("operand", "operand"), shape=same(0), cost=UNARY),
        **each("HardSigmoid LeakyRelu Shrink ThresholdedRelu", _unary(None, "overwrites")),
        **each("Atan Erf Exp", _unary(None, "constrains")),
        **each(
            "Celu Elu Selu Sigmoid Softplus Softsign Tanh",
            _unary(None, "constrains", "overwrites"),
        ),
        "Ceil": _unary(each_element(arithmetic.rounded_up)),
        "Floor": _unary(each_element(arithmetic.rounded_down)),
        "Round": _unary(each_element(arithmetic.rounded)),
        **each("IsInf IsNaN", _unary(dtypes=always(BOOL))),
        "Not": _unary(each_element(arithmetic.negated), "falls"),
        "Relu": _unary(each_element(lambda a: arithmetic.maximum_of(a, 0)), "overwrites"),
        "Neg": Operator(
            roles=("operand",),
            passes=FIRST,
            shape=same(0),
            data=each_element(lambda a: arithmetic.multiplied(a, -1)),
            cost=UNARY,
            traits=traits("falls"),
        ),
        **each(
            "Scale ScaledTanh ParametricSoftplus",
            Operator(roles=("operand",), shape=same(0), cost=UNARY),
        ),
    },
)
