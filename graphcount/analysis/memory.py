"""Memory of a forward pass besides the weights: inputs, outputs, and activations while they live.

Rules, stated because every runtime differs:

* Nodes run one after another in the order of the file (topologically, where it is not sorted).
* An activation is an output of an operator that a run makes. It lives from its node to its last
  use; an output of the graph lives to the end. Constants and initializers are weights, and what
  follows from them alone is made at load (`graphcount.analysis.lifetimes`): no activations.
* While a node runs, its inputs and its outputs live at the same time: nothing is done in place.
* With `in_place`, as onnxruntime does it, the result of an operator that only renames or reshapes
  (the trait `renames`) is its input's memory, and the result of an activation function (the trait
  `overwrites`) takes the memory of its first input, if that has its size and no later reader.
* Bodies of If, Loop and Scan run before the result of their node exists, one after the other.

onnxruntime plans buffers by the same liveness (tests/functional/test_memory_onnxruntime.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple, TypeAlias

from graphcount.analysis.lifetimes import MadeValue, made_at_load, results, sizes
from graphcount.analysis.shapes import ValueShapes
from graphcount.dtypes import BY_NAME
from graphcount.graph import ModelGraph, is_constant, traits_of
from graphcount.ops.inference import unknown
from graphcount.report.pass_rows import MomentRow, PeakRow
from graphcount.symbolic import Dim, Expr, TooComplexError

STRING = BY_NAME["string"].code

MOMENTS = 2_000
"""Moments of a timeline at most."""


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
        load: Results that are made at load and stay: a run reads them, or the graph returns them.
        lost: Id of the node of each result whose bytes are not known: `activations` and `peak`
            lack them. Strings, maps and sequences have no bytes of their own.
        peak: None as long as a dimension is dynamic, since sizes cannot be compared then.
        timeline: Id of each operator in order and the bytes alive while it runs; None like `peak`,
            and unless it was asked for.
    """

    inputs: Dim | None
    outputs: Dim | None
    activations: Dim | None
    load: Dim | None
    lost: tuple[str, ...]
    peak: Peak | None
    timeline: tuple[tuple[str, int], ...] | None = None


Span: TypeAlias = "tuple[str, Dim, int, int]"
"""A value that memory is named after, its bytes, and the first and last step it is taken."""


@dataclass(slots=True)
class Buffer:
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
    nbytes = sizes(shapes)
    order = model_graph.order if order is None else order
    made = results(model_graph, order, nbytes, shapes.dead)
    sized = [result for result in made.activations if result.nbytes is not None]
    activations = (
        total(result.nbytes for result in sized) if sized or not made.activations else None
    )
    peak = moments = None
    if isinstance(activations, int):
        spans = _shared(model_graph, sized) if in_place else _apart(sized)
        alive = [live for live in _alive(spans, len(order)) if isinstance(live, int)]
        peak = _peak(spans, alive, order)
        if timeline and peak is not None:
            makers = {node.id for node in model_graph.operators if not is_constant(node)}
            makers -= made_at_load(model_graph)
            steps = zip(order, alive, strict=True)
            moments = tuple((node, live) for node, live in steps if node in makers)
    inputs = [nbytes(node.id, node.name) for node in model_graph.inputs]
    outputs = [
        nbytes(use.producer, use.value)
        for node in model_graph.outputs
        for use in model_graph.operands(node.id)
    ]
    lost = tuple(
        result.node for result in made.activations if _is_lost(model_graph, shapes, result)
    )
    load = total(
        result.nbytes
        for result in made.constants
        if result.nbytes is not None or _is_lost(model_graph, shapes, result)
    )
    return Memory(total(inputs), total(outputs), activations, load, lost, peak, moments)


def _is_lost(graph: ModelGraph, shapes: ValueShapes, result: MadeValue) -> bool:
    """Return whether a result has no known bytes and should."""
    return result.nbytes is None and is_tensor(graph, shapes, (result.node, result.value))


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


