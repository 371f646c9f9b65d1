"""How results print: the formats of their commands, behind `PrintableResult`."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING

from graphcount.report.bench import BenchResult
from graphcount.report.printable import PrintableResult
from graphcount.report.records import Report

if TYPE_CHECKING:
    from graphcount.errors import GraphcountError
    from graphcount.formats.view import View

ROOMS = {
    "Deployment": "graphcount.formats.deployment",
    "Diff": "graphcount.formats.diff",
    "Explained": "graphcount.formats.explain",
    "Plan": "graphcount.formats.plan",
}
"""Where a result that is no report is written; each has `render(name, result)`."""


def written(result: PrintableResult, form: str) -> str:
    """Return a result as its command writes it, without colours.

    Args:
        result: The result.
        form: `table`, `json` or `html`.
    """
    if form == "html":
        return _html(result)
    if isinstance(result, Report):
        return written_reports([result], form)
    if isinstance(result, BenchResult):
        return written_benches([result], form)
    text: str = import_module(ROOMS[type(result).__name__]).render(form, result)
    return text


def written_reports(
    outcomes: Sequence[Report | GraphcountError], form: str, view: View | None = None
) -> str:
    """Return reports in the format of the command they are of: check, audit or count."""
    from graphcount.formats import AUDIT_FORMATS, CHECK_FORMATS, FORMATS, render
    from graphcount.formats.view import DEFAULT_VIEW

    view = view or DEFAULT_VIEW
    reports = [item for item in outcomes if isinstance(item, Report)]
    if any(report.checks for report in reports):
        return render(form, outcomes, view, CHECK_FORMATS)
    if any(report.audit is not None for report in reports):
        from graphcount.api.known_rules import rules

        view = view._replace(rules={rule.id: rule for rule in rules()})
        return render(form, outcomes, view, AUDIT_FORMATS)
    return render(form, outcomes, view, FORMATS)


def written_benches(results: Sequence[BenchResult], form: str) -> str:
    """Return measurements as `graphcount bench` writes them."""
    from graphcount.formats.bench import render
    from graphcount.formats.view import DEFAULT_VIEW

    return render(form, results, DEFAULT_VIEW)


def _html(result: PrintableResult) -> str:
    """Return a report as numbers, a treemap and a table; any other result as it prints."""
    if isinstance(result, Report):
        from graphcount.formats.notebook import render

        return render(result)
    return f"<pre>{escape(str(result))}</pre>"
