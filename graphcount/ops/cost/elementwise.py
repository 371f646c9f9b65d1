"""Element-wise operators: one operation for each output element, whatever the function is.

A fused function (Gelu, Swish, HardSigmoid) counts one as well: the column counts elements, not
instructions. n operands of Sum, Mean, Min or Max are n - 1 operations, as a chain of Add would be.
Random numbers, ranges and windows that the graph computes count one an element.
"""

from __future__ import annotations

from graphcount.ops.call import Call, size
from graphcount.ops.cost.spec import Rule, alike, output, outputs, shape, times, total, when
from graphcount.ops.tables import each, table
from graphcount.symbolic import Dim

UNARY = Rule("one operation for each element", elementwise=alike)
OUTPUT = Rule("one operation for each output element", elementwise=outputs)


def _chain(call: Call) -> Dim:
    return outputs(call) * max(1, len(call.node.inputs) - 1)


def _interpolated(call: Call) -> Dim:
    return 0 if call.node.text("mode", "nearest") == "nearest" else outputs(call)


def _sampled(call: Call) -> Dim:
    return 0 if call.node.text("mode", "linear") == "nearest" else outputs(call)


def _scattered(call: Call) -> Dim:
    if call.node.text("reduction", "none") == "none":
        return 0
    return size(shape(call, 2))


def _gated_halves(call: Call) -> Dim:
    return 4 * outputs(call)


def _both_outputs(call: Call) -> Dim:
    return outputs(call) + size(output(call, 1))


_SCATTER = Rule(
    "a reduction joins each update with an element; writing is free", elementwise=_scattered
)

TABLE = {
    **table(
        "",
        {
            **each(
                "Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Ceil Celu Clip Cos Cosh Elu Erf"
                " Exp Floor Gelu HardSigmoid HardSwish IsInf IsNaN LeakyRelu Log Mish Neg Not PRelu"
                " Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt"
                " SwiGLU Swish Tan Tanh ThresholdedRelu",
                UNARY,
            ),
            **each(
                "Add Sub Mul Div Pow Mod And Or Xor BitShift BitwiseAnd BitwiseOr BitwiseXor Equal"
                " Greater GreaterOrEqual Less LessOrEqual Where",
                OUTPUT,
            ),
            **each(
                "Sum Mean Min Max",
                Rule("operands - 1 operations for each output element", elementwise=_chain),
            ),
            **each("RandomNormalLike RandomUniformLike Bernoulli", UNARY),
            **each(
                "RandomNormal RandomUniform Multinomial Range MelWeightMatrix BlackmanWindow"
                " HammingWindow HannWindow AffineGrid ImageDecoder TfIdfVectorizer",
                OUTPUT,
            ),
            **each(
                "Resize Upsample",
                Rule(
                    "one interpolation for each output element; nearest copies",
                    elementwise=_interpolated,
                ),
            ),
            "GridSample": Rule(
                "one interpolation for each output element; nearest copies", elementwise=_sampled
            ),
            **each("ScatterElements ScatterND", _SCATTER),
        },
    ),
    **table(
        "com.microsoft",
        {
            **each("Gelu QuickGelu", UNARY),
            "FastGelu": Rule(
                "Gelu, after the bias if any", elementwise=total(alike, when(1, alike))
            ),
            **each(
                "BiasGelu BiasSoftmax",
                Rule(
                    "the bias, then the function: two for each element", elementwise=times(2, alike)
                ),
            ),
            "BiasAdd": Rule("bias and residual: two for each element", elementwise=times(2, alike)),
            "BiasDropout": Rule(
                "the bias and the residual if any; dropout does nothing at inference",
                elementwise=total(alike, when(2, alike)),
            ),
            "BiasSplitGelu": Rule(
                "bias on both halves, Gelu on one, their product: four for each output element",
                elementwise=_gated_halves,
            ),
            **each("RelativePositionBias", OUTPUT),
            "GemmaRotaryEmbedding": Rule(
                "a rotation turns each element of queries and keys", elementwise=_both_outputs
            ),
        },
    ),
}
