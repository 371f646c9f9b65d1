"""Numbers that nobody stored but the graph makes without inputs: they cost memory when it runs.

ConstantOfShape, Expand, Tile, Range and the random generators, where their shape is a stored
constant and no graph input is involved (onnx/docs/Operators.md). Some exporters and test
models make whole weights this way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil, prod
from typing import NamedTuple

from graphcount.analysis.counts import Row
from graphcount.analysis.shapes import ValueShapes
from graphcount.analysis.values import Values
from graphcount.errors import Unknown
from graphcount.graph import ModelGraph, OperatorNode, is_constant, traits_of
from graphcount.ops.call import Call, size

MAX_RANK = 64
"""Dimensions of a tensor (`Limits.rank`)."""


class Generated(NamedTuple):
    """One node that makes elements from constants.

    Attributes:
        node: Its id.
        elements: How many, exactly.
        unresolved: The shape is computed or makes no sense, so `elements` is 0 and unknown.
    """

    node: str
    elements: int
    unresolved: bool


def find_generated(
    model_graph: ModelGraph, rows: tuple[Row, ...], values: Values
) -> tuple[Generated, ...]:
    """Return every node that makes elements without depending on a graph input."""
    groups = model_graph.by_operator.values()
    makers = {node.id for nodes in groups if "generates" in traits_of(nodes[0]) for node in nodes}
    if not makers:
        return ()
    starts = [
        id
        for id, node in model_graph.nodes.items()
        if node.kind == "input" and not model_graph.operands(id)
    ]
    dependent = model_graph.descendants(starts)
    constants = _constants(rows)
    generated = []
    for node in model_graph.operators:
        if node.id not in makers or node.id in dependent:
            continue
        elements = _elements(model_graph, node, constants, values)
        generated.append(Generated(node.id, elements or 0, elements is None))
    return tuple(generated)


def settled(
    unknowns: Iterable[Unknown], graph: ModelGraph, shapes: ValueShapes
) -> tuple[int, tuple[Unknown, ...]]:
    """Return what shapes say of sizes that the stored constants alone did not tell.

    Returns:
        Numbers made by nodes whose size is now known, and what stays unknown.
    """
    made, left = 0, []
    for unknown in unknowns:
        if unknown.affects != "generated":
            left.append(unknown)
            continue
        call = shapes.calls(unknown.where)
        dims = call.output()
        elements = size(dims) if dims is not None else None
        if isinstance(elements, int):
            made += _beyond_stored(elements, unknown.where, call, graph)
        elif elements is not None:
            why = f"its size is {elements}: give sizes to dynamic dimensions"
            left.append(unknown._replace(why=why))
        else:
            left.append(unknown)
    return made, tuple(left)


def _beyond_stored(elements: int, node: str, call: Call, graph: ModelGraph) -> int:
    """An Expand that leaves a stored tensor as it is makes nothing."""
    data = graph.nodes.get(graph.producer(node, 0) or "")
    stored = data is not None and (data.kind == "initializer" or is_constant(data))
    held = call.known(0)
    if call.node.op_type == "Expand" and stored and held is not None and size(held) == elements:
        return 0
    return elements


def _constants(rows: tuple[Row, ...]) -> Mapping[str, Row]:
    """Return stored tensor by the id of the node that holds it."""
    return {
        origin: row
        for row in rows
        for origin in row.tensor.origins
        if row.stored.where != "attribute"
    }


def _elements(
    graph: ModelGraph, node: OperatorNode, constants: Mapping[str, Row], values: Values
) -> int | None:
    inputs = {use.index: use.producer for use in graph.operands(node.id)}
    roles = node.operator.roles if node.operator is not None else ()
    if node.op_type == "Range":
        bounds = [_numbers(inputs, index, constants, values) for index in range(3)]
        if any(bound is None or len(bound) != 1 for bound in bounds):
            return None
        return _steps(*(bound[0] for bound in bounds if bound))
    if "shape" not in roles:
        return _product(node.record.integers("shape"))
    made = _product(_numbers(inputs, roles.index("shape"), constants, values))
    held = constants.get(inputs.get(0, "")) if roles[0] != "shape" else None
    if node.op_type == "Tile":
        return None if made is None or held is None else held.elements * made
    return made if held is None or made is None or made > held.elements else 0


def _steps(start: float, limit: float, delta: float) -> int | None:
    """Return ceil((limit - start) / delta), exactly for integers (Operators.md, Range)."""
    try:
        if all(isinstance(number, int) for number in (start, limit, delta)):
            return max(0, int(-((start - limit) // delta)))
        return max(0, ceil((limit - start) / delta))
    except (ArithmeticError, ValueError):  # steps of 0, infinities, no numbers
        return None


def _product(dims: Sequence[float] | None) -> int | None:
    """Return the elements of a tensor of these dimensions, where these are known and not many."""
    if dims is None or len(dims) > MAX_RANK:
        return None
    whole = [max(0, dim) for dim in dims if isinstance(dim, int)]
    return prod(whole) if len(whole) == len(dims) else None


def _numbers(
    inputs: Mapping[int | None, str], index: int, constants: Mapping[str, Row], values: Values
) -> list[float] | None:
    row = constants.get(inputs.get(index, ""))
    if row is None or row.stored.elements > 4096:
        return None
    if row.stored.elements == 0:
        return []
    numbers = values.numbers(row.stored)
    return list(numbers) if numbers is not None else None
