"""The result of a check as people read it in a terminal: failures in blocks, passes in lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from graphcount.errors import GraphcountError
from graphcount.formats.screen import to_text
from graphcount.formats.text import one_line
from graphcount.formats.verdict_sentences import at_least, contributors_sentence, verdicts_sentence
from graphcount.formats.view import View
from graphcount.report.finding_rows import CheckRow, VerdictRow
from graphcount.report.records import Report

MESSAGE_LIMIT = 600
DIM, BAD, GOOD, MILD = "dim", "bold red", "green", "bold yellow"


def render(outcomes: Sequence[Report | GraphcountError], view: View) -> str:
    """Render every check of every model, and a last line that sums up."""
    return to_text(_parts(outcomes, view), view.width, view.color)


def _parts(outcomes: Sequence[Report | GraphcountError], view: View) -> Iterator[RenderableType]:
    for outcome in outcomes:
        if isinstance(outcome, Report):
            for check in outcome.checks:
                yield from _check(outcome, check, view)
    yield Text(verdicts_sentence(outcomes, view))


def _check(report: Report, check: CheckRow, view: View) -> Iterator[RenderableType]:
    broken = [verdict for verdict in check.verdicts if not verdict.kept]
    kept = [verdict for verdict in check.verdicts if verdict.kept and not view.hide_passed]
    if not broken and view.hide_passed:
        return
    if not broken:
        line = Text("pass", style=GOOD)
        line.append(f"  {one_line(report.model.path)}", style="default")
        line.append(f"  {one_line(check.name, 40)}: {_kept(kept)}", style=DIM)
        yield _one_line(line)
        return
    hard = any(at_least(verdict.severity, view.fail_on) for verdict in broken)
    title = Text("FAIL" if hard else "warn", style=BAD if hard else MILD)
    title.append(f"  {one_line(report.model.path)}", style="bold")
    title.append(f"  {one_line(check.name, 40)}", style=DIM)
    yield title
    for verdict in broken:
        yield _block(verdict)
    if kept:
        yield _one_line(Text(f"      kept: {_kept(kept)}", style=DIM))
    yield Text()


def _block(verdict: VerdictRow) -> RenderableType:
    """Return a broken limit: what, by how much, where most of it lies, where it is written."""
    text = Text(one_line(verdict.message, MESSAGE_LIMIT))
    largest = contributors_sentence(verdict)
    origin = f"limit at {one_line(verdict.origin)}" if verdict.origin else ""
    for line in (largest, ", ".join(filter(None, (verdict.rule, origin)))):
        if line:
            text.append(f"\n{one_line(line, MESSAGE_LIMIT)}", style=DIM)
    if verdict.note:
        text.append(f"\n{one_line(verdict.note, MESSAGE_LIMIT)}")
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("    -", text)
    return grid


def _one_line(text: Text) -> RenderableType:
    """Cut at the width: JSON has all of it."""
    grid = Table.grid(expand=True)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    grid.add_row(text)
    return grid


def _kept(verdicts: Sequence[VerdictRow]) -> str:
    return one_line("; ".join(verdict.message for verdict in verdicts), MESSAGE_LIMIT)
