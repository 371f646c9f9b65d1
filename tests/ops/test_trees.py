"""Longest paths of trees: node by node and all at a time, beside trees whose paths are known."""

from __future__ import annotations

import random
import time
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

import graphcount
from graphcount.loading.limits import Limits
from graphcount.loading.model import PackedStrings
from graphcount.ops import trees
from graphcount.ops.formulas import UnknownDimError
from graphcount.ops.trees import flat_paths, longest_paths


class Forest(NamedTuple):
    """Columns of an ensemble, as attributes have them."""

    trees: list[int]
    ids: list[int]
    yes: list[int]
    no: list[int]
    modes: list[bytes]


def grown(seed: int, leaves: int, *, sparse: bool, chain: bool) -> tuple[Forest, int]:
    """Return a tree of so many leaves, and the length of its longest path."""
    draw = random.Random(seed)
    children: list[tuple[int, int] | None] = [None]
    depth, open_leaves = [0], [0]
    for _ in range(leaves - 1):
        at = open_leaves.pop(-1 if chain else draw.randrange(len(open_leaves)))
        pair = (len(children), len(children) + 1)
        children[at] = pair
        open_leaves += pair
        children += [None, None]
        depth += [depth[at] + 1] * 2
    names = draw.sample(range(-9, 3 * len(children)), len(children))
    name = names.__getitem__ if sparse else lambda at: at
    order = draw.sample(range(len(children)), len(children))
    pairs = [children[at] for at in order]
    columns = Forest(
        [seed] * len(order),
        [name(at) for at in order],
        [name(pair[0]) if pair else 0 for pair in pairs],
        [name(pair[1]) if pair else 0 for pair in pairs],
        [b"BRANCH_LEQ" if pair else b"LEAF" for pair in pairs],
    )
    return columns, max(depth)


def both(monkey: pytest.MonkeyPatch, ask: Callable[[], int]) -> Iterator[int | None]:
    """Ask with and without numpy; None where it is refused."""
    for few in (1 << 40, -1):
        monkey.setattr(trees, "FEW_NODES", few)
        monkey.setattr(trees, "BATCH_NODES", 20)
        try:
            yield ask()
        except UnknownDimError:
            yield None


FORESTS = st.lists(
    st.tuples(st.integers(1, 30), st.booleans(), st.booleans()), min_size=1, max_size=6
)


def planted(rows: list[tuple[int, bool, bool]]) -> tuple[Forest, int]:
    """Return trees of so many leaves, sparse or not, chains or not, and their longest paths."""
    grew = [
        grown(seed, leaves, sparse=sparse, chain=chain)
        for seed, (leaves, sparse, chain) in enumerate(rows)
    ]
    parts = [tree for tree, _ in grew]
    forest = Forest(
        [one for part in parts for one in part.trees],
        [one for part in parts for one in part.ids],
        [one for part in parts for one in part.yes],
        [one for part in parts for one in part.no],
        [one for part in parts for one in part.modes],
    )
    return forest, sum(length for _, length in grew)


@settings(max_examples=100, deadline=None)
@given(rows=FORESTS)
def test_the_longest_paths_of_trees_that_were_grown(rows: list[tuple[int, bool, bool]]) -> None:
    forest, length = planted(rows)
    with pytest.MonkeyPatch.context() as monkey:
        assert set(both(monkey, lambda: longest_paths(*forest))) == {length}


@settings(max_examples=200, deadline=None)
@given(rows=FORESTS, data=st.data())
def test_what_is_no_tree_is_refused_alike(
    rows: list[tuple[int, bool, bool]], data: st.DataObject
) -> None:
    forest, _ = planted(rows)
    at = data.draw(st.integers(0, len(forest.trees) - 1))
    column = data.draw(st.sampled_from([forest.trees, forest.ids, forest.yes, forest.no]))
    column[at] = data.draw(st.integers(-1, 9))
    with pytest.MonkeyPatch.context() as monkey:
        assert len(set(both(monkey, lambda: longest_paths(*forest)))) == 1


NODE = st.tuples(st.integers(-1, 6), st.integers(-1, 6), st.booleans(), st.booleans())


@settings(max_examples=300, deadline=None)
@given(rows=st.lists(NODE, max_size=6), roots=st.lists(st.integers(-1, 6), max_size=3))
def test_flat_trees_are_followed_alike(
    rows: list[tuple[int, int, bool, bool]], roots: list[int]
) -> None:
    yes, no, yes_leafs, no_leafs = ([row[at] for row in rows] for at in range(4))
    with pytest.MonkeyPatch.context() as monkey:
        answers = set(both(monkey, lambda: flat_paths(roots, yes, no, yes_leafs, no_leafs)))
    assert len(answers) == 1


def test_flat_trees_that_are_chains_and_full() -> None:
    """A chain of 7 nodes, and a full tree of 3."""
    yes = [1, 2, 3, 4, 5, 6, 0, 8, 1, 2]
    no = [0, 1, 2, 3, 4, 5, 6, 9, 3, 4]
    yes_leafs = [0, 0, 0, 0, 0, 0, 1, 0, 1, 1]
    no_leafs = [1, 1, 1, 1, 1, 1, 1, 0, 1, 1]
    with pytest.MonkeyPatch.context() as monkey:
        ask = lambda: flat_paths([0, 7], yes, no, yes_leafs, no_leafs)  # noqa: E731
        assert set(both(monkey, ask)) == {7 + 2}


@pytest.mark.parametrize("chain", [True, False])
def test_many_nodes_take_linear_work(chain: bool) -> None:
    """A chain is as deep as it has branches; steps are not taken one by one."""
    forest, length = grown(1, 100_000, sparse=False, chain=chain)
    packed, total = array("I"), 0
    for mode in forest.modes:
        total += len(mode)
        packed.append(total)
    modes = PackedStrings(bytearray(b"".join(forest.modes)), packed)
    columns = [array("i", column) for column in forest[:4]]
    start = time.process_time()
    assert longest_paths(columns[0], columns[1], columns[2], columns[3], modes) == length
    assert time.process_time() - start < 2  # a tenth of a second


@pytest.mark.parametrize("whole_file_nbytes", [0, 1 << 30])
def test_a_large_ensemble_is_counted(whole_file_nbytes: int, tmp_path: Path) -> None:
    """30 trees of 700 leaves: 699 thresholds each; lists as onnx writes them, beyond 64 KiB."""
    forest, length = planted([(700, False, False)] * 30)
    leaves = [at for at, mode in enumerate(forest.modes) if mode == b"LEAF"]
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=forest.trees,
        nodes_nodeids=forest.ids,
        nodes_truenodeids=forest.yes,
        nodes_falsenodeids=forest.no,
        nodes_modes=forest.modes,
        nodes_values=[at / 7 for at in range(len(forest.ids))],
        target_weights=[at / 3 for at in leaves],
    )
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [5, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [5, 1])],
    )
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("ai.onnx.ml", 3)]), path)
    report = graphcount.count(str(path), limits=Limits(whole_file_nbytes=whole_file_nbytes))
    assert report.totals.parameters == 30 * (700 + 699)
    assert report.totals.elementwise == 5 * length
    assert not report.unknown
