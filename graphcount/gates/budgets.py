"""Budgets: limits on measures, and what a report makes of them.

A budget is kept only by a number that is known and exact; everything else fails (fail closed).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from graphcount.errors import UsageError
from graphcount.gates.measures import Measure, find_measure
from graphcount.report.records import Finding, Report
from graphcount.units import exact, nbytes, parse

Bound = Literal["max", "min"]


class Budget(NamedTuple):
    """A limit on a measure; `text` is the limit as the user wrote it."""

    measure: Measure
    bound: Bound
    limit: int
    text: str


class Verdict(NamedTuple):
    """What became of a budget.

    Attributes:
        value: The measured number, or None when it is not known.
        kept: Whether the budget is kept.
        message: One sentence with the exact numbers.
    """

    budget: Budget
    value: int | None
    kept: bool
    message: str


def parse_budget(text: str, bound: Bound) -> Budget:
    """Read `parameters=30M`.

    Raises:
        UsageError: No measure of that name, or no quantity.
    """
    name, equals, limit = text.partition("=")
    if not equals:
        raise UsageError(f"--{bound} {text!r}: write it as measure=limit, e.g. parameters=30M")
    try:
        number = parse(limit)
    except ValueError as error:
        raise UsageError(f"--{bound} {name.strip()}: {error}") from None
    return Budget(find_measure(name.strip()), bound, number, limit.strip())


def judge(report: Report, budgets: Iterable[Budget]) -> list[Verdict]:
    """Hold a report against budgets, in the given order."""
    return [_judge(report, budget) for budget in budgets]


def findings(verdicts: Iterable[Verdict]) -> tuple[Finding, ...]:
    """Broken budgets as findings."""
    return tuple(
        Finding(
            rule="BUD001" if verdict.value is not None else "BUD002",
            severity="high",
            message=verdict.message,
            where={"measure": verdict.budget.measure.name},
            evidence={
                "value": verdict.value,
                "bound": verdict.budget.bound,
                "limit": verdict.budget.limit,
            },
        )
        for verdict in verdicts
        if not verdict.kept
    )


SPOILS = {
    "file": (),
    "counts": ("counts",),
    "generated": ("counts", "generated"),
    "cost": ("counts", "cost"),
}
"""What an unknown must affect to spoil a measure."""


def _judge(report: Report, budget: Budget) -> Verdict:
    measure, value = budget.measure, budget.measure.read(report)
    name, limit = measure.name, _show(budget.limit, measure, budget.text)
    if value is None:
        formula = {
            "macs": report.totals.macs_expression,
            "elementwise": report.totals.elementwise_expression,
        }.get(name)
        why = f"is {formula}; give sizes with --dim" if formula else "is not known"
        return Verdict(budget, None, False, f"{name} {why} (limit {limit})")
    above = value > budget.limit if budget.bound == "max" else value < budget.limit
    shown = _show(value, measure)
    if above:
        difference = abs(value - budget.limit)
        word = "over the maximum" if budget.bound == "max" else "under the minimum"
        message = f"{name} {shown} is {_show(difference, measure)} {word} {limit}"
        return Verdict(budget, value, False, message)
    spoils = SPOILS[measure.depends_on]
    unknown = [item for item in report.unknown if item.affects in spoils]
    if unknown:
        first = unknown[0]
        reason = f"{first.where}: {first.what}: {first.why}"
        message = f"{name} is at least {shown}, not exact: {reason} (limit {limit})"
        return Verdict(budget, value, False, message)
    relation = "<=" if budget.bound == "max" else ">="
    return Verdict(budget, value, True, f"{name} {shown} {relation} {limit}")


def _show(number: int, measure: Measure, text: str = "") -> str:
    """Exact digits, with what the user wrote or a human size beside them."""
    digits = exact(number) if measure.unit == "count" else f"{exact(number)} bytes"
    plain = text.replace("_", "").replace(",", "")
    aside = text if text and plain != str(number) else ""
    if not aside and measure.unit == "bytes" and number >= 1000:
        aside = nbytes(number)
    return f"{digits} ({aside})" if aside else digits
