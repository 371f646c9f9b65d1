"""Report → text. A format is a function and one line in `FORMATS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from graphcount.errors import GraphcountError

if TYPE_CHECKING:
    from graphcount.report.records import Report, RuleInfo
    from graphcount.report.rollup import By, Sort


class View(NamedTuple):
    """How a report is shown.

    Attributes:
        by: Grouping, or None for the overview.
        depth: Levels of the module tree, or components of a module path.
        top: Rows before the rest is folded into one.
        sort: Order of rows; None for the grouping's own.
        binary: Sizes in KiB, MiB instead of kB, MB.
        color: Colours allowed.
        width: Columns of the terminal, or None to find out.
        rules: What is known of the rules of findings, by id.
    """

    by: By | None = None
    depth: int | None = None
    top: int | None = None
    sort: Sort | None = None
    binary: bool = False
    color: bool = False
    width: int | None = None
    rules: Mapping[str, RuleInfo] = {}


Format = Callable[[Sequence["Report | GraphcountError"], View], str]

FORMATS: dict[str, str] = {
    "table": "graphcount.formats.table",
    "json": "graphcount.formats.json",
    "jsonl": "graphcount.formats.jsonl",
    "csv": "graphcount.formats.csv",
    "markdown": "graphcount.formats.markdown",
    "cyclonedx": "graphcount.formats.cyclonedx",
}
"""Module of each format, imported when it is asked for; each has `render(outcomes, view)`."""

STYLES: dict[str, str] = {"torchinfo": "graphcount.formats.torchinfo"}
"""Other ways to print the table (`--style`), as modules like those of formats."""


def render(name: str, outcomes: Sequence[Report | GraphcountError], view: View) -> str:
    """Render reports (and the errors of models that could not be read) in one format or style."""
    function: Format = import_module(FORMATS.get(name) or STYLES[name]).render
    return function(outcomes, view)
