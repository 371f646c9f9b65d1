"""Options of output: what every format takes beside the reports."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from graphcount.report.finding_rows import RuleInfo
    from graphcount.report.outline import Order
    from graphcount.report.rollup import By, Sort


class View(NamedTuple):
    """Options that every format takes.

    Attributes:
        by: Grouping, or None for the overview.
        depth: Levels of the module tree, or components of a module path.
        top: Rows before the rest is folded into one; None for what fits one screen.
        all: Everything has a row.
        sort: Order of rows of a grouping; None: see `order`.
        order: The largest rows first, or as in the graph.
        binary: Sizes in KiB, MiB instead of kB, MB.
        color: Colours allowed.
        width: Columns of the terminal, or None to find out.
        rules: Rules behind the findings, by id, for formats that publish them.
        fail_on: Mildest severity that fails.
        marker: Name of a comment, so that a later one can take its place.
        ascii: The terminal shows nothing but ASCII.
        columns: Columns of a grouping; empty for those that fit.
        hide_passed: Verdicts that are kept are left out of what people read.
        ignored: How many models no check applies to, beside those that are shown.
        excluded: How many models a configuration excludes.
    """

    by: By | None = None
    depth: int | None = None
    top: int | None = None
    all: bool = False
    sort: Sort | None = None
    order: Order | None = None
    binary: bool = False
    color: bool = False
    width: int | None = None
    rules: Mapping[str, RuleInfo] = MappingProxyType({})
    fail_on: str = "high"
    marker: str = "check"
    ascii: bool = False
    columns: tuple[str, ...] = ()
    hide_passed: bool = False
    ignored: int = 0
    excluded: int = 0

    def rows(self, most: int) -> int | None:
        """Return how many rows are asked for, or `most`; None for all."""
        return None if self.all else self.top or most

    @property
    def sorting(self) -> Sort:
        """The order of the rows of a grouping in text formats."""
        return self.sort or ("graph" if self.order == "graph" else "size")


DEFAULT_VIEW = View()


def is_terminal(stream: IO[str]) -> bool:
    """Return whether someone may be looking; a closed stream is no terminal."""
    try:
        return stream.isatty()
    except ValueError:
        return False
