"""Options of output: what every format takes beside the diff."""

from __future__ import annotations

from typing import Literal, NamedTuple

from graphcount.report.rollup import By

DiffSort = Literal["nbytes", "parameters", "macs"]
SORT: tuple[DiffSort, ...] = ("nbytes", "parameters", "macs")


class DiffView(NamedTuple):
    """Options that every format of a diff takes.

    Attributes:
        by: One table only, of these rows; None for the overview.
        top: Rows of a table before the rest is folded into one; None: each table's own.
        sort: The difference that chooses and orders the rows.
        binary: Sizes in KiB, MiB instead of kB, MB.
        color: Colours allowed.
        width: Columns of the terminal, or None to find out.
    """

    by: By | None = None
    top: int | None = None
    sort: DiffSort = "nbytes"
    binary: bool = False
    color: bool = False
    width: int | None = None


DEFAULT_VIEW = DiffView()
