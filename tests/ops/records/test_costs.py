"""Every operator that computes, by a closed form over its shapes; and in words with its factors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod
from typing import Any

from graphcount.ops import operators
from graphcount.ops.call import Call, Shape
from graphcount.ops.cost import cost, explain
from tests.ops.cost.conftest import make
from tests.ops.records.matrix_work import ML, MS, Case, cases

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
    finn.custom_op.general::Quant finn.custom_op.general::IntQuant
    finn.custom_op.general::BipolarQuant finn.custom_op.general::Trunc
    finn.custom_op.general::FloatQuant
    InstanceNormalization GroupNormalization LayerNormalization RMSNormalization
    SimplifiedLayerNormalization com.microsoft::LayerNormalization
    com.microsoft::SimplifiedLayerNormalization com.microsoft::GroupNorm
    RotaryEmbedding com.microsoft::RotaryEmbedding
    Scale ScaledTanh ParametricSoftplus com.microsoft::QOrderedGelu com.microsoft::MurmurHash3
    com.microsoft::NhwcInstanceNorm com.microsoft::BranchwiseRMSNorm
    com.microsoft::QOrderedLayerNormalization com.microsoft::QuantizeWithOrder
    com.microsoft::DequantizeWithOrder com.microsoft::IsAllFinite com.microsoft::QuantizeBFP
"""
"""One operation makes each element of a result that has the shape of the first input."""

ONE_FOR_EACH_RESULT = """
    Add Sub Mul Div Pow Mod And Or Xor BitwiseAnd BitwiseOr BitwiseXor BitShift Equal Greater
    GreaterOrEqual Less LessOrEqual Where Min Max Mean Sum
    Range RandomNormal RandomUniform Multinomial BlackmanWindow HammingWindow HannWindow
    MelWeightMatrix DFT STFT AffineGrid ImageDecoder TfIdfVectorizer Resize Upsample GridSample
    com.microsoft.nchwc::Upsample
    com.microsoft::RelativePositionBias com.microsoft::Rfft com.microsoft::Irfft
    com.microsoft::QLinearAdd com.microsoft::QLinearMul com.microsoft::QLinearConcat
    com.microsoft::QLinearWhere com.microsoft::GatherBlockQuantized
    com.microsoft::ComplexMul com.microsoft::ComplexMulConj com.microsoft::SwiGLU
    com.microsoft::MulInteger com.microsoft::DequantizeBFP com.microsoft::GatherPacked
    com.microsoft::GridSample com.microsoft::CropAndResize com.microsoft::Range
    com.microsoft::NGramHashMapping com.microsoft::VarlenNGramHashMapping
"""
"""One operation makes each element of the result, whatever shape the operands have."""

ONE_FOR_EACH_READ = """
    GlobalAveragePool GlobalLpPool GlobalMaxPool Col2Im Unique TopK SoftmaxCrossEntropyLoss
    ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
    ReduceSum ReduceSumSquare ArgMax ArgMin com.microsoft::Unique
    com.microsoft::QLinearGlobalAveragePool com.microsoft::QLinearReduceMean
    com.microsoft.nchwc::GlobalAveragePool com.microsoft.nchwc::GlobalMaxPool
    com.microsoft::ReduceSumInteger com.microsoft::DynamicTimeWarping
"""
"""One operation reads each element of the first input: what folds."""

