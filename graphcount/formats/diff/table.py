"""The diff that people read in a terminal: totals, operators, tensors, what else differs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from graphcount.formats.diff.lines import (
    chosen,
    facts,
    group_rows,
    hashes,
    headline,
    key_of,
    name_of,
    node_details,
    relation_sentence,
    same_but_names,
    signed,
    sizes_sentence,
    summary,
    telling_nodes,
    telling_tensors,
    tensor_details,
    top_of,
    what,
)
from graphcount.formats.diff.view import DiffView
from graphcount.formats.screen import DEFAULT_WIDTH, to_text
from graphcount.formats.text import one_line, safe
from graphcount.report.diff import Diff, GroupRow, NodeChange, TensorChange
from graphcount.report.rollup import By
from graphcount.units import exact, nbytes

DIM, STRONG, WARN = "dim", "bold", "yellow"
GROWS, SHRINKS = "red", "green"
OVERVIEW_TOP, TABLE_TOP, FACTS = 12, 40, 8

SHORT = 12
"""Columns of words do not give way below this width."""

WIDE = 100
"""Terminals from this width have room for more than one count."""


def render(diff: Diff, view: DiffView) -> str:
    """Render the overview, or with `by` the totals and one table."""
    parts: list[RenderableType] = [_title(diff, view), *_totals(diff, view)]
    if view.by is None:
        parts += _overview(diff, view)
    elif view.by in ("tensor", "node"):
        parts += _changes(diff, view, view.by)
    else:
        parts += _groups(diff, view, view.by, TABLE_TOP)
    parts += [Text(f"  note: {one_line(note)}", style=WARN) for note in diff.notes]
    parts += [Text(f"  FAIL  {one_line(item.message, 400)}", style=WARN) for item in diff.findings]
    return re.sub("\n{3,}", "\n\n", to_text(parts, view.width, view.color))


def _title(diff: Diff, view: DiffView) -> Text:
    old, new = safe(diff.old.path), safe(diff.new.path)
    between = " -> " if len(old) + len(new) + 4 <= (view.width or DEFAULT_WIDTH) else "\n  -> "
    text = Text(f"{old}{between}{new}", style=STRONG)
    text.append(f"\n  {relation_sentence(diff)}", style=DIM)
    sizes = sizes_sentence(diff)
    return text.append(f"\n  {safe(sizes, None)}", style=DIM) if sizes else text


def _totals(diff: Diff, view: DiffView) -> list[RenderableType]:
    lines, sentences = headline(diff, view.binary, (view.width or DEFAULT_WIDTH) - 18)
    rows = [
        (line.label, line.old, line.new, Text(line.change, _style_of(line.change)), line.share)
        for line in lines
    ]
    table = _table(("", "old", "new", "change", ""), rows, view.width)
    formulas = Table.grid(padding=(0, 2))
    for label, text in sentences:
        formulas.add_row(f"  {label}", Text(safe(text, 600)))
    return [table, formulas] if sentences else [table]


def _overview(diff: Diff, view: DiffView) -> list[RenderableType]:
    counts = Table.grid(padding=(0, 2))
    counts.add_row("  nodes", Text(summary(diff.nodes, diff.same_nodes)))
    counts.add_row("  tensors", Text(summary(diff.tensors, diff.same_tensors)))
    parts: list[RenderableType] = [Text(), counts]
    if diff.op_types:
        parts += _groups(diff, view, "op_type", OVERVIEW_TOP)
    nodes, tensors = telling_nodes(diff), telling_tensors(diff)
    if nodes:
        parts += _listed("node", nodes, len(diff.nodes), view, OVERVIEW_TOP)
    if tensors:
        parts += _listed("tensor", tensors, len(diff.tensors), view, OVERVIEW_TOP)
    notes = [*hashes(diff), *facts(diff)]
    parts += [Text(f"  {one_line(line, 160)}") for line in notes[:FACTS]]
    if len(notes) > FACTS:
        parts.append(Text(f"  [{len(notes) - FACTS:,} others]", style=DIM))
    return parts


def _changes(diff: Diff, view: DiffView, by: By) -> list[RenderableType]:
    if by == "tensor":
        return _listed(by, telling_tensors(diff), len(diff.tensors), view, TABLE_TOP)
    rows = [row for row in diff.nodes if row.changes != ("renamed",)]
    return _listed(by, rows, len(diff.nodes), view, TABLE_TOP)


def _listed(
    label: str,
    rows: Sequence[TensorChange | NodeChange],
    every: int,
    view: DiffView,
    top: int,
) -> list[RenderableType]:
    """Return one line a tensor or node; renamed ones share one line."""
    kept, others = chosen(list(rows), view.sort, top_of(view, top))
    cells: list[tuple[Text | str, ...]] = []
    for row in kept:
        side = row.new or row.old
        assert side is not None
        details = tensor_details(row) if isinstance(row, TensorChange) else node_details(row)
        words = what(row), safe(name_of(side)), safe(details, 240)
        cells.append((*words, _change(row, view)))
    if others:
        rest = sum(key_of(row, view.sort) for row in others)
        cells.append(("", _others(len(others)), "", _difference(rest, view)))
    parts: list[RenderableType] = []
    if rows:
        parts.append(_table(("", label, "", "change"), cells, view.width, words=3))
    names = every - len(rows)
    if names and label == "tensor":
        parts.append(Text(f"  [{exact(names)} renamed, otherwise the same]", style=DIM))
    elif names:
        parts.append(Text(f"  [{exact(names)} others: {'--by node' if rows else 'renamed'}]", DIM))
    return parts


def _groups(diff: Diff, view: DiffView, by: By, top: int) -> list[RenderableType]:
    """Return one line a group whose sums differ."""
    rows, renamed = same_but_names(group_rows(diff, by))
    kept, others = chosen(rows, view.sort, top_of(view, top))
    columns = [name for name in ("nodes", "tensors", "parameters") if _differs(rows, name)]
    columns = columns[:1] if (view.width or DEFAULT_WIDTH) < WIDE else columns
    cells: list[tuple[Text | str, ...]] = []
    for row in kept:
        counts = [_between(row, name) for name in columns]
        size = _size_between(row, view)
        cells.append((_label(row), *counts, size, _change(row, view)))
    if others:
        rest = sum(key_of(row, view.sort) for row in others)
        blanks = [""] * (len(columns) + 1)
        cells.append((_others(len(others)), *blanks, _difference(rest, view)))
    parts: list[RenderableType] = []
    if rows:
        parts.append(_table((by, *columns, "size", "change"), cells, view.width))
    if renamed:
        parts.append(Text(f"  [{exact(renamed)} renamed, otherwise the same]", style=DIM))
    return parts or [Text(f"  no {by} differs", style=DIM)]


# ------------------------------------------------------------------------------------- pieces


def _table(
    heads: Sequence[str], rows: Sequence[Sequence[Text | str]], width: int | None, words: int = 1
) -> Table:
    """Return a table whose first columns are words and may be cut; numbers never are.

    Args:
        heads: Names of the columns.
        rows: Cells.
        width: Columns of the terminal.
        words: Columns of words.
    """
    table = Table(box=box.SIMPLE_HEAD, header_style=DIM, pad_edge=False, padding=(0, 1))
    widths = [max([len(head), *(len(row[i]) for row in rows)]) for i, head in enumerate(heads)]
    give = [index for index in range(words) if widths[index] > SHORT]
    room = (width or DEFAULT_WIDTH) - 2 - 3 * (len(heads) - 1) - sum(widths)
    room += sum(widths[index] for index in give)
    for position, index in enumerate(give):
        others = sum(widths[other] for other in give[position + 1 :])
        share = max(SHORT, room * 2 // 5 if others else room, room - others)
        widths[index] = min(widths[index], share)
        room -= widths[index]
    for index, head in enumerate(heads):
        style = DIM if words > 1 and index == words - 1 else ""
        justify: Literal["left", "right"] = "right" if index >= words else "left"
        table.add_column(
            head,
            justify=justify,
            no_wrap=True,
            overflow="ellipsis",
            style=style,
            min_width=widths[index],
            max_width=widths[index],
        )
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    return table


def _label(row: GroupRow) -> str:
    old, new = row.old_name, row.new_name
    if old is not None and new is not None and old != new:
        return f"{safe(old, 50)} -> {safe(new, 50)}"
    return safe(new if new is not None else old or "") or "(none)"


def _between(row: GroupRow, name: str) -> str:
    """Return `11 -> 31`, or one number when it is the same."""
    old, new = (getattr(side, name) if side else 0 for side in (row.old, row.new))
    return exact(new) if old == new else f"{exact(old)} -> {exact(new)}"


def _size_between(row: GroupRow, view: DiffView) -> str:
    old, new = (side.nbytes if side else 0 for side in (row.old, row.new))
    if old == new:
        return nbytes(new, view.binary) if new else ""
    return f"{nbytes(old, view.binary)} -> {nbytes(new, view.binary)}"


def _differs(rows: Iterable[GroupRow], name: str) -> bool:
    return any(getattr(row.delta, name) for row in rows)


def _change(row: GroupRow | TensorChange | NodeChange, view: DiffView) -> Text:
    """Return the difference that rows are sorted by."""
    return _difference(key_of(row, view.sort), view)


def _difference(delta: int, view: DiffView) -> Text:
    unit = "bytes" if view.sort == "nbytes" else "count"
    return Text(signed(delta, unit, view.binary), style=_style(delta))


def _style(delta: int) -> str:
    return GROWS if delta > 0 else SHRINKS if delta < 0 else ""


def _style_of(change: str) -> str:
    return SHRINKS if change.startswith("-") else GROWS if change else ""


def _others(count: int) -> Text:
    return Text(f"[{exact(count)} others]", style=DIM)
