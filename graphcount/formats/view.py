"""Options of output: what every format takes beside the reports."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from graphcount.report.rollup import By, Sort
    from graphcount.report.rows import RuleInfo


class View(NamedTuple):
    """Options that every format takes.

    Attributes:
        by: Grouping, or None for the overview.
        depth: Levels of the module tree, or components of a module path.
        top: Rows before the rest is folded into one.
        sort: Order of rows; None for the grouping's own.
        binary: Sizes in KiB, MiB instead of kB, MB.
        color: Colours allowed.
        width: Columns of the terminal, or None to find out.
        rules: Rules behind the findings, by id, for formats that publish them.
        fail_on: Mildest severity that fails.
        marker: Name of a comment, so that a later one can take its place.
        ascii: The terminal shows nothing but ASCII.
    """

    by: By | None = None
    depth: int | None = None
    top: int | None = None
    sort: Sort | None = None
    binary: bool = False
    color: bool = False
    width: int | None = None
    rules: Mapping[str, RuleInfo] = MappingProxyType({})
    fail_on: str = "high"
    marker: str = "check"
    ascii: bool = False


def is_terminal(stream: IO[str]) -> bool:
    """Return whether someone may be looking; a closed stream is no terminal."""
    try:
        return stream.isatty()
    except ValueError:
        return False
