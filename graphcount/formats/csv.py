"""CSV (RFC 4180): every stored tensor, or the rows of a grouping.

Names are escaped as in every text format but not cut. One that a spreadsheet would take for a
formula gets a leading apostrophe (OWASP, CSV injection).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from graphcount.errors import GraphcountError
from graphcount.formats import View
from graphcount.formats.text import safe
from graphcount.report.records import Report
from graphcount.report.rollup import arrange, default_sort, groups

TENSOR_COLUMNS = (
    "model",
    "name",
    "dtype",
    "shape",
    "elements",
    "stored_elements",
    "nbytes",
    "kind",
    "role",
    "owner",
    "module",
    "reason",
)
GROUP_COLUMNS = (
    "model",
    "label",
    "detail",
    "nodes",
    "tensors",
    "parameters",
    "buffers",
    "elements",
    "nbytes",
)


def render(outcomes: Sequence[Report | GraphcountError], view: View) -> str:
    """Render one table over all models; a model that could not be read has no rows."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(GROUP_COLUMNS if view.by else TENSOR_COLUMNS)
    for outcome in outcomes:
        if isinstance(outcome, Report):
            rows = _groups(outcome, view) if view.by else _tensors(outcome)
            writer.writerows(rows)
    return out.getvalue()


def cell(text: str) -> str:
    """A name as a CSV cell."""
    shown = safe(text, None)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown


def _tensors(report: Report) -> Iterator[tuple[str | int, ...]]:
    path = cell(report.model.path)
    for tensor in report.tensors:
        yield (
            path,
            cell(tensor.name),
            tensor.dtype,
            "x".join(map(str, tensor.shape)),
            tensor.elements,
            tensor.stored_elements,
            tensor.nbytes,
            tensor.kind,
            tensor.role,
            cell(tensor.owner or ""),
            cell(tensor.module),
            cell(tensor.reason),
        )


def _groups(report: Report, view: View) -> Iterator[tuple[str | int, ...]]:
    if view.by is None:
        return
    path = cell(report.model.path)
    rows = groups(report, view.by, view.depth)
    for row in arrange(rows, view.sort or default_sort(view.by), view.top):
        yield path, cell(row.label), cell(row.detail), *row[2:]
