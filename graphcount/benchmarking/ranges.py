"""What an input of integers may hold: found where the graph uses it, else by its usual name.

An index into a table must stay below the table's rows. Everything else that is an integer becomes
ones, which shapes, counts, axes and lengths accept more often than anything else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from graphcount.graph import GraphNode, ModelGraph
from graphcount.loading.model import ValueInfo

INDEX_INPUTS: dict[tuple[str, str], tuple[tuple[int, int], ...]] = {
    ("", "Gather"): ((1, 0),),
    ("", "GatherElements"): ((1, 0),),
    ("com.microsoft", "GatherBlockQuantized"): ((1, 0),),
    ("com.microsoft", "EmbedLayerNormalization"): ((0, 2), (1, 4)),
}
"""(domain, op_type) → pairs of input indices: indices, and the table they look up."""

PASSES = frozenset({"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
"""Operators whose first output holds the numbers of their first input."""

TABLE_PASSES = PASSES | {"DequantizeLinear"}

NAMES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"mask", re.I), "ones"),
    (re.compile(r"token_type|segment", re.I), "zeros"),
    (re.compile(r"position", re.I), "positions"),
)
"""Usual names → how such an input is filled."""

MAX_STEPS = 10_000


def fill_of(name: str, info: ValueInfo, family: str, graph: ModelGraph) -> str:
    """How an input is filled: a recipe of `graphcount.benchmarking.fill`.

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
    """Rows of every table that a value looks up."""
    stack, seen = [source], {source}
    while stack and len(seen) < MAX_STEPS:
        for use in graph.readers(stack.pop()):
            reader = graph.nodes[use.node]
            yield from _rows(reader, use.index, graph)
            passes = reader.op_type in PASSES and use.index == 0
            if (passes or reader.kind == "input") and reader.id not in seen:  # an input: of a body
                seen.add(reader.id)
                stack.append(reader.id)


def _rows(node: GraphNode, index: int | None, graph: ModelGraph) -> Iterator[int]:
    for indices, table in INDEX_INPUTS.get((node.domain, node.op_type), ()):
        if index != indices or node.record is None:
            continue
        dims = _stored_dims(node.id, table, graph)
        axis = node.record.integer("axis", node.record.integer("gather_axis", 0))
        if dims and -len(dims) <= axis < len(dims) and dims[axis] > 0:
            yield dims[axis]


def _stored_dims(node: str, index: int, graph: ModelGraph) -> tuple[int, ...] | None:
    """Dimensions of an operand, when it is stored or made from a stored tensor of that shape."""
    for _ in range(16):
        producer = graph.nodes.get(graph.producer(node, index) or "")
        if producer is None:
            return None
        if producer.kind == "initializer":
            return producer.tensor.dims
        if producer.kind == "operator" and producer.op_type == "Constant":
            attribute = producer.record.attribute("value")
            return attribute.tensors[0].dims if attribute and attribute.tensors else None
        if producer.op_type not in TABLE_PASSES - {"Reshape", "Transpose", "Flatten"}:
            return None
        node, index = producer.id, 0
    return None
