"""ai.onnx.ml and text (onnx/docs/Operators-ml.md; Operators.md: TfIdfVectorizer, String*)."""

from __future__ import annotations

from graphcount.loading.model import Node
from graphcount.ops.call import Call
from graphcount.ops.shape.elementwise import broadcasting
from graphcount.ops.shape.kit import Rule, Shapes, same, unknown
from graphcount.ops.tables import Key, each, table
from graphcount.symbolic import Dim


def _length(node: Node, *names: str) -> int | None:
    """Length of the first of these list attributes that is given."""
    for name in names:
        attribute = node.attribute(name)
        if attribute is not None and attribute.numbers is not None:
            return len(attribute.numbers.values)
    return None


def _rows(call: Call) -> Dim | None:
    """Points in a batch; a vector is one point."""
    data = call.input(0)
    if data is None:
        return None
    return data[0] if len(data) > 1 else 1


def classifier(call: Call) -> Shapes:
    """A label for each point, and a score for each point and class."""
    classes = _length(call.node, "classlabels_ints", "classlabels_int64s", "classlabels_strings")
    return [(_rows(call),), (_rows(call), classes or None)]


def linear_regressor(call: Call) -> Shapes:
    """LinearRegressor: (N, targets)."""
    return [(_rows(call), call.node.integer("targets", 1))]


def svm_regressor(call: Call) -> Shapes:
    """SVMRegressor: (N, 1)."""
    return [(_rows(call), 1)]


def tree_regressor(call: Call) -> Shapes:
    """TreeEnsembleRegressor, TreeEnsemble: (N, n_targets)."""
    return [(_rows(call), call.node.integer("n_targets", 0) or None)]


def one_hot(call: Call) -> Shapes:
    """OneHotEncoder: one more dimension, of as many as there are categories."""
    data = call.input(0)
    size = _length(call.node, "cats_int64s", "cats_strings")
    return [(*data, size) if data is not None else None]


def extract(call: Call) -> Shapes:
    """ArrayFeatureExtractor: as many of the last axis as there are indices."""
    data, indices = call.input(0), call.input(1)
    if data is None or indices is None:
        return [None]
    count = indices[-1] if indices else 1
    return [(*(data[:-1] or (1,)), count)]


def feature_vector(call: Call) -> Shapes:
    """FeatureVectorizer: the columns of all inputs."""
    widths = call.node.integers("inputdimensions")
    return [(_rows(call), sum(widths) if widths else None)]


def tf_idf(call: Call) -> Shapes:
    """TfIdfVectorizer: max(ngram_indexes) + 1 numbers a text."""
    data, indexes = call.input(0), call.node.integers("ngram_indexes")
    size = max(indexes) + 1 if indexes else None
    return [(*data[:-1], size) if data is not None else None]


TABLE: dict[Key, Rule] = {
    **table(
        "ai.onnx.ml",
        each("Normalizer Scaler Binarizer Imputer LabelEncoder CategoryMapper CastMap", same(0)),
        each("LinearClassifier SVMClassifier TreeEnsembleClassifier", classifier),
        each("TreeEnsembleRegressor TreeEnsemble", tree_regressor),
        each("ZipMap DictVectorizer", unknown),
        {
            "LinearRegressor": linear_regressor,
            "SVMRegressor": svm_regressor,
            "OneHotEncoder": one_hot,
            "ArrayFeatureExtractor": extract,
            "FeatureVectorizer": feature_vector,
        },
    ),
    **table(
        "",
        each("RegexFullMatch SwiGLU", same(0)),
        each("StringNormalizer", unknown),
        {
            "StringConcat": broadcasting,
            "StringSplit": lambda call: [_split(call), call.input(0)],
            "TfIdfVectorizer": tf_idf,
            "ImageDecoder": lambda call: [(None, None, None)],
        },
    ),
}


def _split(call: Call) -> tuple[Dim | None, ...] | None:
    data = call.input(0)
    return (*data, None) if data is not None else None
