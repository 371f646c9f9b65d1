"""Views of a report: flat groupings whose rows sum to the totals, and the tree of modules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

from graphcount.domains import operator_name
from graphcount.report.records import Report, sum_known
from graphcount.report.rows import OUTPUT, Dim, NodeRow, TensorRow

By = Literal["module", "node", "op_type", "dtype", "kind", "tensor"]
BY: tuple[By, ...] = ("module", "node", "op_type", "dtype", "kind", "tensor")

Sort = Literal["graph", "parameters", "nbytes", "macs", "name"]
SORT: tuple[Sort, ...] = ("graph", "parameters", "nbytes", "macs", "name")


class Group(NamedTuple):
    """One row of a grouping.

    Attributes:
        label: Name of the module, node, operator, dtype, kind or tensor; empty for "no module".
        detail: What else tells it apart: op type, or dtype, shape, kind and role of a tensor.
        nodes: Operators in it (0 where the grouping is one of tensors).
        tensors: Stored tensors in it.
        elements: Logical elements of its stored tensors, of every kind.
        macs: Of its nodes where they are numbers; 0 where the grouping is one of tensors.
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


class TreeRow(NamedTuple):
    """A module in the tree, with all below it.

    Attributes:
        label: Its name without the parent's.
        level: Indentation.
        op_types: Operators directly in it or below, when the tree shows nothing deeper.
        output_shape: Shape of the last of these operators' first output, when it is declared.
    """

    label: str
    level: int
    op_types: str
    output_shape: tuple[Dim, ...] | None
    parameters: int
    buffers: int
    nbytes: int
    nodes: int
    macs: int | None


def groups(report: Report, by: By, depth: int | None = None) -> list[Group]:
    """Return rows of a grouping in graph order; every column sums to the totals.

    Args:
        report: The report.
        by: What to group by.
        depth: For modules: how many components of the path count (None: all).
    """
    sums: dict[str, list[int]] = {}
    details: dict[str, str] = {}
    label_of_node = _node_labels(report, by, depth)
    if by in ("module", "node", "op_type"):
        for node in report.nodes:
            label = label_of_node[node.id]
            row = sums.setdefault(label, [0] * 7)
            row[0] += node.op_type != OUTPUT
            row[6] += node.macs or 0
            if by == "node":
                details[label] = operator_name(node.domain, node.op_type)
    for index, tensor in enumerate(report.tensors):
        label = _tensor_label(tensor, index, by, label_of_node)
        row = sums.setdefault(label, [0] * 7)
        row[1] += 1
        row[2] += tensor.elements if tensor.kind == "parameter" else 0
        row[3] += tensor.elements if tensor.kind == "buffer" else 0
        row[4] += tensor.elements
        row[5] += tensor.nbytes
        if by == "tensor":
            shape = "x".join(map(str, tensor.shape)) or "scalar"
            details[label] = f"{tensor.dtype} {shape} {tensor.kind}: {tensor.role}"
    names = {str(index): tensor.name for index, tensor in enumerate(report.tensors)}
    return [
        Group(names[label] if by == "tensor" else label, details.get(label, ""), *row)
        for label, row in sums.items()
    ]


def arrange(rows: list[Group], sort: Sort, top: int | None) -> list[Group]:
    """Sort rows and fold all behind the first `top` into one row, so that sums stay."""
    keys: dict[str, Callable[[Group], tuple[int | str, ...]]] = {
        "parameters": lambda row: (-row.parameters, -row.nbytes),
        "nbytes": lambda row: (-row.nbytes, -row.parameters),
        "macs": lambda row: (-row.macs, -row.nbytes),
        "name": lambda row: (row.label, row.detail),
    }
    if sort != "graph":
        rows = sorted(rows, key=keys[sort])
    if top is None or len(rows) <= top:
        return rows
    rest = rows[top:]
    return [*rows[:top], total(rest, f"({len(rest):,} others)")]


def total(rows: Iterable[Group], label: str) -> Group:
    """Return one row with the sums of rows."""
    sums = [0] * 7
    for row in rows:
        for position, number in enumerate(row[2:]):
            sums[position] += number
    return Group(label, "", *sums)


def default_sort(by: By) -> Sort:
    """Return graph order where there is one, else the largest first."""
    return "graph" if by in ("module", "node", "tensor") else "parameters"


