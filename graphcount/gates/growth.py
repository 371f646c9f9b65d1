"""Limits on growth from one model to another: budgets whose baseline is a report."""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.gates.budgets import Budget, Earlier, judge
from graphcount.gates.checks import findings
from graphcount.gates.doubts import doubt
from graphcount.gates.subject import Subject
from graphcount.report.finding_rows import CheckRow, Finding, VerdictRow
from graphcount.report.records import Report


def judge_growth(old: Report, new: Report, budgets: Iterable[Budget]) -> tuple[Finding, ...]:
    """Return the broken limits; what is not known or not exact on either side breaks one.

    Args:
        old: What the growth is measured from.
        new: What is measured.
        budgets: Limits with the bound `max_increase`.
    """
    before, after = Subject(old), Subject(new)
    verdicts: list[VerdictRow] = []
    for budget in budgets:
        base = budget.measure.read(before)
        (verdict,) = judge(after, [budget], earlier=Earlier({budget.measure.name: base or 0}))
        unsure = doubt(before, budget.measure, base)
        if unsure:
            message = f"{budget.measure.name} of {old.model.path} {unsure}"
            verdict = verdict._replace(rule="BUD002", kept=False, message=message)
        verdicts.append(verdict)
    return findings([CheckRow("", "", tuple(verdicts))])
