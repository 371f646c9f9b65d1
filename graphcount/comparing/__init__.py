"""Two models → what changed: pairs of nodes and tensors first, then rows.

Matching sees a first and a second side; which is which is decided by their content, never by who is
old. So the diff of B and A is the mirror of the diff of A and B. Equal content needs no matching.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphcount.comparing.match_nodes import match_nodes
from graphcount.comparing.match_tensors import match_tensors
from graphcount.comparing.relation import relation
from graphcount.comparing.rows import Matching, node_rows, pair_modules, tensor_rows
from graphcount.comparing.side import ComparedModel, Side
from graphcount.comparing.sizes import sized
from graphcount.comparing.totals import (
    fact_rows,
    module_rows,
    op_type_rows,
    tensor_group_rows,
    total_rows,
)
from graphcount.report.diff import Diff, SideRow
from graphcount.report.records import Report


def compare(old: ComparedModel, new: ComparedModel) -> Diff:
    """Compare two models and return what changed."""
    with_wires = old.wires is not None and new.wires is not None
    at_sizes = sized(old.report, new.report)
    first, second = (
        Side(subject._replace(report=report), with_wires=with_wires)
        for subject, report in ((old, at_sizes.old), (new, at_sizes.new))
    )
    nodes, tensors = _matched(first, second)
    modules = pair_modules(first, second, nodes)
    node_changes = node_rows(first, second, nodes, modules)
    tensor_changes = tensor_rows(first, second, tensors, nodes)
    before, after = at_sizes.old, at_sizes.new
    facts = fact_rows(old.report, new.report)
    return Diff(
        old=_side_row(old, before),
        new=_side_row(new, after),
        relation=relation(before, after, node_changes, tensor_changes, facts),
        totals=total_rows(at_sizes, old.report, new.report),
        facts=facts,
        modules=module_rows(before, after, modules),
        op_types=op_type_rows(before, after),
        dtypes=tensor_group_rows(before, after, lambda tensor: tensor.dtype),
        kinds=tensor_group_rows(before, after, lambda tensor: tensor.kind),
        nodes=node_changes,
        tensors=tensor_changes,
        same_nodes=len(before.nodes) - sum(row.old is not None for row in node_changes),
        same_tensors=len(before.tensors) - sum(row.old is not None for row in tensor_changes),
        values_compared=old.digests is not None and new.digests is not None,
        notes=(*_notes(old, new), *((at_sizes.note,) if at_sizes.note else ())),
    )


def _matched(old: Side, new: Side) -> tuple[Matching, Matching]:
    """Return pairs of nodes and of tensors, matched in an order that the content decides."""
    order = _order(old, new)
    if order == 0:
        return _identity(len(old.nodes)), _identity(len(old.tensors))
    swapped = order > 0
    nodes = match_nodes(*((new, old) if swapped else (old, new)))
    tensors = match_tensors(nodes)
    pairs = []
    for part in (nodes, tensors):
        if swapped:
            by = {i: part.by[j] for i, j in enumerate(part.right) if j is not None}
            pairs.append(Matching(part.right, part.left, by))
        else:
            pairs.append(Matching(part.left, part.right, part.by))
    return pairs[0], pairs[1]


def _identity(length: int) -> Matching:
    every: list[int | None] = list(range(length))
    return Matching(every, every, dict.fromkeys(range(length), "name"))


def _order(old: Side, new: Side) -> int:
    """Return which side comes first in matching, by the first difference; 0 without one."""
    for part in ("ids", "nodes", "tensors", "attributes", "before", "sources", "digests"):
        first, second = _part(old, part), _part(new, part)
        if first == second:
            continue
        if len(first) != len(second):
            return -1 if len(first) < len(second) else 1
        texts = next((repr(x), repr(y)) for x, y in zip(first, second, strict=True) if x != y)
        return -1 if texts[0] < texts[1] else 1
    return 0


def _part(side: Side, name: str) -> Sequence[object]:
    part: Sequence[object] = getattr(side.subject if name == "digests" else side, name) or ()
    return part


def _side_row(subject: ComparedModel, compared: Report) -> SideRow:
    report, model = subject.report, subject.report.model
    return SideRow(
        path=model.path,
        source=subject.source,
        file_nbytes=model.file_nbytes,
        sha256=model.sha256,
        fingerprint=report.fingerprint,
        producer=model.producer,
        opset_imports=model.opset_imports,
        dims=report.dims,
        node_count=model.node_count,
        exact=report.exact,
        assumed={} if compared is report else report.assumed_sizes,
    )


def _notes(old: ComparedModel, new: ComparedModel) -> tuple[str, ...]:
    """Return what could not be compared, and why."""
    notes = []
    saved = [side for side in (old, new) if side.wires is None]
    for side in saved:
        what = "a saved report" if side.source == "report" else "several models"
        path = side.report.model.path
        notes.append(f"{path} is {what}: it has no attributes, no wiring and no values here")
    if saved:
        notes.append("attributes, wiring and values are not compared; nodes are matched without")
    for side in (old, new):
        unread = [index for index, digest in enumerate(side.digests or ()) if digest is None]
        if unread:
            names = side.report.tensors
            first, more = names[unread[0]].name, len(unread) - 1
            others = f" and {more:,} more" if more else ""
            notes.append(f"{side.report.model.path}: values not read: {first}{others}")
    costs = [_has_cost(side) for side in (old, new)]
    if costs[0] != costs[1]:
        path = (old if costs[1] else new).report.model.path
        notes.append(f"{path}: the cost of a forward pass was not worked out")
    return tuple(notes)


def _has_cost(subject: ComparedModel) -> bool:
    totals = subject.report.totals
    return totals.macs is not None or totals.macs_expression is not None


__all__ = ["ComparedModel", "compare"]
