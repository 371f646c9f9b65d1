"""Zeros in every format: the line of the screen, columns of tables, CSV and Markdown, the page."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

import graphcount
from graphcount.cli.main import main
from graphcount.formats import FORMATS, render
from graphcount.formats.page import render as page
from graphcount.formats.sentences import sparsity_words
from graphcount.formats.view import View
from tests.conftest import Save


@pytest.fixture
def path(save: Save) -> str:
    """Two products: one of 32 weights, half of them zero as 2:4 wants, one of 12 without a zero."""
    half = helper.make_tensor(
        "a.w", TensorProto.FLOAT, [8, 4], [0.0] * 4 + [1.0] * 8 + [0.0] * 4 + [0.0] * 8 + [1.0] * 8
    )
    full = helper.make_tensor("b.w", TensorProto.FLOAT, [4, 3], [1.0] * 12)
    nodes = [
        helper.make_node("MatMul", ["x", "a.w"], ["h"]),
        helper.make_node("MatMul", ["h", "b.w"], ["y"]),
    ]
    rows = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 8])
    return save(nodes, [half, full], inputs=[rows], outputs=["y"])


@pytest.fixture
def report(path: str) -> graphcount.Report:
    return graphcount.count(path, sparsity=True, assume={"n": 5})


LINE = "36.4% of parameters zero; 140 MACs left (63.6%); 2:4 in 1 of 2 weights"  # 16 of 44; 5 · 28


def test_one_line_says_it(report: graphcount.Report) -> None:
    for name in ("table", "markdown"):
        assert LINE in render(name, [report], View(width=100)).replace("\\", "")
    row = report.in_numbers.sparsity
    assert row is not None
    assert sparsity_words(row, report.in_numbers.totals.macs) == LINE
    unread = row._replace(tensors=(*row.tensors, row.tensors[0]._replace(zeros=None)))
    assert "(1 tensor not known)" in sparsity_words(unread, 220)
    assert "at most 140 MACs left" in sparsity_words(row._replace(macs_exact=False), 220)
    assert sparsity_words(row._replace(parameters=0), None).startswith("36.4% of elements zero")
    nothing = unread._replace(parameters=0, elements=0)
    assert sparsity_words(nothing, None).startswith("no elements counted (1 tensor not known)")


@pytest.mark.parametrize("by", ["tensor", "module", "dtype", "kind", "node", "op_type"])
def test_groupings_have_a_column(report: graphcount.Report, by: Any) -> None:
    lines = render("table", [report], View(by=by, width=100)).splitlines()
    head = next(line for line in lines if "zeros" in line)
    assert head.rstrip().endswith("zeros")
    assert next(line for line in lines if line.strip().startswith("total")).endswith("36.4%")
    plain = graphcount.count(report.model.path)
    assert "zeros" not in render("table", [plain], View(by=by, width=100))


def test_csv_has_counts(report: graphcount.Report) -> None:
    rows = list(csv.DictReader(io.StringIO(render("csv", [report], View()))))
    assert [(row["zeros"], row["two_four"]) for row in rows] == [("16", "1"), ("0", "0")]
    plain = graphcount.count(report.model.path)
    both = list(csv.DictReader(io.StringIO(render("csv", [plain, report], View()))))
    assert [row["zeros"] for row in both] == ["", "", "16", "0"]
    groups = list(csv.DictReader(io.StringIO(render("csv", [report], View(by="dtype")))))
    assert [(row["zeros"], row["elements_read"]) for row in groups] == [("16", "44")]


def test_unread_zeros_are_not_none(path: str, tmp_path: Path, capsys: Any) -> None:
    """One of two tensors is missing: its cells hold no number, and sums are lower bounds."""
    model = onnx.load(path)
    tensor, file = model.graph.initializer[0], str(tmp_path / "m.onnx")
    tensor.ClearField("float_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="missing.bin")
    onnx.save(model, file)
    asked = ["--sparsity", "--by", "tensor", "--columns", "zeros"]
    assert main([file, *asked]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    cells = {line[0]: line[-1] for line in lines}
    assert (cells["a.w"], cells["b.w"], cells["total"]) == (
        "?",
        "0",
        "\N{GREATER-THAN OR EQUAL TO}0",
    )
    assert main([file, *asked, "--format", "csv"]) == 0
    rows = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert {row["label"]: row["zeros"] for row in rows} == {"a.w": "", "b.w": "0"}


def test_the_page_has_them(report: graphcount.Report) -> None:
    text = page(report)
    assert '"two_four":true' in text
    assert "of ${what}" in text


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_takes_such_a_report(report: graphcount.Report, name: str) -> None:
    assert render(name, [report], View(width=100))


def test_the_option_asks_for_it(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    for options, wanted in (([], None), (["--sparsity"], 16)):
        assert main([path, "--format", "json", *options]) == 0
        row = json.loads(capsys.readouterr().out)["sparsity"]
        assert (row and row["zeros"]) == wanted
