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


class NodeColumn(NamedTuple):
    """A column of facts of nodes.

    Attributes:
        head: What stands above it.
        unit: What its numbers are; None for words and ratios.
        read: Its cell, from the nodes of a row.
    """

    head: str
    unit: Unit | None
    read: Callable[[Nodes], str | Summed]


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


OF_NODES: Mapping[str, NodeColumn] = {
    "types": NodeColumn("types", None, _types),
    "macs": NodeColumn("MACs", "count", partial(_sum, "macs")),
    "elementwise": NodeColumn("element-wise", "count", partial(_sum, "elementwise")),
    "bit_operations": NodeColumn("bit operations", "count", partial(_sum, "bit_operations")),
    "read_nbytes": NodeColumn("read", "bytes", partial(_sum, "read_nbytes")),
    "written_nbytes": NodeColumn("written", "bytes", partial(_sum, "written_nbytes")),
    "intensity": NodeColumn("FLOPs/byte", None, _intensity),
}
"""Columns of groupings whose rows have nodes."""

OF_ROWS: Mapping[str, Unit] = {
    "nodes": "count",
    "tensors": "count",
    "parameters": "count",
    "buffers": "count",
    "elements": "count",
    "nbytes": "bytes",
    "zeros": "count",
}
"""Columns of every grouping: fields of `Group`; `zeros` only where they were counted."""

COLUMNS = (*OF_ROWS, *OF_NODES)
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
