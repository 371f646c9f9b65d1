"""Report → text. A format is a function and one line in `FORMATS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from graphcount.errors import GraphcountError
from graphcount.formats.view import View

if TYPE_CHECKING:
    from graphcount.report.records import Report


Format = Callable[[Sequence["Report | GraphcountError"], View], str]

FORMATS: dict[str, str] = {
    "table": "graphcount.formats.table",
    "json": "graphcount.formats.json",
    "jsonl": "graphcount.formats.jsonl",
    "csv": "graphcount.formats.csv",
    "markdown": "graphcount.formats.markdown",
    "cyclonedx": "graphcount.formats.cyclonedx",
    "spdx": "graphcount.formats.spdx",
}
"""Module of each format, imported when it is asked for; each has `render(outcomes, view)`."""

WITH_DIGESTS = frozenset({"cyclonedx", "spdx"})
"""Formats that state the SHA-256 of every file."""

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
