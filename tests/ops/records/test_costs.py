"""Every operator that computes, by a closed form over its shapes; and in words with its factors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

from graphcount.ops import operators
from graphcount.ops.call import Call, Shape
from graphcount.ops.cost import cost, explain
from tests.ops.cost.conftest import make

MS, ML, NCHWC = "com.microsoft", "ai.onnx.ml", "com.microsoft.nchwc"
QONNX = ("qonnx.custom_op.general", "onnx.brevitas")
X = (2, 6, 4, 5)
N = prod(X)

# ----------------------------------------------------------------------------- element by element

ONE_FOR_EACH_ELEMENT = """
    Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Ceil Celu Clip Cos Cosh Elu Erf Exp Floor Gelu
    HardSigmoid HardSwish IsInf IsNaN LeakyRelu Log Mish Neg Not PRelu Reciprocal Relu Round Selu
    Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt SwiGLU Swish Tan Tanh ThresholdedRelu
    Hardmax LogSoftmax Softmax LpNormalization MeanVarianceNormalization BatchNormalization
    CumSum CumProd Bernoulli RandomNormalLike RandomUniformLike
    QuantizeLinear DequantizeLinear DynamicQuantizeLinear
    ai.onnx.ml::Scaler ai.onnx.ml::Imputer ai.onnx.ml::Binarizer ai.onnx.ml::Normalizer
    com.microsoft::Gelu com.microsoft::QuickGelu com.microsoft::FastGelu
    com.microsoft::QuantizeLinear com.microsoft::DequantizeLinear
    com.microsoft::QLinearSigmoid com.microsoft::QLinearLeakyRelu com.microsoft::QLinearSoftmax
    qonnx.custom_op.general::Quant qonnx.custom_op.general::IntQuant
    qonnx.custom_op.general::BipolarQuant qonnx.custom_op.general::Trunc
    qonnx.custom_op.general::FloatQuant onnx.brevitas::Quant onnx.brevitas::IntQuant
    onnx.brevitas::BipolarQuant onnx.brevitas::Trunc onnx.brevitas::FloatQuant
    InstanceNormalization GroupNormalization LayerNormalization RMSNormalization
    SimplifiedLayerNormalization com.microsoft::LayerNormalization
    com.microsoft::SimplifiedLayerNormalization com.microsoft::GroupNorm
    RotaryEmbedding com.microsoft::RotaryEmbedding
"""
"""One operation makes each element of a result that has the shape of the first input."""

ONE_FOR_EACH_RESULT = """
    Add Sub Mul Div Pow Mod And Or Xor BitwiseAnd BitwiseOr BitwiseXor BitShift Equal Greater
    GreaterOrEqual Less LessOrEqual Where Min Max Mean Sum
    Range RandomNormal RandomUniform Multinomial BlackmanWindow HammingWindow HannWindow
    MelWeightMatrix DFT STFT AffineGrid ImageDecoder TfIdfVectorizer Resize Upsample GridSample
    com.microsoft::RelativePositionBias com.microsoft::Rfft com.microsoft::Irfft
    com.microsoft::QLinearAdd com.microsoft::QLinearMul com.microsoft::QLinearConcat
    com.microsoft::QLinearWhere com.microsoft::GatherBlockQuantized
"""
"""One operation makes each element of the result, whatever shape the operands have."""

ONE_FOR_EACH_READ = """
    GlobalAveragePool GlobalLpPool GlobalMaxPool Col2Im Unique TopK SoftmaxCrossEntropyLoss
    ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
    ReduceSum ReduceSumSquare ArgMax ArgMin com.microsoft::Unique
    com.microsoft::QLinearGlobalAveragePool com.microsoft::QLinearReduceMean
    com.microsoft.nchwc::GlobalAveragePool com.microsoft.nchwc::GlobalMaxPool
"""
"""One operation reads each element of the first input: what folds."""

TWO_FOR_EACH_ELEMENT = """
    com.microsoft::BiasGelu com.microsoft::BiasSoftmax com.microsoft::BiasAdd
    com.microsoft::SkipLayerNormalization com.microsoft::SkipSimplifiedLayerNormalization
