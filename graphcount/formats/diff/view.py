"""Options of output: what every format takes beside the diff."""

from __future__ import annotations

from typing import Literal, NamedTuple

By = Literal["module", "node", "op_type", "dtype", "kind", "tensor"]
BY: tuple[By, ...] = ("module", "node", "op_type", "dtype", "kind", "tensor")

Sort = Literal["nbytes", "parameters", "macs"]
SORT: tuple[Sort, ...] = ("nbytes", "parameters", "macs")


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
    sort: Sort = "nbytes"
    binary: bool = False
    color: bool = False
    width: int | None = None
