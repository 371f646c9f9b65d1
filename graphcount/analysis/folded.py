"""What `operand_elements` is once everything is computed that depends on no input.

Few models compute anything of constants that a tool could have folded: this is loaded for them.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphcount.analysis.operand_elements import (
    NumberSource,
    OperandElements,
    copies,
    is_source,
    reads,
    steers,
)
from graphcount.analysis.shapes import ValueShapes
from graphcount.graph import GraphNode, ModelGraph
from graphcount.ops.call import complete, size


def without_shapes(operands: OperandElements) -> int | None:
    """Return `operand_elements` where it does not depend on shapes; None where it does."""
    nodes = operands.graph.nodes
    depends = operands.open or any(not is_source(nodes[id]) for id in _roots(operands))
    return None if depends else operands.before


def total(operands: OperandElements, shapes: ValueShapes) -> tuple[int, list[str]]:
    """Return `operand_elements`, and nodes of which nobody knows how many numbers they make.

    Args:
        operands: What reaches the outputs through numbers.
        shapes: Shapes of the values.
    """
    random = drawn(operands, shapes)
    sources = (*operands.sources, *random)
    before = sum(source.elements for source in sources)
    after, unsized = _folded(operands, sources, shapes)
    return max(before, after), unsized


def drawn(operands: OperandElements, shapes: ValueShapes) -> list[NumberSource]:
    """Return what nodes generate of which only shapes tell how much."""
    sizes = [(node, elements_of(operands.graph, node, shapes)) for node in operands.open]
    return [NumberSource(elements or 0, (node,), None) for node, elements in sizes]


def _folded(
    operands: OperandElements, sources: Sequence[NumberSource], shapes: ValueShapes
) -> tuple[int, list[str]]:
    """Return the sum after folding, and nodes of which nobody knows how many numbers they make."""
    roots = _roots(operands)
    made = sorted(id for id in roots if not is_source(operands.graph.nodes[id]))
    kept = roots.difference(made)
    left = sum(
        source.elements
        for source in sources
        if not kept.isdisjoint(source.origins)
        or not operands.constant.issuperset(operands.influential.intersection(source.origins))
    )
    different, unsized = _different(operands, sources, shapes)
    unknown = [id for id in operands.open if elements_of(operands.graph, id, shapes) is None]
    unknown += [id for id in made if id in unsized]
    return left + sum(different.get(id, 0) for id in made), unknown


def _roots(operands: OperandElements) -> set[str]:
    """Return the constant nodes that meet what depends on inputs, or an output.

    Those that only move or convert numbers are looked through.
    """
    graph, reach, constant = operands.graph, operands.influential, operands.constant
    nodes = graph.nodes
    stack = [
        id
        for id in constant
        for use in graph.readers(id)
        if use.node in reach
        and (use.node not in constant or nodes[use.node].kind == "output")
        and not steers(nodes[use.node], use)
    ]
    seen, roots = set(stack), set[str]()
    while stack:
        node = nodes[stack.pop()]
        if not copies(node):
            roots.add(node.id)
            continue
        for use in reads(graph, node):
            if use.producer not in seen:
                seen.add(use.producer)
                stack.append(use.producer)
    return roots


def _different(
    operands: OperandElements, sources: Sequence[NumberSource], shapes: ValueShapes
) -> tuple[dict[str, int], set[str]]:
    """Return how many different numbers each constant node can have; and where nobody knows."""
    graph, different, unsized = operands.graph, dict[str, int](), set[str]()
    held: dict[str, int] = {}
    for source in sources:
        for origin in source.origins:
            held[origin] = held.get(origin, 0) + source.elements
    for id in graph.order:
        if id not in operands.constant:
            continue
        node = graph.nodes[id]
        parts = [different.get(use.producer, 1) for use in reads(graph, node)]
        elements = elements_of(graph, id, shapes)
        if is_source(node):
            different[id] = max(1, held.get(id, 0))
        elif elements is not None:
            different[id] = _most(node, parts, elements)
        else:
            different[id] = max((*parts, held.get(id, 0)), default=0)
            if node.kind == "operator" and (len(parts) > 1 or not _is_told(node, parts)):
                unsized.add(id)
    return different, unsized


def _is_told(node: GraphNode, parts: Sequence[int]) -> bool:
    """Return whether a node without a known size has no more numbers than what enters it."""
    return _is_elementwise(node) or (node.operator is not None and not parts)


def _is_elementwise(node: GraphNode) -> bool:
    """Return whether each number it makes is made of one number of each operand."""
    return copies(node) or (node.operator is not None and node.operator.family == "elementwise")


def _most(node: GraphNode, parts: Sequence[int], elements: int) -> int:
    """Return how many different numbers a node can make of so many: no more than its elements."""
    if not _is_elementwise(node):
        return elements
    most = 0 if copies(node) else 1
    for part in parts:
        most = most + part if copies(node) else most * part
        if most >= elements:
            return elements
    return most


def elements_of(graph: ModelGraph, id: str, shapes: ValueShapes) -> int | None:
    """Return the elements of all results of a node; None where one is not known."""
    total = 0
    for value in graph.nodes[id].outputs:
        if value:
            dims = complete(shapes.shapes.get((id, value)))
            elements = size(dims) if dims is not None else None
            if not isinstance(elements, int):
                return None
            total += elements
    return total