"""
"""The name joins two operations: a sum, then a function or a norm."""


def keys(names: str) -> list[tuple[str, str]]:
    """Return domain and op_type of names."""
    return [(name.rpartition("::")[0], name.rpartition("::")[2]) for name in names.split()]


def test_what_works_element_by_element() -> None:
    wide, narrow = (9, *X), (2, 6, 4)
    groups: list[tuple[str, list[Shape | None], list[Shape | None], int]] = [
        (ONE_FOR_EACH_ELEMENT, [X], [X], N),
        (ONE_FOR_EACH_RESULT, [narrow, narrow], [wide], 9 * N),
        (ONE_FOR_EACH_READ, [X], [narrow], N),
        (TWO_FOR_EACH_ELEMENT, [X, X], [X], 2 * N),
    ]
    for names, inputs, outputs, wanted in groups:
        for domain, op_type in keys(names):
            mode: dict[str, Any] = {"mode": "linear"} if op_type in ("Resize", "Upsample") else {}
            found = cost(make(op_type, inputs, outputs, domain=domain, **mode))
            assert found == (0, wanted, 0), (domain, op_type)


def test_work_of_their_own_kind() -> None:
    x: Shape = (2, 5, 16)
    cases: list[tuple[str, str, Sequence[Shape], Sequence[Shape], int, dict[str, Any]]] = [
        ("", "LRN", [X], [X], 5 * N, {"size": 5}),
        ("", "Det", [(2, 6, 6)], [(2,)], 2 * 6**3 // 3, {}),
        (MS, "Inverse", [(2, 6, 6)], [(2, 6, 6)], 2 * 6**3, {}),
        ("", "RoiAlign", [X], [(3, 6, 7, 7)], 3 * 6 * 49 * 4, {"sampling_ratio": 2}),
        ("", "NonMaxSuppression", [(1, 9, 4), (1, 3, 9)], [(None, 3)], 27, {}),
        ("", "NegativeLogLikelihoodLoss", [(2, 3, 4), (2, 4)], [()], 8, {}),
        ("", "ScatterElements", [X, (2, 4), (2, 4)], [X], 8, {"reduction": "add"}),
        ("", "ScatterND", [X, (2, 1), (2, 4)], [X], 8, {"reduction": "max"}),
        (MS, "BiasSplitGelu", [x, (16,)], [(2, 5, 8)], 2 * 80 + 80 + 80, {}),
        (MS, "SkipGroupNorm", [X, (5,), (5,), X, (5,)], [X, X], 3 * N, {"channels_last": 1}),
        (MS, "BiasDropout", [x, (16,), x], [x, x], 2 * 160, {}),
        (MS, "GemmaRotaryEmbedding", [(2, 5, 8), x, x, x, x], [x, x], 2 * 160, {}),
        (MS, "EmbedLayerNormalization", [(2, 5)] * 2, [x], 3 * 160, {}),
        (MS, "QEmbedLayerNormalization", [(2, 5)] * 2, [x], 3 * 160, {}),
        *[
            (domain, name, [X], [(2, 6, 2, 2)], 2 * 6 * 4 * 9, {"kernel_shape": [3, 3]})
            for domain, name in keys(
                "AveragePool MaxPool LpPool com.microsoft::QLinearAveragePool"
                " com.microsoft.nchwc::AveragePool com.microsoft.nchwc::MaxPool"
            )
        ],
    ]
    for domain, op_type, inputs, outputs, wanted, attributes in cases:
        found = cost(make(op_type, inputs, outputs, domain=domain, **attributes))
        assert found == (0, wanted, 0), (domain, op_type)


def test_regions_of_unknown_size_are_not_free() -> None:
    found = cost(make("MaxRoiPool", [X, (5, 5)], [(5, 6, 7, 7)]))
    assert found == (0, None, 0)


# ---------------------------------------------------------------------------------- matrix work


class Case(NamedTuple):
    """A call of an operator that multiplies.

    Attributes:
        domain: Its domain.
        op_type: Its op_type.
        inputs: Shape of each input; None for one that is left out.
        outputs: Shapes of outputs.
        macs: Products.
        elementwise: Elements computed one by one.
        bias: Additions of a bias.
        factors: Numbers that the explanation must name.
        attributes: Attributes.
    """

    domain: str
    op_type: str
    inputs: Sequence[Shape | None]
    outputs: Sequence[Shape | None]
    macs: int
    elementwise: int
    bias: int
    factors: tuple[int, ...]
    attributes: dict[str, Any] | None = None


A, B, OUT, C = (3, 7), (7, 11), (3, 11), (11,)
M = 3 * 7 * 11
S = ()


def products() -> list[Case]:
    """Return matrix products of 3 x 7 and 7 x 11."""
    made: list[tuple[str, str, list[Shape | None], int, int]] = [
        ("", "MatMul", [A, B], 0, 0),
        ("", "Gemm", [A, B, C], 0, 33),
        ("", "MatMulInteger", [A, B], 0, 0),
        ("", "QLinearMatMul", [A, S, S, B, S, S, S, S], 33, 0),
        (MS, "FusedMatMul", [A, B], 0, 0),
        (MS, "TransposeMatMul", [A, B], 0, 0),
        (MS, "SparseToDenseMatMul", [A, B], 0, 0),
        (MS, "FusedMatMulActivation", [A, B], 33, 0),
        (MS, "FusedGemm", [A, B, C], 33, 33),
        (MS, "GemmFastGelu", [A, B, C], 33, 33),
        (MS, "GemmFloat8", [A, B, C], 0, 33),
        (MS, "DynamicQuantizeMatMul", [A, B, S, S, C], 21 + 33, 33),
        (MS, "MatMulIntegerToFloat", [A, B, S, S, S, S, C], 33, 33),
        (MS, "MatMulInteger16", [A, B], 0, 0),
        (MS, "QGemm", [A, S, S, B, S, S, C], 33, 33),
    ]
    rows = [Case(d, op, inputs, [OUT], M, e, b, (7, 11)) for d, op, inputs, e, b in made]
    packed = {"K": 7, "N": 11}
    return [
        *rows,
        Case(MS, "MatMulNBits", [A, B, C, None, None, C], [OUT], M, 77, 33, (7, 11), packed),
        Case(MS, "MatMulBnb4", [A, B, C], [OUT], M, 77, 0, (7, 11), packed),
        Case(MS, "MatMulFpQ4", [A, B], [OUT], M, 77, 0, (7, 11)),
        Case("", "Einsum", [A, B], [OUT], M, 0, 0, (7, 11), {"equation": "ij,jk->ik"}),
    ]


def convolutions() -> list[Case]:
    """Return convolutions of 13 filters of 3 x 5 x 5 over 7 x 9 positions."""
    data, filters, bias, out = (1, 3, 11, 13), (13, 3, 5, 5), (13,), (1, 13, 7, 9)
    macs, outs, one = 7 * 9 * 13 * 75, 7 * 9 * 13, (13, 5)
    quantized: list[Shape | None] = [data, S, S, filters, S, S, S, S, bias]
    last, laid = (1, 7, 9, 13), [(1, 11, 13, 3), filters, bias]
    fused = {"activation": "Relu"}
    back = [(1, 3, 7, 9), (3, 13, 5, 5)]
    spread = 7 * 9 * 3 * 13 * 25
    return [
        Case("", "Conv", [data, filters, bias], [out], macs, 0, outs, one),
        Case("", "ConvInteger", [data, filters], [out], macs, 0, 0, one),
        *[Case(d, "QLinearConv", quantized, [out], macs, outs, outs, one) for d in ("", MS)],
        Case(MS, "FusedConv", [data, filters, bias], [out], macs, outs, outs, one, fused),
        Case(MS, "NhwcFusedConv", laid, [last], macs, outs, outs, one, fused),
        Case(MS, "NhwcConv", laid, [last], macs, 0, outs, one),
        Case(NCHWC, "Conv", [data, filters, bias], [out], macs, outs, outs, one, fused),
        Case("", "ConvTranspose", [*back, bias], [(1, 13, 11, 13)], spread, 0, 1859, one),
        Case(
            MS,
            "ConvTransposeWithDynamicPads",
            [*back, None, bias],
            [(1, 13, 11, 13)],
            spread,
            0,
            1859,
            one,
        ),
        Case(
            "",
            "DeformConv",
            [data, filters, (1, 50, 7, 9), bias],
            [out],
            macs,
            7 * 9 * 3 * 25,
            outs,
            one,
        ),
        Case(
            "",
            "CausalConvWithState",
            [(2, 13, 9), (13, 1, 5), (13,)],
            [(2, 13, 9)],
            2 * 9 * 13 * 5,
            2 * 9 * 13,
            2 * 9 * 13,
            (5, 13),
            {"group": 13, "activation": "silu"},
        ),
    ]


def attentions() -> list[Case]:
    """Return attention of 2 sequences of 5 tokens, 3 heads of size 7 on 11 features."""
    scores = 2 * 3 * 5 * 5
    two, tokens, width = 2 * scores * 7, (2, 5, 11), 3 * 21
    weights: list[Shape | None] = [(11, width), (width,)]
    projected, biases = 2 * 5 * 11 * width, 2 * 5 * width
    heads = {"num_heads": 3}
    q = (2, 5, 21)
    own: list[Shape | None] = [tokens, *weights]
    step: list[Shape | None] = [(2, 1, 21)] * 3
    past: list[Shape | None] = [(2, 3, 4, 7)] * 2
    grouped = {"num_heads": 3, "kv_num_heads": 3}
    long: list[Shape | None] = [(2, 64, 11), *weights, (2, 64), *weights, (2, 64)]
    return [
        Case("", "Attention", [(2, 3, 5, 7)] * 3, [(2, 3, 5, 7)], two, scores, 0, (5,)),
        Case(
            "",
            "LinearAttention",
            [q, q, q],
            [q],
            2 * 5 * 3 * 49 * 2,
            0,
            0,
            (49,),
            {"q_num_heads": 3, "kv_num_heads": 3, "update_rule": "linear"},
        ),
        *[
            Case(MS, name, own, [q], projected + two, scores, biases, (5,), heads)
            for name in ("Attention", "DecoderMaskedSelfAttention")
        ],
        Case(MS, "QAttention", [*own, S, S], [q], projected + two, scores, biases, (5,), heads),
        Case(
            MS,
            "PackedAttention",
            [(10, 11), *weights, (2, 5), (3,)],
            [(10, 21)],
            projected + two,
            scores,
            biases,
            (5,),
            heads,
        ),
        Case(
            MS,
            "LongformerAttention",
            long,
            [(2, 64, 21)],
            2 * (2 * 64 * 11 * width) + 2 * 2 * 3 * 64 * 16 * 7,
            2 * (2 * 3 * 64 * 16),
            2 * 64 * width,
            (64,),
            {"num_heads": 3, "window": 8},
        ),
        Case(MS, "MultiHeadAttention", [q, q, q, (63,)], [q], two, scores, 630, (5,), heads),
        Case(
            MS,
            "PackedMultiHeadAttention",
            [(10, 21)] * 3 + [(63,), (2, 5), (3,)],
            [(10, 21)],
            two,
            scores,
            630,
            (5,),
            heads,
        ),
        Case(
            MS,
            "DecoderMaskedMultiHeadAttention",
            [*step, None, None, *past, None, None, None, (63,)],
            [(2, 1, 21)],
            2 * 2 * 3 * 5 * 7,
            2 * 3 * 5,
            2 * 63,
            (5,),
            heads,
        ),
        Case(MS, "GroupQueryAttention", [q, q, q], [q], two, scores, 0, (5,), grouped),
        Case(MS, "SparseAttention", [q, q, q], [q], two, scores, 0, (5,), grouped),
        Case(
            MS,
            "GatedRelativePositionBias",
            [q, (21,), (1, 3, 5, 5), (7, 8), (8,), (1, 3, 1, 1)],
            [(2, 3, 5, 5)],
            2 * 5 * 3 * 7 * 8,
            scores,
            2 * 5 * (21 + 3 * 8),
            (),
            heads,
        ),
    ]


def recurrences() -> list[Case]:
    """Return layers of 5 steps, 2 sequences of 3 features, 7 hidden."""
    cases = []
    for op_type, gates, domain in (
        ("LSTM", 4, ""),
        ("GRU", 3, ""),
        ("RNN", 1, ""),
        ("DynamicQuantizeLSTM", 4, MS),
    ):
        wide = gates * 7
        w: list[Shape | None] = (
            [(1, wide, 3), (1, wide, 7)] if not domain else [(1, 3, wide), (1, 7, wide)]
        )
        cases.append(
            Case(
                domain,
                op_type,
                [(5, 2, 3), *w, (1, 2 * wide)],
                [(5, 1, 2, 7)],
                5 * 2 * wide * (3 + 7),
                5 * 2 * 7 * {4: 9, 3: 8, 1: 1}[gates],
                5 * 2 * 2 * wide,
                (3, 7),
                {"hidden_size": 7},
            )
        )
    return cases


def learned() -> list[Case]:
    """Return models of ai.onnx.ml on 5 samples of 3 features, experts, words."""
    x: list[Shape | None] = [(5, 3)]
    linear = {"coefficients": [0.5] * 6, "intercepts": [0.5] * 2, "post_transform": "SOFTMAX"}
    vectors = {"support_vectors": [0.5] * 12, "kernel_type": "RBF"}
    several = {**vectors, "coefficients": [0.5] * 4, "vectors_per_class": [2, 2]}
    single = {**vectors, "coefficients": [0.5] * 4, "n_supports": 4}
    experts: list[Shape | None] = [(10, 64), (10, 8), (8, 128, 64), (8, 128), (8, 64, 128), (8, 64)]
    packed: list[Shape | None] = [
        *((10, 64), (10, 8), (8, 128, 32), (8, 128), (8, 128), (8, 64, 64), (8, 64), (8, 64)),
    ]
    both = 10 * 2 * (2 * 128 * 64)
    added = 10 * 2 * (128 + 64)
    letters: list[Shape | None] = [(7, 20), (50, 1, 5, 16), (50,), (99, 16)]
    return [
        Case(ML, "LinearClassifier", x, [], 5 * 6, 10, 10, (6,), linear),
        Case(ML, "LinearRegressor", x, [], 5 * 6, 10, 10, (6,), linear),
        Case(ML, "SVMClassifier", x, [], 5 * (12 + 4), 5 * 4, 0, (12,), several),
        Case(ML, "SVMRegressor", x, [], 5 * (12 + 4), 5 * 4, 0, (12,), single),
        Case(MS, "MoE", experts, [], both, 10 * 2 * 128 + 80, added, (8,), {"k": 2}),
        Case(MS, "QMoE", packed, [], both, 10 * 2 * 128 + 80, added, (8,), {"k": 2}),
        Case(MS, "WordConvEmbedding", letters, [], 7 * 16 * 4000, 5600, 5600, ()),
    ]


def memory() -> Case:
    """Return an LSTM of 3 steps that reads a memory of 5 rows of 4, by the paper's formulas."""
    inputs: list[Shape | None] = [
        *((3, 2, 6), (1, 28, 10), (1, 28, 7), (1, 56), None, None, None, None),
        *((1, 7, 8), (1, 4, 8), (1, 8), (2, 5, 4), None),
    ]
    inputs.insert(8, None)
    a_step = 28 * 10 + 28 * 7 + 7 * 8 + 5 * (8 + 4)
    macs = 3 * 2 * a_step + 2 * 5 * (4 * 8)
    return Case(
        MS,
        "AttnLSTM",
        inputs,
        [(3, 1, 2, 7)],
        macs,
        3 * 2 * 7 * 9,
        3 * 2 * 56,
        (),
        {"hidden_size": 7},
    )


