"""Formats of a diff: what they say, and that names stay inert in each."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from onnx import helper

import graphcount
from graphcount.formats.diff import FORMATS, render
from graphcount.formats.diff.lines import chosen, headline, percent_of
from graphcount.formats.diff.view import DiffView
from graphcount.report.diff import Diff, diff_schema
from graphcount.report.rollup import BY

HOSTILE = (
    "=HYPERLINK(1)|a|\n\x1b[31mred\x1b[0m [bold]x[/bold] <b>&amp; `code` ]]> \u202egnp.exe @me $x$"
)


@pytest.fixture(scope="module")
def found(fixtures: Path) -> Diff:
    names = "cnn.onnx", "cnn_int8.onnx"
    return graphcount.diff(*(str(fixtures / name) for name in names), values=True)


@pytest.fixture
def hostile(save: Callable[..., str], weights: Any) -> Diff:
    """Names of tensors, nodes, inputs and metadata that try everything, on both sides."""

    def model(name: str, size: int) -> str:
        node = helper.make_node("MatMul", [f"x{name}", name], ["z"], f"n{name}", domain="")
        return save(
            [node],
            [weights(name, 4, size)],
            inputs=[(f"x{name}", [1, 4])],
            outputs=[("z", [1, size])],
        )

    return graphcount.diff(model(HOSTILE, 3), model(f"other{HOSTILE}", 5))


def test_json_obeys_its_schema(found: Diff, hostile: Diff, fixtures: Path) -> None:
    validator = jsonschema_rs.Draft202012Validator(diff_schema())
    saved = graphcount.count(str(fixtures / "cnn.onnx"))
    for diff in (found, hostile, graphcount.diff(saved, saved)):
        text = render("json", diff, DiffView())
        assert text.isascii()
        validator.validate(json.loads(text))
    data = json.loads(render("json", found, DiffView()))
    data["tensors"][0]["changes"] = ["nothing"]
    with pytest.raises(jsonschema_rs.ValidationError):
        validator.validate(data)


def test_json_says_everything(found: Diff) -> None:
    data = json.loads(render("json", found, DiffView()))
    assert data["schema"] == "graphcount.diff/1"
    assert len(data["tensors"]) == len(found.tensors)
    assert len(data["nodes"]) == len(found.nodes)
    weight = next(row for row in data["tensors"] if row["old"] and row["new"])
    assert weight["delta"]["nbytes"] == weight["new"]["nbytes"] - weight["old"]["nbytes"]


@pytest.mark.parametrize("by", [None, *BY])
@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_keeps_its_width(found: Diff, hostile: Diff, by: Any, width: int) -> None:
    for diff in (found, hostile):
        text = render("table", diff, DiffView(by=by, width=width))
        assert max(map(len, text.splitlines())) <= width
        assert "\n\n\n" not in text


def test_numbers_are_never_cut(found: Diff) -> None:
    text = render("table", found, DiffView(width=80))
    assert "-74.5%" in text  # 107,720 bytes of numpy arrays became 27,489
    shown = next(line for line in text.splitlines() if "classifier.0.weight" in line)
    assert shown.endswith("-73.73 kB")  # 128 x 192 numbers of four bytes became one byte each


def test_rounding_never_hides_a_difference(found: Diff) -> None:
    """From 1,000,000 to 1,000,001 bytes both sides would be 1.00 MB."""
    totals = tuple(
        row._replace(old=1_000_000, new=1_000_001, delta=1) if row.name == "nbytes" else row
        for row in found.totals
    )
    lines, _ = headline(Diff(**{**vars(found), "totals": totals}))
    (line,) = (line for line in lines if line.label == "weights")
    assert line[1:] == ("1,000,000 B", "1,000,001 B", "+1 B", "<0.1%")


def test_a_share_of_nothing_is_none() -> None:
    assert percent_of(5, 0) == ""
    assert percent_of(-5, 100) == "-5.0%"
    assert percent_of(10**1000, 10**1000) == "+100.0%"
    assert percent_of(1, 10**6) == "<0.1%"


class _Row:
    """Stands for a row that grew by so many bytes."""

    def __init__(self, nbytes: int, status: str = "changed") -> None:
        self.delta = type("Delta", (), {"nbytes": nbytes})()
        self.nbytes, self.status = nbytes, status


def test_the_largest_are_chosen_and_growers_come_first() -> None:
    shown, others = chosen([_Row(n) for n in (1, -50, 30, 2, -3)], "nbytes", 3)
    assert [row.nbytes for row in shown] == [30, -50, -3]
    assert sorted(row.nbytes for row in others) == [1, 2]
    shown, others = chosen([_Row(n) for n in (1, 2, 3)], "nbytes", 2)
    assert (len(shown), len(others)) == (3, 0)  # one row more takes the place of "1 others"
    shown, others = chosen([_Row(9_000), *(_Row(4, "added") for _ in range(9))], "nbytes", 5)
    assert (len(shown), len(others)) == (1, 9)


def test_csv_parses_and_no_cell_is_a_formula(found: Diff, hostile: Diff) -> None:
    for diff in (found, hostile):
        for by in BY:
            rows = list(csv.reader(io.StringIO(render("csv", diff, DiffView(by=by)), newline="")))
            assert len({len(row) for row in rows}) == 1
            for row in rows[1:]:
                assert not any(cell.startswith(("=", "@")) for cell in row)
    named = csv.DictReader(io.StringIO(render("csv", found, DiffView()), newline=""))
    assert sum(int(row["delta_nbytes"]) for row in named) == found.total("nbytes").delta


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "json"])
@pytest.mark.parametrize("by", [None, *BY])
def test_names_stay_inert(hostile: Diff, name: str, by: Any) -> None:
    text = render(name, hostile, DiffView(by=by, width=200))
    assert "\x1b" not in text
    assert "\u202e" not in text
    if name == "markdown":
        assert "<b>" not in text
        assert "`code`" not in text.replace("\\`", "")
        for line in text.splitlines():
            if line.startswith("|"):
                bars = line.replace("\\|", "").count("|")
                assert bars in (5, 6), line


def test_markdown_is_one_table_a_section(found: Diff) -> None:
    text = render("markdown", found, DiffView())
    assert text.startswith("### ")
    assert "| weights | 107\\.72 kB | 27\\.49 kB |" in text


def test_an_empty_diff_says_so(fixtures: Path) -> None:
    source = str(fixtures / "cnn.onnx")
    assert "identical" in render("table", graphcount.diff(source, source, values=True), DiffView())
    text = render("table", graphcount.diff(source, source), DiffView())
    assert "--values" in text
    text = render("table", graphcount.diff(source, source), DiffView(by="module"))
    assert "no module differs" in text
