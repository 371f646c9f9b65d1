"""Rich renderables → text: one console, set up the same way for every screen."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from graphcount.formats.text import inert

DEFAULT_WIDTH = 100

LEAST_WIDTH = 8
"""Columns of words are not made narrower."""


def paragraph(text: str, style: str = "") -> RenderableType:
    """Return a paragraph of any length, indented in every line."""
    return Padding(Text(text, style=style), (0, 0, 0, 2))


def fit(wanted: Sequence[int], room: int) -> list[int]:
    """Return widths of word columns: as wanted, or narrowed, widest first, until all fit."""
    widths = list(wanted)
    while sum(widths) > room and max(widths) > LEAST_WIDTH:
        widths[widths.index(max(widths))] -= 1
    return widths


def new_table(words: Iterable[str], numbers: Iterable[str]) -> Table:
    """Return a table without rows: columns of words, that may be cut, then columns of numbers."""
    table = Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False, padding=(0, 1))
    for name in words:
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def keep_numbers(table: Table, width: int | None) -> Table:
    """Keep numbers whole: where there is no room, move columns closer to each other."""
    natural = (
        max(len(str(cell)) for cell in (column.header, column.footer, *column.cells))
        for column in table.columns
    )
    widths = [
        min(needed, column.max_width or needed)
        for needed, column in zip(natural, table.columns, strict=True)
    ]
    for column, needed in zip(table.columns, widths, strict=True):
        if column.justify == "right":
            column.min_width = needed
    if 2 + sum(widths) + 3 * (len(widths) - 1) > (width or DEFAULT_WIDTH):
        table.padding = 0
    return table


def height(parts: Iterable[RenderableType], width: int | None) -> int:
    """Return how many lines parts take."""
    return sum(to_text([part], width, False, whole=True).count("\n") for part in parts)


def to_text(
    parts: Iterable[RenderableType], width: int | None, color: bool, *, whole: bool = False
) -> str:
    """Print parts below each other; no markup is read from anything, no line ends in spaces.

    Args:
        parts: What to print.
        width: Columns.
        color: Colours allowed.
        whole: Keep empty lines at the end.
    """
    out = io.StringIO()
    console = Console(
        file=out,
        width=width or DEFAULT_WIDTH,
        color_system="standard" if color else None,
        force_terminal=color,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    for part in parts:
        console.print(part, crop=False)  # a terminal wraps a line, and a number stays whole
    if whole:
        return inert(out.getvalue())
    return inert("\n".join(line.rstrip() for line in out.getvalue().split("\n")).rstrip() + "\n")
