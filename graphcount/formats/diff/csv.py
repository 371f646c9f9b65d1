"""CSV (RFC 4180): every changed tensor, or with `by` every changed node or group.

Names are escaped as in the CSV of a report.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from graphcount.formats.csv import cell
from graphcount.formats.diff.lines import group_rows, key_of
from graphcount.formats.diff.view import DiffView
from graphcount.report.diff import Amounts, Diff, NodeSide, TensorSide

CsvCell = str | int | None

TENSOR_COLUMNS = ("name", "dtype", "shape", "elements", "nbytes", "kind", "role", "owner", "module")
NODE_COLUMNS = ("id", "op_type", "domain", "module", "parameters", "nbytes", "macs")
SIDES = ("old", "new")


def render(diff: Diff, view: DiffView) -> str:
    """Render one table; every row is there, largest difference first."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    by = view.by or "tensor"
    rows = {"tensor": _tensors, "node": _nodes}.get(by, _groups)
    writer.writerows(rows(diff, view))
    return out.getvalue()


def _tensors(diff: Diff, view: DiffView) -> Iterator[tuple[CsvCell, ...]]:
    columns = [f"{side}_{name}" for name in TENSOR_COLUMNS for side in SIDES]
    yield "status", "changes", *columns, "delta_elements", "delta_nbytes", "matched_by"
    for row in sorted(diff.tensors, key=lambda row: -key_of(row, view.sort)):
        old, new = _tensor(row.old), _tensor(row.new)
        pairs = (value for pair in zip(old, new, strict=True) for value in pair)
        changes = " ".join(row.changes)
        delta = row.delta.elements, row.delta.nbytes
        yield row.status, changes, *pairs, *delta, row.matched_by or ""


def _tensor(side: TensorSide | None) -> tuple[CsvCell, ...]:
    if side is None:
        return ("",) * len(TENSOR_COLUMNS)
    shape = "x".join(map(str, side.shape))
    names = cell(side.owner or ""), cell(side.module)
    size = side.elements, side.nbytes
    return cell(side.name), cell(side.dtype), shape, *size, side.kind, cell(side.role), *names


def _nodes(diff: Diff, view: DiffView) -> Iterator[tuple[CsvCell, ...]]:
    columns = [f"{side}_{name}" for name in NODE_COLUMNS for side in SIDES]
    yield (
        *("status", "changes", *columns, "delta_parameters", "delta_nbytes", "attributes"),
        "sizes_assumed",
    )
    sizes = _sizes(diff)
    for row in sorted(diff.nodes, key=lambda row: -key_of(row, view.sort)):
        old, new = _node(row.old), _node(row.new)
        pairs = (value for pair in zip(old, new, strict=True) for value in pair)
        attributes = "; ".join(f"{item.name}: {item.old} -> {item.new}" for item in row.attributes)
        delta = row.delta.parameters, row.delta.nbytes
        yield row.status, " ".join(row.changes), *pairs, *delta, cell(attributes), sizes


def _node(side: NodeSide | None) -> tuple[CsvCell, ...]:
    if side is None:
        return ("",) * len(NODE_COLUMNS)
    names = (side.id, side.op_type, side.domain, side.module)
    return *map(cell, names), side.parameters, side.nbytes, side.macs


def _groups(diff: Diff, view: DiffView) -> Iterator[tuple[CsvCell, ...]]:
    assert view.by is not None
    columns = [f"{side}_{name}" for name in Amounts._fields for side in (*SIDES, "delta")]
    yield "old_name", "new_name", *columns, "sizes_assumed"
    sizes = _sizes(diff)
    for row in sorted(group_rows(diff, view.by), key=lambda row: -key_of(row, view.sort)):
        old, new = row.old or ("",) * len(Amounts._fields), row.new or ("",) * len(Amounts._fields)
        numbers = (value for three in zip(old, new, row.delta, strict=True) for value in three)
        yield cell(row.old_name or ""), cell(row.new_name or ""), *numbers, sizes


def _sizes(diff: Diff) -> str:
    """Return `batch=1`: the sizes at which MACs are, where some are assumed."""
    sizes = {**diff.old.assumed, **diff.new.assumed}
    return cell(" ".join(f"{name}={size}" for name, size in sizes.items()))
