"""The tree of modules, whatever the names look like."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from onnx import helper

import graphcount
from graphcount.formats import View, render
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
    rows, cut = tree(report, depth=9)
    assert not cut
    assert sum(row.nodes for row in rows if row.level == 0) == 2
    assert len(rows) <= 2 * max(1, sum(module.count(".") + 1 for module in modules))
    assert render("table", [report], View(width=80))
