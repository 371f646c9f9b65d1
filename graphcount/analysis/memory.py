"""Memory of a forward pass besides the weights: inputs, outputs, and activations while they live.

Rules, stated because every runtime differs:

* Nodes run one after another in the order of the file (topologically, where it is not sorted).
* An activation is an output of an operator. It lives from its node to its last use; an output of
  the graph lives to the end. Constants and initializers are weights, not activations.
* While a node runs, its inputs and its outputs live at the same time: nothing is done in place.
* With `in_place`, as onnxruntime does it, the result of an operator that only renames or reshapes
  (the trait `renames`) is its input's memory, and the result of an activation function (the trait
  `overwrites`) takes the memory of an activation of the same size that it is the last to read.
* Bodies of If, Loop and Scan run before the result of their node exists, one after the other.

onnxruntime plans buffers by the same liveness (tests/functional/test_memory_onnxruntime.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple, TypeAlias

from graphcount.analysis.shapes import ValueShapes
from graphcount.dtypes import BY_NAME, DTYPES
from graphcount.graph import ModelGraph, is_constant, traits_of
from graphcount.ops.call import Shape, complete, size
from graphcount.ops.inference import unknown
from graphcount.symbolic import Dim, Expr, TooComplexError

STRING = BY_NAME["string"].code


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
        activations: All results of operators, as if nothing were freed; None where the formula is
            too long.
        lost: Id of the node of each result whose bytes are not known: `activations` and `peak`
            lack them. Strings, maps and sequences have no bytes of their own.
        peak: None as long as a dimension is dynamic, since sizes cannot be compared then.
        timeline: Id of each operator in order and the bytes alive while it runs; None like `peak`,
            and unless it was asked for.
    """

    inputs: Dim | None
    outputs: Dim | None
    activations: Dim | None
    lost: tuple[str, ...]
    peak: Peak | None
    timeline: tuple[tuple[str, int], ...] | None = None


class _Result(NamedTuple):
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


Span: TypeAlias = "tuple[str, Dim, int, int]"
"""A value that memory is named after, its bytes, and the first and last step it is taken."""


@dataclass(slots=True)
class _Buffer:
    """Memory that holds one activation after another."""

    value: str
    nbytes: Dim
    first: int
    last: int


def memory(
    model_graph: ModelGraph,
    shapes: ValueShapes,
    *,
    in_place: bool = False,
    timeline: bool = False,
    order: Sequence[str] | None = None,
) -> Memory:
    """Measure a forward pass by the rules above.

    Args:
        model_graph: The graph.
        shapes: Shapes and types of its values.
        in_place: Results take over the memory of inputs where they can.
        timeline: Keep the bytes alive at every operator, too.
        order: Ids of all nodes in the order in which a runtime executes them; None: of the file.
    """
    nbytes = _sizes(shapes)
    order = model_graph.order if order is None else order
    every = _results(model_graph, order, nbytes, shapes.dead)
    results = [result for result in every if result.nbytes is not None]
    activations = total(result.nbytes for result in results) if results or not every else None
    peak = moments = None
    if isinstance(activations, int):
        spans = _shared(model_graph, results) if in_place else _apart(results)
        alive = [live for live in _alive(spans, len(order)) if isinstance(live, int)]
        peak = _peak(spans, alive, order)
        if timeline and peak is not None:
            makers = {node.id for node in model_graph.operators if not is_constant(node)}
            steps = zip(order, alive, strict=True)
            moments = tuple((node, live) for node, live in steps if node in makers)
    inputs = [nbytes(node.id, node.name) for node in model_graph.inputs]
    outputs = [
        nbytes(use.producer, use.value)
        for node in model_graph.outputs
        for use in model_graph.operands(node.id)
    ]
    lost = tuple(
        result.node
        for result in every
        if result.nbytes is None and is_tensor(model_graph, shapes, (result.node, result.value))
    )
    return Memory(total(inputs), total(outputs), activations, lost, peak, moments)


def is_tensor(graph: ModelGraph, shapes: ValueShapes, value: tuple[str, str]) -> bool:
    """Return whether a value should have bytes: it is no string, map or sequence."""
    node = graph.nodes[value[0]]
    if value in shapes.sequences or shapes.dtypes.get(value, 0) == STRING:
        return False
    if node.kind == "input":
        return node.info.type in ("tensor", "")
    operator = node.operator
    return operator is None or operator.shape is not unknown or operator.cost is None


def total(sizes: Iterable[Dim | None]) -> Dim | None:
    """Return the sum of sizes; None when one is not known, or the formula is too long."""
    times: dict[Dim, int] = {}  # equal sizes are multiplied
    for nbytes in sizes:
        if nbytes is None:
            return None
        times[nbytes] = times.get(nbytes, 0) + 1
    added: Dim = 0
    try:
        for nbytes, count in times.items():
            added = added + nbytes * count
    except TooComplexError:
        return None
    return added


def _sizes(shapes: ValueShapes) -> Callable[[str, str], Dim | None]:
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


