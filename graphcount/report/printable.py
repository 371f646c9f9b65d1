"""What a function of the API returns: it prints as its command does, and converts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ClassVar


def _name_only(result: PrintableResult, form: str) -> str:
    """Return the least that can be said of a result: what it is."""
    return type(result).__name__


class PrintableResult:
    """A result, as people hold it in Python.

    `print` and a prompt show the screen of its command, a notebook shows HTML.
    """

    __slots__ = ()

    writer: ClassVar[Callable[[PrintableResult, str], str]] = _name_only
    """Writes a result as `table`, `json` or `html`; `graphcount.api` puts the real one here, as
    what writes stands above the records."""

    def __str__(self) -> str:
        """Return what the command prints, without colours."""
        return type(self).writer(self, "table").rstrip("\n")

    def __repr__(self) -> str:
        """Return the same: a prompt shows it."""
        return str(self)

    def to_json(self) -> str:
        """Return what the command writes with `--format json`; credentials are masked."""
        return type(self).writer(self, "json")

    def to_dict(self) -> dict[str, Any]:
        """Return the object of `to_json`, as dicts, lists and numbers."""
        data: dict[str, Any] = json.loads(self.to_json())
        return data

    def _repr_html_(self) -> str:
        """Return the result as HTML for a notebook, which asks the object itself (IPython)."""
        return type(self).writer(self, "html")
