"""Workflow commands of GitHub Actions: every finding is an annotation.

The grammar is that of the runner (actions/toolkit, `command.ts`): `::error k=v,k=v::message`, with
`%`, CR and LF escaped in messages, and `:` and `,` in properties too.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphcount.errors import GraphcountError
from graphcount.formats.places import Location, limit_place, relative
from graphcount.formats.text import one_line, safe
from graphcount.formats.verdict_sentences import verdicts_sentence
from graphcount.formats.view import View
from graphcount.report.finding_rows import Finding
from graphcount.report.records import Report

COMMANDS = {
    "info": "notice",
    "low": "notice",
    "medium": "warning",
    "high": "error",
    "critical": "error",
}
"""Commands by severity."""

MESSAGE_LIMIT = 1000


def render(outcomes: Sequence[Report | GraphcountError], view: View) -> str:
    """Render one command a finding, and a last line that sums up."""
    lines = []
    for outcome in outcomes:
        if isinstance(outcome, Report):
            lines += [_annotation(outcome, finding, view) for finding in outcome.findings]
        else:
            place = Location(outcome.path or "", 0)
            lines.append(_command("error", place, "could not be read", outcome.message))
    return "\n".join([*lines, f"graphcount: {verdicts_sentence(outcomes, view)}"]) + "\n"


def _annotation(report: Report, finding: Finding, view: View) -> str:
    path = report.model.path
    place = limit_place(finding) or Location(path, 0)
    rule = view.rules.get(finding.rule)
    title = f"{finding.rule} {rule.name}" if rule else finding.rule
    return _command(COMMANDS[finding.severity], place, title, f"{path}: {finding.message}")


def _command(name: str, place: Location, title: str, message: str) -> str:
    properties = {"file": safe(relative(place.path), None) if place.path else ""}
    properties["line"] = str(place.line) if place.line else ""
    properties["title"] = title
    attributes = ",".join(f"{key}={_property(value)}" for key, value in properties.items() if value)
    return f"::{name} {attributes}::{_data(one_line(message, MESSAGE_LIMIT))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
