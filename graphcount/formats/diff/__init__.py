"""Diff → text. A format is a function and one line in `FORMATS`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from graphcount.report.diff import Diff

By = Literal["module", "node", "op_type", "dtype", "kind", "tensor"]
BY: tuple[By, ...] = ("module", "node", "op_type", "dtype", "kind", "tensor")

Sort = Literal["nbytes", "parameters", "macs"]
SORT: tuple[Sort, ...] = ("nbytes", "parameters", "macs")


class DiffView(NamedTuple):
    """How a diff is shown.

    Attributes:
        by: One table only, of these rows; None for the overview.
        top: Rows of a table before the rest is folded into one; None: each table's own.
        sort: Which difference decides what is shown, and in which order.
        binary: Sizes in KiB, MiB instead of kB, MB.
        color: Colours allowed.
        width: Columns of the terminal, or None to find out.
    """

    by: By | None = None
    top: int | None = None
    sort: Sort = "nbytes"
    binary: bool = False
    color: bool = False
    width: int | None = None


FORMATS: dict[str, str] = {
    "table": "graphcount.formats.diff.table",
    "json": "graphcount.formats.diff.json",
    "csv": "graphcount.formats.diff.csv",
    "markdown": "graphcount.formats.diff.markdown",
}
"""Module of each format, imported when it is asked for; each has `render(diff, view)`."""


def render(name: str, diff: Diff, view: DiffView) -> str:
    """Render a diff in one of `FORMATS`."""
    function: Callable[[Diff, DiffView], str] = import_module(FORMATS[name]).render
    return function(diff, view)
