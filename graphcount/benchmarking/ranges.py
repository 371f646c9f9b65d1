"""What an input holds: worked out where the graph uses it, else by its usual name.

An index into a table must stay below the table's rows. Everything else that is an integer becomes
ones, which shapes, counts, axes and lengths accept more often than anything else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from graphcount.analysis.shapes import ValueShapes
from graphcount.benchmarking.steering import is_moved
from graphcount.graph import GraphNode, ModelGraph
from graphcount.loading.model import ValueInfo

NAMES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"mask", re.I), "ones"),
    (re.compile(r"token_type|segment", re.I), "zeros"),
    (re.compile(r"position", re.I), "positions"),
)
"""Usual names → how such an input is filled."""

MAX_STEPS = 10_000


def fill_of(name: str, info: ValueInfo, family: str, graph: ModelGraph, shapes: ValueShapes) -> str:
    """Return how an input is filled: a recipe of `graphcount.benchmarking.fill`.

    Args:
        name: Of the graph input.
        info: Its declaration.
        family: Of its element type: `float`, `int`, `bool`, `string`, `complex`.
        graph: The graph, to see how it is used.
        shapes: Shapes of everything at the sizes that are fed.
    """
    if info.type not in ("tensor", ""):
        return info.type
    if family == "string":
        return "words"
    named = next((fill for pattern, fill in NAMES if pattern.search(name)), None)
    if family in ("float", "complex"):
        return "ones" if named == "ones" else "normal"
    if family == "bool":
        return "ones"
    bound = min(_bounds(f"input:{name}", graph, shapes), default=None)
    if bound is not None and named in (None, "ones"):
        return f"indices < {bound}"
    if named == "positions" and bound is not None:
        return f"positions < {bound}"
    if named is not None:
        return named
    return "bytes" if info.data_type in (2, 3) and len(info.shape or ()) > 1 else "ones"


def _bounds(source: str, graph: ModelGraph, shapes: ValueShapes) -> Iterator[int]:
    """Yield rows of every table that a value looks up."""
    stack, seen = [source], {source}
    while stack and len(seen) < MAX_STEPS:
        for use in graph.readers(stack.pop()):
            reader = graph.nodes[use.node]
            yield from _rows(reader, use.index, shapes)
            moved = reader.kind == "operator" and is_moved(reader, use.index)
            if (moved or reader.kind == "input") and reader.id not in seen:  # an input: of a body
                seen.add(reader.id)
                stack.append(reader.id)


def _rows(node: GraphNode, index: int | None, shapes: ValueShapes) -> Iterator[int]:
    if node.operator is None or node.record is None:
        return
    for indices, table in node.operator.lookups:
        if index != indices:
            continue
        dims = shapes.calls(node.id).input(table)
        axis = node.record.integer("axis", node.record.integer("gather_axis", 0))
        rows = dims[axis] if dims and -len(dims) <= axis < len(dims) else None
        if isinstance(rows, int) and rows > 0:
            yield rows
