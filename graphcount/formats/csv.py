"""CSV (RFC 4180): every stored tensor, or the rows of a grouping.

Names are escaped as in every text format but not cut. One that a spreadsheet would take for a
formula gets a leading apostrophe (OWASP, CSV injection).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from graphcount.errors import GraphcountError
from graphcount.formats.text import safe
from graphcount.formats.view import View
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


FINDING_COLUMNS = ("model", "severity", "rule", "message", "where")


def render(outcomes: Sequence[Report | GraphcountError], view: View) -> str:
    """Render one table over all models; a model that could not be read has no rows.

    Audited models give their findings, others their tensors or groups.
    """
    reports = [outcome for outcome in outcomes if isinstance(outcome, Report)]
    audited = bool(reports) and all(report.audit is not None for report in reports)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    columns = GROUP_COLUMNS if view.by else TENSOR_COLUMNS
    writer.writerow(FINDING_COLUMNS if audited else columns)
    for report in reports:
        if audited:
            writer.writerows(_findings(report))
        else:
            writer.writerows(_groups(report, view) if view.by else _tensors(report))
    return out.getvalue()


def _findings(report: Report) -> Iterator[tuple[str, ...]]:
    from graphcount.formats.findings import place

    for finding in report.findings:
        row = report.model.path, finding.severity, finding.rule, finding.message
        yield (*map(cell, row), cell(place(finding.where)))


def cell(text: str) -> str:
    """Return a name as a CSV cell."""
    plain = safe(text, None)
    return f"'{plain}" if plain.startswith(("=", "+", "-", "@")) else plain


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
        yield path, cell(row.label), cell(row.detail), *row[2:8]
