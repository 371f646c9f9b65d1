"""Budgets: kept only by exact numbers, and every message has the numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import graphcount
from graphcount.errors import Unknown, UsageError
from graphcount.gates.budgets import Bound, judge, parse_budget
from graphcount.gates.checks import Check, findings, run
from graphcount.gates.subject import Subject
from graphcount.report.records import Report
from graphcount.report.rows import VerdictRow


@pytest.fixture(scope="module")
def report(fixtures: Path) -> Report:
    return graphcount.count(str(fixtures / "cnn.onnx"), dims={"batch": 1})


def verdict(report: Report, text: str, bound: Bound = "max", **values: int) -> VerdictRow:
    (row,) = judge(Subject(report), [parse_budget(text, bound)], baseline=values)
    return row


@pytest.mark.parametrize(
    ("text", "kept"),
    [("parameters=26926", True), ("parameters=26925", False), ("parameters=30M", True)],
)
def test_a_maximum_is_inclusive(report: Report, text: str, kept: bool) -> None:
    assert verdict(report, text).kept is kept


@pytest.mark.parametrize(("text", "kept"), [("parameters=26926", True), ("parameters=27k", False)])
def test_a_minimum_is_inclusive(report: Report, text: str, kept: bool) -> None:
    assert verdict(report, text, "min").kept is kept


@pytest.mark.parametrize(
    ("text", "bound", "message"),
    [
        (
            "parameters=26k",
            "max",
            "parameters 26,926 (26.93k) is 926 over the maximum 26,000 (26k)",
        ),
        ("parameters=26925", "max", "parameters 26,926 is 1 over the maximum 26,925"),
        ("parameters=30k", "min", "parameters 26,926 (26.93k) is 3,074 (3.07k) under"),
        ("nbytes=107719", "max", "nbytes 107,720 bytes (107.72 kB) is 1 byte over the maximum"),
        ("nbytes=100 KiB", "max", "(105.2 KiB) is 5,320 bytes (5.2 KiB) over the maximum"),
        ("macs=300k", "max", "macs 373,856 (373.86k) is 73,856 (73.86k) over the maximum"),
    ],
)
def test_the_message_says_by_how_much_in_the_users_unit(
    report: Report, text: str, bound: Bound, message: str
) -> None:
    assert message in verdict(report, text, bound).message


def test_a_failure_names_the_largest_parts(report: Report) -> None:
    found = verdict(report, "parameters=1").contributors
    assert [tuple(row) for row in found] == [
        ("classifier.0", 24_704),  # 192 x 128 + 128
        ("classifier.2", 1_290),  # 128 x 10 + 10
        ("features.3", 552),  # 5 x 12 x 3 x 3 + 12
    ]


def test_growth_is_measured_from_the_baseline(report: Report) -> None:
    for text, kept in [("parameters=0", False), ("parameters=1", True), ("parameters=5%", True)]:
        row = verdict(report, text, "max_increase", parameters=26_925)
        assert row.kept is kept
    row = verdict(report, "parameters=0%", "max_increase", parameters=26_925)
    assert row.rule == "BUD003"
    assert "1 over 26,925 (baseline 26,925 + 0%)" in row.message


def test_a_share_is_exact(report: Report) -> None:
    """10% of 24,479 is 2,447.9: at most 26,926 whole numbers; of 24,478 it is 2,447.8: 26,925."""
    assert verdict(report, "parameters=10%", "max_increase", parameters=24_479).kept
    assert not verdict(report, "parameters=10%", "max_increase", parameters=24_478).kept


def test_an_unknown_fails_what_is_only_a_lower_bound(report: Report) -> None:
    unsure = replace(report, unknown=(Unknown("W", "payload", "it is missing"),))
    assert not verdict(unsure, "parameters=1G").kept
    assert "at least 26,926, not exact: W: payload" in verdict(unsure, "parameters=1G").message
    assert verdict(unsure, "file_nbytes=1GB").kept


def test_what_is_surely_over_is_over_although_not_exact(report: Report) -> None:
    unsure = replace(report, unknown=(Unknown("W", "payload", "it is missing"),))
    assert verdict(unsure, "parameters=1").rule == "BUD001"


def test_a_number_that_was_not_computed_fails(report: Report) -> None:
    unknown = replace(report, totals=report.totals._replace(macs=None))
    check = Check("c", budgets=(parse_budget("macs=1T", "max"),))
    (finding,) = findings([run(check, Subject(unknown))])
    assert finding.rule == "BUD002"
    assert finding.where["measure"] == "macs"


def test_a_framework_count_that_is_not_proven_fails(report: Report) -> None:
    guessed = replace(report, framework=report.framework._replace(exact=False))
    assert not verdict(guessed, "framework_parameters=1G").kept


@pytest.mark.parametrize(
    "text",
    [
        "parameters",
        "=3",
        "parameters=",
        "parameters=many",
        "size=3",
        "parameters=3MB",
        "nbytes=3x",
        "latency_p50=3",
        "parameters=-1",
    ],
)
def test_bad_budgets_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_budget(text, "max")
