"""ai.onnx.ml: linear and support vector models are matrix work, trees are comparisons.

Linear: every coefficient once a sample. SVM: every number of every support vector once for the
kernel, every dual coefficient once for the sum (one-against-one shares the kernel values). Trees:
on each tree at most as many comparisons as its longest path has nodes (an upper bound; a sample
usually stops earlier). Scores that a post_transform changes count one each.
Sources: onnx/docs/Operators-ml.md; Chang and Lin, LIBSVM (2011).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from graphcount.ops.call import Call, size
from graphcount.ops.cost.elementwise import UNARY
from graphcount.ops.cost.spec import Rule, UnknownDimError, number, plural, shape
from graphcount.ops.tables import each, table
from graphcount.symbolic import Dim

MAX_NODES = 1_000_000
"""Nodes of an ensemble that are walked; a larger one is not measured."""


def _samples(call: Call) -> Dim:
    """Rows of [N, C]; a vector is one sample."""
    found = shape(call, 0, 1, 2)
    return found[0] if len(found) == 2 else 1


def _length(call: Call, name: str) -> int:
    """How many numbers an attribute keeps."""
    found = call.node.attribute(name)
    if found is None:
        return 0
    if found.numbers is not None:
        return len(found.numbers.values)
    if not found.tensors or found.ref_attr_name:
        raise UnknownDimError
    count = size(found.tensors[0].dims[:32])
    if not isinstance(count, int) or count < 0:
        raise UnknownDimError
    return count


# ------------------------------------------------------------------------------------ linear


def _linear(call: Call) -> Dim:
    return _samples(call) * _length(call, "coefficients")


def _intercepts(call: Call) -> Dim:
    return _samples(call) * _length(call, "intercepts")


def _transformed(call: Call) -> Dim:
    """One for each score where a post_transform changes it; classes are output 1."""
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


# --------------------------------------------------------------------------------------- SVM


def _vector_machine(call: Call) -> Dim:
    stored = _length(call, "support_vectors") + _length(call, "coefficients")
    return _samples(call) * stored


def _vectors(call: Call) -> int:
    """Support vectors: stated by the regressor, a sum over classes for the classifier."""
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
        f"{number(numbers)} numbers in {plural(vectors, 'support vector')} (kernel) +"
        f" {plural(dual, 'coefficient')} (sum of kernels) = {number(numbers + dual)} MACs"
        f" x {plural(_samples(call), 'sample')} = {number(_vector_machine(call))} MACs"
    )


# ------------------------------------------------------------------------------------- trees


def longest_paths(
    trees: Sequence[int],
    ids: Sequence[int],
    yes: Sequence[int],
    no: Sequence[int],
    is_leaf: Sequence[bool],
) -> int:
    """Sum over the trees of the branch nodes on the longest path from the root.

    Raises:
        UnknownDimError: The nodes are no trees (a cycle, two roots, sizes that differ, a tree in
            pieces).
    """
    count = len(trees)
    if not count == len(ids) == len(yes) == len(no) == len(is_leaf) or count > MAX_NODES:
        raise UnknownDimError
    found = 0
    seen = set()
    for tree, places in groupby(range(count), key=trees.__getitem__):
        if tree in seen:
            raise UnknownDimError
        seen.add(tree)
        found += _height({ids[at]: None if is_leaf[at] else (yes[at], no[at]) for at in places})
    return found


def _height(nodes: dict[int, tuple[int, int] | None]) -> int:
    """Branch nodes on the longest path of one tree: from each node to its two children."""
    below = {child for children in nodes.values() for child in children or ()}
    level = [node for node in nodes if node not in below]
    if len(level) != 1 or not below <= set(nodes):
        raise UnknownDimError
    found = seen = 0
    while level:
        seen += len(level)
        if seen > len(nodes):
            raise UnknownDimError  # a node was reached twice
        level = [child for node in level for child in nodes[node] or ()]
        found += bool(level)
    if seen != len(nodes):
        raise UnknownDimError
    return found


def _depths(call: Call) -> int:
    """Longest paths of TreeEnsembleClassifier and TreeEnsembleRegressor."""
    lists = [
        call.node.integers(name) or ()
        for name in ("nodes_treeids", "nodes_nodeids", "nodes_truenodeids", "nodes_falsenodeids")
    ]
    modes = call.node.attribute("nodes_modes")
    if modes is None or modes.numbers is None:
        raise UnknownDimError
    leaves = [mode == b"LEAF" for mode in modes.numbers.values]
    return longest_paths(lists[0], lists[1], lists[2], lists[3], leaves)


def _flat_depths(call: Call) -> int:
    """Longest paths of TreeEnsemble (ai.onnx.ml 5): nodes and leaves are numbered apart."""
    roots = call.node.integers("tree_roots") or ()
    sides = []
    for side in ("true", "false"):
        ids = call.node.integers(f"nodes_{side}nodeids") or ()
        leafs = call.node.integers(f"nodes_{side}leafs") or ()
        if len(ids) != len(leafs):
            raise UnknownDimError
        sides.append([-1 if leaf else one for one, leaf in zip(ids, leafs, strict=True)])
    count = len(sides[0])
    if len(sides[1]) != count or count > MAX_NODES or len(roots) > MAX_NODES:
        raise UnknownDimError
    if any(not -1 <= one < count for side in sides for one in side):
        raise UnknownDimError
    if any(not 0 <= root < count for root in roots):
        raise UnknownDimError
    return _flat_levels([(at, root) for at, root in enumerate(roots)], sides[0], sides[1])


def _flat_levels(level: list[tuple[int, int]], yes: list[int], no: list[int]) -> int:
    found = seen = 0
    while level:
        seen += len(level)
        if seen > len(yes):
            raise UnknownDimError
        found += len({tree for tree, _ in level})
        level = [(tree, to) for tree, at in level for to in {yes[at], no[at]} if to >= 0]
    return found


def _compared(call: Call) -> Dim:
    return _samples(call) * _path(call)


def _path(call: Call) -> int:
    return _flat_depths(call) if call.node.op_type == "TreeEnsemble" else _depths(call)


def _trees_text(call: Call) -> str:
    path = _path(call)
    return (
        f"the longest paths of all trees have {plural(path, 'comparison')}: at most {number(path)}"
        f" x {plural(_samples(call), 'sample')} = {number(_compared(call))}; no MACs"
    )


LINEAR = Rule("samples x coefficients", _linear, _transformed, _intercepts, _linear_text)
SVM = Rule(
    "samples x (numbers of the support vectors + dual coefficients)",
    _vector_machine,
    _kernels,
    text=_svm_text,
)
TREES = Rule(
    "samples x longest path of every tree, an upper bound",
    elementwise=_compared,
    text=_trees_text,
)

TABLE = table(
    "ai.onnx.ml",
    {
        **each("LinearClassifier LinearRegressor", LINEAR),
        **each("SVMClassifier SVMRegressor", SVM),
        **each("TreeEnsembleClassifier TreeEnsembleRegressor TreeEnsemble", TREES),
        **each("Scaler Imputer Normalizer Binarizer", UNARY),
    },
)
