"""What an input of integers may hold: worked out where the graph uses it, else by its usual name.

An index into a table must stay below the table's rows. Everything else that is an integer becomes
ones, which shapes, counts, axes and lengths accept more often than anything else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from graphcount.graph import GraphNode, ModelGraph, is_constant
from graphcount.loading.model import ValueInfo
from graphcount.ops import NEWEST_OPSET
from graphcount.ops.call import Call, whole
from graphcount.ops.inference import CANNOT

NAMES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"mask", re.I), "ones"),
    (re.compile(r"token_type|segment", re.I), "zeros"),
    (re.compile(r"position", re.I), "positions"),
)
"""Usual names → how such an input is filled."""

MAX_STEPS = 10_000
MAX_LOOK = 16


def fill_of(name: str, info: ValueInfo, family: str, graph: ModelGraph) -> str:
    """Return how an input is filled: a recipe of `graphcount.benchmarking.fill`.

    Args:
        name: Of the graph input.
        info: Its declaration.
        family: Of its element type: `float`, `int`, `bool`, `string`, `complex`.
        graph: The graph, to see how it is used.
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
    bound = min(_bounds(f"input:{name}", graph), default=None)
    if bound is not None and named in (None, "ones"):
        return f"indices < {bound}"
    if named == "positions" and bound is not None:
        return f"positions < {bound}"
    if named is not None:
        return named
    return "bytes" if info.data_type in (2, 3) and len(info.shape or ()) > 1 else "ones"


def _bounds(source: str, graph: ModelGraph) -> Iterator[int]:
    """Yield rows of every table that a value looks up."""
    stack, seen = [source], {source}
    while stack and len(seen) < MAX_STEPS:
        for use in graph.readers(stack.pop()):
            reader = graph.nodes[use.node]
            yield from _rows(reader, use.index, graph)
            passes = reader.operator is not None and use.index in reader.operator.passes
            if (passes or reader.kind == "input") and reader.id not in seen:  # an input: of a body
                seen.add(reader.id)
                stack.append(reader.id)


def _rows(node: GraphNode, index: int | None, graph: ModelGraph) -> Iterator[int]:
    if node.operator is None or node.record is None:
        return
    for indices, table in node.operator.lookups:
        if index != indices:
            continue
        dims = _stored_dims(node.id, table, graph)
        axis = node.record.integer("axis", node.record.integer("gather_axis", 0))
        if dims and -len(dims) <= axis < len(dims) and dims[axis] > 0:
            yield dims[axis]


def _stored_dims(
    node: str, index: int, graph: ModelGraph, steps: int = MAX_LOOK
) -> tuple[int, ...] | None:
    """Return dimensions of an operand that is stored, or only moved or converted on its way."""
    producer = graph.nodes.get(graph.producer(node, index) or "")
    if producer is None or not steps:
        return None
    if producer.kind == "initializer":
        return producer.tensor.dims
    if producer.kind != "operator" or producer.operator is None:
        return None
    if is_constant(producer):
        attribute = producer.record.attribute("value")
        return attribute.tensors[0].dims if attribute and attribute.tensors else None
    rule = producer.operator.shape
    if rule is None or 0 not in producer.operator.passes or len(producer.outputs) != 1:
        return None
    dims = _stored_dims(producer.id, 0, graph, steps - 1)
    if dims is None:
        return None
    try:
        (shape,) = rule(Call(producer.record, NEWEST_OPSET[""], (dims,)))
    except CANNOT:
        return None
    return whole(shape)
