"""How the models of a deployment go together, as tables of the page: heads, rows of texts."""

from __future__ import annotations

from typing import Any

from graphcount.formats.deployment import HEADS, cells, lines
from graphcount.formats.view import View
from graphcount.report.deployment import Deployment, VariantRow
from graphcount.units import nbytes

MOST_ROWS = 500
"""Rows of a table; the JSON of `graphcount deploy` has all."""


def sections(deployment: Deployment, binary: bool) -> dict[str, Any]:
    """Return what the page says of a deployment beside its report.

    Args:
        deployment: The deployment.
        binary: Sizes in KiB, MiB, GiB.
    """
    view = View(binary=binary)
    components = [
        [row.label, row.error or row.model or "(no model)", *cells(row, view), _state(row)]
        for row in deployment.variants
    ]
    joins = [
        [row.producer, row.output, row.consumer, row.input, row.by, row.mismatch or "fits"]
        for row in deployment.joins
    ]
    files = [
        [
            file.path,
            file.kind if file.kind != "unknown" else "belongs to nobody",
            "" if file.nbytes is None else nbytes(file.nbytes, binary),
            ", ".join(file.components),
        ]
        for file in deployment.files
    ]
    return {
        "layout": deployment.layout,
        "lines": list(lines(deployment, view)),
        "tables": [
            _table("Components", ("component", "model", *HEADS, ""), components, len(HEADS)),
            _table("What feeds what", ("from", "output", "to", "input", "by", "fit"), joins, 0),
            _table("Files", ("file", "what", "size", "of"), files, 1),
        ],
    }


def _state(row: VariantRow) -> str:
    """Return why a variant does not run; empty when it does."""
    return "" if row.chosen and row.used else "not chosen" if not row.chosen else "replaced"


def _table(
    title: str, heads: tuple[str, ...], rows: list[list[str]], numbers: int
) -> dict[str, Any]:
    """Return a table; `numbers` columns after the second are of numbers."""
    left = len(rows) - MOST_ROWS
    return {
        "title": title,
        "heads": list(heads),
        "rows": rows[:MOST_ROWS],
        "numbers": list(range(2, 2 + numbers)),
        "left": max(left, 0),
    }
