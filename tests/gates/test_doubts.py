"""Costs over ranges of sizes against limits: the most and the least, at their sizes, or a bound."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import graphcount
from graphcount.cli.main import main
from graphcount.gates.budgets import Bound, Earlier, judge, parse_budget
from graphcount.gates.subject import Subject
from graphcount.report.finding_rows import VerdictRow
from graphcount.report.pass_rows import RangeRow
from graphcount.report.records import Report

MACS = 5 * 28 * 28 * 3 * 5 * 5 + 12 * 10 * 10 * 5 * 3 * 3 + 128 * 192 + 10 * 128
"""Of fixtures/cnn.onnx for a batch of 1; fixtures/make.py has the network."""


def judged(report: Report, text: str, bound: Bound = "max") -> VerdictRow:
    (row,) = judge(Subject(report), [parse_budget(text, bound)], earlier=Earlier({"macs": 0}))
    return row


@pytest.fixture
def ranged(fixtures: Path) -> Report:
    return graphcount.count(str(fixtures / "cnn.onnx"), ranges={"batch": (1, 8)})


def test_the_most_is_held_against_a_maximum(ranged: Report) -> None:
    row = judged(ranged, "macs=2M")
    assert (row.rule, row.kept, row.value) == ("BUD001", False, 8 * MACS)
    over = f"macs {8 * MACS:,} (2.99M) is {8 * MACS - 2_000_000:,} over the maximum 2,000,000 (2M)"
    assert row.message == f"{over} at batch=8"
    row = judged(ranged, f"macs={8 * MACS}")
    assert (row.kept, row.message) == (True, f"macs {8 * MACS:,} <= {8 * MACS:,} at batch=8")
    assert judged(ranged, f"flops={16 * MACS - 1}").value == 16 * MACS
    assert judged(ranged, "nbytes=1MB").message == "nbytes 107,720 bytes <= 1MB"  # of no size


def test_the_least_is_held_against_a_minimum(ranged: Report) -> None:
    assert judged(ranged, f"macs={MACS}", "min").message == f"macs {MACS:,} >= {MACS:,} at batch=1"
    row = judged(ranged, f"macs={MACS + 1}", "min")
    assert (row.rule, row.kept) == ("BUD001", False)
    assert row.message.endswith(" at batch=1")


def with_bounds(report: Report) -> Report:
    """The report, its extremes no longer proven to occur."""
    assert report.ranges is not None
    rows = tuple(
        row._replace(least_exact=False, most_exact=False) for row in report.ranges.measures
    )
    return replace(report, ranges=report.ranges._replace(measures=rows))


def test_a_bound_keeps_a_limit_and_breaks_none(ranged: Report) -> None:
    bounded = with_bounds(ranged)
    row = judged(bounded, "macs=4M")
    assert (row.kept, row.message) == (True, f"macs at most {8 * MACS:,}, a bound, <= 4M")
    row = judged(bounded, "macs=2M")
    assert (row.rule, row.kept) == ("BUD002", False)
    assert row.message == (
        f"macs is at most {8 * MACS:,} (2.99M) over these ranges, a bound, and the limit is"
        " 2,000,000 (2M); narrower ranges may tell"
    )
    row = judged(bounded, "macs=300k", "min")
    assert (row.kept, row.message) == (True, f"macs at least {MACS:,}, a bound, >= 300k")
    row = judged(bounded, "macs=400k", "min")
    assert (row.rule, row.kept) == ("BUD002", False)
    assert "is at least 373,856 (373.86k) over these ranges, a bound" in row.message


def test_a_dimension_without_a_range_is_asked_for(fixtures: Path) -> None:
    path = str(fixtures / "transformer_block.onnx")
    row = judged(graphcount.count(path, ranges={"batch": (1, 8)}), "macs=1G")
    assert (row.rule, row.kept, row.value) == ("BUD002", False, None)
    assert "give sizes or ranges of sequence (--dim sequence=N, --dim sequence=1:N)" in row.message
    both = graphcount.count(path, ranges={"batch": (1, 8)}, dims={"sequence": 16})
    assert judged(both, "macs=1G").message.endswith(" at sequence=16, batch=8")


def test_what_ranges_cannot_tell_is_not_known(ranged: Report) -> None:
    assert ranged.ranges is not None
    nothing = RangeRow("macs", None, None, {}, {}, False, False)
    report = replace(ranged, ranges=ranged.ranges._replace(measures=(nothing,)))
    row = judged(report, "macs=1G")
    assert (row.rule, row.message) == (
        "BUD002", "macs is not known over these ranges (limit 1,000,000,000 (1G))",
    )  # fmt: skip


def test_growth_is_measured_at_one_size(fixtures: Path, capfd: Any) -> None:
    path = str(fixtures / "cnn.onnx")
    command = ["check", path, "--no-config", "--dim", "batch=1:8", "--baseline", "none.json"]
    assert main([*command, "--max-increase", "macs=5%"]) == 2
    assert capfd.readouterr().err == (
        f"graphcount: {path}: macs: growth is measured at one size, and batch has a range;"
        " give --dim batch=N\n"
    )
