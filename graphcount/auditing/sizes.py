"""How large the results of nodes are, as far as that is certain."""

from __future__ import annotations

from math import prod

from graphcount.auditing.context import Context
from graphcount.dtypes import DTYPES
from graphcount.graph import is_constant
from graphcount.ops.call import Shape
from graphcount.symbolic import Dim


def elements_of(shape: Shape | None) -> int | None:
    """Return the elements of a tensor; None where a dimension is dynamic or not known."""
    if shape is None:
        return None
    dims = [dim for dim in shape if isinstance(dim, int)]
    return prod(dims) if len(dims) == len(shape) else None


def fewest_elements(shape: Shape) -> int:
    """Return the elements of a tensor when each dynamic dimension is 1; 0 where it is not known."""
    return prod(map(_fewest, shape))


def _fewest(dim: Dim | None) -> int:
    """Return a number, or the sum of what dynamic dimensions are multiplied with."""
    if isinstance(dim, int):
        return dim
    if dim is None:
        return 0
    plain = all(
        number > 0 and all(isinstance(factor, str) for factor, _ in monomial)
        for monomial, number in dim.terms
    )
    return sum(number for _, number in dim.terms) if plain else 1


def largest_results(context: Context, limit: int) -> dict[str, int]:
    """Return the nodes, inputs and sparse initializers that first bring a tensor above a limit."""
    makers = {made.node: made.elements for made in context.generated if made.elements > limit}
    shapes = context.shapes
    if shapes is None:
        return makers
    large = makers | shapes.beyond
    free: set[str] = set()
    for (node, _), shape in shapes.shapes.items():
        elements = elements_of(shape)
        if elements is None:
            elements = fewest_elements(shape)
            if context.graph.nodes[node].kind != "operator":
                free.add(node)  # a caller decides what is declared so
        if elements > limit:
            large[node] = max(elements, large.get(node, 0))
    return {
        node: elements
        for node, elements in large.items()
        if node not in free
        and not any(use.producer in large for use in context.graph.entering(node))
    }


def made_nbytes(context: Context) -> tuple[int, list[str]]:
    """Return bytes of results that depend on no input and are not stored; the nodes, largest first.

    Results that only pass a stored tensor on are not counted: what is not larger than everything
    that enters.
    """
    shapes = context.shapes
    made: dict[str, int] = {}
    if shapes is None:
        return 0, []
    for operator in context.graph.operators:
        node = operator.id
        if node in context.dependent or is_constant(operator):
            continue
        sizes = [
            _nbytes(shapes.shapes.get((node, name)), shapes.dtypes.get((node, name), 1))
            for name in operator.outputs
        ]
        entering = [_nbytes(shape, 1) for shape in shapes.calls(node).inputs if elements_of(shape)]
        if sum(sizes) > sum(entering):
            made[node] = sum(sizes)
    for generated in context.generated:
        made.setdefault(generated.node, generated.elements * 4)
    return sum(made.values()), sorted(made, key=lambda node: -made[node])


def _nbytes(shape: Shape | None, data_type: int) -> int:
    elements = elements_of(shape) or 0
    row = DTYPES.get(data_type)
    return row.nbytes(elements) if row is not None else elements * 4
