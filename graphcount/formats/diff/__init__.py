"""Diff → text. A format is a function and one line in `FORMATS`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from graphcount.formats.diff.view import DEFAULT_VIEW, DiffView

if TYPE_CHECKING:
    from graphcount.report.diff import Diff

FORMATS: dict[str, str] = {
    "table": "graphcount.formats.diff.table",
    "json": "graphcount.formats.diff.json",
    "csv": "graphcount.formats.diff.csv",
    "markdown": "graphcount.formats.diff.markdown",
}
"""Module of each format, imported when it is asked for; each has `render(diff, view)`."""


def render(name: str, diff: Diff, view: DiffView = DEFAULT_VIEW) -> str:
    """Render a diff in one of `FORMATS`."""
    function: Callable[[Diff, DiffView], str] = import_module(FORMATS[name]).render
    return function(diff, view)
