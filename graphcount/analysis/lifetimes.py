"""Results of operators: the bytes of each, and the steps between which it is alive.

What follows from stored tensors alone is made at load, and no run makes it again: runtimes fold
such constants once, before the first run (onnxruntime: ConstantFolding, from the level "basic" on).
Left to a run are generators of random numbers, operators with bodies, though not what stands in a
body, and operators of which nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from graphcount.analysis.shapes import ValueShapes
from graphcount.dtypes import DTYPES
from graphcount.graph import ModelGraph, OperatorNode, is_constant, traits_of
from graphcount.ops.call import Shape, complete, size
from graphcount.ops.operator import traits
from graphcount.symbolic import Dim, Expr, TooComplexError

EVERY_RUN = traits("random", "runs bodies")
"""Traits of operators that run each time, whatever they take."""


class MadeValue(NamedTuple):
    """An activation.

    Attributes:
        value: Its name.
        nbytes: Its bytes; None when they are not known.
        first: Step at which it is made; -1 for a node that has no place in the order.
        last: Step at which it is read for the last time.
        node: What makes it.
    """

    value: str
    nbytes: Dim | None
    first: int
    last: int
    node: str


def sizes(shapes: ValueShapes) -> Callable[[str, str], Dim | None]:
    """Return what says the bytes of a value; each shape and type is worked out once."""
    dims, dtypes = shapes.shapes, shapes.dtypes
    known: dict[tuple[Shape | None, int], Dim | None] = {}

    def nbytes(producer: str, value: str) -> Dim | None:
        at = producer, value
        key = dims.get(at), dtypes.get(at, 0)
        if key in known:
            return known[key]
        made = known[key] = value_nbytes(*key)
        return made

    return nbytes


def value_nbytes(shape: Shape | None, code: int) -> Dim | None:
    """Return the bytes of a value by its shape and element type; None where one is not known."""
    dims = complete(shape)
    dtype = DTYPES.get(code)
    if dims is None or dtype is None or not dtype.bits:
        return None
    try:
        elements = size(dims)
    except TooComplexError:
        return None
    if isinstance(elements, Expr):
        return elements * dtype.bits // 8
    return dtype.nbytes(elements)


class MadeValues(NamedTuple):
    """What operators make and something reads.

    Attributes:
        activations: What a run makes.
        constants: What is made at load and a run reads, or the graph returns.
    """

    activations: list[MadeValue]
    constants: list[MadeValue]


def results(
    graph: ModelGraph,
    order: Sequence[str],
    nbytes: Callable[[str, str], Dim | None],
    dead: tuple[str, ...],
) -> MadeValues:
    """Return the results of every operator that something reads, but of branches never taken."""
    end = len(order) - 1  # a reader on a cycle has no place: what it reads lives to the end
    position = dict(zip(order, range(len(order)), strict=True))
    at_load = made_at_load(graph)
    every = graph.edges.readers
    made = MadeValues([], [])
    for node in graph.operators:
        id = node.id
        readers = every.get(id)
        if readers is None or is_constant(node) or (dead and f"{node.scope}/".startswith(dead)):
            continue
        kept = made.activations
        if id in at_load:
            kept, readers = made.constants, [use for use in readers if use.node not in at_load]
            if not readers:
                continue
        outputs, first = node.outputs, position.get(id, -1)
        if len(outputs) == 1:  # whatever they call it, they read this one
            last = max([first, *[position.get(use.node, end) for use in readers]])
            kept.append(MadeValue(outputs[0], nbytes(id, outputs[0]), first, last, id))
            continue
        read: dict[str, int] = {}
        for use in readers:
            read[use.value] = max(read.get(use.value, first), position.get(use.node, end))
        kept += [
            MadeValue(value, nbytes(id, value), first, read[value], id)
            for value in outputs
            if value in read
        ]
    return made


def made_at_load(graph: ModelGraph) -> frozenset[str]:
    """Return the ids of operators that take stored tensors and results of one another alone."""
    stored: set[str] = set()
    at_load = []
    for id in graph.order:
        node = graph.nodes[id]
        if node.kind == "operator":
            for use in graph.entering(id):
                if use.producer not in stored:
                    break
            else:
                if _is_folded(graph, node):
                    stored.add(id)
                    at_load.append(id)
        elif node.kind == "initializer":
            stored.add(id)
    return frozenset(at_load)


def _is_folded(graph: ModelGraph, node: OperatorNode) -> bool:
    """Return whether an operator on constants can be computed before a run.

    It cannot where it takes what no node makes.
    """
    if node.operator is None or not EVERY_RUN.isdisjoint(traits_of(node)):
        return False
    return len(graph.operands(node.id)) == sum(1 for name in node.record.inputs if name)
