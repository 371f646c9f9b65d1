"""CSV (RFC 4180): every stored tensor, the rows of a grouping, or measures over ranges of sizes.

Names are escaped as in every text format but not cut. One that a spreadsheet would take for a
formula gets a leading apostrophe (OWASP, CSV injection).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from graphcount.errors import GraphcountError
from graphcount.formats.text import safe
from graphcount.formats.view import View
from graphcount.report.columns import COLUMNS, members
from graphcount.report.pass_rows import RangeRow
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

SPARSITY_COLUMNS = ("zeros", "two_four")
"""Behind those of tensors where zeros were counted; empty cells are not known."""

GROUP_SPARSITY_COLUMNS = ("zeros", "elements_read")
"""The same behind those of groups."""

RANGE_COLUMNS = ("model", *RangeRow._fields, "assumed")
FINDING_COLUMNS = ("model", "severity", "rule", "message", "where")


def render(outcomes: Sequence[Report | GraphcountError], view: View) -> str:
    """Render one table over all models; a model that could not be read has no rows.

    Audited models give their findings, those counted over ranges of sizes their measures, others
    their tensors or groups.
    """
    reports = [outcome for outcome in outcomes if isinstance(outcome, Report)]
    audited = bool(reports) and all(report.audit is not None for report in reports)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    ranged = not view.by and any(report.ranges is not None for report in reports)
    sparse = any(report.sparsity is not None for report in reports)
    rows: Callable[[Report], Iterator[tuple[str | int | float | None, ...]]]
    columns = TENSOR_COLUMNS + (SPARSITY_COLUMNS if sparse else ())
    rows = partial(_tensors, sparse=sparse)
    if audited:
        columns, rows = FINDING_COLUMNS, _findings
    elif ranged:
        columns, rows = RANGE_COLUMNS, _ranges
    elif view.by:
        columns = GROUP_COLUMNS + (GROUP_SPARSITY_COLUMNS if sparse else ())
        rows = partial(_groups, view=view, sparse=sparse)
        if view.columns:
            columns, rows = (*GROUP_COLUMNS[:3], *view.columns), partial(_chosen, view=view)
    writer.writerow(columns)
    for report in reports:
        writer.writerows(rows(report))
    return out.getvalue()


def _ranges(report: Report) -> Iterator[tuple[str | int | None, ...]]:
    """Yield a row a measure: its least and most, where they occur, and whether they do."""
    ranges = report.ranges
    if ranges is None:
        return
    for row in ranges.measures:
        least_at, most_at, assumed = (
            cell(" ".join(f"{name}={size}" for name, size in sizes.items()))
            for sizes in (row.least_at, row.most_at, ranges.assumed)
        )
        numbers = row.measure, row.least, row.most, least_at, most_at
        exact = int(row.least_exact), int(row.most_exact)
        yield cell(report.model.path), *numbers, *exact, assumed


def _findings(report: Report) -> Iterator[tuple[str, ...]]:
    from graphcount.formats.findings import place

    for finding in report.findings:
        row = report.model.path, finding.severity, finding.rule, finding.message
        yield (*map(cell, row), cell(place(finding.where)))


def cell(text: str) -> str:
    """Return a name as a CSV cell."""
    plain = safe(text, None)
    return f"'{plain}" if plain.startswith(("=", "+", "-", "@")) else plain


def _tensors(report: Report, *, sparse: bool) -> Iterator[tuple[str | int | None, ...]]:
    path = cell(report.model.path)
    zeros = report.sparsity.tensors if report.sparsity is not None else ()
    for place, tensor in enumerate(report.tensors):
        more: tuple[int | None, ...] = (None,) * (len(SPARSITY_COLUMNS) if sparse else 0)
        if zeros:
            two_four = zeros[place].two_four
            more = zeros[place].zeros, None if two_four is None else int(two_four)
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
            *more,
        )


def _groups(report: Report, view: View, *, sparse: bool) -> Iterator[tuple[str | int, ...]]:
    if view.by is None:
        return
    path = cell(report.model.path)
    rows = groups(report, view.by, view.depth)
    for row in arrange(rows, view.sort or default_sort(view.by), view.top):
        more = (row.zeros, row.elements_read) if sparse else ()
        yield path, cell(row.label), cell(row.detail), *row[2:8], *more


def _chosen(report: Report, view: View) -> Iterator[tuple[str | int | float | None, ...]]:
    """Yield the rows of a grouping with the columns asked for; what lacks something is empty."""
    by = view.by
    if by is None:
        return
    report = report.in_numbers
    rows = arrange(groups(report, by, view.depth), view.sort or default_sort(by), view.top)
    for row, nodes in zip(rows, members(report, by, view.depth, rows), strict=True):
        cells: list[str | int | float | None] = []
        for name in view.columns:
            value = COLUMNS[name].read(row, nodes)
            if isinstance(value, str):
                cells.append(cell(value))
            else:
                cells.append(None if value.lacks else value.known)
        yield cell(report.model.path), cell(row.label), cell(row.detail), *cells
