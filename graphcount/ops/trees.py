"""Tree ensembles of ai.onnx.ml: the longest path of every tree bounds its comparisons.

Up to `FEW_NODES` nodes are followed one by one. More are worth loading numpy, where all nodes climb
to their roots at a time, twice as far each time: a tree that is a chain takes no longer than one
that is balanced.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from graphcount.loading.packed_lists import equal
from graphcount.loading.wire import in_bulk
from graphcount.ops.call import Call
from graphcount.ops.formulas import UnknownDimError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEW_NODES = 20_000
"""Nodes of an ensemble that are followed one by one."""

BATCH_NODES = 1 << 18
"""Nodes that climb at a time: those of whole trees, until they are so many."""

Ids = Sequence[int]


def longest_paths(trees: Ids, ids: Ids, yes: Ids, no: Ids, modes: Sequence[object]) -> int:
    """Return the sum over the trees of the branch nodes on the longest path from the root.

    Args:
        trees: Tree of each node; those of a tree stand together.
        ids: Id of each node in its tree.
        yes: Id of the child where the comparison holds.
        no: Id of the other child.
        modes: What each node compares; `LEAF` has no children.

    Raises:
        UnknownDimError: The nodes are no trees (a cycle, two roots, sizes that differ, a tree in
            pieces, two nodes with one id).
    """
    count = len(trees)
    if not count == len(ids) == len(yes) == len(no) == len(modes):
        raise UnknownDimError
    if in_bulk(count, FEW_NODES):
        return _many_paths(trees, ids, yes, no, modes)
    length = 0
    seen = set()
    for tree, places in groupby(range(count), key=trees.__getitem__):
        if tree in seen:
            raise UnknownDimError
        seen.add(tree)
        rows = [(ids[at], None if modes[at] == b"LEAF" else (yes[at], no[at])) for at in places]
        nodes = dict(rows)
        if len(nodes) < len(rows):
            raise UnknownDimError
        length += _height(nodes)
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


def flat_paths(roots: Ids, yes: Ids, no: Ids, yes_leafs: Ids, no_leafs: Ids) -> int:
    """Return the same for TreeEnsemble, whose branch nodes are numbered apart from its leaves.

    Args:
        roots: First node of each tree.
        yes: Node, or leaf, where the comparison of a node holds.
        no: The other one.
        yes_leafs: Whether `yes` is a leaf.
        no_leafs: Whether `no` is one.

    Raises:
        UnknownDimError: The nodes are no trees.
    """
    count = len(yes)
    if not count == len(no) == len(yes_leafs) == len(no_leafs):
        raise UnknownDimError
    if in_bulk(max(count, len(roots)), FEW_NODES):
        return _many_flat_paths(roots, yes, no, yes_leafs, no_leafs)
    sides = ((yes, yes_leafs), (no, no_leafs))
    below = [{ids[at] for ids, leafs in sides if not leafs[at]} for at in range(count)]
    reached = Counter([*roots, *(child for children in below for child in children)])
    if any(not 0 <= one < count or times > 1 for one, times in reached.items()):
        raise UnknownDimError
    paths, level = 0, [(root, root) for root in roots]
    while level:
        paths += len({root for root, _ in level})
        level = [(root, child) for root, at in level for child in below[at]]
    return paths


# ---------------------------------------------------------------------------------- with numpy


def _many_paths(trees: Ids, ids: Ids, yes: Ids, no: Ids, modes: Sequence[object]) -> int:
    """Return the same as `longest_paths`, for many nodes."""
    import numpy as np

    numbers = np.asarray(trees)
    begins = np.append(0, np.flatnonzero(numbers[1:] != numbers[:-1]) + 1)
    if len(np.unique(numbers[begins])) != len(begins):
        raise UnknownDimError  # a tree in pieces
    leaves = equal(modes, b"LEAF")
    columns = [np.asarray(column) for column in (ids, yes, no)]
    length = 0
    for first, last in _batches(begins, len(numbers)):
        starts = begins[(begins >= first) & (begins < last)] - first
        part = [column[first:last] for column in columns]
        length += _batch_paths(starts, part[0], part[1], part[2], leaves[first:last])
    return length


def _batches(begins: NDArray[np.intp], count: int) -> Iterator[tuple[int, int]]:
    """Yield where batches of whole trees begin and end."""
    first = 0
    while first < count:
        later = begins[begins >= first + BATCH_NODES]
        last = int(later[0]) if len(later) else count
        yield first, last
        first = last


def _batch_paths(
    starts: NDArray[np.intp],
    ids: NDArray[np.int64],
    yes: NDArray[np.int64],
    no: NDArray[np.int64],
    leaves: NDArray[np.bool_],
) -> int:
    """Return the sum of the longest paths of the trees that begin at some places."""
    import numpy as np

    count = len(ids)
    sizes = np.diff(starts, append=count)
    tree = np.repeat(np.arange(len(starts)), sizes)
    branches = np.flatnonzero(~leaves)
    parents = np.concatenate((branches, branches))
    children = np.concatenate((yes[branches], no[branches]))
    if ((ids < 0) | (ids >= sizes[tree])).any():
        ids, children = _numbered(tree, ids, tree[parents], children)
        ids = ids - starts[tree]
        children = children - starts[tree[parents]]
    place = np.full(count, -1)
    place[starts[tree] + ids] = np.arange(count)
    if (place < 0).any():
        raise UnknownDimError  # two nodes with one id
    if ((children < 0) | (children >= sizes[tree[parents]])).any():
        raise UnknownDimError  # a child that is not there
    child = place[starts[tree[parents]] + children]
    root, depth, roots = _climbed(count, child, parents)
    if not np.array_equal(tree[roots], np.arange(len(starts))) or not np.isin(root, roots).all():
        raise UnknownDimError  # two roots, none, or a cycle
    return int(np.maximum.reduceat(depth, starts).sum())


def _numbered(
    tree: NDArray[np.intp],
    ids: NDArray[np.int64],
    of: NDArray[np.intp],
    children: NDArray[np.int64],
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return nodes, and children in some trees, as numbers from 0 in the order of tree and id.

    Raises:
        UnknownDimError: A child is not there.
    """
    import numpy as np

    names, name = np.unique(ids, return_inverse=True)
    keys = np.sort(tree * len(names) + name)
    at = np.minimum(np.searchsorted(names, children), len(names) - 1)
    wanted = of * len(names) + at
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    if (names[at] != children).any() or (keys[place] != wanted).any():
        raise UnknownDimError
    return np.searchsorted(keys, tree * len(names) + name), place


