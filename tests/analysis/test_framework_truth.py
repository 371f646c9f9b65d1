"""The framework's count against 406 exports whose frameworks' own counts are known."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from graphcount.analysis.counts import count
from graphcount.analysis.framework import FrameworkCount, recover
from graphcount.analysis.values import Values
from graphcount.graph import build_graph
from graphcount.loading import read_model

TRUTH = Path(__file__).parents[2].parent / "shared" / "truth"
BUDGET = 1 << 26

EXCEPTIONS: dict[str, str] = {}
"""Records a reference implementation has right and this one has not: id → reason."""

LEAST_RIGHT = 369
LEAST_EXACT = 97


class Case(NamedTuple):
    id: str
    truth: int
    reference_right: bool
    stored: int
    found: FrameworkCount


def _case(record: dict[str, Any]) -> Case:
    path = str(TRUTH / record["file"])
    model = read_model(path)
    graph = build_graph(model.proto)
    with closing(Values(path, BUDGET)) as values:
        rows = count(model, graph, values).rows
        found = recover(model, graph, rows, values)
    stored = sum(row.elements for row in rows if row.verdict.kind == "parameter")
    truth = record["truth"]["params_total"]
    return Case(record["id"], truth, record["reference"]["right"], stored, found)


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    if not (TRUTH / "truth.jsonl").exists():
        pytest.skip(f"no exports with known counts in {TRUTH}")
    with open(TRUTH / "truth.jsonl", encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    return [_case(record) for record in records if record.get("file")]


def test_right_wherever_the_reference_is(cases: list[Case]) -> None:
    wrong = {
        case.id: (case.truth, case.found.parameters)
        for case in cases
        if case.reference_right and case.found.parameters != case.truth
    }
    assert set(wrong) == set(EXCEPTIONS), wrong
    assert sum(case.found.parameters == case.truth for case in cases) >= LEAST_RIGHT


def test_exact_is_never_wrong(cases: list[Case]) -> None:
    exact = [case for case in cases if case.found.exact]
    assert [case.id for case in exact if case.found.parameters != case.truth] == []
    assert [case.id for case in exact if case.found.low != case.found.high] == []
    assert len(exact) >= LEAST_EXACT


def test_the_truth_lies_in_the_range(cases: list[Case]) -> None:
    outside = {
        case.id: (case.truth, case.found.low, case.found.high)
        for case in cases
        if case.found.low is None
        or case.truth < case.found.low
        or (case.found.high is not None and case.truth > case.found.high)
    }
    assert outside == {}


def test_there_always_is_a_number(cases: list[Case]) -> None:
    """The best number lies in its own range, and is never missing."""
    for case in cases:
        low, best, high = case.found.low, case.found.parameters, case.found.high
        assert low is not None, case.id
        assert best is not None, case.id
        assert low <= best, case.id
        assert high is None or best <= high, case.id


def test_every_number_says_why(cases: list[Case]) -> None:
    for case in cases:
        assert case.found.evidence, case.id
        for sentence in case.found.evidence:
            assert sentence.strip() == sentence, case.id
            assert sentence.endswith("."), (case.id, sentence)


def test_stored_parameters(cases: list[Case]) -> None:
    """What the file holds equals the framework's count where nothing was folded or copied."""
    assert sum(case.stored == case.truth for case in cases) >= 256
