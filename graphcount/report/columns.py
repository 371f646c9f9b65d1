"""Columns of a grouping that can be asked for: sums of its rows, and facts of the nodes in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

from graphcount.report.records import Report
from graphcount.report.rollup import By, Group, node_labels
from graphcount.report.rows import OUTPUT, NodeRow, intensity
from graphcount.units import Unit


class Summed(NamedTuple):
    """A number of a row.

    Attributes:
        known: Sum of what is known; None where nothing is.
        lacks: It lacks something.
    """

    known: int | float | None
    lacks: bool


Nodes: TypeAlias = "Sequence[NodeRow]"


class GroupColumn(NamedTuple):
    """A column that can be asked for.

    Attributes:
        head: What stands above it.
        unit: What its numbers are; None for words and ratios.
        read: Its cell, from a row and the nodes in it.
        of_nodes: It is a fact of nodes: other groupings do not have it.
    """

    head: str
    unit: Unit | None
    read: Callable[[Group, Nodes], str | Summed]
    of_nodes: bool = False


def _field(name: str, row: Group, nodes: Nodes) -> Summed:
    """Return a field of a row."""
    del nodes
    return Summed(getattr(row, name), lacks=False)


def _zeros(row: Group, nodes: Nodes) -> Summed:
    """Return the zeros of the tensors that were read."""
    del nodes
    known = row.zeros if row.elements_read or not row.elements else None
    return Summed(known, row.elements_read < row.elements)


def _sum(name: str, nodes: Nodes) -> Summed:
    """Return the sum of a field."""
    numbers = [getattr(node, name) for node in nodes]
    known = [number for number in numbers if number is not None]
    return Summed(sum(known) if known or not numbers else None, len(known) < len(numbers))


def _intensity(nodes: Nodes) -> Summed:
    """Return FLOPs for each byte that is read or written."""
    parts = [_sum(name, nodes) for name in ("macs", "read_nbytes", "written_nbytes")]
    if any(part.lacks for part in parts):
        return Summed(None, lacks=True)
    macs, read, written = (int(part.known or 0) for part in parts)
    return Summed(intensity(macs, read, written), lacks=False)


def _types(nodes: Nodes) -> str:
    """Return the pairs of types that are multiplied, each once."""
    pairs = {
        None if node.operand_types is None else types_words(node.operand_types) for node in nodes
    }
    known = sorted(pair for pair in pairs if pair)
    return ", ".join([*known, *(["?"] if None in pairs else [])])


def types_words(types: Sequence[str] | None) -> str:
    """Write types that are multiplied: `uint8 x int8`."""
    return "unknown types" if types is None else " x ".join(types)


def _of_row(name: str, unit: Unit = "count", head: str = "") -> GroupColumn:
    return GroupColumn(head or name, unit, partial(_field, name))


def _of_nodes(head: str, unit: Unit | None, read: Callable[[Nodes], str | Summed]) -> GroupColumn:
    return GroupColumn(head, unit, lambda row, nodes: read(nodes), of_nodes=True)


COLUMNS: Mapping[str, GroupColumn] = {
    "nodes": _of_row("nodes"),
    "tensors": _of_row("tensors"),
    "parameters": _of_row("parameters"),
    "buffers": _of_row("buffers"),
    "elements": _of_row("elements"),
    "nbytes": _of_row("nbytes", "bytes", "size"),
    "zeros": GroupColumn("zeros", "count", _zeros),
    "types": _of_nodes("types", None, _types),
    "macs": _of_nodes("MACs", "count", partial(_sum, "macs")),
    "elementwise": _of_nodes("element-wise", "count", partial(_sum, "elementwise")),
    "bit_operations": _of_nodes("bit operations", "count", partial(_sum, "bit_operations")),
    "read_nbytes": _of_nodes("read", "bytes", partial(_sum, "read_nbytes")),
    "written_nbytes": _of_nodes("written", "bytes", partial(_sum, "written_nbytes")),
    "intensity": _of_nodes("FLOPs/byte", None, _intensity),
}
"""Columns by name; `zeros` only where they were counted."""

WITH_NODES: frozenset[By] = frozenset({"module", "node", "op_type"})
"""Groupings whose rows have nodes."""


def members(
    report: Report, by: By, depth: int | None, rows: Sequence[Group]
) -> list[list[NodeRow]]:
    """Return the nodes of each row of a grouping, as `arrange` has them: a last one of the rest."""
    labels = node_labels(report, by, depth)
    inside: dict[str, list[NodeRow]] = {}
    for node in report.nodes:
        if node.op_type != OUTPUT:
            inside.setdefault(labels.get(node.id, ""), []).append(node)
    taken = [inside.pop(row.label, []) for row in rows]
    if inside and taken:
        taken[-1] = [*taken[-1], *(node for rest in inside.values() for node in rest)]
    return taken