TWO_FOR_EACH_ELEMENT = """
    com.microsoft::BiasGelu com.microsoft::BiasSoftmax com.microsoft::BiasAdd
    com.microsoft::SkipLayerNormalization com.microsoft::SkipSimplifiedLayerNormalization
    com.microsoft::ScaledSiLU ImageScaler
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
        (MS, "CDist", [(5, 4), (30, 4)], [(5, 30)], 5 * 30 * 4, {}),
        (MS, "GatedRMSNorm", [x, (16,), x], [x], 3 * 160, {}),
        (MS, "LinearAttentionGate", [x, (16,), (16,)], [x], 3 * 160, {}),
        (MS, "LinearAttentionGate", [x, (16,), (16,), x], [x, x], 4 * 160, {}),
        (MS, "IsAllFinite", [x, (16,)], [()], 176, {}),
        (
            MS,
            "RMSNormRotary",
            [(2, 5, 3, 8), (6,)],
            [(2, 5, 18)],
            180 + 30 * 4,
            {"rotary_embedding_dim": 4, "input_width": 6},
        ),
        (MS, "BitmaskBiasDropout", [x, (16,), x], [x], 2 * 160, {}),
        (MS, "NhwcMaxPool", [X], [(2, 3, 2, 5)], 60 * 9, {"kernel_shape": [3, 3]}),
        *[
            (domain, name, [X], [(2, 6, 2, 2)], 2 * 6 * 4 * 9, {"kernel_shape": [3, 3]})
            for domain, name in keys(
                "AveragePool MaxPool LpPool com.microsoft::QLinearAveragePool"
                " com.microsoft.nchwc::AveragePool com.microsoft.nchwc::MaxPool"
                " com.microsoft::MaxpoolWithMask"
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


def test_steps_of_a_state_that_are_kept_are_elements_of_an_input() -> None:
    """Metadata: offsets, heads, value size, key size, key heads, capacity, kept steps."""
    sizes = (0, 0, 0, 0, 0, 4, 3, 6, 2, 8, 5)
    shapes = [(99,), (99,), (77,), (11,)]
    known = make("GatedDeltaNetStateReplay", shapes, domain=MS, values=[None, None, None, sizes])
    assert cost(known) == (5 * 4 * 3 * 6, 5 * 4 * 3 * 6, 0)
    unknown = make("GatedDeltaNetStateReplay", shapes, domain=MS)
    assert cost(unknown) == (None, None, 0)


def test_flags_decide_which_keys_a_decoder_meets() -> None:
    """Self or cross attention, with a cache or without: 5 queries, 6 keys, 4 in the cache."""
    query, key, cache = (5, 2, 21), (6, 2, 21), (2, 3, 4, 7)
    inputs = [query, key, (21, 21), (21, 42), (63,), None, cache, cache, *[(1,)] * 4]
    own = 5 * 2 * 21 * 21
    for flags, keys, source in (
        ((0, 0, 0), 5, 5),
        ((0, 1, 1), 9, 5),
        ((0, 1, 0), 5, 5),
        ((1, 0, 0), 6, 6),
        ((1, 1, 1), 4, 0),
    ):
        values = [None] * 8 + [(flag,) for flag in (*flags, 0)]
        one = make(
            "DecoderAttention",
            inputs,
            domain=MS,
            values=values,
            left_out=[5],
            num_heads=3,
        )
        projected = own + source * 2 * 21 * 42
        biases = (5 + 2 * source) * 2 * 21
        scores = 2 * 3 * 5 * keys
        assert cost(one) == (projected + 2 * scores * 7, scores, biases), flags
    steered = make("DecoderAttention", inputs, domain=MS, left_out=[5], num_heads=3)
    assert cost(steered) == (None, None, None)


STEERED = {(MS, "GatedDeltaNetStateReplay"), (MS, "DecoderAttention")}


def test_every_operator_that_multiplies_is_tried() -> None:
    assert {(case.domain, case.op_type) for case in cases()} | STEERED == {
        key for key, row in operators().items() if row.multiplies
    }


# -------------------------------------------------------------------------------------- in words

FREE_FOR_A_REASON = {
    "Gather GatherElements GatherND": "look-up",
    "com.microsoft::TorchEmbedding com.microsoft::GatherND": "look-up",
    "If Loop Scan SequenceMap": "body",
    "Dropout com.microsoft::BitmaskDropout": "inference",
}
POOLS = """
    AveragePool MaxPool LpPool com.microsoft::QLinearAveragePool com.microsoft.nchwc::AveragePool
    com.microsoft.nchwc::MaxPool
"""
NORMS = """
    BatchNormalization InstanceNormalization GroupNormalization LayerNormalization RMSNormalization
    SimplifiedLayerNormalization com.microsoft::LayerNormalization
    com.microsoft::SimplifiedLayerNormalization
"""
SKIPPED = "com.microsoft::SkipLayerNormalization com.microsoft::SkipSimplifiedLayerNormalization"


def test_what_is_free_says_why() -> None:
    for names, word in FREE_FOR_A_REASON.items():
        for domain, op_type in keys(names):
            one = make(op_type, [X, X], [X], domain=domain)
            assert cost(one) == (0, 0, 0)
            assert word in explain(one), op_type


def test_windows_are_explained() -> None:
    for domain, op_type in keys(POOLS):
        one = make(op_type, [X], [(2, 6, 2, 2)], domain=domain, kernel_shape=[3, 5])
        assert {"15", "48", "720"} <= set(re.findall(r"\d+", explain(one))), op_type


def test_norms_are_explained_with_what_they_learned() -> None:
    for domain, op_type in keys(NORMS):
        one = make(op_type, [(2, 13, 4), *[(13,)] * 4], [(2, 13, 4)], domain=domain)
        assert "13 scales" in explain(one), op_type
    for domain, op_type in keys(SKIPPED):
        one = make(op_type, [(2, 4, 13)] * 2 + [(13,)] * 3, [(2, 4, 13)], domain=domain)
        assert "13 scales" in explain(one), op_type


def test_trees_are_explained_with_their_longest_path() -> None:
    stump: dict[str, Any] = {
        "nodes_treeids": [0, 0, 0],
        "nodes_nodeids": [0, 1, 2],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
        "nodes_truenodeids": [1, 0, 0],
        "nodes_falsenodeids": [2, 0, 0],
    }
    flat: dict[str, Any] = {
        "tree_roots": [0],
        "nodes_truenodeids": [0],
        "nodes_falsenodeids": [1],
        "nodes_trueleafs": [1],
        "nodes_falseleafs": [1],
    }
    for op_type, tree in (
        ("TreeEnsembleClassifier", stump),
        ("TreeEnsembleRegressor", stump),
        ("TreeEnsemble", flat),
    ):
        one = make(op_type, [(9, 4)], domain=ML, **tree)
        assert cost(one) == (0, 9, 0)
        assert "1 comparison" in explain(one), op_type
