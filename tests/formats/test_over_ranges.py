"""Ranges of sizes in words and rows: what is least and most, where, and what is only a bound."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from onnx import helper

import graphcount
from graphcount.cli.main import main
from graphcount.formats import render
from graphcount.formats.over_ranges import extremes, ranges_lines
from graphcount.formats.view import View
from graphcount.report.pass_rows import RangeRow, RangesRow

MACS = 5 * 28 * 28 * 3 * 5 * 5 + 12 * 10 * 10 * 5 * 3 * 3 + 128 * 192 + 10 * 128
"""Of fixtures/cnn.onnx for a batch of 1; fixtures/make.py has the network."""

RANGES = RangesRow({"a": 1, "b": 2}, {"a": 8, "b": 64}, {}, ())


def row(least: int = 10, most: int = 90, measure: str = "macs", *exact: bool) -> RangeRow:
    low, high = exact or (True, True)
    return RangeRow(measure, least, most, {"a": 1, "b": 2}, {"a": 8, "b": 64}, low, high)


def test_the_most_has_its_sizes() -> None:
    assert extremes(row(16_512, 12_582_912), RANGES) == "16,512 to 12,582,912 (a=8, b=64)"
    assert extremes(row(1_000, 2_000, "activation_nbytes"), RANGES) == (
        "1.00 kB to 2.00 kB (a=8, b=64)"
    )


def test_the_least_has_them_where_they_are_not_the_least_ones() -> None:
    falls = row()._replace(least_at={"a": 8, "b": 2})
    assert extremes(falls, RANGES) == "10 (a=8, b=2) to 90 (a=8, b=64)"


def test_what_is_a_bound_says_so_and_has_no_sizes() -> None:
    assert extremes(row(10, 90, "macs", True, False), RANGES) == "10 to at most 90, a bound"
    assert extremes(row(10, 90, "macs", False, True), RANGES) == (
        "at least 10, a bound, to 90 (a=8, b=64)"
    )


def test_the_same_at_all_sizes() -> None:
    assert extremes(row(10, 10), RANGES) == "10 at all of these sizes"


def test_sizes_give_way_to_numbers_on_a_narrow_line() -> None:
    falls = row()._replace(least_at={"a": 8, "b": 2})
    assert extremes(falls, RANGES, room=26) == "10 to 90 (a=8, b=64)"
    assert extremes(falls, RANGES, room=12) == "10 to 90"


def test_the_table_and_markdown_have_them(
    capfd: pytest.CaptureFixture[str], fixtures: Path
) -> None:
    command = [str(fixtures / "cnn.onnx"), "--dim", "batch=2:8"]
    for more in ([], ["--format", "markdown"]):
        assert main([*command, *more]) == 0
        text = re.sub(" +", " ", capfd.readouterr().out.replace("\\", ""))
        assert re.search(f"MACs:? {2 * MACS:,} to {8 * MACS:,} \\(batch=8\\)\n", text)
        assert re.search("sizes:? batch 2 to 8; shapes and rows at batch 2\n", text)
        assert re.search(r"peak:? [\d.]+ kB to [\d.]+ kB \(batch=8\)\n", text)


def test_dimensions_without_a_range_are_assumed_and_said(
    capfd: pytest.CaptureFixture[str], fixtures: Path
) -> None:
    assert main([str(fixtures / "transformer_block.onnx"), "--dim", "sequence=1:16"]) == 0
    text = re.sub(" +", " ", capfd.readouterr().out)
    sizes = "sizes sequence 1 to 16; assumed: batch 1; shapes and rows at batch 1, sequence 16\n"
    assert sizes in text


def test_a_narrow_screen_says_the_sizes_of_its_rows_all_the_same(
    capfd: pytest.CaptureFixture[str], fixtures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([str(fixtures / "gpt2_like.onnx"), "--dim", "*=2:64"]) == 0
    text = capfd.readouterr().out
    assert "  sizes         batch 2 to 64, sequence 2 to 64\n" in text
    assert "  rows at       batch 2, sequence 64\n" in text
    assert len(text.splitlines()) <= 40


def test_many_dimensions_are_counted(save: Callable[..., str]) -> None:
    names = [f"dimension{number}" for number in range(9)]
    path = save([helper.make_node("Relu", ["x"], ["y"])], inputs=[("x", names)], outputs=["y"])
    report = graphcount.count(path, ranges={"*": (1, 3)}, assume=True)
    (_, sizes), (_, rows) = ranges_lines(report, 60)
    assert sizes == "dimension0 1 to 3, dimension1 1 to 3, 7 more"
    assert rows == "dimension0 1, dimension1 1, dimension2 1, 6 more"
    assert len(ranges_lines(report)) == 1


def test_csv_has_a_row_a_measure(fixtures: Path) -> None:
    report = graphcount.count(
        str(fixtures / "cnn.onnx"), ranges={"batch": (2, 8)}, assume=True, deep=False
    )
    rows = list(csv.DictReader(io.StringIO(render("csv", [report], View()))))
    macs = next(item for item in rows if item["measure"] == "macs")
    assert (macs["least"], macs["most"]) == (str(2 * MACS), str(8 * MACS))
    assert (macs["least_at"], macs["most_at"]) == ("batch=2", "batch=8")
    assert (macs["least_exact"], macs["most_exact"], macs["assumed"]) == ("1", "1", "")
    assert len(rows) == len(report.ranges.measures if report.ranges else ())
    tensors = render("csv", [replace(report, ranges=None)], View())
    assert tensors.startswith("model,name,dtype,")


def test_commands_that_take_one_size_refuse_a_range(
    capfd: pytest.CaptureFixture[str], fixtures: Path
) -> None:
    path = str(fixtures / "cnn.onnx")
    for command in (["explain", path], ["export", path], ["diff", path, path], ["plan", path]):
        assert main([*command, "--dim", "batch=1:8"]) == 2
        _, err = capfd.readouterr()
        assert err.endswith(
            "--dim batch=1:8: a range is for graphcount count and check;"
            " give one size, e.g. batch=8\n"
        )
