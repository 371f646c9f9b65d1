"""The findings of audits as text: few lines, each with what, where and what to do."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from graphcount.errors import GraphcountError
from graphcount.formats.text import inert, one_line, safe
from graphcount.formats.view import View
from graphcount.report.finding_rows import SEVERITIES, Finding
from graphcount.report.records import Report
from graphcount.units import counted

DEFAULT_WIDTH = 100
WIDEST = 120

COLORS = {
    "critical": "\x1b[1;31m",
    "high": "\x1b[31m",
    "medium": "\x1b[33m",
    "low": "\x1b[36m",
    "info": "\x1b[2m",
}
"""SGR sequences by severity."""

NAMED = 10
"""Files that a line names."""

CAUTION = "no known sign was found, which does not prove a model safe"


def render(outcomes: Sequence[Report | GraphcountError], view: View) -> str:
    """Render the findings of each model as a block of text."""
    reports = [item for item in outcomes if isinstance(item, Report)]
    return inert("\n".join("\n".join(_block(report, view)) + "\n" for report in reports))


def headline(report: Report) -> str:
    """Return how many findings of which severity: `3 findings: 1 critical, 2 low`."""
    counts = Counter(finding.severity for finding in report.findings)
    if not counts:
        return "no findings"
    parts = [f"{counts[name]} {name}" for name in reversed(SEVERITIES) if counts[name]]
    return f"{counted(len(report.findings), 'finding')}: {', '.join(parts)}"


def footnotes(report: Report) -> Iterator[str]:
    """Yield what the audit did, and what it did not look at."""
    audit = report.audit
    if audit is None:
        return
    yield f"{counted(len(audit.rules), 'rule')} ran" + ("" if report.findings else f"; {CAUTION}")
    if audit.skipped:
        why = one_line(audit.skipped[0].why)
        yield f"{counted(len(audit.skipped), 'rule')} did not run: {why}"
    for row in audit.ignored:
        yield f"{row.findings} of {safe(row.rule)} suppressed: {one_line(row.reason)}"
    yield from _signature(report)
    if not audit.complete:
        yield "the audit is not complete: a rule did not finish"


def _signature(report: Report) -> Iterator[str]:
    row = report.signature
    if row is None:
        return
    path = safe(row.path, 240)
    if row.verified is None:
        yield f"{path} lies there and was not verified; --signature verifies it"
    elif row.verified:
        names = ", ".join(safe(name) for name in row.files[:NAMED])
        more = f" and {len(row.files) - NAMED} more" if len(row.files) > NAMED else ""
        yield f"{path} is verified ({row.method}); it covers {names}{more}"


def place(where: dict[str, Any]) -> str:
    """Return where a finding is: the path in the file, or what else is known, and the byte."""
    named = {key: value for key, value in where.items() if key not in ("path", "offset")}
    if where.get("path"):
        named.pop("tensor", None)
    parts = [str(where["path"])] if where.get("path") else []
    parts += [f"{key} {value}" for key, value in named.items() if value not in (None, "")]
    if where.get("offset") is not None:
        parts.append(f"byte {where['offset']:,}")
    return ", ".join(safe(part, 240) for part in parts)


def _block(report: Report, view: View) -> Iterator[str]:
    yield f"{safe(report.model.path, 240)}: {headline(report)}"
    width = max(40, min(view.width or DEFAULT_WIDTH, WIDEST))
    explained: set[str] = set()
    for (severity, rule), group in groupby(report.findings, lambda f: (f.severity, f.rule)):
        info = view.rules.get(rule)
        head = f"{severity}  {safe(rule)}" + (f"  {safe(info.name)}" if info else "")
        yield ""
        yield _colored(head, severity, view)
        for finding in group:
            yield from _finding(finding, width)
        if info and info.remedy and rule not in explained:
            yield from _wrapped(f"What to do: {info.remedy}", 2, width)
        explained.add(rule)
    yield ""
    for line in footnotes(report):
        yield from _wrapped(line, 0, width)


def _finding(finding: Finding, width: int) -> Iterator[str]:
    yield from _wrapped(one_line(finding.message, 600), 2, width)
    where = place(finding.where)
    if where:
        yield from _wrapped(f"at {where}", 4, width)


def _wrapped(text: str, indent: int, width: int) -> list[str]:
    space = " " * indent
    return textwrap.wrap(text, width, initial_indent=space, subsequent_indent=space)


def _colored(text: str, severity: str, view: View) -> str:
    return f"{COLORS[severity]}{text}\x1b[0m" if view.color and severity in COLORS else text
