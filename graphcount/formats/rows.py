"""Tables of rows on a screen: numbers are never cut, words are, so that they differ still."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.text import Text

from graphcount.formats.screen import DEFAULT_WIDTH, LEAST_WIDTH, fit
from graphcount.formats.text import distinct, end, middle, safe, shape, text_columns
from graphcount.formats.view import View
from graphcount.report.columns import COLUMNS, Summed, members
from graphcount.report.outline import OutlineRow
from graphcount.report.records import Report
from graphcount.report.rollup import By, Group, is_weighted
from graphcount.units import Unit, count, exact, nbytes, percent

DIM, STRONG = "dim", "bold"

FRAME = 3
"""Lines of a table that are no rows: heads, a rule, the total."""

INDENT, GAP = 2, 2
"""Columns before a table, and between its columns."""

_ENOUGH, _LITTLE = 60, 24
"""Room where three, or two, columns of words are kept even if some words are cut."""

_LEAST_WORDS = 19
"""Columns that distinguishable words need, with the space beside them."""

_MOST_WORDS = 30
"""Columns for names before a column of numbers that say little is left out."""


def outline_table(name: str, rows: Sequence[OutlineRow], report: Report, view: View) -> Text:
    """Return the table of an outline; columns of repeated facts go first when it is narrow."""
    numbers = _outline_numbers(rows, report, view)
    words = {
        name: ["  " * row.level + safe(row.label, None) for row in rows],
        "operators": [_operators(row, None) for row in rows],
        "output": [shape(row.output_shape) for row in rows],
    }
    for missed in ((), ("output",), ("output", "share"), ("output", "share", "operators")):
        kept = {key: cells for key, cells in numbers.items() if key not in missed}
        text = {
            key: cells
            for key, cells in words.items()
            if key == name or (key not in missed and any(cells))
        }
        wanted = [
            min(44, max(map(text_columns, (key, "total", *cells)))) for key, cells in text.items()
        ]
        room = _room(view, len(text) + len(kept)) - sum(_widest(kept))
        least = _ENOUGH if "output" in text else _LITTLE if "share" in kept else 2 * LEAST_WIDTH
        if room >= min(sum(wanted), least):
            break
    widths = _shrink(wanted, room)
    if "operators" in text:
        text["operators"] = [_operators(row, widths[1]) for row in rows]
    return _lay_out(text, widths, kept)


def _operators(row: OutlineRow, width: int | None) -> str:
    """Return `Conv`, `5 Conv + 3 Relu + 4 more`: as many operators as fit, at most two."""
    words = [f"{number:,} {safe(name)}" if number > 1 else safe(name) for name, number in row.holds]
    for most in (2, 1):
        more = f" + {len(words) - most} more" if len(words) > most else ""
        text = " + ".join(words[:most]) + more
        if width is None or len(text) <= width:
            break
    if width is None or len(text) <= width:
        return text
    room = width - len(more)
    return middle(words[0], room) + more if room >= LEAST_WIDTH else end(text, width)


def _shrink(wanted: Sequence[int], room: int) -> list[int]:
    """Return widths of columns of words: other words give way to names, down to a point."""
    widths = list(wanted)
    others = range(1, len(widths))
    for least, places in ((_OTHER, others), (_NAME, range(1)), (_LEAST_OTHER, others)):
        for place in reversed(places):
            widths[place] -= max(0, min(widths[place] - least, sum(widths) - room))
    return fit(widths, room)


_NAME, _OTHER, _LEAST_OTHER = 22, 18, 10
"""Columns of names, and of other words, that are kept as long as the other can give way."""


def _outline_numbers(
    rows: Sequence[OutlineRow], report: Report, view: View
) -> dict[str, list[str]]:
    """Return cells of the columns of numbers by head; the last of each is the total."""
    totals = report.totals
    weighted = is_weighted(report)
    cells = {
        "parameters": [*(exact(row.parameters) if row.parameters else "" for row in rows)],
        "size": [nbytes(row.nbytes, view.binary) if row.nbytes else "" for row in rows],
        "MACs": [_macs(row) for row in rows],
        "share": [
            percent((row.nbytes if weighted else row.macs) or 0, _whole(report)) for row in rows
        ],
    }
    cells["share"] = ["" if cell == "0.0%" else cell for cell in cells["share"]]
    cells["parameters"].append(exact(totals.parameters))
    cells["size"].append(nbytes(totals.nbytes.total, view.binary))
    least = AT_LEAST if "macs" in totals.at_least else ""
    cells["MACs"].append(least + count(totals.macs or 0))
    cells["share"].append("")
    order = ("parameters", "size", "share", "MACs") if weighted else ("size", "MACs", "share")
    return {
        key: cells[key]
        for key in order
        if (key != "MACs" or totals.macs) and (key != "share" or _whole(report))
    }


def _macs(row: OutlineRow) -> str:
    """Return MACs of a row; what lacks something is at least so much, or not known."""
    if row.macs:
        return (AT_LEAST if row.lacking else "") + count(row.macs)
    return "?" if row.lacking else ""


AT_LEAST = "\N{GREATER-THAN OR EQUAL TO}"


def _whole(report: Report) -> int:
    totals = report.totals
    return totals.nbytes.total if is_weighted(report) else totals.macs or 0


def group_table(rows: Sequence[Group], whole: Group, by: By, report: Report, view: View) -> Text:
    """Return the table of a grouping; columns of the least telling numbers go first."""
    if view.columns:
        return columns_table(rows, whole, by, report, view)
    words = _group_words(rows, by)
    sizes = [nbytes(row.nbytes, view.binary) for row in (*rows, whole)]
    names = min(_MOST_WORDS, max(map(text_columns, words[by]), default=0))
    room = _room(view, len(words) + 1) - max(map(len, sizes)) - max(names, _LEAST_WORDS)
    room -= _LEAST_WORDS * (len(words) - 1)
    numbers = {
        name: [exact(int(row[index])) for row in (*rows, whole)]
        for name, index in _number_columns(whole, room, with_macs=bool(report.totals.macs))
        if not (by == "tensor" and name == "tensors")
    }
    numbers["size"] = sizes
    if report.sparsity is not None:
        numbers["zeros"] = [percent(row.zeros, row.elements_read) for row in (*rows, whole)]
    return _fitted(words, numbers, view)


def columns_table(rows: Sequence[Group], whole: Group, by: By, report: Report, view: View) -> Text:
    """Return the table of a grouping with the columns that were asked for."""
    inside = members(report, by, view.depth, rows)
    inside.append([node for nodes in inside for node in nodes])
    numbers: dict[str, list[str]] = {}
    for column in [COLUMNS[name] for name in view.columns]:
        cells = zip((*rows, whole), inside, strict=True)
        numbers[column.head] = [_cell(column.read(*cell), column.unit, view) for cell in cells]
    return _fitted(_group_words(rows, by), numbers, view)


def _group_words(rows: Sequence[Group], by: By) -> dict[str, list[str]]:
    """Return the columns of words of a grouping."""
    words: dict[str, list[str]] = {by: [safe(row.label, None) or "(no module)" for row in rows]}
    if any(row.detail for row in rows):
        words[""] = [safe(row.detail) for row in rows]
    return words


def _fitted(words: dict[str, list[str]], numbers: dict[str, list[str]], view: View) -> Text:
    """Return a table of a grouping: words are cut to what numbers leave of the line."""
    wanted = [max(map(text_columns, (key, "total", *cells))) for key, cells in words.items()]
    room = _room(view, len(words) + len(numbers)) - sum(_widest(numbers))
    return _lay_out(words, fit(wanted, room), numbers)


def _cell(value: str | Summed, unit: Unit | None, view: View) -> str:
    """Return a cell: words, a number, at least so much, or a question mark for nothing known."""
    if isinstance(value, str):
        return safe(value, 60)
    if value.known is None:
        return "?" if value.lacks else ""
    return (AT_LEAST if value.lacks else "") + _spelled(value.known, unit, view)


def _spelled(number: float, unit: Unit | None, view: View) -> str:
    if isinstance(number, int):
        return nbytes(number, view.binary) if unit == "bytes" else exact(number)
    return f"{number:,.2f}"


def _number_columns(whole: Group, room: int, *, with_macs: bool) -> list[tuple[str, int]]:
    """Return names and positions of the number columns that are not empty and fit."""
    columns = [("nodes", 2), ("tensors", 3), ("parameters", 4), ("buffers", 5), ("elements", 6)]
    columns += [("MACs", 8)] if with_macs else []  # not for a formula
    columns = [(name, index) for name, index in columns if whole[index]]
    for least_missed in ("elements", "tensors", "nodes"):
        wide = [max(len(name), len(exact(int(whole[index])))) for name, index in columns]
        if sum(wide) + GAP * len(wide) > room:
            columns = [column for column in columns if column[0] != least_missed]
    return columns


def models_table(reports: Sequence[Report], view: View) -> Text:
    """Return one line a model, when there are several."""
    numbers = {
        "nodes": [exact(report.model.node_count) for report in reports],
        "parameters": [
            ("at least " if report.doubts else "") + exact(report.totals.parameters)
            for report in reports
        ],
        "buffers": [exact(report.totals.buffers) for report in reports],
        "weights": [nbytes(report.totals.nbytes.total, view.binary) for report in reports],
        "file": [nbytes(report.model.file_nbytes, view.binary) for report in reports],
    }
    words = {"model": [safe(report.model.path, None) for report in reports]}
    room = _room(view, 6) - sum(_widest(numbers))
    return _lay_out(
        words, fit([max(map(text_columns, words["model"]))], room), numbers, total=False
    )


# ------------------------------------------------------------------------------------- layout


def _room(view: View, columns: int) -> int:
    """Return what is left for cells in a line of so many columns."""
    return (view.width or DEFAULT_WIDTH) - INDENT - GAP * (columns - 1)


def _widest(columns: dict[str, list[str]]) -> list[int]:
    return [max(map(text_columns, (key, *cells))) for key, cells in columns.items()]


class _Column(NamedTuple):
    """A column as it is printed: every cell has the width."""

    cells: list[str]
    style: str


def _lay_out(
    words: dict[str, list[str]],
    widths: list[int],
    numbers: dict[str, list[str]],
    *,
    total: bool = True,
) -> Text:
    """Lay columns out: words cut to widths, then numbers, whose last row is the total."""
    columns: list[_Column] = []
    for (key, cells), width in zip(words.items(), widths, strict=True):
        first = not columns
        cut = distinct(cells, width) if first else [end(cell, width) for cell in cells]
        foot = ["total" if first else ""] if total else []
        columns.append(_Column(_aligned([key, *cut, *foot], width), "" if first else DIM))
    for (key, cells), width in zip(numbers.items(), _widest(numbers), strict=True):
        columns.append(_Column(_aligned([key, *cells], width, right=True), ""))
    text = Text(no_wrap=True, overflow="ignore")  # what a terminal has no room for, it wraps
    last = len(columns[0].cells) - 1
    for place in range(last + 1):
        for number, column in enumerate(columns):
            style = DIM if place == 0 else STRONG if total and place == last else column.style
            text.append(" " * (GAP if number else INDENT)).append(column.cells[place], style=style)
        if place == 0:
            rule = "─" * (text_columns(text.plain) - INDENT)
            text.append("\n" + " " * INDENT).append(rule, style=DIM)
        if place < last:
            text.append("\n")
    return text


def _aligned(cells: list[str], width: int, *, right: bool = False) -> list[str]:
    spaces = [" " * (width - text_columns(cell)) for cell in cells]
    pairs = zip(cells, spaces, strict=True)
    return [space + cell if right else cell + space for cell, space in pairs]
