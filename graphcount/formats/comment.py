"""A pull-request comment in Markdown: recognised by its first line, short enough to be posted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from graphcount.errors import GraphcountError
from graphcount.formats.text import MARKDOWN_ESCAPES, safe
from graphcount.formats.verdict_sentences import (
    at_least,
    change_sentence,
    contributors_sentence,
    verdicts_sentence,
)
from graphcount.formats.view import View
from graphcount.report.finding_rows import VerdictRow
from graphcount.report.records import Report
from graphcount.units import exact

MAX_LENGTH = 65_000
"""GitHub takes 65,536 characters; the rest is for what a poster may add."""

TEXT_LIMIT = 400


def render(outcomes: Sequence[Report | GraphcountError], view: View) -> str:
    """Render failures as a list, then what was kept as a folded table."""
    head = [
        hidden_line(view.marker),
        f"### graphcount: {verdicts_sentence(outcomes, view)}",
        "",
    ]
    room = MAX_LENGTH - sum(len(line) + 1 for line in head)
    blocks = list(_failures(outcomes, view.fail_on))
    fitting, room = _fit(blocks, room)
    lines = [*head, *fitting]
    cells = [] if view.hide_passed else list(_kept(outcomes))
    columns = 4 if any(row[-1] for row in cells) else 3
    rows = [f"| {' | '.join(map(_text, row[:columns]))} |" for row in cells]
    table_head = ["", f"<details><summary>{exact(len(rows))} kept</summary>", ""]
    titles = ("model", "check", "limit", "change")[:columns]
    table_head += [f"| {' | '.join(titles)} |", "|---" * columns + "|"]
    room -= sum(len(line) + 1 for line in table_head) + len("\n</details>\n")
    if rows and room > TEXT_LIMIT:
        kept, _ = _fit(rows, room)
        lines += [*table_head, *kept, "", "</details>"]
    return "\n".join(lines).rstrip() + "\n"


def hidden_line(marker: str) -> str:
    """Return the first line of a comment, by which it is found again."""
    name = re.sub(r"[^A-Za-z0-9._]+", "-", marker).strip("-") or "check"
    return f"<!-- graphcount:{name} -->"


def _fit(blocks: list[str], room: int) -> tuple[list[str], int]:
    """Keep as many blocks as there is room for, and say how many are left out."""
    kept: list[str] = []
    for position, block in enumerate(blocks):
        rest = len(blocks) - position
        if len(block) + 80 > room:
            more = f"… and {exact(rest)} more; the job's log has all"
            kept.append(f"| {more} | | |" if block.startswith("|") else f"- {more}")
            return kept, room - len(kept[-1]) - 1
        kept.append(block)
        room -= len(block) + 1
    return kept, room


def _failures(outcomes: Sequence[Report | GraphcountError], fail_on: str) -> Iterator[str]:
    for outcome in outcomes:
        if not isinstance(outcome, Report):
            yield f"- ❌ **{_text(outcome.path or '')}**: {_text(outcome.message)}"
            continue
        for check in outcome.checks:
            for verdict in check.verdicts:
                if not verdict.kept:
                    yield _failure(outcome.model.path, check.name, verdict, fail_on)


def _failure(path: str, check: str, verdict: VerdictRow, fail_on: str) -> str:
    sign = "❌" if at_least(verdict.severity, fail_on) else "⚠️"
    lines = [f"- {sign} **{_text(path)}** ({_text(check)}): {_text(verdict.message)}"]
    largest = contributors_sentence(verdict)
    change = change_sentence(verdict)
    change = f"change: {change}" if change else ""
    origin = f"limit at {verdict.origin}" if verdict.origin else ""
    lines += [f"  <br>{_text(line)}" for line in (change, largest, origin, verdict.note) if line]
    return "\n".join(lines)


def _kept(outcomes: Sequence[Report | GraphcountError]) -> Iterator[tuple[str, str, str, str]]:
    for outcome in outcomes:
        if isinstance(outcome, Report):
            for check in outcome.checks:
                for verdict in check.verdicts:
                    if verdict.kept:
                        change = change_sentence(verdict)
                        yield outcome.model.path, check.name, verdict.message, change


def _text(text: str) -> str:
    escaped = safe(text, TEXT_LIMIT).translate(MARKDOWN_ESCAPES)
    return escaped.replace("&", "&amp;").replace("<", "&lt;")
