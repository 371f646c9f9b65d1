"""The table people read in a terminal: one screen, unless more is asked for.

First what the file is, then its totals, then its largest modules, then notes. Everything from the
model passes through `safe` and becomes `Text`, never markup.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from graphcount.errors import GraphcountError
from graphcount.formats.rows import DIM, FRAME, STRONG, group_table, models_table, outline_table
from graphcount.formats.screen import DEFAULT_WIDTH, fit, height, paragraph, to_text
from graphcount.formats.sentences import (
    cause_words,
    causes,
    file_words,
    framework_sentence,
    headline,
    mismatch_words,
)
from graphcount.formats.text import ascii_only, distinct, middle, one_line, safe, shape, sparkline
from graphcount.formats.view import View
from graphcount.report.outline import outline
from graphcount.report.records import Report
from graphcount.report.rollup import arrange, groups, has_modules, total
from graphcount.report.rows import ValueRow
from graphcount.units import counted, exact, nbytes

SCREEN = 40
"""Lines of a model, at 80 columns and more."""

LEAST_ROWS = 3
MOST_VALUES = 3
MOST_CAUSES = 3
MOST_TYPES = 3
NOTE_LINES = 3
"""Lines of the longest note."""

SPARK_WIDTH = 48
WARN = "yellow"


def render(outcomes: Sequence[Report | GraphcountError], view: View) -> str:
    """Render each model as a block of text; several models end with a summary table."""
    reports = [item for item in outcomes if isinstance(item, Report)]
    parts = [_grouped(report, view) if view.by else _overview(report, view) for report in reports]
    if len(reports) > 1:
        parts.append(models_table(reports, view))
    text = to_text(parts, view.width, view.color)
    return ascii_only(text) if view.ascii else text


def _overview(report: Report, view: View) -> RenderableType:
    above = [_title(report, view), *_values(report, view), Text(), _totals(report, view), Text()]
    below = _notes(report, view)
    room = view.rows(_rows_left([*above, *below], view))
    numbers = report.in_numbers
    rows = outline(numbers, room, view.depth, view.order or "size")
    name = "module" if has_modules(report) else "node"
    return Group(*above, outline_table(name, rows, numbers, view), *below, Text())


def _grouped(report: Report, view: View) -> RenderableType:
    assert view.by is not None
    title, below = _title(report, view), _notes(report, view)
    report = report.in_numbers
    rows = groups(report, view.by, view.depth)
    chosen = arrange(rows, view.sorting, view.rows(_rows_left([title, *below, Text()], view)))
    table = group_table(chosen, total(rows, "total"), view.by, report, view)
    return Group(title, Text(), table, *below, Text())


def _rows_left(parts: Sequence[RenderableType], view: View) -> int:
    """Return the rows that a table may have beside the row of the rest, so that all is a screen."""
    return max(LEAST_ROWS, SCREEN - height(parts, view.width) - FRAME - 1)


# ------------------------------------------------------------------------------ what the file is


def _title(report: Report, view: View) -> Text:
    model, width = report.model, view.width or DEFAULT_WIDTH
    opset = [f"opset {version}" for domain, version in model.opset_imports.items() if not domain]
    others = [
        f"{safe(domain, 40)} {version}" for domain, version in model.opset_imports.items() if domain
    ]
    last = [
        f"IR {model.ir_version}",
        counted(model.node_count, "node"),
        file_words(report, view.binary),
    ]
    for kept in range(len(others), -1, -1):
        left = len(others) - kept
        more = [counted(left, "other domain" if kept else "domain")] if left else []
        facts = [safe(model.producer, 40), *opset, *others[:kept], *more, *last]
        line = f"  {', '.join(fact for fact in facts if fact)}"
        if len(line) <= width:
            break
    text = Text(middle(safe(model.path, None), width), style=STRONG)
    return text.append(f"\n{line}", style=DIM)


def _values(report: Report, view: View) -> list[RenderableType]:
    """Return a line an input and output, of many the first."""
    rows: list[tuple[str, str, str]] = []
    for label, values in (("input", report.model.inputs), ("output", report.model.outputs)):
        most = len(values) if view.all or len(values) == MOST_VALUES + 1 else MOST_VALUES
        rows += [(label, safe(value.name, None), _kind(value)) for value in values[:most]]
        if len(values) > most:
            rows.append((label, f"... and {exact(len(values) - most)} more", ""))
    if not rows:
        return []
    width = (view.width or DEFAULT_WIDTH) - len("  output ") - 1
    wanted = [max(map(len, column)) for column in list(zip(*rows, strict=True))[1:]]
    wide = fit(wanted, width)
    names = distinct([name for _, name, _ in rows], wide[0])
    text = Text()
    for (label, _, kind), name in zip(rows, names, strict=True):
        text.append(f"  {label:6} ", style=DIM).append(f"{name:{wide[0]}} ")
        text.append(f"{middle(kind, wide[1])}\n", style=DIM)
    text.right_crop(1)
    return [text]


def _kind(value: ValueRow) -> str:
    declared = f" (declared {shape(value.declared)})" if value.declared is not None else ""
    return f"{value.dtype} {shape(value.shape)}{declared}"


# --------------------------------------------------------------------------------------- totals


def _totals(report: Report, view: View) -> RenderableType:
    """Return the totals: a line each, of stored elements with their types and bytes."""
    room = (view.width or DEFAULT_WIDTH) - _LABEL
    types = _types(report)
    table = Table.grid(padding=(0, 2))
    table.add_column(style=DIM, no_wrap=True)
    table.add_column()
    for label, text in headline(report, view.binary, None if view.all else room):
        if label == "file":  # the title has it
            continue
        words = Text(safe(text, None if view.all else 600), style=STRONG)
        if label == "weights" and report.tensors:
            words.append(f" in {counted(len(report.tensors), 'tensor')}", style=DIM)
        elif label in types:
            words.append(_most(types[label], room - len(text), view), style=DIM)
        table.add_row(f"  {label}", words)
        if label == "activations" and report.timeline:
            table.add_row("", Text(sparkline(report.timeline, SPARK_WIDTH), style=DIM))
    return table


_LABEL = len("  quantization  ")


def _types(report: Report) -> dict[str, dict[str, int]]:
    """Return bytes by type of the stored elements of each kind, by the label of its total."""
    sums: dict[str, dict[str, int]] = {}
    for tensor in report.tensors:
        of_kind = sums.setdefault(_LABELS.get(tensor.kind, tensor.kind), defaultdict(int))
        of_kind[tensor.dtype] += tensor.nbytes
    return sums


_LABELS = {"parameter": "parameters", "buffer": "buffers", "constant": "constants"}
"""Labels of totals that are not the word for the kind."""


def _most(sizes: dict[str, int], room: int, view: View) -> str:
    """Return `: float32 2.18 MB, int64 16 B`, of many types the largest that fit."""
    rows = sorted(sizes.items(), key=lambda row: (-row[1], row[0]))
    words = [f"{dtype} {nbytes(size, view.binary)}" for dtype, size in rows]
    for kept in range(min(MOST_TYPES, len(rows)), 0, -1):
        more = [f"{len(rows) - kept} more"] if kept < len(rows) else []
        text = f": {', '.join([*words[:kept], *more])}"
        if len(text) <= room:
            return text
    return ""


# ---------------------------------------------------------------------------------------- notes


def _notes(report: Report, view: View) -> list[RenderableType]:
    """Return what must be known about the numbers: the framework's count, a line a cause."""
    notes: list[RenderableType] = []
    width = (view.width or DEFAULT_WIDTH) - 2
    sentence = framework_sentence(report)
    if sentence:
        most = None if view.all else NOTE_LINES * width - _RAGGED
        notes.append(paragraph(safe(sentence, most)))
    mismatch = mismatch_words(report)
    if mismatch:
        notes.append(paragraph(one_line(mismatch, None if view.all else 2 * width - _RAGGED), WARN))
    unknown = causes(report.in_numbers)
    most = len(unknown) if view.all or len(unknown) == MOST_CAUSES + 1 else MOST_CAUSES
    for cause in unknown[:most]:
        line = one_line(cause_words(cause, width), 600 if view.all else 2 * width - _RAGGED)
        notes.append(paragraph(line, WARN))
    if len(unknown) > most:
        places = sum(cause.places for cause in unknown[most:])
        more = f"{len(unknown) - most:,} more causes in {places:,} places"
        notes.append(paragraph(f"unknown: {more} (--all has them)", WARN))
    return [Text(), *notes] if notes else []


_RAGGED = 24
"""Columns that lines of a paragraph may leave empty at their ends."""
