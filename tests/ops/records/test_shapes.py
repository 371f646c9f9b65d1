"""Shapes against onnx's own inference for calls made from the definitions, and closed forms."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import onnx
from onnx import TensorProto, defs, helper

from graphcount.ops import Key, lookup, operators
from graphcount.ops.inference import unknown
from tests.ops.cost.conftest import make
from tests.ops.records.definitions import Definition, newest
from tests.ops.records.test_inference import INFERRED
from tests.ops.records.test_runs import CONTRIB, ELEMENTS, rows
from tests.ops.shape.test_against_onnx import CASES

Sizes = tuple[int, ...]
SIZES: Sizes = (2, 3, 4, 5)


def inferred(one: Definition, shapes: Sequence[Sizes], outputs: int) -> list[Any]:
    """Return the shapes that onnx infers; None where it does not tell."""
    codes = dict(TensorProto.DataType.items())
    infos: list[onnx.ValueInfoProto] = []
    types: dict[str, int] = {}
    for index, parameter in enumerate(one.inputs[: len(shapes)]):
        names = sorted(name[7:-1].upper() for name in parameter.types if name.startswith("tensor("))
        kinds = [codes[name] for name in names if name in codes]
        code = types.setdefault(parameter.type, 1 if 1 in kinds else (kinds or [1])[0])
        infos.append(helper.make_tensor_value_info(f"x{index}", code, [*shapes[index]]))
    made = [f"y{index}" for index in range(outputs)]
    node = helper.make_node(one.name, [info.name for info in infos], made, domain=one.domain)
    empty = [onnx.ValueInfoProto(name=name) for name in made]
    graph = helper.make_graph([node], "g", infos, empty)
    newest_opset = defs.onnx_opset_version()
    opsets = [helper.make_opsetid("", newest_opset), helper.make_opsetid("ai.onnx.ml", 5)]
    model = onnx.shape_inference.infer_shapes(helper.make_model(graph, opset_imports=opsets))
    found = []
    for info in model.graph.output:
        tensor = info.type.tensor_type
        known = tensor.HasField("shape") and all(d.HasField("dim_value") for d in tensor.shape.dim)
        found.append(tuple(d.dim_value for d in tensor.shape.dim) if known else None)
    return found


PLAIN: list[list[Sizes]] = [
    [SIZES] * 9,
    [(3, 3)] * 9,
    [SIZES, (3,), (3,), (3,), (3,)],
    [SIZES, (2, 3, 4, 1)],
]
"""Shapes of inputs that fit many operators without any attribute."""

OTHERS = """
    ai.onnx.ml::ArrayFeatureExtractor ai.onnx.ml::LinearClassifier SequenceErase OptionalGetElement
