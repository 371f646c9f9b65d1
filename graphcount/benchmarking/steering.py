"""Inputs whose elements decide what is computed: where the graph takes them, and what they may be.

A branch, a number of trips, a shape, an axis, a rate that is compared with a constant: fed at
random such an input ends in an error, or in another computation than the one that is meant. What is
chosen here is an assumption, and is said with its reason.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from math import prod
from typing import NamedTuple, TypeAlias

from graphcount.analysis.shapes import ValueShapes
from graphcount.analysis.shapes.sizes import GivenValues
from graphcount.graph import ModelGraph, OperatorNode
from graphcount.loading.model import ValueInfo
from graphcount.ops.call import Call, whole

MAX_ELEMENTS = 64
"""Elements of an input that may steer; more are data."""

MAX_STEPS = 10_000

INTEGERS = frozenset({2, 3, 4, 5, 6, 7, 9, 12, 13})
"""TensorProto.DataType codes of integers and booleans."""

TO_THE_END = 2**31 - 1
"""An end of a Slice that every integer input holds but the smallest."""

Filler: TypeAlias = "Callable[[Call, int, int], GivenValues | None]"
"""Elements of an operand from the call, the operand's index and how many elements it has."""


class Sink(NamedTuple):
    """An operand that steers.

    Attributes:
        operand: Which input of the operator.
        fill: What it may hold.
        why: What that means.
    """

    operand: int
    fill: Filler
    why: str


class Steered(NamedTuple):
    """GivenValues that were chosen for an input, and why."""

    elements: GivenValues
    why: str


def _all(element: int) -> Filler:
    return lambda call, index, count: (element,) * count


def _counted(call: Call, index: int, count: int) -> GivenValues:
    return tuple(range(count))


def _same(call: Call, index: int, count: int) -> GivenValues | None:
    """Return the shape of the data: nothing is resized."""
    shape = _data(call)
    return shape if shape is not None and len(shape) == count else None


def _reshaped(call: Call, index: int, count: int) -> GivenValues | None:
    """Return a shape of as many dimensions that holds the data: the last ones made one, or ones."""
    shape = _data(call)
    if shape is None or not count:
        return None
    if count <= len(shape):
        return (*shape[: count - 1], prod(shape[count - 1 :]))
    return (*shape, *(1,) * (count - len(shape)))


def _parts(call: Call, index: int, count: int) -> GivenValues | None:
    """Return sizes of pieces, the last with what is left."""
    shape, axis = _data(call), call.node.integer("axis", 0)
    if shape is None or not count or not -len(shape) <= axis < len(shape):
        return None
    each = shape[axis] // count
    return (*(each,) * (count - 1), shape[axis] - each * (count - 1))


def _along(attribute: str) -> Filler:
    """Return a filler with the length of the data along the axis of an attribute: no padding."""

    def fill(call: Call, index: int, count: int) -> GivenValues | None:
        shape, axis = _data(call), call.node.integer(attribute, 0)
        return (shape[axis],) * count if shape is not None and 0 <= axis < len(shape) else None

    return fill


def _tokens(less: int) -> Filler:
    """Return a filler with the tokens of a cached attention: those before, and the new ones."""

    def fill(call: Call, index: int, count: int) -> GivenValues | None:
        new, past = _data(call), whole(call.input(3))
        if new is None or len(new) < 3:
            return None
        return (new[1] + (past[2] if past is not None and len(past) == 4 else 0) - less,) * count

    return fill


def _data(call: Call) -> tuple[int, ...] | None:
    """Return the shape of input 0 in numbers, or None."""
    return whole(call.input(0))


_STEPS = Sink(4, _along("layout"), "every step of {}")

SINKS: Mapping[str, tuple[Sink, ...]] = {
    "If": (Sink(0, _all(1), "{} takes its first branch"),),
    "Loop": (Sink(0, _all(1), "one trip of {}"), Sink(1, _all(1), "{} begins")),
    "Reshape": (Sink(1, _reshaped, "a shape for {}"),),
    "Split": (Sink(1, _parts, "equal pieces of {}"),),
    "Resize": (Sink(2, _all(1), "{} keeps the size"), Sink(3, _same, "{} keeps the size")),
    "Range": (
        Sink(0, _all(0), "{} begins at 0"),
        Sink(1, _all(1), "{} makes one element"),
        Sink(2, _all(1), "{} counts by one"),
    ),
    "Slice": (
        Sink(1, _all(0), "{} from the beginning"),
        Sink(2, _all(TO_THE_END), "{} to the end"),
        Sink(3, _counted, "axes of {}"),
        Sink(4, _all(1), "every element for {}"),
    ),
    "Unsqueeze": (Sink(1, _counted, "axes of {}"),),
    "TopK": (Sink(1, _all(1), "the first of {}"),),
    "Expand": (Sink(1, _all(1), "{} keeps the shape"),),
    "Tile": (Sink(1, _all(1), "{} repeats nothing"),),
    "ConstantOfShape": (Sink(0, _all(1), "{} makes one element"),),
    "Pad": (Sink(1, _all(0), "{} adds nothing"),),
    "CumSum": (Sink(1, _all(0), "axis of {}"),),
    "Trilu": (Sink(1, _all(0), "the diagonal of {}"),),
    "Dropout": (Sink(2, _all(0), "no training in {}"),),
    "RNN": (_STEPS,),
    "GRU": (_STEPS,),
    "LSTM": (_STEPS,),
    "ReverseSequence": (Sink(1, _along("time_axis"), "every step of {}"),),
    "GatherElements": (Sink(1, _all(0), "the first for {}"),),
    "GatherND": (Sink(1, _all(0), "the first for {}"),),
    "ScatterElements": (Sink(1, _all(0), "the first for {}"),),
    "ScatterND": (Sink(1, _all(0), "the first for {}"),),
    "NonMaxSuppression": (Sink(2, _all(100), "up to 100 boxes of {}"),),
    "com.microsoft::GroupQueryAttention": (
        Sink(5, _tokens(1), "every token of {}"),
        Sink(6, _tokens(0), "every token of {}"),
    ),
}
"""Policy: what a benchmark feeds to an operand that steers, so that the operator can take it."""

