"""Pairs → rows: what is the same, what changed and how, what was added or removed.

Every row names the old and the new side, and mirrors: exchanged sides give exchanged rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import groupby
from typing import NamedTuple, TypeVar

from graphcount.comparing.side import Side
from graphcount.report.diff import (
    AttributeRow,
    NodeChange,
    NodeSide,
    SizeDelta,
    Status,
    TensorChange,
    TensorSide,
)
from graphcount.report.rows import NodeRow

Partners = list[int | None]
Row = TypeVar("Row", NodeChange, TensorChange)


class Matching(NamedTuple):
    """Which row of the new side each row of the old side is, and the other way round.

    Attributes:
        by: What paired each row of the old side.
    """

    to_new: Partners
    to_old: Partners
    by: dict[int, str]


class ModulePairs(NamedTuple):
    """Which module of the new side each module of the old side is, where most nodes agree."""

    to_new: dict[str, str]
    to_old: dict[str, str]


def pair_modules(old: Side, new: Side, nodes: Matching) -> ModulePairs:
    """Return modules that choose each other: by the nodes they share, then by the name."""
    votes: Counter[tuple[str, str]] = Counter()
    for i, j in enumerate(nodes.to_new):
        if j is not None:
            votes[old.nodes[i].module, new.nodes[j].module] += 1
    order = sorted(votes, key=lambda pair: (-votes[pair], pair[0] != pair[1], *sorted(pair), pair))
    modules = ModulePairs({}, {})
    for first, second in order:
        if first not in modules.to_new and second not in modules.to_old:
            modules.to_new[first] = second
            modules.to_old[second] = first
    return modules


# ---------------------------------------------------------------------------------------- nodes


def node_rows(
    old: Side, new: Side, nodes: Matching, modules: ModulePairs
) -> tuple[NodeChange, ...]:
    """Return every node that is not the same on both sides."""
    rows = []
    for i, j in enumerate(nodes.to_new):
        if j is None:
            rows.append(_node_row("removed", (), old.nodes[i], None, None, ()))
            continue
        changes = _node_changes(old, new, i, j, nodes, modules)
        if changes:
            attributes: tuple[AttributeRow, ...] = ()
            if "attributes" in changes:
                attributes = _attribute_rows(dict(old.attributes[i]), dict(new.attributes[j]))
            pair = old.nodes[i], new.nodes[j]
            rows.append(_node_row("changed", changes, *pair, nodes.by[i], attributes))
    for j, partner in enumerate(nodes.to_old):
        if partner is None:
            rows.append(_node_row("added", (), None, new.nodes[j], None, ()))
    return _in_order(rows, _node_order)


def _node_changes(
    old: Side, new: Side, i: int, j: int, nodes: Matching, modules: ModulePairs
) -> tuple[str, ...]:
    first, second = old.nodes[i], new.nodes[j]
    reshaped = first.output_shapes != second.output_shapes
    cost = (first.macs, first.macs_expression) != (second.macs, second.macs_expression)
    differs = {
        "renamed": first.name != second.name,
        "operator": old.operators[i] != new.operators[j],
        "attributes": old.attributes[i] != new.attributes[j],
        "rewired": _inputs(old, i, nodes.to_new) != _inputs(new, j, None),
        "reshaped": reshaped,
        "moved": _changed_module(first.module, second.module, modules),
        "cost": cost and not reshaped,
    }
    return tuple(name for name, changed in differs.items() if changed)


def _changed_module(old: str, new: str, modules: ModulePairs) -> bool:
    """Return whether a node is in another module; False where names tell no module on one side."""
    return bool(old and new) and old != new and modules.to_new.get(old) != new


def _inputs(side: Side, node: int, names: Partners | None) -> list[tuple[object, ...]]:
    """Return what feeds a node, in the numbers of the new side."""
    made: list[tuple[object, ...]] = [
        (link.place, link.output, link.node if names is None else names[link.node])
        for link in side.before[node]
    ]
    return [*made, *((place, what) for place, what in side.sources[node])]


def _attribute_rows(old: dict[str, str], new: dict[str, str]) -> tuple[AttributeRow, ...]:
    return tuple(
        AttributeRow(name, old.get(name), new.get(name))
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    )


def _node_row(
    status: Status,
    changes: tuple[str, ...],
    old: NodeRow | None,
    new: NodeRow | None,
    by: str | None,
    attributes: tuple[AttributeRow, ...],
) -> NodeChange:
    delta = SizeDelta(
        parameters=(new.parameters if new else 0) - (old.parameters if old else 0),
        elements=0,
        nbytes=(new.nbytes if new else 0) - (old.nbytes if old else 0),
        macs=_difference(old.macs if old else 0, new.macs if new else 0),
    )
    sides = _node_side(old), _node_side(new)
    return NodeChange(status, changes, *sides, delta, by, attributes)


def _node_side(node: NodeRow | None) -> NodeSide | None:
    if node is None:
        return None
    return NodeSide(
        node.id,
        node.op_type,
        node.domain,
        node.module,
        node.parameters,
        node.nbytes,
        node.macs,
        node.macs_expression,
        node.output_shapes,
    )


# -------------------------------------------------------------------------------------- tensors


def tensor_rows(
    old: Side, new: Side, tensors: Matching, nodes: Matching
) -> tuple[TensorChange, ...]:
    """Return every tensor that is not the same on both sides."""
    rows = []
    for i, j in enumerate(tensors.to_new):
        first = _tensor_side(old, i)
        if j is None:
            rows.append(_tensor_row("removed", (), first, None, None))
            continue
        second = _tensor_side(new, j)
        changes = _tensor_changes(old, new, first, second, nodes)
        if changes:
            rows.append(_tensor_row("changed", changes, first, second, tensors.by[i]))
    for j, partner in enumerate(tensors.to_old):
        if partner is None:
            rows.append(_tensor_row("added", (), None, _tensor_side(new, j), None))
    return _in_order(rows, _tensor_order)


def _tensor_changes(
    old: Side, new: Side, first: TensorSide, second: TensorSide, nodes: Matching
) -> tuple[str, ...]:
    retyped = first.dtype != second.dtype
    reshaped = first.shape != second.shape
    known = first.sha256 is not None and second.sha256 is not None
    differs = {
        "renamed": first.name != second.name,
        "retyped": retyped,
        "reshaped": reshaped,
        "moved": _moved(old, new, first, second, nodes),
        "kind": first.kind != second.kind,
        "values": known and not retyped and not reshaped and first.sha256 != second.sha256,
    }
    return tuple(name for name, changed in differs.items() if changed)


def _moved(old: Side, new: Side, first: TensorSide, second: TensorSide, nodes: Matching) -> bool:
    """Return whether the owner is another node; two tensors without an owner have the same."""
    owner, other = old.number.get(first.owner or ""), new.number.get(second.owner or "")
    if owner is None or other is None:
        return owner is not other
    return nodes.to_new[owner] != other


def _tensor_side(side: Side, index: int) -> TensorSide:
    tensor, digests = side.tensors[index], side.subject.digests
    return TensorSide(
        index,
        tensor.name,
        tensor.dtype,
        tensor.shape,
        tensor.elements,
        tensor.nbytes,
        tensor.kind,
        tensor.role,
        tensor.owner,
        tensor.module,
        digests[index] if digests is not None and index < len(digests) else None,
    )


def _tensor_row(
    status: Status,
    changes: tuple[str, ...],
    old: TensorSide | None,
    new: TensorSide | None,
    by: str | None,
) -> TensorChange:
    delta = SizeDelta(
        parameters=_learned(new) - _learned(old),
        elements=(new.elements if new else 0) - (old.elements if old else 0),
        nbytes=(new.nbytes if new else 0) - (old.nbytes if old else 0),
        macs=None,
    )
    return TensorChange(status, changes, old, new, delta, by)


def _learned(side: TensorSide | None) -> int:
    return side.elements if side is not None and side.kind == "parameter" else 0


# ---------------------------------------------------------------------------------------- order


def _in_order(rows: list[Row], key: Callable[[Row], tuple[object, ...]]) -> tuple[Row, ...]:
    """Return rows in an order that is the same for both directions; ties go by content."""
    rows.sort(key=key)
    ordered: list[Row] = []
    for _, group in groupby(rows, key):
        tied = list(group)
        if len(tied) > 1:
            tied.sort(key=lambda row: sorted(map(repr, (row.old, row.new))))
        ordered += tied
    return tuple(ordered)


def _node_order(row: NodeChange) -> tuple[object, ...]:
    """Return the key of a row: largest difference first, then names."""
    first = row.old.id if row.old else ""
    second = row.new.id if row.new else first
    names = (first, second) if first <= second and first else (second, first or second)
    return -abs(row.delta.nbytes), -abs(row.delta.macs or 0), names


def _tensor_order(row: TensorChange) -> tuple[object, ...]:
    sides = [side for side in (row.old, row.new) if side is not None]
    names = sorted((side.name, side.position) for side in sides)
    return -abs(row.delta.nbytes), -abs(row.delta.elements), names


def _difference(old: int | None, new: int | None) -> int | None:
    return None if old is None or new is None else new - old
