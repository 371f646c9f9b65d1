"""ai.onnx.ml: learned numbers live in attributes (onnx/docs/Operators-ml.md).

What scikit-learn learned: linear models' coefficients and intercepts; SVMs' support vectors, dual
coefficients, rho and the Platt scaling prob_a, prob_b; trees' thresholds and leaf values. Scalers
and imputers keep statistics.
"""

from graphcount.ops.spec import OpSpec, Role
from graphcount.ops.tables import each, table

_TREE: dict[str, Role] = {
    "nodes_values": "threshold",
    "nodes_values_as_tensor": "threshold",
    "nodes_splits": "threshold",
    "nodes_hitrates": "statistic",
    "nodes_hitrates_as_tensor": "statistic",
    "class_weights": "leaf value",
    "class_weights_as_tensor": "leaf value",
    "target_weights": "leaf value",
    "target_weights_as_tensor": "leaf value",
    "leaf_weights": "leaf value",
    "base_values": "statistic",
    "base_values_as_tensor": "statistic",
}
_LINEAR: dict[str, Role] = {"coefficients": "weight", "intercepts": "bias"}
_SVM: dict[str, Role] = {
    "support_vectors": "weight",
    "coefficients": "weight",
    "rho": "bias",
    "prob_a": "weight",
    "prob_b": "bias",
}

TABLE = table(
    "ai.onnx.ml",
    {
        **each("LinearClassifier LinearRegressor", OpSpec(("operand",), attributes=_LINEAR)),
        **each("SVMClassifier SVMRegressor", OpSpec(("operand",), attributes=_SVM)),
        **each(
            "TreeEnsembleClassifier TreeEnsembleRegressor TreeEnsemble",
            OpSpec(("operand",), attributes=_TREE),
        ),
        "Scaler": OpSpec(("operand",), attributes={"offset": "statistic", "scale": "statistic"}),
        "Imputer": OpSpec(
            ("operand",),
            attributes={"imputed_value_floats": "statistic", "imputed_value_int64s": "statistic"},
        ),
        "ArrayFeatureExtractor": OpSpec(("operand", "index")),
        **each(
            "Binarizer CastMap CategoryMapper DictVectorizer FeatureVectorizer LabelEncoder"
            " Normalizer OneHotEncoder ZipMap",
            OpSpec(rest="operand"),
        ),
    },
)