def _results(
    graph: ModelGraph,
    order: Sequence[str],
    nbytes: Callable[[str, str], Dim | None],
    dead: tuple[str, ...],
) -> list[_Result]:
    """Return the results of every operator that something reads, but of branches never taken."""
    end = len(order) - 1  # a reader on a cycle has no place: what it reads lives to the end
    position = dict(zip(order, range(len(order)), strict=True))
    every = graph.edges.readers
    results = []
    for node in graph.operators:
        id = node.id
        readers = every.get(id)
        if readers is None or is_constant(node) or (dead and f"{node.scope}/".startswith(dead)):
            continue
        outputs, first = node.outputs, position.get(id, -1)
        if len(outputs) == 1:  # whatever they call it, they read this one
            last = max([first, *[position.get(use.node, end) for use in readers]])
            results.append(_Result(outputs[0], nbytes(id, outputs[0]), first, last, id))
            continue
        read: dict[str, int] = {}
        for use in readers:
            read[use.value] = max(read.get(use.value, first), position.get(use.node, end))
        results += [
            _Result(value, nbytes(id, value), first, read[value], id)
            for value in outputs
            if value in read
        ]
    return results


def _apart(results: Iterable[_Result]) -> list[Span]:
    """Return memory of its own for every result."""
    return [
        (value, nbytes, first, last)
        for value, nbytes, first, last, _ in results
        if first >= 0 and nbytes is not None
    ]


def _shared(graph: ModelGraph, results: Iterable[_Result], where_equal: bool = False) -> list[Span]:
    """Return the same, but that a result takes the memory that an input leaves it."""
    homes: dict[tuple[str, str], _Buffer] = {}
    buffers: list[_Buffer] = []
    for result in sorted(results, key=lambda result: result.first):
        if result.first < 0 or result.nbytes is None:
            continue
        buffer = _home(graph, result, homes, where_equal)
        if buffer is None:
            buffer = _Buffer(result.value, result.nbytes, result.first, result.last)
            buffers.append(buffer)
        elif result.last > buffer.last:
            buffer.last = result.last
        homes[result.node, result.value] = buffer
    return [(b.value, b.nbytes, b.first, b.last) for b in buffers]


def live_sums(
    model_graph: ModelGraph,
    shapes: ValueShapes,
    *,
    in_place: bool = False,
    where_equal: bool = False,
) -> tuple[Dim, ...] | None:
    """Return the bytes alive at each step, each sum once: their largest is the peak.

    None where a sum is too long a formula, or no result has known bytes.

    Args:
        model_graph: The graph.
        shapes: Shapes and types of its values.
        in_place: Results take over the memory of inputs where they can at all sizes: there may be
            less alive at some. With `where_equal`, where they can at any: there may be more.
        where_equal: See `in_place`.
    """
    results = _results(model_graph, model_graph.order, _sizes(shapes), shapes.dead)
    if results and all(result.nbytes is None for result in results):
        return None
    spans = _shared(model_graph, results, where_equal) if in_place else _apart(results)
    try:
        return tuple(dict.fromkeys(_alive(spans, len(model_graph.order))))
    except TooComplexError:
        return None


def _alive(spans: Iterable[Span], steps: int) -> list[Dim]:
    """Return the bytes alive while each node of the order runs, its inputs and outputs too."""
    changes: list[Dim] = [0] * (steps + 1)
    for _, nbytes, first, last in spans:
        changes[first] += nbytes
        changes[last + 1] -= nbytes
    return list(accumulate(changes[:-1]))


def _peak(spans: Iterable[Span], alive: list[int], order: Sequence[str]) -> Peak | None:
    """Return the first moment with the most alive."""
    if not alive:
        return None
    at = alive.index(max(alive))
    held = [
        (value, nbytes)
        for value, nbytes, first, last in spans
        if first <= at <= last and isinstance(nbytes, int)
    ]
    held.sort(key=lambda item: (-item[1], item[0]))
    return Peak(order[at], alive[at], tuple(held))


def _home(
    graph: ModelGraph,
    result: _Result,
    homes: Mapping[tuple[str, str], _Buffer],
    where_equal: bool,
) -> _Buffer | None:
    """Return the memory that a result takes over from an input; None: it needs its own.

    Sizes in symbols may be equal: `where_equal`, it takes it over then, too.
    """
    data = graph.nodes[result.node]
    renames = "renames" in traits_of(data)
    if not (renames or "overwrites" in traits_of(data)):
        return None
    if result.value != data.outputs[0]:
        return None
    for use in graph.operands(result.node):
        buffer = homes.get((use.producer, use.value))
        if buffer is None:
            continue
        if renames and use.index == 0:
            return buffer
        if renames or buffer.last != result.first:
            continue
        if buffer.nbytes == result.nbytes or (
            where_equal and (isinstance(buffer.nbytes, Expr) or isinstance(result.nbytes, Expr))
        ):
            return buffer
    return None
