"""What every text format says in words of limits that were kept or broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphcount.errors import GraphcountError
from graphcount.formats.diff.lines import percent_of
from graphcount.formats.view import View
from graphcount.report.finding_rows import SEVERITIES, CheckRow, VerdictRow
from graphcount.report.records import Report
from graphcount.report.rows import UNCOVERED, UNKNOWN
from graphcount.units import FACTORS, Unit, counted, exact, spelled


def contributors_sentence(verdict: VerdictRow) -> str:
    """Return where most of a measure lies; empty without contributors."""
    rows = verdict.contributors
    if not rows or verdict.bound == "allowed":
        return ""
    if all(row.number == 1 for row in rows):
        return f"such as: {', '.join(row.name for row in rows)}"
    parts = ", ".join(f"{row.name} {spelled(row.number, _unit(verdict))}" for row in rows)
    return f"largest: {parts}"


def change_sentence(verdict: VerdictRow) -> str:
    """Return `+290 (+1.1%)`: what changed since the base; empty where that is not known."""
    if verdict.is_new:
        return "new"
    if verdict.base is None or verdict.value is None:
        return ""
    delta = verdict.value - verdict.base
    if not delta:
        return "0"
    share = percent_of(delta, verdict.base)
    number = f"{'+' if delta > 0 else '-'}{spelled(abs(delta), _unit(verdict))}"
    return f"{number} ({share})" if share else number


def at_least(severity: str, fail_on: str) -> bool:
    """Return whether a severity is as grave as another."""
    return SEVERITIES.index(severity) >= SEVERITIES.index(fail_on)


def verdicts_sentence(outcomes: Sequence[Report | GraphcountError], view: View) -> str:
    """Return how many models were held against how many limits, and what came of it.

    New models come last, which are held against no limit on growth, and those that no check applies
    to or that are excluded, which are held against none.
    """
    uncovered = [item for item in outcomes if isinstance(item, Report) and _is_uncovered(item)]
    reports = [item for item in outcomes if isinstance(item, Report) and not _is_uncovered(item)]
    verdicts = [row for report in reports for check in report.checks for row in check.verdicts]
    failed = sum(_fails(report, view.fail_on) for report in reports)
    unknown = sum(not row.kept and row.rule == UNKNOWN for row in verdicts)
    unread = len(outcomes) - len(uncovered) - len(reports)
    parts = _counted(
        {
            "failed": failed,
            "with warnings": sum(bool(report.findings) for report in reports) - failed,
            "could not be read": unread,
            "limit not known" if unknown == 1 else "limits not known": unknown,
        }
    )
    if not verdicts and any(report.audit is not None for report in reports):
        findings = sum(len(report.findings) for report in reports)
        about, well = counted(findings, "finding"), "no known sign"
    else:
        about, well = counted(len(verdicts), "limit"), "all kept" if verdicts else "nothing held"
    graves = sum(_fails(report, view.fail_on) for report in uncovered)
    apart = _counted(
        {
            "new": sum(any(map(_is_new, report.checks)) for report in reports),
            "uncovered, which fails": graves,
            "uncovered": len(uncovered) - graves + view.ignored,
            "excluded": view.excluded,
        }
    )
    models = counted(len(reports) + unread, "model")
    return f"{models}, {about}: {parts or well}{apart and f'; {apart}'}"


def _is_uncovered(report: Report) -> bool:
    return any(row.rule == UNCOVERED for check in report.checks for row in check.verdicts)


def _is_new(check: CheckRow) -> bool:
    return any(verdict.is_new for verdict in check.verdicts)


def _fails(report: Report, fail_on: str) -> bool:
    return any(at_least(finding.severity, fail_on) for finding in report.findings)


def _counted(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{exact(number)} {word}" for word, number in numbers.items() if number)


def _unit(verdict: VerdictRow) -> Unit:
    units: dict[str, Unit] = {unit: unit for unit in FACTORS}
    return units.get(verdict.unit, "count")
