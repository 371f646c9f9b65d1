"""Report → text. A format is a function and one line in `FORMATS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from graphcount.errors import GraphcountError

if TYPE_CHECKING:
    from graphcount.report.records import Report
    from graphcount.report.rollup import By, Sort
    from graphcount.report.rows import RuleInfo


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

STYLES: dict[str, str] = {
    "torchinfo": "graphcount.formats.torchinfo",
    "bars": "graphcount.formats.bars",
}
"""Other ways to print the table (`--style`), as modules like those of formats."""


AUDIT_FORMATS: dict[str, str] = {
    **FORMATS,
    "table": "graphcount.formats.findings",
    "sarif": "graphcount.formats.sarif",
    "github": "graphcount.formats.github",
    "gitlab": "graphcount.formats.gitlab",
}
"""Formats of audits."""

CHECK_FORMATS: dict[str, str] = {
    "table": "graphcount.formats.verdicts",
    "json": "graphcount.formats.json",
    "jsonl": "graphcount.formats.jsonl",
    "markdown": "graphcount.formats.comment",
    "junit": "graphcount.formats.junit",
    "sarif": "graphcount.formats.sarif",
    "github": "graphcount.formats.github",
    "gitlab": "graphcount.formats.gitlab",
    "gitlab-metrics": "graphcount.formats.metrics",
}
"""Formats of commands that judge, which show verdicts and findings."""


def render(
    name: str,
    outcomes: Sequence[Report | GraphcountError],
    view: View,
    formats: Mapping[str, str] = MappingProxyType({**FORMATS, **STYLES}),
) -> str:
    """Render reports (and the errors of models that could not be read) in one format or style."""
    function: Format = import_module(formats[name]).render
    return function(outcomes, view)