def tree(
    report: Report, depth: int, top: int | None = None
) -> tuple[list[TreeRow], TreeRow | None]:
    """Return the module tree down to `depth` levels, the whole model left out.

    A module that only wraps one other module takes no level of its own. Nodes are split no deeper
    than the rows that are kept.

    Args:
        report: The report.
        depth: Levels to show.
        top: Rows before the rest is left out; None: all.

    Returns:
        Rows, and, when some were left out, one with the sums of what is in none of them, so that
        the rows without indentation sum to the totals.
    """
    loose, below = _split(list(report.nodes), "")
    rows: list[TreeRow] = []
    stack = [(path, nodes, 0, "") for path, nodes in reversed(below.items())]
    while stack:
        if top is not None and len(rows) >= top:
            hidden = [node for _, nodes, level, _ in stack if level == 0 for node in nodes]
            return rows, _loose(report, [*hidden, *loose], "")
        path, nodes, level, parent = stack.pop()
        direct, below = _split(nodes, path)
        if len(below) == 1 and not direct:
            ((only, inside),) = below.items()
            stack.append((only, inside, level, parent))
            continue
        is_leaf = level + 1 >= depth or not below
        rows.append(
            TreeRow(
                label=path[len(parent) + 1 :] if parent else path,
                level=level,
                op_types=_op_types(nodes) if is_leaf else "",
                output_shape=_last_shape(nodes) if is_leaf else None,
                parameters=sum(node.parameters for node in nodes),
                buffers=sum(node.buffers for node in nodes),
                nbytes=sum(node.nbytes for node in nodes),
                nodes=sum(node.op_type != OUTPUT for node in nodes),
                macs=sum_known(node.macs for node in nodes),
            )
        )
        if not is_leaf:
            stack.extend((p, inside, level + 1, path) for p, inside in reversed(below.items()))
    if loose:
        rows.append(_loose(report, loose, "(no module)"))
    return rows, None


def _split(nodes: list[NodeRow], path: str) -> tuple[list[NodeRow], dict[str, list[NodeRow]]]:
    """Return nodes directly in a module, and those of each module in it."""
    direct: list[NodeRow] = []
    below: dict[str, list[NodeRow]] = {}
    start = len(path) + 1 if path else 0
    for node in nodes:
        module = node.module
        if module == path:
            direct.append(node)
            continue
        end = module.find(".", start + 1)  # a part has a character, so each step goes down
        below.setdefault(module if end < 0 else module[:end], []).append(node)
    return direct, below


def has_modules(report: Report) -> bool:
    """Return whether the names in the file tell modules apart."""
    return any(node.module for node in report.nodes)


def _node_labels(report: Report, by: By, depth: int | None) -> dict[str, str]:
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


def _op_types(nodes: list[NodeRow]) -> str:
    """Return `Conv`, `Conv + Relu`, or the most frequent operators and how many more there are."""
    weighted = Counter(
        operator_name(node.domain, node.op_type) for node in nodes if node.parameters
    )
    every = Counter(_operator(node) for node in nodes)
    order = [name for name, _ in weighted.most_common()]
    order += [name for name, _ in every.most_common() if name not in weighted]
    text = " + ".join(f"{every[name]} {name}" if every[name] > 1 else name for name in order[:2])
    return f"{text} + {len(order) - 2} more" if len(order) > 2 else text


def _last_shape(nodes: list[NodeRow]) -> tuple[Dim, ...] | None:
    for node in reversed(nodes):
        if node.output_shapes and node.output_shapes[0] is not None:
            return node.output_shapes[0]
    return None


def _loose(report: Report, nodes: list[NodeRow], label: str) -> TreeRow:
    """Return nodes that stand in no row, and the tensors of no node."""
    unowned = [tensor for tensor in report.tensors if tensor.owner is None]
    return TreeRow(
        label=label,
        level=0,
        op_types=_op_types(nodes),
        output_shape=None,
        parameters=sum(node.parameters for node in nodes)
        + sum(tensor.elements for tensor in unowned if tensor.kind == "parameter"),
        buffers=sum(node.buffers for node in nodes)
        + sum(tensor.elements for tensor in unowned if tensor.kind == "buffer"),
        nbytes=sum(node.nbytes for node in nodes) + sum(tensor.nbytes for tensor in unowned),
        nodes=sum(node.op_type != OUTPUT for node in nodes),
        macs=sum_known(node.macs for node in nodes),
    )