"""
"""Operators for which these shapes or types make no sense, which onnx does not notice."""


@cache
def told() -> dict[Key, list[tuple[list[Sizes], list[Any]]]]:
    """Return calls with the shapes that onnx infers for them."""
    found: dict[Key, list[tuple[list[Sizes], list[Any]]]] = {}
    for key, one in newest().items():
        if key[0] not in ("", "ai.onnx.ml") or "::".join(filter(None, key)) in OTHERS.split():
            continue
        for shapes in PLAIN:
            for count in range(min(len(one.inputs), len(shapes)) + 1):
                given = shapes[:count]
                try:
                    wanted = inferred(one, given, len(one.outputs))
                except (onnx.shape_inference.InferenceError, ValueError):
                    continue
                if wanted and wanted[0] is not None:
                    found.setdefault(key, []).append((given, wanted))
    return found


def shapes_of(key: Key, inputs: list[Any], outputs: int, **attributes: Any) -> list[Any]:
    """Return what the rule of a record says."""
    row = lookup(*key)
    assert row is not None
    assert row.shape is not None, key
    values = [tuple(one) if isinstance(one, list) else None for one in inputs]
    shapes = [(len(one),) if isinstance(one, list) else one for one in inputs]
    left_out = [index for index, one in enumerate(inputs) if one is None]
    return row.shape(
        make(
            key[1],
            shapes,
            [None] * outputs,
            domain=key[0],
            values=values,
            left_out=left_out,
            **attributes,
        )
    )


def test_calls_without_attributes_have_the_shapes_that_onnx_infers() -> None:
    wrong = []
    for key, calls in told().items():
        for inputs, wanted in calls:
            ours = shapes_of(key, inputs, len(wanted))
            pairs = zip(ours, wanted, strict=False)
            if any(shape is not None and shape != mine for mine, shape in pairs):
                wrong.append((key, inputs, ours, wanted))
    assert not wrong, "\n".join(map(str, wrong))
    assert len(told()) > 130


MS, ML, NCHWC = "com.microsoft", "ai.onnx.ml", "com.microsoft.nchwc"
QONNX = ("onnx.brevitas", "qonnx.custom_op.general", "finn.custom_op.general")
X = (2, 6, 5, 7)
S = ()
H = {"num_heads": 3}
Q = (2, 5, 21)
WEIGHTS = [(11, 63), (63,)]
DECODED: list[Any] = [
    *((5, 2, 21), (6, 2, 21), (21, 21), (21, 42), (63,), None, (2, 3, 4, 7), (2, 3, 4, 7)),
]
SEARCHED = [(2, 5), [20], [1], [4], [3]]
LINEAR = {"coefficients": [0.5] * 6, "classlabels_ints": [0, 1, 2]}
Case = tuple[Any, ...]
CLOSED: list[Case] = [
    # op_types, inputs (a list for the elements of a vector), shapes of outputs, attributes
    *[
        (f"{domain}::{name}", [X, S, S, S, S], [X])
        for domain in QONNX
        for name in ("Quant", "IntQuant", "BipolarQuant", "Trunc", "FloatQuant")
    ],
    ("BitCast ImageScaler ParametricSoftplus Scale ScaledTanh MeanVarianceNormalization", [X], [X]),
    ("BlackmanWindow HammingWindow", [[9]], [(9,)]),
    ("CausalConvWithState", [(2, 13, 9), (13, 1, 5)], [(2, 13, 9), (2, 13, 4)], {"group": 13}),
    ("Compress", [X, (7,)], [(2, 6, 5, None)], {"axis": 3}),
    ("GroupNormalization", [X, (6,), (6,)], [X], {"num_groups": 2}),
    ("ImageDecoder", [(99,)], [(None, None, None)]),
    (
        "LinearAttention",
        [Q, Q, Q],
        [Q, (2, 3, 7, 7)],
        {"q_num_heads": 3, "kv_num_heads": 3},
    ),
    ("LpPool", [X], [(2, 6, 4, 5)], {"kernel_shape": [2, 3]}),
    ("MaxRoiPool", [X, (4, 5)], [(4, 6, 3, 2)], {"pooled_shape": [3, 2]}),
    ("MelWeightMatrix", [[8], [16], [1], [1], [1]], [(9, 8)]),
    ("NegativeLogLikelihoodLoss", [(2, 3, 4), (2, 4)], [()]),
    ("NonMaxSuppression", [(1, 9, 4), (1, 3, 9)], [(None, 3)]),
    ("RNN", [(5, 2, 3), (1, 7, 3), (1, 7, 7)], [(5, 1, 2, 7), (1, 2, 7)], {"hidden_size": 7}),
    ("RandomUniform", [], [(4, 5)], {"shape": [4, 5]}),
    ("StringSplit", [(4,)], [(4, None), (4,)]),
    (f"{ML}::CastMap {ML}::CategoryMapper {ML}::Imputer {ML}::LabelEncoder", [X], [X]),
    (f"{ML}::Normalizer {ML}::Scaler", [X], [X]),
    (f"{ML}::FeatureVectorizer", [(4, 2), (4, 3)], [(4, 5)], {"inputdimensions": [2, 3]}),
    (f"{ML}::OneHotEncoder", [(4, 2)], [(4, 2, 3)], {"cats_int64s": [5, 6, 7]}),
    (f"{ML}::LinearRegressor", [(4, 2)], [(4, 3)], {"targets": 3}),
    (f"{ML}::LinearClassifier", [(4, 2)], [(4,), (4, 3)], LINEAR),
    (f"{ML}::SVMClassifier", [(4, 2)], [(4,), (4, 3)], {"classlabels_ints": [0, 1, 2]}),
    (f"{ML}::SVMRegressor", [(4, 2)], [(4, 1)]),
    (f"{ML}::TreeEnsembleClassifier", [(4, 2)], [(4,), (4, 3)], {"classlabels_int64s": [0, 1, 2]}),
    (f"{ML}::TreeEnsembleRegressor {ML}::TreeEnsemble", [(4, 2)], [(4, 3)], {"n_targets": 3}),
    (f"{ML}::ArrayFeatureExtractor", [(4, 5), (3,)], [(4, 3)]),
    ("ai.onnx.preview::FlexAttention", [(2, 4, 5, 8), (2, 2, 7, 8), (2, 2, 7, 6)], [(2, 4, 5, 6)]),
    (f"{MS}::BiasAdd {MS}::BiasSoftmax {MS}::GroupNorm {MS}::NhwcInstanceNorm", [X, X], [X]),
    (f"{MS}::BiasDropout", [X, (7,)], [X]),
    *[
        (f"{MS}::DecoderAttention", [*DECODED, *flags], [DECODED[0], *2 * [(2, 3, keys, 7)]], H)
        for flags, keys in (
            ([[0], [0], [0], [0]], 5),
            ([[0], [1], [1], [0]], 9),
            ([[1], [0], [0], [0]], 6),
            ([[1], [1], [1], [0]], 4),
            ([None, [1], [1], [0]], None),
        )
    ],
    (f"{MS}::GemmaRotaryEmbedding", [(2, 5, 7), *2 * [X], *2 * [(2, 3, 5, 7)]], [X, (2, 3, 5, 7)]),
    (f"{MS}::BitmaskDropout {MS}::BitmaskBiasDropout", [X, (7,)], [X, (14,)]),  # of 420 bits
    (f"{MS}::QuantizeBFP", [X], [(None,), (4,), (4,)]),
    (f"{MS}::BeamSearch {MS}::WhisperBeamSearch", SEARCHED, [(2, 3, 20), (2, 3)]),
    (f"{MS}::GreedySearch {MS}::Sampling", [(2, 5), [20]], [(2, 20)]),
    (f"{MS}::RemovePadding", [(2, 5, 12), (2,)], [(None, 12), (2, 5), (3,), (1,)]),
    (f"{MS}::SkipGroupNorm", [X, (7,), (7,), X], [X, X]),
    (f"{MS}::BiasSplitGelu", [(2, 5, 16), (16,)], [(2, 5, 8)]),
    (f"{MS}::ComplexMul {MS}::ComplexMulConj", [(3, 4, 2), (4, 2)], [(3, 4, 2)]),
    (
        f"{MS}::DecoderMaskedMultiHeadAttention",
        [(2, 1, 21)] * 3 + [None, None, (2, 3, 4, 7), (2, 3, 4, 7)],
        [(2, 1, 21), (2, 3, 5, 7), (2, 3, 5, 7)],
        H,
    ),
    (
        f"{MS}::DecoderMaskedMultiHeadAttention",
        [(2, 1, 21)] * 3 + [None, None, (2, 3, 9, 7), (2, 3, 9, 7)],
        [(2, 1, 21), (2, 3, 9, 7), (2, 3, 9, 7)],
        {**H, "past_present_share_buffer": 1},
    ),
    (f"{MS}::DecoderMaskedSelfAttention", [(2, 5, 11), *WEIGHTS], [Q], H),
    (f"{MS}::DequantizeWithOrder {MS}::QuantizeWithOrder {MS}::QLinearSoftmax", [X, S], [X]),
    (f"{MS}::LayerNormalization {MS}::SimplifiedLayerNormalization", [X, (7,)], [X]),
    (f"{MS}::QMoE", [(10, 8)], [(10, 8)]),
    (
        f"{MS}::DynamicQuantizeLSTM",
        [(5, 2, 3), (1, 3, 28), (1, 7, 28)],
        [(5, 1, 2, 7), (1, 2, 7), (1, 2, 7)],
        {"hidden_size": 7},
    ),
    (f"{MS}::Expand", [(3, 1), [3, 4]], [(3, 4)]),
    (f"{MS}::FusedMatMulActivation {MS}::SparseToDenseMatMul", [(2, 3, 7), (7, 11)], [(2, 3, 11)]),
    (f"{MS}::GemmFastGelu {MS}::MatMulInteger16", [(2, 3, 7), (7, 11)], [(2, 3, 11)]),
    (f"{MS}::GemmFloat8", [(3, 7), (11, 7)], [(3, 11)], {"transB": 1}),
    (f"{MS}::MatMulFpQ4", [(3, 7), (99,), [7, 11]], [(3, 11)]),
    (f"{MS}::GatedRelativePositionBias", [Q], [(2, 3, 5, 5)], H),
    (f"{MS}::RelativePositionBias", [(32, 3), [5], [6]], [(1, 3, 5, 6)]),
    (f"{MS}::LongformerAttention", [(2, 64, 21), *WEIGHTS], [(2, 64, 21)], H),
    (f"{MS}::PackedAttention", [(10, 11), *WEIGHTS, (2, 5), (3,)], [(10, 21)], H),
    (f"{MS}::PackedMultiHeadAttention", [(10, 21)] * 3, [(10, 21)], H),
    (
        f"{MS}::SparseAttention",
        [Q, Q, Q, (2, 3, 9, 7), (2, 3, 9, 7)],
        [Q],
        {"num_heads": 3, "kv_num_heads": 3},
    ),
    (f"{MS}::QLinearConv", [X, S, S, (4, 6, 3, 3), S, S, S, S], [(2, 4, 3, 5)]),
    (f"{MS}::QLinearReduceMean", [X, S, S, S, S], [(2, 6, 1, 1)], {"axes": [2, 3]}),
    (f"{MS}::NhwcConv", [(2, 5, 7, 6), (4, 3, 3, 6)], [(2, 3, 5, 4)]),
    (f"{MS}::NhwcFusedConv", [(2, 5, 7, 6), (4, 6, 3, 3)], [(2, 3, 5, 4)]),
    (f"{MS}::QEmbedLayerNormalization", [(2, 5), (2, 5), (99, 8)], [(2, 5, 8), (2,)]),
    (f"{MS}::Rfft", [(2, 8)], [(2, 5, 2)]),
    (f"{MS}::Irfft", [(2, 5, 2)], [(2, 8)]),
    (f"{MS}::TorchEmbedding", [(50, 8), (2, 3)], [(2, 3, 8)]),
    (f"{NCHWC}::Conv", [X, (8, 6, 3, 3)], [(2, 8, 3, 5)]),
    (f"{NCHWC}::AveragePool {NCHWC}::MaxPool", [X], [(2, 6, 4, 5)], {"kernel_shape": [2, 3]}),
    (f"{NCHWC}::GlobalAveragePool {NCHWC}::GlobalMaxPool", [X], [(2, 6, 1, 1)]),
    (f"{NCHWC}::Upsample", [X], [(2, 6, 10, 21)], {"scales": [1, 1, 2, 3]}),
    (f"{NCHWC}::ReorderInput", [X], [(2, None, 5, 7)]),
    (f"{NCHWC}::ReorderInput", [(2, 5, 7, 32)], [(2, 32, 5, 7)], {"channels_last": 1}),
    (f"{NCHWC}::ReorderOutput", [X], [(2, 5, 5, 7)], {"channels": 5}),
]
"""Operators that neither onnx nor onnxruntime's CPU kernels tell of: by their documentation
(Operators.md, Operators-ml.md, ContribOperators.md, qonnx/docs/qonnx-custom-ops)."""


def closed() -> list[tuple[Key, list[Any], list[Any], dict[str, Any]]]:
    """Return each operator of `CLOSED` with its call."""
    made = []
    for names, inputs, outputs, *attributes in CLOSED:
        for name in names.split():
            domain, _, op_type = name.rpartition("::")
            made.append(((domain, op_type), inputs, outputs, *(attributes or [{}])))
    return made


def test_shapes_in_closed_form() -> None:
    for key, inputs, wanted, attributes in closed():
        ours = shapes_of(key, inputs, len(wanted), **attributes)
        assert ours[: len(wanted)] == wanted, key


def test_every_shape_is_tried_or_not_known() -> None:
    tried = {
        *told(),
        *(key for key, *_ in closed()),
        *(("", case[0]) for case in CASES.values()),
        *((domain, name) for domain, name, *_ in rows([*CONTRIB, *ELEMENTS, *INFERRED])),
        ("", "Constant"),  # test_runs
    }
    known = {key for key, row in operators().items() if row.shape not in (None, unknown)}
    assert known - tried == set()
    assert {key for key in tried if key not in known} <= {("", "SequenceLength")}