def cases() -> list[Case]:
    """Return a call of every operator that multiplies."""
    return [
        *products(),
        *convolutions(),
        *attentions(),
        *recurrences(),
        *learned(),
        memory(),
    ]


def called(case: Case) -> Call:
    """Return the call of a case."""
    left_out = [index for index, shape in enumerate(case.inputs) if shape is None]
    return make(
        case.op_type,
        case.inputs,
        case.outputs,
        domain=case.domain,
        left_out=left_out,
        **(case.attributes or {}),
    )


def test_matrix_work() -> None:
    wrong = []
    for case in cases():
        found = cost(called(case))
        if found != (case.macs, case.elementwise, case.bias):
            wrong.append((case.domain, case.op_type, found, case.macs, case.elementwise, case.bias))
    assert not wrong, "\n".join(map(str, wrong))


def test_matrix_work_is_explained_with_its_factors() -> None:
    wrong = []
    for case in cases():
        text = explain(called(case))
        named = set(re.findall(r"\d[\d,]*", text))
        if not {f"{factor:,}" for factor in case.factors} <= named or f"{case.macs:,}" not in named:
            wrong.append((case.op_type, case.factors, case.macs, text))
    assert not wrong, "\n".join(map(str, wrong))


def test_every_operator_that_multiplies_is_tried() -> None:
    assert {(case.domain, case.op_type) for case in cases()} == {
        key for key, row in operators().items() if row.multiplies
    }
