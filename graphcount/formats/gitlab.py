"""GitLab's Code Quality report: a JSON array of findings (a part of Code Climate's format)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from graphcount.errors import GraphcountError
from graphcount.formats.places import fingerprint, relative
from graphcount.formats.text import one_line, safe
from graphcount.formats.view import View
from graphcount.report.finding_rows import Finding
from graphcount.report.records import Report
from graphcount.report.serial import dumps

SEVERITY = {
    "info": "info",
    "low": "minor",
    "medium": "major",
    "high": "critical",
    "critical": "blocker",
}
"""GitLab's severities by ours."""

MESSAGE_LIMIT = 1000


def render(outcomes: Sequence[Report | GraphcountError], view: View) -> str:
    """Render every finding; a model that could not be read is a blocker."""
    rows = []
    for outcome in outcomes:
        if isinstance(outcome, Report):
            rows += [_finding(outcome.model.path, finding, view) for finding in outcome.findings]
        else:
            rows.append(_error(outcome))
    return dumps(rows) + "\n"


def _finding(path: str, finding: Finding, view: View) -> dict[str, Any]:
    rule = view.rules.get(finding.rule)
    name = f"{finding.rule} {rule.name}" if rule else finding.rule
    mark = fingerprint(path, finding)
    return _row(path, name, finding.message, mark, SEVERITY[finding.severity])


def _error(error: GraphcountError) -> dict[str, Any]:
    path = error.path or "-"
    text = f"{relative(path)}\n{error.slug}".encode("utf-8", "surrogatepass")
    mark = hashlib.sha256(text).hexdigest()[:32]
    return _row(path, error.slug, error.message, mark, "blocker")


def _row(path: str, name: str, message: str, mark: str, severity: str) -> dict[str, Any]:
    return {
        "description": one_line(message, MESSAGE_LIMIT),
        "check_name": name,
        "fingerprint": mark,
        "severity": severity,
        "location": {"path": safe(relative(path), None), "lines": {"begin": 1}},
    }
