"""Everything that is no matrix work: 0 MACs, and elements by the convention of each family."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from graphcount.loading.model import Attribute, Tensor
from graphcount.ops.call import Call
from graphcount.ops.cost import Cost, cost, explain
from graphcount.symbolic import symbol

Costs = Callable[..., Cost]
MS = "com.microsoft"
ML = "ai.onnx.ml"
X = (2, 6, 4, 4)
N = 2 * 6 * 4 * 4
UNARY = "Relu Gelu HardSwish PRelu Neg Clip Softmax LogSoftmax"
FREE = "Reshape Transpose Identity Cast Shape Constant Gather Concat Slice Dropout If Loop Scan"


@pytest.mark.parametrize("op_type", UNARY.split())
def test_one_for_each_element(costs: Costs, op_type: str) -> None:
    assert costs(op_type, [X], [X]) == (0, N, 0)
    assert costs(op_type, [X]) == (0, N, 0)
    assert costs(op_type, [None]) == (0, None, 0)


def test_operands_broadcast(costs: Costs) -> None:
    assert costs("Add", [(6, 1, 1), X], [X]).elementwise == N
    assert costs("Where", [(1,), X, ()], [X]).elementwise == N
    assert costs("Sum", [X] * 4, [X]).elementwise == 3 * N
    assert costs("Max", [X], [X]).elementwise == N


@pytest.mark.parametrize("op_type", FREE.split())
def test_free(costs: Costs, op_type: str) -> None:
    assert costs(op_type, [None]) == (0, 0, 0)
    assert costs(op_type, []) == (0, 0, 0)


def test_moving_is_free_and_joining_is_not(costs: Costs) -> None:
    update = [X, (2, 1), (2, 4)]
    assert costs("ScatterND", update, [X]).elementwise == 0
    assert costs("ScatterND", update, [X], reduction="add").elementwise == 8
    assert costs("Resize", [X], [X], mode="nearest").elementwise == 0
    assert costs("Resize", [X], [X], mode="linear").elementwise == N
    assert costs("GridSample", [X], [X]).elementwise == N
    assert costs("GridSample", [X], [X], mode="nearest").elementwise == 0


@pytest.mark.parametrize(
    ("op_type", "inputs", "elementwise", "attributes"),
    [
        ("BatchNormalization", [X] + [(6,)] * 4, N, {}),
        ("LayerNormalization", [X, (4,), (4,)], N, {}),
        ("GroupNormalization", [X, (6,), (6,)], N, {}),
        ("LRN", [X], 5 * N, {"size": 5}),
        ("LRN", [X], None, {"size": -5}),
        ("MeanVarianceNormalization", [X], N, {}),
    ],
)
def test_norms(
    costs: Costs, op_type: str, inputs: list[Any], elementwise: int, attributes: dict[str, Any]
) -> None:
    assert costs(op_type, inputs, [X], **attributes) == (0, elementwise, 0)


def test_fused_operators_count_their_parts(costs: Costs) -> None:
    x, c = (2, 5, 8), (8,)
    assert costs("SkipLayerNormalization", [x, x, c, c, c], [x], domain=MS).elementwise == 240
    assert costs("SkipLayerNormalization", [x, x, c], [x], domain=MS).elementwise == 160
    skip = costs("SkipSimplifiedLayerNormalization", [x, x, c], [x], domain=MS)
    assert skip.elementwise == 160
    assert costs("BiasGelu", [x, c], [x], domain=MS).elementwise == 160
    assert costs("FastGelu", [x], [x], domain=MS).elementwise == 80
    assert costs("FastGelu", [x, c], [x], domain=MS).elementwise == 160
    assert costs("GroupNorm", [x, c, c], [x], domain=MS, activation=1).elementwise == 160
    ids = [(2, 5), (2, 5), (99, 8), (99, 8), (2, 8), c, c]
    embed = costs("EmbedLayerNormalization", ids, [x], domain=MS)
    assert embed.elementwise == 240
    assert costs("EmbedLayerNormalization", ids, [x], domain=MS, left_out=[1]).elementwise == 160
    split = costs("BiasSplitGelu", [(2, 5, 16), (16,)], [x], domain=MS)
    assert split.elementwise == 160 + 80 + 80


@pytest.mark.parametrize("kernel", [(2,), (2, 3), (2, 3, 2)])
@pytest.mark.parametrize("op_type", ["AveragePool", "MaxPool", "LpPool"])
def test_pools_read_their_window(costs: Costs, op_type: str, kernel: tuple[int, ...]) -> None:
    out = (2, 6, *(3, 4, 5)[: len(kernel)])
    expected = 1
    for one in (*out, *kernel):
        expected *= one
    assert costs(op_type, [None], [out], kernel_shape=kernel).elementwise == expected
    assert costs(op_type, [None], [out], kernel_shape=(*kernel, 2)).elementwise is None
    assert costs(op_type, [None], [out]).elementwise is None


def test_folds_read_each_element_once(costs: Costs) -> None:
    assert costs("GlobalAveragePool", [X], [(2, 6, 1, 1)]).elementwise == N
    assert costs("ReduceMean", [X], [(2, 6)]).elementwise == N
    assert costs("TopK", [X, (1,)], [(2, 6, 4, 1)]).elementwise == N
    assert costs("RoiAlign", [X], [(5, 6, 7, 7)], sampling_ratio=2).elementwise == 5 * 6 * 49 * 4
    assert costs("RoiAlign", [X], [(5, 6, 7, 7)]).elementwise is None
    assert costs("MaxRoiPool", [X], [(5, 6, 7, 7)]).elementwise is None
    assert costs("NonMaxSuppression", [(1, 9, 4), (1, 3, 9)]).elementwise == 27


def test_quantizing_is_arithmetic(costs: Costs) -> None:
    for op_type in ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"):
        assert costs(op_type, [X, (), ()], [X]) == (0, N, 0)
    assert costs("QLinearAdd", [X], [X], domain=MS) == (0, N, 0)
    assert costs("Quant", [X], [X], domain="qonnx.custom_op.general") == (0, N, 0)


def test_linear_models(costs: Costs) -> None:
    learned = {"coefficients": [0.5] * 12, "intercepts": [0.5] * 3}
    assert costs("LinearClassifier", [(7, 4)], domain=ML, **learned) == (84, 0, 21)
    assert costs("LinearRegressor", [(4,)], domain=ML, **learned) == (12, 0, 3)
    soft = costs("LinearClassifier", [(7, 4)], domain=ML, post_transform="SOFTMAX", **learned)
    assert soft.elementwise == 21


def test_support_vectors(costs: Costs) -> None:
    learned = {
        "support_vectors": [0.5] * 20,
        "coefficients": [0.5] * 10,
        "vectors_per_class": [2, 2, 1],
        "kernel_type": "RBF",
    }
    found = costs("SVMClassifier", [(7, 4)], domain=ML, **learned)
    assert found == (7 * (5 * 4 + 5 * 2), 7 * 5, 0)
    regressor = {"support_vectors": [0.5] * 20, "coefficients": [0.5] * 5, "n_supports": 5}
    assert costs("SVMRegressor", [(7, 4)], domain=ML, **regressor) == (7 * 25, 0, 0)


def trees() -> dict[str, Any]:
    """A stump, and a tree whose left side has two branches below the root."""
    return {
        "nodes_treeids": [0, 0, 0, 1, 1, 1, 1, 1, 1, 1],
        "nodes_nodeids": [0, 1, 2, 0, 1, 2, 3, 4, 5, 6],
        "nodes_modes": [
            mode or "LEAF" for mode in ("LT", "", "", "LT", "LT", "", "LT", "", "", "")
        ],
        "nodes_truenodeids": [1, 0, 0, 1, 3, 0, 5, 0, 0, 0],
        "nodes_falsenodeids": [2, 0, 0, 2, 4, 0, 6, 0, 0, 0],
    }


def test_trees_compare_at_most_along_their_longest_path(costs: Costs) -> None:
    assert costs("TreeEnsembleClassifier", [(9, 4)], domain=ML, **trees()) == (0, 9 * (1 + 3), 0)
    batch = symbol("batch")
    found = costs("TreeEnsembleRegressor", [(batch, 4)], domain=ML, **trees())
    assert found.elementwise == 4 * batch


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("nodes_truenodeids", 6, 0),  # a cycle
        ("nodes_truenodeids", 3, 99),  # no such node
        ("nodes_falsenodeids", 4, 3),  # two parents: a diamond
        ("nodes_treeids", 2, 1),  # a child in another tree
        ("nodes_treeids", 9, 0),  # a tree in pieces
    ],
)
def test_what_is_no_tree_is_unknown(costs: Costs, name: str, place: int, value: int) -> None:
    broken = trees()
    broken[name][place] = value
    assert costs("TreeEnsembleClassifier", [(9, 4)], domain=ML, **broken).elementwise is None


def test_flat_trees(costs: Costs) -> None:
    flat = {
        "tree_roots": [0, 1],
        "nodes_truenodeids": [0, 2, 3],
        "nodes_falsenodeids": [1, 0, 4],
        "nodes_trueleafs": [1, 0, 1],
        "nodes_falseleafs": [1, 1, 1],
    }
    assert costs("TreeEnsemble", [(9, 4)], domain=ML, **flat).elementwise == 9 * 3
    cycle = {**flat, "nodes_truenodeids": [0, 1, 3]}
    assert costs("TreeEnsemble", [(9, 4)], domain=ML, **cycle).elementwise is None
    outside = {**flat, "tree_roots": [0, 7]}
    assert costs("TreeEnsemble", [(9, 4)], domain=ML, **outside).elementwise is None


def test_words(call: Callable[..., Call]) -> None:
    norm = explain(call("BatchNormalization", [X] + [(6,)] * 4, [X]))
    assert "6 scales + 6 shifts = 12 parameters" in norm
    assert "6 running means and 6 running variances are averages kept from training" in norm
    assert "not learned" in norm
    assert explain(call("Relu", [X])) == (
        "one operation for each element; 192 element-wise operations; no MACs"
    )
    assert "unknown" in explain(call("Relu", [None]))
    assert explain(call("Reshape", [X])) == ""
    assert "look-up" in explain(call("Gather", [X]))
    assert "body" in explain(call("Loop", []))
    assert explain(call("MaxPool", [X], [X], kernel_shape=[3, 3])) == (
        "9 elements read for each of 192 outputs = 1,728; no MACs"
    )
    assert explain(call("Nobody", [], domain="com.acme")) == ""
    tree = explain(call("TreeEnsembleClassifier", [(9, 4)], domain=ML, **trees()))
    assert "at most 4 x 9 samples = 36" in tree
    linear = call("LinearRegressor", [(2, 4)], domain=ML, coefficients=[1.0], intercepts=[1.0])
    assert explain(linear) == (
        "1 coefficient + 1 intercept = 2 parameters; 1 MACs x 2 samples = 2 MACs"
    )
    single = call("LinearRegressor", [(4,)], domain=ML, coefficients=[1.0] * 4)
    assert explain(single).startswith("4 coefficients")


def test_what_a_linear_model_does_not_have_counts_nothing(costs: Costs) -> None:
    assert costs("LinearRegressor", [(7, 4)], domain=ML, coefficients=[0.5] * 4) == (28, 0, 0)
    assert costs("LinearRegressor", [(7, 4)], domain=ML) == (0, 0, 0)


def test_words_of_norms(call: Callable[..., Call]) -> None:
    x = (2, 5, 8)
    layer = explain(call("LayerNormalization", [x, (8,), (8,)], [x]))
    assert layer == (
        "8 scales + 8 shifts = 16 parameters; one operation for each element:"
        " 80 operations, no MACs"
    )
    assert explain(call("LayerNormalization", [x, (8,)], [x])).startswith("8 scales, no shift; ")
    plain = explain(call("RMSNormalization", [(5, 1), (1,)], [(5, 1)]))
    assert plain.startswith("1 scale, no shift; ")
    one = explain(call("LayerNormalization", [(5, 1), (1,), (1,)], [(5, 1)]))
    assert one.startswith("1 scale + 1 shift = 2 parameters; ")
    skipped = [x, x, (8,), (8,), (8,)]
    both = explain(call("SkipLayerNormalization", skipped, [x], domain=MS))
    assert "one operation for each element after 2 sums: 240 operations" in both
    once = explain(call("SkipLayerNormalization", skipped[:4], [x], domain=MS))
    assert "after 1 sum: 160 operations" in once
    batch = explain(call("BatchNormalization", [(2, 1, 3)] + [(1,)] * 4, [(2, 1, 3)]))
    assert "1 running mean and 1 running variance are" in batch
    assert batch.endswith("one operation for each of 6 elements, no MACs")


@pytest.mark.parametrize(
    ("dims", "ref", "macs"),
    [
        ((12,), "", 7 * 12),
        ((3, 4), "", 7 * 12),
        ((), "", 7),
        ((0,), "", 0),
        ((-3,), "", None),
        ((12,), "given_by_the_call", None),
    ],
)
def test_coefficients_may_be_kept_as_a_tensor(
    call: Callable[..., Call], dims: tuple[int, ...], ref: str, macs: int | None
) -> None:
    plain = call("LinearRegressor", [(7, 4)], domain=ML)
    other = Tensor("other", 1, (99,), (), (), False, False, 0)
    held = Attribute("coefficients", 0, ref, None, (other._replace(dims=dims), other), (), (), 0)
    node = plain.node._replace(attributes=(held,))
    found = cost(Call(node, 23, plain.inputs, (), (), ()))
    assert found is not None
    assert found.macs == macs