def _many_flat_paths(roots: Ids, yes: Ids, no: Ids, yes_leafs: Ids, no_leafs: Ids) -> int:
    """Return the same as `flat_paths`, for many nodes."""
    import numpy as np

    firsts, left, right = (np.asarray(ids, np.int64) for ids in (roots, yes, no))
    is_left = np.asarray(yes_leafs) == 0
    is_right = (np.asarray(no_leafs) == 0) & ~(is_left & (left == right))
    count = len(left)
    parents = np.concatenate((np.flatnonzero(is_left), np.flatnonzero(is_right)))
    children = np.concatenate((left[is_left], right[is_right]))
    if not all(((ids >= 0) & (ids < count)).all() for ids in (firsts, children)):
        raise UnknownDimError
    root, depth, unreached = _climbed(count, children, parents)
    if len(np.unique(firsts)) < len(firsts) or not np.isin(firsts, unreached).all():
        raise UnknownDimError
    heights = np.zeros(count, np.int64)
    np.maximum.at(heights, root, depth + 1)
    return int(heights[firsts].sum())


def _climbed(
    count: int, children: NDArray[np.int64], parents: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.intp]]:
    """Return for each node where it ends when it climbs, after how many steps; and all roots.

    A node on a cycle, or below one, ends at no root.

    Raises:
        UnknownDimError: A node has two parents.
    """
    import numpy as np

    times = np.bincount(children, minlength=count)
    if times.max(initial=0) > 1:
        raise UnknownDimError
    above = np.arange(count)
    above[children] = parents
    steps = times.astype(np.int64)
    for _ in range(count.bit_length()):
        further = above[above]
        if np.array_equal(further, above):
            break
        steps += steps[above]
        above = further
    return above, steps, np.flatnonzero(times == 0)


# --------------------------------------------------------------------------------- attributes


def longest_path(call: Call) -> int:
    """Return the comparisons on the longest paths of all trees of an ensemble.

    Raises:
        UnknownDimError: The attributes describe no trees.
    """

    def listed(*names: str) -> list[Ids]:
        return [call.node.integer_list(name) or () for name in names]

    sides = ("nodes_truenodeids", "nodes_falsenodeids")
    if call.node.op_type == "TreeEnsemble":
        return flat_paths(*listed("tree_roots", *sides, "nodes_trueleafs", "nodes_falseleafs"))
    modes = call.node.attribute("nodes_modes")
    if modes is None or modes.numbers is None:
        raise UnknownDimError
    trees, ids, yes, no = listed("nodes_treeids", "nodes_nodeids", *sides)
    return longest_paths(trees, ids, yes, no, modes.numbers.values)
