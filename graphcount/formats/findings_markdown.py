"""The findings of audits in Markdown: one table a model, and what to do once a rule."""

from __future__ import annotations

from collections.abc import Iterator

from graphcount.formats.findings import footnotes, headline, place
from graphcount.formats.text import escape, one_line
from graphcount.formats.view import View
from graphcount.report.records import Report


def section(report: Report, view: View) -> str:
    """Return one model as a section."""
    return "\n".join(_lines(report, view)) + "\n"


def _lines(report: Report, view: View) -> Iterator[str]:
    yield f"### {escape(report.model.path)}"
    yield ""
    yield f"{escape(headline(report))}"
    if report.findings:
        yield ""
        yield "| severity | rule | finding | where |"
        yield "|---|---|---|---|"
        for finding in report.findings:
            message = escape(one_line(finding.message, 600), None)
            where = escape(place(finding.where), None)
            yield f"| {escape(finding.severity)} | {escape(finding.rule)} | {message} | {where} |"
        yield ""
        for rule in dict.fromkeys(finding.rule for finding in report.findings):
            info = view.rules.get(rule)
            if info:
                yield f"- **{escape(rule)}** {info.summary}. {info.remedy}"
    yield ""
    for line in footnotes(report):
        yield f"{escape(line, None)}  "
