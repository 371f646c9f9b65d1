"""Limits on growth."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import graphcount
from graphcount.errors import UsageError
from graphcount.gates.budgets import Budget, parse_budget
from graphcount.gates.growth import judge_growth


def parse(text: str) -> Budget:
    return parse_budget(text, "max_increase")


@pytest.mark.parametrize(
    ("limit", "old", "new", "kept"),
    [
        ("5%", 100, 105, True),
        ("5%", 100, 106, False),
        ("2.5 %", 1000, 1025, True),
        ("2.5%", 1000, 1026, False),
        ("0%", 10, 10, True),
        ("0%", 10, 11, False),
        ("50%", 0, 1, False),
        ("200k", 0, 200_000, True),
        ("200k", 1, 200_002, False),
        ("0", 7, 7, True),
        ("0", 7, 8, False),
        ("0", 8, 7, True),
        ("33.3%", 10**30, 10**30 + 333 * 10**27, True),
        ("33.3%", 10**30, 10**30 + 333 * 10**27 + 1, False),
    ],
)
def test_a_limit_is_exact(limit: str, old: int, new: int, kept: bool, fixtures: Path) -> None:
    report = graphcount.count(str(fixtures / "cnn.onnx"))
    before, after = (
        replace(report, totals=report.totals._replace(parameters=number)) for number in (old, new)
    )
    assert (judge_growth(before, after, [parse(f"parameters={limit}")]) == ()) is kept


@pytest.mark.parametrize("text", ["nbytes", "nbytes=", "nbytes=-5%", "nbytes=5%%", "nbites=5%"])
def test_nonsense_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text)


def test_one_byte_more_fails_and_says_so(fixtures: Path) -> None:
    old = graphcount.count(str(fixtures / "behavior_cloning_11.onnx"))
    new = graphcount.count(str(fixtures / "behavior_cloning.onnx"))
    assert new.totals.parameters - old.totals.parameters == 20 * 64
    assert judge_growth(old, new, [parse("parameters=1280")]) == ()
    (finding,) = judge_growth(old, new, [parse("parameters=1279")])
    assert finding.rule == "BUD003"
    assert finding.message.startswith("parameters 4,392 is 1 over 4,391 (baseline 3,112 + 1279)")


def test_what_is_not_known_fails(fixtures: Path) -> None:
    """MACs are a formula here: no number, no verdict."""
    report = graphcount.count(str(fixtures / "cnn.onnx"))
    (finding,) = judge_growth(report, report, [parse("macs=5%")])
    assert finding.rule == "BUD002"
    path = fixtures / "cnn.onnx"
    asked = "give sizes or ranges of batch (--dim batch=N, --dim batch=1:N)"
    assert finding.message == f"macs of {path} is 373856*batch; {asked}"
