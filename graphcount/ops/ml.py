"""ai.onnx.ml: linear and support vector models are matrix work, trees are comparisons.

What scikit-learn learned lives in attributes: linear models' coefficients and intercepts; SVMs'
support vectors, dual coefficients, rho and the Platt scaling prob_a, prob_b; trees' thresholds and
leaf values. Scalers and imputers keep statistics. Linear: every coefficient once a sample. SVM:
every element of every support vector once for the kernel, every dual coefficient once for the sum
(one-against-one shares the kernel values). Trees: on each tree at most as many comparisons as its
longest path has nodes (an upper bound; a sample usually stops earlier). Scores that a
post_transform changes count one each.
Sources: onnx/docs/Operators-ml.md; Chang and Lin, LIBSVM (2011).
"""

from __future__ import annotations

from graphcount.loading.model import Node
from graphcount.ops.call import Call, Shapes, size
from graphcount.ops.formulas import (
    FREE,
    UNARY,
    CostRule,
    UnknownDimError,
    input_shape,
    number,
    plural,
)
from graphcount.ops.inference import FLOAT, INT64, STRING, always, same, unknown
from graphcount.ops.operator import PICKS, Operator, Role, each, family
from graphcount.ops.packing import TREE
from graphcount.ops.trees import longest_path
from graphcount.symbolic import Dim


def _samples(call: Call) -> Dim:
    """Return rows of [N, C]; a vector is one sample."""
    data = input_shape(call, 0, 1, 2)
    return data[0] if len(data) == 2 else 1


def _length(call: Call, name: str) -> int:
    """Return how many values an attribute keeps."""
    given = call.node.attribute(name)
    if given is None:
        return 0
    if given.numbers is not None:
        return len(given.numbers.values)
    if not given.tensors or given.ref_attr_name:
        raise UnknownDimError
    count = size(given.tensors[0].dims[:32])
    if not isinstance(count, int) or count < 0:
        raise UnknownDimError
    return count


def _linear(call: Call) -> Dim:
    return _samples(call) * _length(call, "coefficients")


def _intercepts(call: Call) -> Dim:
    return _samples(call) * _length(call, "intercepts")


def _transformed(call: Call) -> Dim:
    """Return one for each score where a post_transform changes it; classes are output 1."""
    if call.node.text("post_transform", "NONE") in ("", "NONE"):
        return 0
    scores = max(_length(call, "intercepts"), _length(call, "rho"), 1)
    return _samples(call) * scores


def _linear_text(call: Call) -> str:
    coefficients, intercepts = _length(call, "coefficients"), _length(call, "intercepts")
    return (
        f"{plural(coefficients, 'coefficient')} + {plural(intercepts, 'intercept')} ="
        f" {number(coefficients + intercepts)} parameters; {number(coefficients)} MACs"
        f" x {plural(_samples(call), 'sample')} = {number(_linear(call))} MACs"
    )


def _vector_machine(call: Call) -> Dim:
    stored = _length(call, "support_vectors") + _length(call, "coefficients")
    return _samples(call) * stored


def _vectors(call: Call) -> int:
    """Return support vectors: stated by the regressor, a sum over classes for the classifier."""
    classes = call.node.integers("vectors_per_class")
    count = sum(classes) if classes else call.node.integer("n_supports", 0)
    if count < 0:
        raise UnknownDimError
    return count


def _kernels(call: Call) -> Dim:
    if call.node.text("kernel_type", "LINEAR") == "LINEAR":
        return 0
    return _samples(call) * _vectors(call)


def _svm_text(call: Call) -> str:
    vectors, numbers = _vectors(call), _length(call, "support_vectors")
    dual = _length(call, "coefficients")
    return (
        f"{number(numbers)} values in {plural(vectors, 'support vector')} (kernel) +"
        f" {plural(dual, 'coefficient')} (sum of kernels) = {number(numbers + dual)} MACs"
        f" x {plural(_samples(call), 'sample')} = {number(_vector_machine(call))} MACs"
    )


def _compared(call: Call) -> Dim:
    return _samples(call) * longest_path(call)


def _trees_text(call: Call) -> str:
    path = longest_path(call)
    return (
        f"the longest paths of all trees have {plural(path, 'comparison')}: at most {number(path)}"
        f" x {plural(_samples(call), 'sample')} = {number(_compared(call))}; no MACs"
    )


def _first_length(node: Node, *names: str) -> int | None:
    """Return the length of the first of these list attributes that is given."""
    for name in names:
        attribute = node.attribute(name)
        if attribute is not None and attribute.numbers is not None:
            return len(attribute.numbers.values)
    return None


def _rows(call: Call) -> Dim | None:
    """Return points in a batch; a vector is one point."""
    data = call.input(0)
    if data is None:
        return None
    return data[0] if len(data) > 1 else 1


def classifier(call: Call) -> Shapes:
    """Return a label for each point, and a score for each point and class."""
    classes = _first_length(
        call.node, "classlabels_ints", "classlabels_int64s", "classlabels_strings"
    )
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
    size = _first_length(call.node, "cats_int64s", "cats_strings")
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