def _apart(made: Iterable[MadeValue]) -> list[Span]:
    """Return memory of its own for every result."""
    return [
        (value, nbytes, first, last)
        for value, nbytes, first, last, _ in made
        if first >= 0 and nbytes is not None
    ]


def buffers(
    graph: ModelGraph, made: Iterable[MadeValue], *, in_place: bool, where_equal: bool = False
) -> dict[tuple[str, str], Buffer]:
    """Return the memory of each result with known bytes, by its node and name.

    It has memory of its own, or, with `in_place`, what an input leaves it; see `live_sums`.
    """
    homes: dict[tuple[str, str], Buffer] = {}
    for result in sorted(made, key=lambda result: result.first):
        if result.first < 0 or result.nbytes is None:
            continue
        buffer = _home(graph, result, homes, where_equal) if in_place else None
        if buffer is None:
            buffer = Buffer(result.value, result.nbytes, result.first, result.last)
        elif result.last > buffer.last:
            buffer.last = result.last
        homes[result.node, result.value] = buffer
    return homes


def _shared(graph: ModelGraph, made: Iterable[MadeValue], where_equal: bool = False) -> list[Span]:
    """Return the same, but that a result takes the memory that an input leaves it."""
    homes = buffers(graph, made, in_place=True, where_equal=where_equal)
    own = {id(buffer): buffer for buffer in homes.values()}
    return [(b.value, b.nbytes, b.first, b.last) for b in own.values()]


def live_sums(
    model_graph: ModelGraph,
    shapes: ValueShapes,
    *,
    in_place: bool = False,
    where_equal: bool = False,
) -> tuple[Dim, ...] | None:
    """Return the bytes alive at each step, each sum once: their largest is the peak.

    None where a sum is too long a formula, or no result has known bytes; 0 where nothing runs.

    Args:
        model_graph: The graph.
        shapes: Shapes and types of its values.
        in_place: Results take over the memory of inputs where they can at all sizes: there may be
            less alive at some. With `where_equal`, where they can at any: there may be more.
        where_equal: See `in_place`.
    """
    made = results(model_graph, model_graph.order, sizes(shapes), shapes.dead).activations
    if made and all(result.nbytes is None for result in made):
        return None
    spans = _shared(model_graph, made, where_equal) if in_place else _apart(made)
    try:
        return tuple(dict.fromkeys(_alive(spans, len(model_graph.order)))) or (0,)
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
    result: MadeValue,
    homes: Mapping[tuple[str, str], Buffer],
    where_equal: bool,
) -> Buffer | None:
    """Return the memory that a result takes over from an input; None: it needs its own.

    Sizes in symbols may be equal: `where_equal`, it takes it over then, too.
    """
    data = graph.nodes[result.node]
    renames = "renames" in traits_of(data)
    if not (renames or "overwrites" in traits_of(data)):
        return None
    if result.value != data.outputs[0]:
        return None
    use = graph.operand(result.node, 0)
    buffer = homes.get((use.producer, use.value)) if use is not None else None
    if buffer is None or renames:
        return buffer
    if buffer.last != result.first:
        return None
    equal = buffer.nbytes == result.nbytes
    dynamic = isinstance(buffer.nbytes, Expr) or isinstance(result.nbytes, Expr)
    return buffer if equal or (where_equal and dynamic) else None


def peak_row(used: Memory) -> PeakRow | None:
    """Return the peak as a report has it."""
    if used.peak is None:
        return None
    return PeakRow(used.peak.node, used.peak.nbytes, used.peak.values[:10])


def timeline_rows(used: Memory) -> tuple[MomentRow, ...] | None:
    """Return at most `MOMENTS` moments: of each run of steps, the one with the most bytes alive."""
    if used.timeline is None:
        return None
    steps = used.timeline
    run = -(-len(steps) // MOMENTS) or 1
    highest = (
        max(range(start, min(start + run, len(steps))), key=lambda index: steps[index][1])
        for start in range(0, len(steps), run)
    )
    return tuple(MomentRow(index, *steps[index]) for index in highest)
