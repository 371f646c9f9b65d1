"""The outline: which modules have rows, and that nothing is lost, whatever the names look like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import helper, numpy_helper

import graphcount
from graphcount.formats import render
from graphcount.formats.view import View
from graphcount.report.outline import OutlineRow, outline
from graphcount.report.records import Report

Save = Callable[..., str]

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
def test_an_outline_ends_for_any_dots(name: str, save: Save) -> None:
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
    rows = outline(report, None)
    assert sum(row.nodes for row in rows if row.level == 0) == 2
    assert len(rows) <= 2 * max(1, sum(module.count(".") + 1 for module in modules))
    assert render("table", [report], View(width=80))


def layers(save: Save, sizes: dict[str, int], plain: dict[str, int] | None = None) -> Report:
    """Return the report of a chain of products, each of a module with so many parameters."""
    nodes, tensors, value = [], [], "x"
    for number, (module, size) in enumerate({**sizes, **(plain or {})}.items()):
        name = f"{module}.weight" if module in sizes else f"weight{number}"
        tensors.append(numpy_helper.from_array(np.zeros((1, size), np.float32), name))
        nodes.append(helper.make_node("Mul", [value, name], [f"v{number}"], f"n{number}"))
        value = f"v{number}"
    return graphcount.count(save(nodes, tensors, inputs=["x"], outputs=[value]), cost=False)


def labels(rows: list[OutlineRow]) -> list[str]:
    return ["  " * row.level + row.label for row in rows]


def test_the_largest_come_first_and_the_rest_is_one_row(save: Save) -> None:
    report = layers(save, {"a": 10, "b": 30, "c": 20, "d": 5, "e": 15})
    rows = outline(report, 2)
    assert labels(rows) == ["b", "c", "(3 more modules)"]
    assert (rows[-1].parameters, rows[-1].nodes, rows[-1].holds) == (30, 3, (("Mul", 3),))
    assert labels(outline(report, 3, order="graph")) == ["b", "c", "e", "(2 more modules)"]
    assert labels(outline(report, None, order="graph")) == list("abcde")
    assert labels(outline(report, 4)) == ["b", "c", "e", "a", "d"]  # no rest of one module


def test_the_largest_module_is_opened_and_equal_ones_together(save: Save) -> None:
    halves = {f"enc.{i}.{part}": 50 for i in range(3) for part in "pq"}
    report = layers(save, {"emb": 40, **halves})
    assert labels(outline(report, 5)) == ["enc", "  0", "  1", "  2", "emb"]
    assert labels(outline(report, 10))[:6] == ["enc", "  0", "  1", "  2", "emb"]
    opened = ["enc", *(row for i in range(3) for row in (f"  {i}", "    p", "    q")), "emb"]
    assert labels(outline(report, 11)) == opened
    assert labels(outline(report, 11, depth=2)) == ["enc", "  0", "  1", "  2", "emb"]
    assert labels(outline(report, None, depth=1)) == ["enc", "emb"]


def test_the_only_module_of_a_model_takes_no_row(save: Save) -> None:
    report = layers(save, {"net.body.a": 10, "net.body.b": 20, "net.w": 3}, {"plain": 1})
    assert labels(outline(report, 9)) == [
        "net.body", "  b", "  a", "net.w", "(no module)",
    ]  # fmt: skip
    assert labels(outline(layers(save, {"net.body.a": 10}), 9)) == ["net.body.a"]


def test_without_modules_rows_are_nodes(save: Save) -> None:
    report = layers(save, {}, {f"n{i}": 100 + i for i in range(500)})
    rows = outline(report, 3)
    assert labels(rows) == ["n499", "n498", "n497", "(497 more nodes)"]
    assert sum(row.parameters for row in rows) == report.totals.parameters


def test_what_is_in_no_module_is_opened_when_it_is_large(save: Save) -> None:
    report = layers(save, {"a": 10}, {f"n{i}": 100 + i for i in range(20)})
    assert labels(outline(report, 6)) == [
        "(no module)", "  n20", "  n19", "  n18", "  (17 more)", "a",
    ]  # fmt: skip


def test_two_large_modules_share_the_rows(save: Save) -> None:
    sizes = {f"{side}.{i}": 10 + i for side in ("left", "right") for i in range(40)}
    rows = labels(outline(layers(save, sizes), 16))
    assert len(rows) == 16
    assert rows.count("  (34 more)") == 2


def test_shape_constants_have_no_row_beside_weights(save: Save) -> None:
    sizes = {"body": 10_000, **{f"tiny{i}": 1 for i in range(9)}}
    assert labels(outline(layers(save, sizes), 5)) == ["body", "(9 more modules)"]
    assert len(outline(layers(save, sizes), 10)) == 10  # all have one where all fit


def test_a_model_without_parameters_is_divided_by_macs(save: Save) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "x"], ["a"], "/small/MatMul"),
        helper.make_node("Concat", ["x"] * 9, ["wide"], "/wide/Concat", axis=1),
        helper.make_node("MatMul", ["x", "wide"], ["y"], "/large/MatMul"),
    ]
    report = graphcount.count(save(nodes, inputs=[("x", [2, 2])], outputs=["a", "y"]))
    assert [(row.label, row.macs) for row in outline(report, 1)] == [
        ("large", 72),
        ("(2 more modules)", 8),
    ]


@pytest.mark.parametrize("name", ["cnn", "gpt2_like", "transformer_block", "cnn_int8"])
def test_what_a_shorter_outline_leaves_out_is_in_its_rest(fixtures: Path, name: str) -> None:
    report = graphcount.count(str(fixtures / f"{name}.onnx"))
    for top in range(1, 30):
        rows = outline(report, top)
        assert len(rows) <= top + 1
        assert sum(row.nbytes for row in rows if row.level == 0) == report.totals.nbytes.total
        text = render("table", [report], View(top=top, width=80))
        assert all(row.label in text for row in rows)