COMPARED = "compared with it"
"""Why an input holds a constant of the graph."""


def steered(
    name: str, count: int, infos: Mapping[str, ValueInfo], graph: ModelGraph, shapes: ValueShapes
) -> Steered | None:
    """Return elements for an input that steers; None for one that does not.

    Args:
        name: Of the graph input.
        count: How many elements it has.
        infos: Declarations of all inputs that are fed.
        graph: The graph, to see where the input goes.
        shapes: Shapes of everything at the sizes that are fed.
    """
    if not 0 < count <= MAX_ELEMENTS:
        return None
    chosen: Steered | None = None
    depends = ""
    for node, index, directly in _uses(name, graph, shapes):
        call = shapes.calls(node.id)
        if directly and node.op_type == "Equal" and count == 1:
            constant = call.value(1 - index) or ()
            if constant and isinstance(constant[0], int):
                return Steered((constant[0],), COMPARED)
        sink = _sink(node, index)
        if sink is None:
            continue
        if directly and chosen is None:
            elements = sink.fill(call, index, count)
            chosen = Steered(elements, sink.why.format(node.id)) if elements else None
        depends = depends or node.id
    chosen = chosen or _lengths(name, count, infos, shapes)
    if chosen is None and depends and infos[name].data_type in INTEGERS:
        chosen = Steered((1,) * count, f"{depends} depends on it")
    return chosen


def _sink(node: OperatorNode, index: int) -> Sink | None:
    """Return what an operand steers, if it does."""
    key = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
    return next((sink for sink in SINKS.get(key, ()) if sink.operand == index), None)


def _lengths(
    name: str, count: int, infos: Mapping[str, ValueInfo], shapes: ValueShapes
) -> Steered | None:
    """Return that sequences are as long as an input says, for what its name calls a length.

    The first dynamic axis behind the batch of another input is that of a sequence.
    """
    info = infos[name]
    words = set(re.split(r"[^a-z]+", name.lower()))
    if info.data_type not in INTEGERS or len(info.shape or ()) > 1 or words.isdisjoint(LENGTHS):
        return None
    for other, declared in infos.items():
        shape = shapes.shapes.get((f"input:{other}", other), ())
        for axis, dim in enumerate(declared.shape or ()):
            size = shape[axis] if axis < len(shape) else None
            if axis and not isinstance(dim, int) and isinstance(size, int) and count:
                return Steered((size,) * count, f"that of {other}, axis {axis}")
    return None


LENGTHS = frozenset({"len", "lens", "length", "lengths", "seqlen", "seqlens"})
"""Words in the names of inputs that hold lengths."""


def _uses(
    name: str, graph: ModelGraph, shapes: ValueShapes
) -> Iterator[tuple[OperatorNode, int, bool]]:
    """Yield operators that take an input, the nearest first, and whether they take it as it is.

    What is only moved or converted on the way is as it is; small integers worked out of it are not.
    """
    source = f"input:{name}"
    waiting, seen = deque([(source, True)]), {source}
    while waiting and len(seen) < MAX_STEPS:
        place, directly = waiting.popleft()
        for use in graph.readers(place):
            reader = graph.nodes[use.node]
            if reader.kind == "operator" and use.index is not None:
                yield reader, use.index, directly
            if reader.id in seen:
                continue
            if reader.kind == "input":  # of a body
                seen.add(reader.id)
                waiting.append((reader.id, directly))
            elif reader.kind == "operator" and reader.operator is not None:
                passes = is_moved(reader, use.index)
                if passes or _is_small(reader, shapes):
                    seen.add(reader.id)
                    waiting.append((reader.id, directly and passes))


def is_moved(node: OperatorNode, index: int | None) -> bool:
    """Return whether elements of an operand come out as they are: moved, converted or selected."""
    operator = node.operator
    if operator is None or index is None:
        return False
    return index in operator.passes or any(table == index for _, table in operator.lookups)


def _is_small(node: OperatorNode, shapes: ValueShapes) -> bool:
    """Return whether a result is a few integers, as shapes and indices are."""
    key = node.id, next(iter(node.outputs), "")
    shape = shapes.shapes.get(key)
    if shapes.dtypes.get(key) not in INTEGERS or shape is None or len(shape) > 1:
        return False
    return all(isinstance(size, int) and size <= MAX_ELEMENTS for size in shape)
