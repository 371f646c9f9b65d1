"""The findings of audits as text: few lines, each with what, where and what to do."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from graphcount.errors import GraphcountError
from graphcount.formats import View
from graphcount.formats.text import one_line, safe
from graphcount.report.records import Finding, Report

DEFAULT_WIDTH = 100


def render(outcomes: Sequence[Report | GraphcountError], view: View) -> str:
    """Render the findings of each model as a block of text."""
    reports = [item for item in outcomes if isinstance(item, Report)]
    return "\n".join("\n".join(_block(report, view)) + "\n" for report in reports)


def _block(report: Report, view: View) -> Iterator[str]:
    yield safe(report.model.path)
    for finding in report.findings:
        yield from _lines(finding, view)
    audit = report.audit
    if audit is not None:
        count = len(report.findings) or "no"
        plural = "" if count == 1 else "s"
        yield f"  {count} finding{plural}; {len(audit.rules)} rules ran"
        if audit.skipped:
            yield f"  {len(audit.skipped)} rules did not run: {one_line(audit.skipped[0].why)}"
        for row in audit.ignored:
            yield f"  {row.findings} of {row.rule} set aside: {one_line(row.reason)}"


def _lines(finding: Finding, view: View) -> Iterator[str]:
    indent = " " * 21
    width = min(view.width or DEFAULT_WIDTH, 120)
    message = textwrap.wrap(one_line(finding.message, 600), width - len(indent))
    yield f"  {finding.severity:9} {finding.rule:8} {message[0] if message else ''}"
    yield from (indent + line for line in message[1:])
    where = ", ".join(f"{key} {safe(str(value))}" for key, value in finding.where.items())
    if where:
        yield from (indent + line for line in textwrap.wrap(one_line(where), width - len(indent)))
