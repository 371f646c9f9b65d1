"""Budgets: kept only by exact numbers, and every message has the numbers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

import graphcount
from graphcount.errors import Unknown, UsageError
from graphcount.gates.budgets import Bound, Earlier, Origin, Standing, judge, parse_budget
from graphcount.gates.checks import Check, findings, run
from graphcount.gates.doubts import doubt
from graphcount.gates.measures import MEASURES
from graphcount.gates.subject import Subject
from graphcount.report.finding_rows import VerdictRow
from graphcount.report.records import Report, at_least


@pytest.fixture(scope="module")
def report(fixtures: Path) -> Report:
    return graphcount.count(str(fixtures / "cnn.onnx"), dims={"batch": 1})


def verdict(report: Report, text: str, bound: Bound = "max", **values: int) -> VerdictRow:
    (row,) = judge(Subject(report), [parse_budget(text, bound)], earlier=Earlier(values))
    return row


@pytest.mark.parametrize(
    ("text", "kept"),
    [("parameters=26926", True), ("parameters=26925", False), ("parameters=30M", True)],
)
def test_a_maximum_is_inclusive(report: Report, text: str, kept: bool) -> None:
    assert verdict(report, text).kept is kept


@pytest.mark.parametrize(
    ("limit", "kept", "rule", "value", "message"),
    [
        ("1.02", True, "BUD001", 1_020_000, "latency_ratio at most 1.02, a bound, <= 1.02"),
        (
            "101.9%",
            False,
            "BUD002",
            1_020_000,
            "latency_ratio is at most 1.02, a bound, and the limit is 1.019; a longer benchmark may"
            " tell",
        ),
        ("1.01", False, "BUD002", 1_020_000, "latency_ratio is at most 1.02, a bound, and the"),
        (
            "1.009",
            False,
            "BUD001",
            1_010_000,
            "latency_ratio at least 1.01 is 0.001 over the maximum 1.009",
        ),
    ],
)
def test_of_two_bounds_each_decides_its_own_way(
    report: Report, limit: str, kept: bool, rule: str, value: int, message: str
) -> None:
    subject = Subject(report, {"ratio_least": 1_010_000, "ratio_most": 1_020_000})
    (row,) = judge(subject, [parse_budget(f"latency_ratio={limit}", "max")])
    assert (row.kept, row.rule, row.value) == (kept, rule, value)
    assert row.message.startswith(message)


def test_a_lower_bound_keeps_a_minimum(report: Report) -> None:
    subject = Subject(report, {"ratio_least": 1_010_000, "ratio_most": 1_020_000})
    ends = {
        limit: judge(subject, [parse_budget(f"latency_ratio={limit}", "min")])[0]
        for limit in ("1.01", "1.02", "1.03")
    }
    assert [row.kept for row in ends.values()] == [True, False, False]
    assert [row.rule for row in ends.values()][1:] == ["BUD002", "BUD001"]


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
    unsure = replace(report, unknown=(Unknown("W", "tensor data", "it is missing"),))
    assert not verdict(unsure, "parameters=1G").kept
    assert "at least 26,926, not exact: W: tensor data" in verdict(unsure, "parameters=1G").message
    assert verdict(unsure, "file_nbytes=1GB").kept


def test_what_is_surely_over_is_over_although_not_exact(report: Report) -> None:
    unsure = replace(report, unknown=(Unknown("W", "tensor data", "it is missing"),))
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


# -------------------------------------------------------------------------- the whole verdict


@pytest.mark.parametrize(
    ("text", "bound", "message"),
    [
        ("parameters=30M", "max", "parameters 26,926 <= 30M"),
        ("parameters=30000", "max", "parameters 26,926 <= 30,000"),
        ("parameters=1k", "min", "parameters 26,926 >= 1k"),
        ("nbytes=120 kB", "max", "nbytes 107,720 bytes <= 120 kB"),
        ("parameters=5%", "max_increase", "parameters 26,926 <= 28,271 (baseline 26,925 + 5%)"),
        ("parameters=2k", "max_increase", "parameters 26,926 <= 28,925 (baseline 26,925 + 2k)"),
        ("latency_p50=3ms", "max", "latency_p50 2 ms <= 3ms"),
    ],
)
def test_what_is_kept_says_the_number_and_the_limit(
    report: Report, text: str, bound: Bound, message: str
) -> None:
    """5% of 26,925 is 1,346.25: growth to 28,271 is allowed."""
    subject = Subject(report, {"p50": 2_000_000})
    (row,) = judge(subject, [parse_budget(text, bound)], earlier=Earlier({"parameters": 26_925}))
    assert (row.kept, row.message) == (True, message)
    assert (row.contributors, row.note) == ((), "")
    assert row.rule == ("BUD003" if bound == "max_increase" else "BUD001")


def test_every_field_of_a_verdict(report: Report) -> None:
    budget = parse_budget("nbytes=100 kB", "max")._replace(note="ask the edge team")
    standing = Standing("edge", "medium")
    in_file = budget._replace(origin=Origin("graphcount.toml", 12), limit=107_720)
    broken, kept = judge(Subject(report), [budget, in_file], standing)
    assert broken == VerdictRow(
        rule="BUD001",
        measure="nbytes",
        kept=False,
        severity="medium",
        value=107_720,  # 4 x 26,926 + 16
        unit="bytes",
        bound="max",
        limit=100_000,
        written="100 kB",
        message="nbytes 107,720 bytes (107.72 kB) is 7,720 bytes (7.72 kB) over the maximum"
        " 100,000 bytes (100 kB)",
        note="ask the edge team",
        origin="--max",
        where={"check": "edge", "measure": "nbytes", "limit": {"option": "--max"}},
        contributors=broken.contributors,
    )
    assert len(broken.contributors) == 3
    assert (kept.kept, kept.limit, kept.note, kept.contributors) == (True, 107_720, "", ())
    assert kept.origin == "graphcount.toml:12"
    assert kept.where["limit"] == {"file": "graphcount.toml", "line": 12}
    (plain,) = judge(Subject(report), [budget])
    assert (plain.severity, plain.where["check"]) == ("high", "")


def test_a_finding_has_the_numbers_for_machines(report: Report) -> None:
    budgets = (parse_budget("parameters=26926", "max"), parse_budget("nodes=10", "max"))
    check = Check("edge", budgets=(*budgets, budgets[1]._replace(note="Ask.")), severity="low")
    plain, noted = findings([run(check, Subject(report))])
    assert plain.message == "nodes 11 is 1 over the maximum 10"
    assert noted.message == f"{plain.message}. Ask."
    assert (plain.rule, plain.severity) == ("BUD001", "low")
    assert plain.evidence == {
        "value": 11,
        "bound": "max",
        "limit": 10,
        "written": "10",
        "difference": 1,
        "contributors": [
            {"name": "Relu", "number": 4},
            {"name": "Conv", "number": 2},
            {"name": "Gemm", "number": 2},
        ],
    }
    assert plain.where == {"check": "edge", "measure": "nodes", "limit": {"option": "--max"}}


@pytest.mark.parametrize(
    ("text", "bound", "said"),
    [
        (
            "parameters",
            "max",
            "--max: 'parameters': write it as measure=limit, e.g. parameters=30M",
        ),
        ("size = 3", "min", "--min: 'size' is no measure"),
        ("parameters = 3MB", "min", "--min: parameters: '3MB' is not a count like 30M"),
        ("nodes=5%", "max", "--max: nodes: '5%' is not a count"),
        ("nodes=x%", "max_increase", "--max-increase: nodes: 'x%' is not a percentage"),
    ],
)
def test_a_bad_budget_names_its_option(text: str, bound: Bound, said: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_budget(text, bound)
    assert str(error.value).startswith(said)


@pytest.mark.parametrize("text", ["parameters = 5 % ", "parameters=5%"])
def test_spaces_do_not_count(text: str) -> None:
    budget = parse_budget(text, "max_increase")
    assert (budget.measure.name, budget.limit) == ("parameters", Fraction(1, 20))
    assert parse_budget(" nodes = 1k ", "min").limit == 1000


# --------------------------------------------------------------------------- what is not known


def test_a_formula_asks_for_sizes(fixtures: Path) -> None:
    report = graphcount.count(str(fixtures / "cnn.onnx"))  # the batch is dynamic
    subject = Subject(report)
    for name, said in (
        (
            "macs",
            "macs is 373856*batch; give sizes or ranges of batch (--dim batch=N, --dim batch=1:N)",
        ),
        ("flops", "flops depends on dynamic dimensions; give sizes or ranges of batch (--dim"),
        ("peak_activation_nbytes", "peak_activation_nbytes depends on dynamic dimensions;"),
    ):
        row = verdict(report, f"{name}=1")
        assert (row.rule, row.kept, row.value) == ("BUD002", False, None)
        assert row.message.startswith(said)
    for name, formula in (
        ("elementwise", report.totals.elementwise_expression),
        ("activation_nbytes", report.totals.activation_expression),
    ):
        assert verdict(report, f"{name}=1").message.startswith(f"{name} is {formula}; give sizes")
    assert doubt(subject, MEASURES["parameters"], 26_926) == ""
    assert doubt(subject, MEASURES["latency_p50"], None) == (
        "is not known: no benchmark of this model says it (--bench)"
    )
    assert doubt(subject, MEASURES["framework_parameters"], None) == (
        "is not known: the file does not prove it"
    )


@pytest.mark.parametrize(
    ("affects", "spoiled"),
    [
        ("counts", {"parameters", "generated", "macs"}),
        ("generated", {"generated"}),
        ("cost", {"macs"}),
    ],
)
def test_an_unknown_spoils_what_depends_on_it(
    report: Report, affects: str, spoiled: set[str]
) -> None:
    unknown = (Unknown("n", "operator", "no formula", affects),)
    lacking = at_least(unknown, ("macs",) if affects == "cost" else ())
    totals = report.totals._replace(at_least=lacking)
    unsure = replace(report, unknown=unknown, totals=totals)
    for name in ("parameters", "generated", "macs", "file_nbytes"):
        row = verdict(unsure, f"{name}=1T" if name != "file_nbytes" else "file_nbytes=1TB")
        assert row.kept is (name not in spoiled)
        if not row.kept:
            assert row.rule == "BUD002"
            assert "not exact: n: operator: no formula (limit " in row.message
    lost = replace(unsure, totals=totals._replace(macs=None))
    why = ": n: operator: no formula" if "macs" in spoiled else ""
    assert verdict(lost, "macs=7").message == f"macs is not known{why} (limit 7)"


def test_a_lower_bound_in_bytes_has_a_human_size(report: Report) -> None:
    unsure = replace(report, unknown=(Unknown("W", "tensor data", "gone"),))
    assert verdict(unsure, "nbytes=1 MB").message == (
        "nbytes is at least 107,720 bytes (107.72 kB), not exact: W: tensor data: gone"
        " (limit 1,000,000 bytes (1 MB))"
    )
