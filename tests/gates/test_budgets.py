"""Budgets: kept only by exact numbers, and every message has the numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import graphcount
from graphcount.errors import Unknown, UsageError
from graphcount.gates.budgets import findings, judge, parse_budget
from graphcount.gates.measures import MEASURES


@pytest.fixture(scope="module")
def report(fixtures: Path) -> graphcount.Report:
    return graphcount.count(str(fixtures / "cnn.onnx"))


@pytest.mark.parametrize(
    ("text", "kept"),
    [("parameters=26926", True), ("parameters=26925", False), ("parameters=30M", True)],
)
def test_a_maximum_is_inclusive(report: graphcount.Report, text: str, kept: bool) -> None:
    assert [v.kept for v in judge(report, [parse_budget(text, "max")])] == [kept]


@pytest.mark.parametrize(("text", "kept"), [("parameters=26926", True), ("parameters=27k", False)])
def test_a_minimum_is_inclusive(report: graphcount.Report, text: str, kept: bool) -> None:
    assert [v.kept for v in judge(report, [parse_budget(text, "min")])] == [kept]


def test_the_message_says_by_how_much(report: graphcount.Report) -> None:
    (verdict,) = judge(report, [parse_budget("parameters=26k", "max")])
    assert verdict.message == "parameters 26,926 is 926 over the maximum 26,000 (26k)"


def test_an_unknown_fails_what_is_only_a_lower_bound(report: graphcount.Report) -> None:
    unsure = replace(report, unknown=(Unknown("W", "payload", "it is missing"),))
    budgets = [parse_budget("parameters=1G", "max"), parse_budget("file_nbytes=1GB", "max")]
    assert [v.kept for v in judge(unsure, budgets)] == [False, True]


def test_a_number_that_was_not_computed_fails(report: graphcount.Report) -> None:
    unknown = replace(report, totals=report.totals._replace(macs=None))
    (verdict,) = judge(unknown, [parse_budget("macs=1T", "max")])
    assert not verdict.kept
    assert findings([verdict])[0].rule == "BUD002"


def test_a_framework_count_that_is_not_proven_fails(report: graphcount.Report) -> None:
    guessed = replace(report, framework=report.framework._replace(exact=False))
    (verdict,) = judge(guessed, [parse_budget("framework_parameters=1G", "max")])
    assert not verdict.kept


@pytest.mark.parametrize("text", ["parameters", "=3", "parameters=", "parameters=many", "size=3"])
def test_bad_budgets_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_budget(text, "max")


def test_the_nearest_measure_is_named() -> None:
    with pytest.raises(UsageError, match="did you mean parameters"):
        parse_budget("paramters=3", "max")


def test_every_measure_reads_a_report(report: graphcount.Report) -> None:
    for measure in MEASURES.values():
        value = measure.read(report)
        assert value is None or value >= 0
        assert measure.about
