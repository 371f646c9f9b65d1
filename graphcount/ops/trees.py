"""Tree ensembles of ai.onnx.ml: the longest path of every tree bounds its comparisons."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from graphcount.ops.call import Call
from graphcount.ops.formulas import UnknownDimError

MAX_NODES = 1_000_000
"""Nodes of an ensemble that are walked; a larger one is not measured."""


def longest_paths(
    trees: Sequence[int],
    ids: Sequence[int],
    yes: Sequence[int],
    no: Sequence[int],
    is_leaf: Sequence[bool],
) -> int:
    """Return the sum over the trees of the branch nodes on the longest path from the root.

    Raises:
        UnknownDimError: The nodes are no trees (a cycle, two roots, sizes that differ, a tree in
            pieces).
    """
    count = len(trees)
    if not count == len(ids) == len(yes) == len(no) == len(is_leaf) or count > MAX_NODES:
        raise UnknownDimError
    length = 0
    seen = set()
    for tree, places in groupby(range(count), key=trees.__getitem__):
        if tree in seen:
            raise UnknownDimError
        seen.add(tree)
        length += _height({ids[at]: None if is_leaf[at] else (yes[at], no[at]) for at in places})
    return length


def _height(nodes: dict[int, tuple[int, int] | None]) -> int:
    """Return branch nodes on the longest path of one tree: from each node to its two children."""
    below = {child for children in nodes.values() for child in children or ()}
    level = [node for node in nodes if node not in below]
    if len(level) != 1 or not below <= set(nodes):
        raise UnknownDimError
    height = seen = 0
    while level:
        seen += len(level)
        if seen > len(nodes):
            raise UnknownDimError  # a node was reached twice
        level = [child for node in level for child in nodes[node] or ()]
        height += bool(level)
    if seen != len(nodes):
        raise UnknownDimError
    return height


def _depths(call: Call) -> int:
    """Return longest paths of TreeEnsembleClassifier and TreeEnsembleRegressor."""
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
    """Return longest paths of TreeEnsemble (ai.onnx.ml 5): nodes and leaves are numbered apart."""
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
    levels = seen = 0
    while level:
        seen += len(level)
        if seen > len(yes):
            raise UnknownDimError
        levels += len({tree for tree, _ in level})
        level = [(tree, to) for tree, at in level for to in {yes[at], no[at]} if to >= 0]
    return levels


def longest_path(call: Call) -> int:
    """Return the comparisons on the longest paths of all trees of an ensemble."""
    return _flat_depths(call) if call.node.op_type == "TreeEnsemble" else _depths(call)