def label_type(call: Call) -> list[int]:
    """Labels are strings when string labels are given, else integers; scores are floats."""
    strings = call.node.attribute("classlabels_strings") is not None
    return [STRING if strings else INT64, FLOAT]


def encoded_type(call: Call) -> list[int]:
    """LabelEncoder: of the values it has."""
    for kind, code in (("int64s", INT64), ("floats", FLOAT), ("strings", STRING)):
        if call.node.attribute(f"values_{kind}") is not None:
            return [code]
    held = call.node.attribute("values_tensor")
    return [held.tensors[0].data_type if held is not None and held.tensors else 0]


def cast_type(call: Call) -> list[int]:
    """CastMap: of `cast_to`, float by default."""
    return [{"TO_INT64": INT64, "TO_STRING": STRING}.get(call.node.text("cast_to"), FLOAT)]


def mapped_type(call: Call) -> list[int]:
    """CategoryMapper: strings become integers, and integers strings."""
    return [{INT64: STRING, STRING: INT64}.get(call.dtype(0), 0)]


LINEAR = CostRule("samples x coefficients", _linear, _transformed, _intercepts, _linear_text)

SVM = CostRule(
    "samples x (values of the support vectors + dual coefficients)",
    _vector_machine,
    _kernels,
    text=_svm_text,
)

TREES = CostRule(
    "samples x longest path of every tree, an upper bound",
    elementwise=_compared,
    text=_trees_text,
)

_NODES: dict[str, Role] = {
    "nodes_values": "threshold",
    "nodes_values_as_tensor": "threshold",
    "nodes_hitrates": "statistic",
    "nodes_hitrates_as_tensor": "statistic",
    "base_values": "statistic",
    "base_values_as_tensor": "statistic",
}

_LINEAR: dict[str, Role] = {"coefficients": "weight", "intercepts": "bias"}

_SVM: dict[str, Role] = {"support_vectors": "weight", "coefficients": "weight", "rho": "bias"}

TABLE = family(
    "ml",
    {
        "LinearClassifier": Operator(
            roles=("operand",), attributes=_LINEAR, shape=classifier, dtypes=label_type, cost=LINEAR
        ),
        "LinearRegressor": Operator(
            roles=("operand",),
            attributes=_LINEAR,
            shape=linear_regressor,
            dtypes=always(FLOAT),
            cost=LINEAR,
        ),
        "SVMClassifier": Operator(
            roles=("operand",),
            attributes={**_SVM, "prob_a": "weight", "prob_b": "bias"},
            shape=classifier,
            dtypes=label_type,
            cost=SVM,
        ),
        "SVMRegressor": Operator(
            roles=("operand",), attributes=_SVM, shape=svm_regressor, dtypes=always(FLOAT), cost=SVM
        ),
        "TreeEnsembleClassifier": Operator(
            roles=("operand",),
            attributes={
                **_NODES,
                "class_weights": "leaf value",
                "class_weights_as_tensor": "leaf value",
            },
            shape=classifier,
            dtypes=label_type,
            cost=TREES,
            packing=TREE,
        ),
        "TreeEnsembleRegressor": Operator(
            roles=("operand",),
            attributes={
                **_NODES,
                "target_weights": "leaf value",
                "target_weights_as_tensor": "leaf value",
            },
            shape=tree_regressor,
            dtypes=always(FLOAT),
            cost=TREES,
            packing=TREE,
        ),
        "TreeEnsemble": Operator(
            roles=("operand",),
            attributes={
                "nodes_splits": "threshold",
                "nodes_hitrates": "statistic",
                "leaf_weights": "leaf value",
            },
            shape=tree_regressor,
            cost=TREES,
        ),
        "Scaler": Operator(
            roles=("operand",),
            attributes={"offset": "statistic", "scale": "statistic"},
            shape=same(0),
            dtypes=always(FLOAT),
            cost=UNARY,
        ),
        "Imputer": Operator(
            roles=("operand",),
            attributes={"imputed_value_floats": "statistic", "imputed_value_int64s": "statistic"},
            shape=same(0),
            cost=UNARY,
        ),
        "ArrayFeatureExtractor": Operator(
            roles=("operand", "index"), shape=extract, cost=FREE, traits=PICKS
        ),
        "Binarizer": Operator(rest="operand", shape=same(0), cost=UNARY),
        "CastMap": Operator(rest="operand", shape=same(0), dtypes=cast_type, cost=FREE),
        "CategoryMapper": Operator(rest="operand", shape=same(0), dtypes=mapped_type, cost=FREE),
        **each("DictVectorizer ZipMap", Operator(rest="operand", shape=unknown, cost=FREE)),
        "FeatureVectorizer": Operator(
            rest="operand", shape=feature_vector, dtypes=always(FLOAT), cost=FREE
        ),
        "LabelEncoder": Operator(rest="operand", shape=same(0), dtypes=encoded_type, cost=FREE),
        "Normalizer": Operator(rest="operand", shape=same(0), dtypes=always(FLOAT), cost=UNARY),
        "OneHotEncoder": Operator(rest="operand", shape=one_hot, dtypes=always(FLOAT), cost=FREE),
    },
)
