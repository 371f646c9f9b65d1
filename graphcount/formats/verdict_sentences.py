"""What every text format says in words of limits that were kept or broken."""

from __future__ import annotations

from collections.abc import Sequence

from graphcount.errors import GraphcountError
from graphcount.report.records import Report
from graphcount.report.rows import SEVERITIES, VerdictRow
from graphcount.units import Unit, exact, spelled


def contributors_sentence(verdict: VerdictRow) -> str:
    """Return where most of a measure lies; empty without contributors."""
    rows = verdict.contributors
    if not rows or verdict.bound == "allowed":
        return ""
    if all(row.number == 1 for row in rows):
        return f"such as: {', '.join(row.name for row in rows)}"
    parts = ", ".join(f"{row.name} {spelled(row.number, _unit(verdict))}" for row in rows)
    return f"largest: {parts}"


def at_least(severity: str, fail_on: str) -> bool:
    """Return whether a severity is as grave as another."""
    return SEVERITIES.index(severity) >= SEVERITIES.index(fail_on)


def verdicts_sentence(outcomes: Sequence[Report | GraphcountError], fail_on: str) -> str:
    """Return how many models failed, passed, and could not be read."""
    reports = [item for item in outcomes if isinstance(item, Report)]
    graves = [any(at_least(f.severity, fail_on) for f in report.findings) for report in reports]
    counts = {
        "failed": sum(graves),
        "with warnings": sum(bool(r.findings) for r in reports) - sum(graves),
        "could not be read": len(outcomes) - len(reports),
    }
    demands = sum(len(check.verdicts) for report in reports for check in report.checks)
    parts = [f"{exact(number)} {word}" for word, number in counts.items() if number]
    models = f"{exact(len(outcomes))} model{'' if len(outcomes) == 1 else 's'}"
    if not demands and any(report.audit is not None for report in reports):
        findings = sum(len(report.findings) for report in reports)
        about, well = f"{exact(findings)} finding{'' if findings == 1 else 's'}", "no known sign"
    else:
        about, well = f"{exact(demands)} limit{'' if demands == 1 else 's'}", "all kept"
    return f"{models}, {about}: {', '.join(parts) or well}"


def _unit(verdict: VerdictRow) -> Unit:
    units: dict[str, Unit] = {"bytes": "bytes", "time": "time", "share": "share"}
    return units.get(verdict.unit, "count")
