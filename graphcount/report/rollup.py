"""Flat groupings of a report, whose rows sum to the totals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from graphcount.domains import operator_name
from graphcount.report.records import Report
from graphcount.report.rows import OUTPUT, NodeRow, TensorRow

By = Literal["module", "node", "op_type", "dtype", "kind", "tensor"]
BY: tuple[By, ...] = ("module", "node", "op_type", "dtype", "kind", "tensor")

Sort = Literal["size", "graph", "parameters", "nbytes", "macs", "name"]
SORT: tuple[Sort, ...] = ("graph", "parameters", "nbytes", "macs", "name")
"""What can be asked for; `size` is what text formats do when nothing is."""


class Group(NamedTuple):
    """One row of a grouping.

    Attributes:
        label: Name of the module, node, operator, dtype, kind or tensor; empty for "no module".
        detail: What else tells it apart: op type, or dtype, shape, kind and role of a tensor.
        nodes: Operators in it (0 where the grouping is one of tensors).
        tensors: Stored tensors in it.
        elements: Logical elements of its stored tensors, of every kind.
        macs: Of its nodes where they are numbers; 0 where the grouping is one of tensors.
        zeros: Elements that are zero, as far as that was counted.
        elements_read: Elements of its tensors whose zeros were counted.
    """

    label: str
    detail: str
    nodes: int
    tensors: int
    parameters: int
    buffers: int
    elements: int
    nbytes: int
    macs: int
    zeros: int
    elements_read: int


_NOTHING = (0,) * (len(Group._fields) - 2)
"""Sums of no rows."""


def groups(report: Report, by: By, depth: int | None = None) -> list[Group]:
    """Return rows of a grouping in graph order; every column sums to the totals.

    Args:
        report: The report.
        by: What to group by.
        depth: For modules: how many components of the path count (None: all).
    """
    sums: dict[str, list[int]] = {}
    details: dict[str, str] = {}
    label_of_node = node_labels(report, by, depth)
    if by in ("module", "node", "op_type"):
        for node in report.nodes:
            label = label_of_node[node.id]
            row = sums.setdefault(label, [*_NOTHING])
            row[0] += node.op_type != OUTPUT
            row[6] += node.macs or 0
            if by == "node":
                details[label] = operator_name(node.domain, node.op_type)
    zeros = report.sparsity.tensors if report.sparsity is not None else ()
    for index, tensor in enumerate(report.tensors):
        label = _tensor_label(tensor, index, by, label_of_node)
        row = sums.setdefault(label, [*_NOTHING])
        row[1] += 1
        row[2] += tensor.elements if tensor.kind == "parameter" else 0
        row[3] += tensor.elements if tensor.kind == "buffer" else 0
        row[4] += tensor.elements
        row[5] += tensor.nbytes
        if zeros and (counted := zeros[index].zeros) is not None:
            row[7] += counted
            row[8] += tensor.elements
        if by == "tensor":
            shape = "x".join(map(str, tensor.shape)) or "scalar"
            details[label] = f"{tensor.dtype} {shape} {tensor.kind}: {tensor.role}"
    names = {str(index): tensor.name for index, tensor in enumerate(report.tensors)}
    return [
        Group(names[label] if by == "tensor" else label, details.get(label, ""), *row)
        for label, row in sums.items()
    ]


Bulk = tuple[int, int, int]
"""Bytes, MACs and nodes of a row."""


def size_key(weighted: bool) -> Callable[[Bulk], Bulk]:
    """Return what sorts rows by size, the largest first: by bytes, or by MACs, then the other."""
    if weighted:
        return lambda size: (-size[0], -size[1], -size[2])
    return lambda size: (-size[1], -size[0], -size[2])


def is_weighted(report: Report) -> bool:
    """Return whether bytes say what is large.

    MACs do in a model without learned elements, or one whose graph makes more than it stores.
    """
    totals = report.totals
    stored = totals.generated <= totals.elements and (totals.parameters or totals.buffers)
    return bool(stored or not totals.macs)


def arrange(rows: list[Group], sort: Sort, top: int | None) -> list[Group]:
    """Sort rows and fold all but the `top` largest into one row, so that sums stay.

    Largest are those that come first by a sort that is one of sizes, else those with most bytes,
    or, where no row has parameters, with most MACs.
    """
    by_size = size_key(any(row.parameters or row.buffers for row in rows))

    def largest(row: Group) -> Bulk:
        return by_size((row.nbytes, row.macs, row.nodes))

    keys: dict[str, Callable[[Group], tuple[int | str, ...]]] = {
        "size": largest,
        "parameters": lambda row: (-row.parameters, -row.nbytes),
        "nbytes": lambda row: (-row.nbytes, -row.parameters),
        "macs": lambda row: (-row.macs, -row.nbytes),
        "name": lambda row: (row.label, row.detail),
    }
    key = keys.get(sort)
    kept, rest = rows, []
    if top is not None and len(rows) > top + 1:  # a row that folds one is that row
        order = key if key and sort != "name" else largest
        ranked = sorted(range(len(rows)), key=lambda place: order(rows[place]))
        kept = [rows[place] for place in sorted(ranked[:top])]
        rest = [rows[place] for place in ranked[top:]]
    kept = sorted(kept, key=key) if key else kept
    return [*kept, total(rest, f"({len(rest):,} others)")] if rest else kept


def total(rows: Iterable[Group], label: str) -> Group:
    """Return one row with the sums of rows."""
    sums = [*_NOTHING]
    for row in rows:
        for position, number in enumerate(row[2:]):
            sums[position] += number
    return Group(label, "", *sums)


def default_sort(by: By) -> Sort:
    """Return graph order where there is one, else the largest first."""
    return "graph" if by in ("module", "node", "tensor") else "parameters"


def has_modules(report: Report) -> bool:
    """Return whether the names in the file tell modules apart."""
    return any(node.module for node in report.nodes)


def node_labels(report: Report, by: By, depth: int | None) -> dict[str, str]:
    """Return the row of a grouping that each node is in, by its id; nothing for one of tensors."""
    if by == "node":
        return {node.id: node.id for node in report.nodes}
    if by == "op_type":
        return {node.id: _operator(node) for node in report.nodes}
    if by == "module":
        return {node.id: ".".join(node.module.split(".")[:depth]) for node in report.nodes}
    return {}


def _tensor_label(tensor: TensorRow, index: int, by: By, label_of_node: dict[str, str]) -> str:
    if by == "tensor":
        return str(index)
    if by == "dtype":
        return tensor.dtype
    if by == "kind":
        return tensor.kind
    nobody = "" if by == "module" else "(no node)"
    return label_of_node.get(tensor.owner or "", nobody)


def _operator(node: NodeRow) -> str:
    return operator_name(node.domain, node.op_type)
