"""Memory of a forward pass besides the weights: inputs, outputs, and activations while they live.

Rules, stated because every runtime differs:

* Nodes run one after another in the order of the file (topologically, where it is not sorted).
* An activation is an output of an operator. It lives from its node to its last use; an output of
  the graph lives to the end. Constants and initializers are weights, not activations.
* While a node runs, its inputs and its outputs live at the same time: nothing is done in place.
  With `in_place`, the result of an operator that only renames or reshapes (Identity, Reshape,
  Flatten, Squeeze, Unsqueeze, Dropout) is its input's memory, as in onnxruntime.
* Bodies of If, Loop and Scan run before their holder's result exists, one after the other.

onnxruntime plans buffers by the same liveness and rounds each up to 256 bytes; its arena also keeps
what it once had.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from graphcount.analysis.shapes import ValueShapes
from graphcount.dtypes import DTYPES
from graphcount.graph import Tables, topological_order
from graphcount.ops.call import complete, size
from graphcount.symbolic import Dim, Expr, TooComplexError

ALIASES = frozenset({"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout"})
"""Operators whose result can be the memory of their first input."""

WEIGHTS = frozenset({"Constant"})
"""Operators whose results are stored in the file."""


class Peak(NamedTuple):
    """The moment with the most live activations.

    Attributes:
        node: Id of the operator that runs then.
        nbytes: Bytes alive.
        values: Name and bytes of each live value, largest first.
    """

    node: str
    nbytes: int
    values: tuple[tuple[str, int], ...]


class Memory(NamedTuple):
    """Bytes of a forward pass; None where a shape or a type is not known.

    Attributes:
        inputs: Inputs of the graph.
        outputs: Outputs of the graph.
        activations: All results of operators, as if nothing were freed.
        peak: None as long as a dimension is free, since sizes cannot be compared then.
    """

    inputs: Dim | None
    outputs: Dim | None
    activations: Dim | None
    peak: Peak | None


def memory(tables: Tables, shapes: ValueShapes, *, in_place: bool = False) -> Memory:
    """Measure a forward pass by the rules above."""
    sizes = _activation_sizes(tables, shapes)
    every = [dim for results in sizes.values() for dim in results.values()]
    total = _total(every)
    peak = _peak(tables, sizes, in_place) if isinstance(total, int) else None
    inputs = [
        _nbytes(shapes, node, data["name"])
        for node, data in tables.nodes.items()
        if data["kind"] == "input" and not data["scope"]
    ]
    outputs = [
        _nbytes(shapes, producer, edge["value"])
        for node, data in tables.nodes.items()
        if data["kind"] == "output"
        for producer, keyed in tables.pred[node].items()
        for edge in keyed.values()
    ]
    return Memory(_total(inputs), _total(outputs), total, peak)


def _total(sizes: Iterable[Dim | None]) -> Dim | None:
    """Sum of sizes; None when one is not known."""
    total: Dim = 0
    for nbytes in sizes:
        if nbytes is None:
            return None
        try:
            total = total + nbytes
        except TooComplexError:
            return None
    return total


def _nbytes(shapes: ValueShapes, producer: str, value: str) -> Dim | None:
    """Bytes of a value, or None when its shape or type is not known."""
    dims = complete(shapes.shapes.get((producer, value)))
    dtype = DTYPES.get(shapes.dtypes.get((producer, value), 0))
    if dims is None or dtype is None or not dtype.bits:
        return None
    try:
        elements = size(dims)
    except TooComplexError:
        return None
    if isinstance(elements, Expr):
        return elements * dtype.bits // 8
    return dtype.nbytes(elements)


def _activation_sizes(tables: Tables, shapes: ValueShapes) -> dict[str, dict[str, Dim | None]]:
    """Bytes of each operator's results that something reads, by node and value."""
    found: dict[str, dict[str, Dim | None]] = {}
    for node, data in tables.nodes.items():
        if data["kind"] != "operator" or data["op_type"] in WEIGHTS:
            continue
        read = {edge["value"] for keyed in tables.succ[node].values() for edge in keyed.values()}
        found[node] = {
            value: _nbytes(shapes, node, value)
            for value in data["node"].outputs
            if value and value in read
        }
    return found


def _peak(tables: Tables, sizes: dict[str, dict[str, Dim | None]], in_place: bool) -> Peak | None:
    """Walk the nodes in order and keep the sum of what lives."""
    order = topological_order(tables)
    position = {node: index for index, node in enumerate(order)}
    home = _homes(tables, sizes, order) if in_place else {}
    ends: dict[tuple[str, str], int] = {}
    for node in order:
        for value in sizes.get(node, ()):
            key = home.get((node, value), (node, value))
            ends[key] = max(ends.get(key, 0), _last_use(tables, node, value, position))
    live: dict[tuple[str, str], int] = {}
    dying: dict[int, list[tuple[str, str]]] = {}
    total, best, best_at = 0, -1, -1
    for index, node in enumerate(order):
        for value, nbytes in sizes.get(node, {}).items():
            key = home.get((node, value), (node, value))
            if key not in live and isinstance(nbytes, int):
                live[key] = nbytes
                total += nbytes
                dying.setdefault(ends[key], []).append(key)
        if total > best:
            best, best_at = total, index
        for key in dying.pop(index, ()):
            total -= live.pop(key)
    if best_at < 0:
        return None
    return Peak(order[best_at], best, _alive_at(best_at, sizes, home, ends, position))


def _last_use(tables: Tables, node: str, value: str, position: dict[str, int]) -> int:
    """Position of the last reader of a value."""
    return max(
        (
            position.get(consumer, 0)
            for consumer, keyed in tables.succ[node].items()
            if any(edge["value"] == value for edge in keyed.values())
        ),
        default=position[node],
    )


def _homes(
    tables: Tables, sizes: dict[str, dict[str, Dim | None]], order: list[str]
) -> dict[tuple[str, str], tuple[str, str]]:
    """For results that are their input's memory: whose it is."""
    home: dict[tuple[str, str], tuple[str, str]] = {}
    for node in order:
        data = tables.nodes[node]
        if data["kind"] != "operator" or data["op_type"] not in ALIASES or data["domain"]:
            continue
        for producer, keyed in tables.pred[node].items():
            for edge in keyed.values():
                if edge["index"] == 0 and edge["value"] in sizes.get(producer, ()):
                    source = (producer, edge["value"])
                    home[node, data["node"].outputs[0]] = home.get(source, source)
    return home


def _alive_at(
    moment: int,
    sizes: dict[str, dict[str, Dim | None]],
    home: dict[tuple[str, str], tuple[str, str]],
    ends: dict[tuple[str, str], int],
    position: dict[str, int],
) -> tuple[tuple[str, int], ...]:
    """Values alive while the node at `moment` runs, largest first."""
    found = [
        (value, nbytes)
        for node, results in sizes.items()
        for value, nbytes in results.items()
        if (node, value) not in home
        and isinstance(nbytes, int)
        and position.get(node, moment + 1) <= moment <= ends.get((node, value), -1)
    ]
    return tuple(sorted(found, key=lambda item: (-item[1], item[0])))
