"""Groupings that are part of the report: by element type, by operator, and the tree of modules."""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.report.rows import OUTPUT, DTypeRow, ModuleRow, NodeRow, OpTypeRow, TensorRow


def dtype_rows(tensors: Iterable[TensorRow]) -> tuple[DTypeRow, ...]:
    """Return stored tensors by element type, most bytes first."""
    sums: dict[str, list[int]] = {}
    for tensor in tensors:
        row = sums.setdefault(tensor.dtype, [0, 0, 0])
        row[0] += 1
        row[1] += tensor.elements
        row[2] += tensor.nbytes
    rows = [DTypeRow(dtype, *row) for dtype, row in sums.items()]
    return tuple(sorted(rows, key=lambda row: (-row.nbytes, row.dtype)))


def op_type_rows(nodes: Iterable[NodeRow]) -> tuple[OpTypeRow, ...]:
    """Return nodes by operator, most parameters first."""
    members: dict[tuple[str, str], list[NodeRow]] = {}
    for node in nodes:
        members.setdefault((node.op_type, node.domain), []).append(node)
    totals = [
        OpTypeRow(
            op_type,
            domain,
            len(rows),
            sum(row.parameters for row in rows),
            sum(row.buffers for row in rows),
            sum(row.nbytes for row in rows),
            sum_known(row.macs for row in rows),
        )
        for (op_type, domain), rows in members.items()
    ]
    return tuple(sorted(totals, key=lambda r: (-r.parameters, -r.nodes, r.op_type, r.domain)))


def module_rows(nodes: Iterable[NodeRow], tensors: Iterable[TensorRow]) -> tuple[ModuleRow, ...]:
    """Return modules as a tree in graph order, each with all below it; first the whole model.

    Tensors that no node owns belong to the whole model only.
    """
    sums: dict[str, _Sums] = {"": _Sums()}
    for node in nodes:
        row = sums.get(node.module)
        if row is None:
            row = _with_parents(sums, node.module)
        row.add(node)
    ordered = _tree_order(sums)
    for path, own in reversed(ordered):  # children before their parents
        if path:
            sums[path.rpartition(".")[0]].join(own)
    for tensor in tensors:
        if tensor.owner is None:
            sums[""].parameters += tensor.elements if tensor.kind == "parameter" else 0
            sums[""].buffers += tensor.elements if tensor.kind == "buffer" else 0
            sums[""].nbytes += tensor.nbytes
    return tuple(
        ModuleRow(
            path,
            path.count(".") + 1 if path else 0,
            row.parameters,
            row.buffers,
            row.nbytes,
            row.macs,
            row.nodes,
        )
        for path, row in ordered
    )


class _Sums:
    """Running sums of a module."""

    __slots__ = ("buffers", "macs", "nbytes", "nodes", "parameters")

    def __init__(self) -> None:
        self.parameters = self.buffers = self.nbytes = self.nodes = 0
        self.macs: int | None = None

    def add(self, node: NodeRow) -> None:
        """Add one node."""
        self.parameters += node.parameters
        self.buffers += node.buffers
        self.nbytes += node.nbytes
        self.nodes += node.op_type != OUTPUT
        if node.macs is not None:
            self.macs = node.macs + (self.macs or 0)

    def join(self, other: _Sums) -> None:
        """Add the sums of a module below."""
        self.parameters += other.parameters
        self.buffers += other.buffers
        self.nbytes += other.nbytes
        self.nodes += other.nodes
        if other.macs is not None:
            self.macs = other.macs + (self.macs or 0)


def _with_parents(sums: dict[str, _Sums], module: str) -> _Sums:
    """Start the sums of a module and of every module above it."""
    missing = []
    path = module
    while path not in sums:
        missing.append(path)
        path = path.rpartition(".")[0]
    for path in reversed(missing):
        sums[path] = _Sums()
    return sums[module]


def _tree_order(sums: dict[str, _Sums]) -> list[tuple[str, _Sums]]:
    """Return parents before children, children in the order they first appear."""
    children: dict[str, list[str]] = {}
    for path in sums:
        if path:
            children.setdefault(path.rpartition(".")[0], []).append(path)
    ordered = []
    stack = [""]
    while stack:
        path = stack.pop()
        ordered.append((path, sums[path]))
        stack.extend(reversed(children.get(path, ())))
    return ordered


def sum_known(numbers: Iterable[int | None]) -> int | None:
    """Sum of the numbers that are known; None when none is."""
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None
