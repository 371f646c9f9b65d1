"""Operators that treat each element by itself (Operators.md; Broadcasting.md)."""

from __future__ import annotations

from graphcount.ops.call import Call
from graphcount.ops.shape.kit import Rule, Shapes, broadcast, same
from graphcount.ops.tables import Key, each, table

UNARY = (
    "Abs Acos Acosh Asin Asinh Atan Atanh BitCast BitwiseNot Cast CastLike Ceil Celu Clip Cos Cosh"
    " Elu Erf Exp Floor Gelu HardSigmoid HardSwish Hardmax Identity IsInf IsNaN LeakyRelu Log"
    " LogSoftmax Mish Neg Not PRelu Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softmax"
    " Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu Trilu CumSum CumProd Bernoulli"
    " RandomNormalLike RandomUniformLike Scale ScaledTanh ParametricSoftplus ImageScaler"
)
"""Output 0 has the shape of input 0."""

BROADCASTING = (
    "BitwiseAnd BitwiseOr BitwiseXor BitShift GreaterOrEqual LessOrEqual Max Mean Min Mod Sum Where"
)
"""All inputs broadcast against each other."""

BROADCASTING_SINCE_7 = "Add And Div Equal Greater Less Mul Or Pow Sub Xor"
"""Before opset 7 the second operand was stretched to the first one (attribute `broadcast`)."""


def broadcasting(call: Call) -> Shapes:
    """Multidirectional broadcasting of all inputs."""
    return [broadcast(call.inputs)]


def broadcasting_since_7(call: Call) -> Shapes:
    """Broadcasting, unless the model is older than opset 7."""
    return [call.input(0)] if call.opset < 7 else [broadcast(call.inputs)]


TABLE: dict[Key, Rule] = table(
    "",
    each(UNARY, same(0)),
    each("Dropout", same(0, 0)),
    each(BROADCASTING, broadcasting),
    each(BROADCASTING_SINCE_7, broadcasting_since_7),
)
