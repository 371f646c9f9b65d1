"""Operators that treat each element by itself; the place tells which operand is a parameter."""

from graphcount.ops.spec import OpSpec
from graphcount.ops.tables import each, table

TABLE = table(
    "",
    {
        **each(
            "Add Sub Mul Div Pow Mod Min Max Mean Sum And Or Xor BitwiseAnd BitwiseOr BitwiseXor"
            " BitShift Equal Greater GreaterOrEqual Less LessOrEqual",
            OpSpec(rest="operand"),
        ),
        "PRelu": OpSpec(("operand", "slope")),
        "Where": OpSpec(("mask", "operand", "operand")),
        "Clip": OpSpec(("operand", "literal", "literal")),
        "Dropout": OpSpec(("operand", "scalar", "scalar"), passes=frozenset({0})),
        **each(
            "Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Ceil Celu Cos Cosh Elu Erf Exp Floor"
            " Gelu HardSigmoid HardSwish Hardmax IsInf IsNaN LeakyRelu Log LogSoftmax Mish Not"
            " Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softmax Softplus Softsign"
            " Sqrt SwiGLU Swish Tan Tanh ThresholdedRelu NegativeLogLikelihoodLoss"
            " SoftmaxCrossEntropyLoss",
            OpSpec(rest="operand"),
        ),
        "Neg": OpSpec(("operand",), passes=frozenset({0})),
    },
)
