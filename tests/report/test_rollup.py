"""The tree of modules, whatever the names look like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from onnx import helper

import graphcount
from graphcount.formats import render
from graphcount.formats.view import View
from graphcount.report.rollup import tree

NAMES = (
    ".",
    "..",
    ".a",
    "a.",
    "a..b",
    "..a.b",
    "a.b..",
    " .. ",
    "/./",
    "/../a/",
    "a/.b/c.",
    ".b/.b",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_tree_ends_for_any_dots(name: str, save: Callable[..., str]) -> None:
    """Found by fuzzing: a module `.a` was below itself for ever."""
    nodes = [
        helper.make_node("Relu", ["x"], ["h"], f"{name}/relu"),
        helper.make_node("Relu", ["h"], ["y"], f"model.{name}.relu"),
    ]
    for node, scope in zip(nodes, (name, f"m.{name}.n"), strict=True):
        entry = node.metadata_props.add()
        entry.key, entry.value = "namespace", f": Net/{scope}: Block/relu: aten.relu"
    report = graphcount.count(save(nodes, inputs=["x"], outputs=["y"]))
    modules = {row.module for row in report.nodes}
    rows, rest = tree(report, depth=9)
    assert rest is None
    assert sum(row.nodes for row in rows if row.level == 0) == 2
    assert len(rows) <= 2 * max(1, sum(module.count(".") + 1 for module in modules))
    assert render("table", [report], View(width=80))


@pytest.mark.parametrize("name", ["cnn", "gpt2_like", "transformer_block", "cnn_int8"])
def test_what_a_shorter_tree_leaves_out_is_in_its_last_row(fixtures: Path, name: str) -> None:
    report = graphcount.count(str(fixtures / f"{name}.onnx"))
    totals = report.totals
    for top in range(1, 30):
        rows, rest = tree(report, 9, top)
        outer = [row for row in (*rows, *([rest] if rest else [])) if row.level == 0]
        assert sum(row.parameters for row in outer) == totals.parameters
        assert sum(row.nbytes for row in outer) == totals.nbytes.total
        assert sum(row.nodes for row in outer) == report.model.node_count
        text = render("table", [report], View(depth=9, top=top, width=80))
        assert ("... more (--top) " in text) == (rest is not None)
