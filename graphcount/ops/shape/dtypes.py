"""Element types of outputs (TensorProto.DataType codes; 0: not known).

Most operators keep the type of their first input; the tables say which do not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from graphcount.ops.call import Call
from graphcount.ops.tables import Key

FLOAT, UINT8, INT32, INT64, STRING, BOOL = 1, 2, 6, 7, 8, 9

DTypeRule: TypeAlias = "Callable[[Call], list[int]]"


def always(*codes: int) -> DTypeRule:
    """The types of the outputs, whatever goes in; 0 stands for the type of input 0."""
    return lambda call: [code or call.dtype(0) for code in codes]


def of_input(index: int) -> DTypeRule:
    """The type of an input."""
    return lambda call: [call.dtype(index)]


def attribute(name: str, default: int) -> DTypeRule:
    """The type an attribute names; without it a default, 0 for the type of input 0."""
    return lambda call: [call.node.integer(name, 0) or default or call.dtype(0)]


def constant(call: Call) -> list[int]:
    """Constant, ConstantOfShape: the type of the tensor or numbers they hold."""
    for held in call.node.attributes:
        for tensor in held.tensors:
            return [tensor.data_type]
        for sparse in held.sparse_tensors:
            return [sparse.values.data_type]
        if held.numbers is not None:
            return [{"int": INT64, "float": FLOAT, "string": STRING}.get(held.numbers.kind, 0)]
    return [FLOAT]


def quantize(call: Call) -> list[int]:
    """QuantizeLinear: of the zero point, else `output_dtype`, else uint8."""
    return [call.dtype(2) or call.node.integer("output_dtype", 0) or UINT8]


def dequantize(call: Call) -> list[int]:
    """DequantizeLinear: `output_dtype`, else the type of the scale."""
    return [call.node.integer("output_dtype", 0) or call.dtype(1) or FLOAT]


def classifier(call: Call) -> list[int]:
    """Labels are strings when string labels are given, else integers; scores are floats."""
    strings = call.node.attribute("classlabels_strings") is not None
    return [STRING if strings else INT64, FLOAT]


def label_encoder(call: Call) -> list[int]:
    """LabelEncoder: of the values it has."""
    for kind, code in (("int64s", INT64), ("floats", FLOAT), ("strings", STRING)):
        if call.node.attribute(f"values_{kind}") is not None:
            return [code]
    held = call.node.attribute("values_tensor")
    return [held.tensors[0].data_type if held is not None and held.tensors else 0]


def _each(domain: str, op_types: str, rule: DTypeRule) -> dict[Key, DTypeRule]:
    return {(domain, op_type): rule for op_type in op_types.split()}


MS, ML = "com.microsoft", "ai.onnx.ml"

RULES: dict[Key, DTypeRule] = {
    **_each(
        "",
        "Equal Less Greater LessOrEqual GreaterOrEqual And Or Not Xor IsNaN IsInf"
        " OptionalHasElement RegexFullMatch",
        always(BOOL),
    ),
    **_each("", "Shape Size NonZero ArgMax ArgMin NonMaxSuppression SequenceLength", always(INT64)),
    **_each("", "TopK MaxPool", always(0, INT64)),
    **_each("", "Unique", always(0, INT64, INT64, INT64)),
    **_each("", "Dropout", always(0, BOOL)),
    **_each("", "StringSplit", always(0, INT64)),
    **_each("", "LayerNormalization", always(0, FLOAT, FLOAT)),
    **_each("", "MatMulInteger ConvInteger", always(INT32)),
    **_each("", "DynamicQuantizeLinear", always(UINT8, FLOAT, UINT8)),
    **_each("", "ImageDecoder", always(UINT8)),
    **_each("", "TfIdfVectorizer", always(FLOAT)),
    **_each("", "Cast BitCast", attribute("to", 0)),
    **_each("", "Bernoulli EyeLike RandomNormalLike RandomUniformLike", attribute("dtype", 0)),
    **_each("", "RandomNormal RandomUniform", attribute("dtype", FLOAT)),
    **_each("", "Multinomial", attribute("dtype", INT32)),
    **_each(
        "",
        "BlackmanWindow HammingWindow HannWindow MelWeightMatrix",
        attribute("output_datatype", FLOAT),
    ),
    **_each("", "Where CastLike", of_input(1)),
    **_each("", "OneHot", of_input(2)),
    **_each("", "Constant ConstantOfShape", constant),
    **_each("", "QLinearConv QLinearMatMul", of_input(7)),
    **_each("", "QuantizeLinear", quantize),
    **_each("", "DequantizeLinear", dequantize),
    **_each(MS, "QuantizeLinear", quantize),
    **_each(MS, "DequantizeLinear", dequantize),
    **_each(MS, "QLinearConv QLinearAdd QLinearMul", of_input(7)),
    **_each(MS, "MatMulInteger16", always(INT32)),
    **_each(MS, "MatMulIntegerToFloat DynamicQuantizeLSTM", of_input(2)),
    **_each(MS, "DynamicQuantizeLSTM", always(FLOAT, FLOAT, FLOAT)),
    **_each(MS, "QAttention", of_input(3)),
    **_each(MS, "GatherBlockQuantized", of_input(2)),
    **_each(MS, "EmbedLayerNormalization", lambda c: [c.dtype(2), INT32, c.dtype(2)]),
    **_each(MS, "QEmbedLayerNormalization", always(FLOAT, INT32, FLOAT)),
    **_each(MS, "BiasDropout", always(0, BOOL)),
    **_each(MS, "RelativePositionBias", always(0)),
    **_each(ML, "LinearClassifier SVMClassifier TreeEnsembleClassifier", classifier),
    **_each(
        ML,
        "LinearRegressor SVMRegressor TreeEnsembleRegressor Normalizer Scaler OneHotEncoder"
        " FeatureVectorizer",
        always(FLOAT),
    ),
    **_each(ML, "LabelEncoder", label_encoder),
}
"""By (domain, op_type)."""


def result_dtypes(key: Key, call: Call) -> list[int]:
    """Element type of each output, as far as it is known."""
    rule = RULES.get(key)
    count = len(call.node.outputs)
    if rule is None:
        return [call.dtype(0)] * count
    found = rule(call)[:count]
    return found + [found[0]] * (count - len(found)) if found else [0] * count
