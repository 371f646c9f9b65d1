"""Sequences of tensors and optional values: what they hold follows through their operators.

A sequence holds shapes, not a shape of its own. Where the place of an element is known it has its
own shape, else what all have in common. They cost nothing: the operators that use elements do.
Source: ONNX Operators.md (SplitToSequence, SequenceAt, …).
"""

from __future__ import annotations

from collections.abc import Sequence

from graphcount.ops.call import (
    Call,
    Elements,
    Made,
    Numbers,
    Shape,
    integers_of,
    numbers_of,
)
from graphcount.ops.control import BODY, RUNS_BODIES
from graphcount.ops.formulas import FREE
from graphcount.ops.inference import (
    BOOL,
    FLOAT,
    INT64,
    add,
    always,
    axis_of,
    dim,
    replace,
    scalar,
    times,
    unknown,
)
from graphcount.ops.operator import Operator, family, traits
from graphcount.symbolic import Dim, ceildiv

MAX_ELEMENTS = 4096
"""Elements of longer sequences are not told apart."""

HeldByInputs = tuple[Elements | None, ...]
SequenceResults = list[Elements | Made | None]


def common(shapes: Sequence[Shape | None]) -> Shape | None:
    """Return what shapes have in common: the dimensions that all share, None for the others."""
    first = shapes[0] if shapes else None
    for shape in shapes:
        if first is None or shape is None or len(shape) != len(first):
            return None
        if shape != first:
            first = tuple(a if a == b else None for a, b in zip(first, shape, strict=True))
    return first


def sequence(shapes: tuple[Shape | None, ...], dtype: int) -> Elements:
    """Return a sequence of tensors of these shapes."""
    several = shapes if len(shapes) <= MAX_ELEMENTS else None
    return Elements(len(shapes), several, common(shapes), dtype)


def repeated(length: Dim | None, shape: Shape | None, dtype: int) -> Elements:
    """Return a sequence of so many tensors of one shape."""
    if isinstance(length, int) and 0 <= length <= MAX_ELEMENTS:
        return Elements(length, (shape,) * length, shape, dtype)
    return Elements(length, None, shape, dtype)


def _place(call: Call, index: int, default: int | None, length: int) -> int | None:
    """Return a place from the front, or None where it is not known.

    Raises:
        IndexError: There is no such place.
    """
    if not call.has(index):
        return default
    given = integers_of(call, index)
    return axis_of(given[0], length) if given else None


def construct(call: Call, held: HeldByInputs) -> SequenceResults:
    """SequenceConstruct: its inputs."""
    return [sequence(call.inputs, call.dtype(0))]


def empty(call: Call, held: HeldByInputs) -> SequenceResults:
    """SequenceEmpty: nothing yet."""
    return [Elements(0, (), None, call.node.integer("dtype", FLOAT))]


def insert(call: Call, held: HeldByInputs) -> SequenceResults:
    """SequenceInsert: a tensor at a place, at the end without one."""
    before, new = held[0], call.input(1)
    if before is None:
        return [None]
    dtype = before.dtype or call.dtype(1)
    shapes = before.shapes
    if shapes is not None:
        place = _place(call, 2, len(shapes), len(shapes) + 1)
        if place is not None:
            return [sequence((*shapes[:place], new, *shapes[place:]), dtype)]
        shapes = (*shapes, new)
    shared = common(shapes) if shapes is not None else common((before.common, new))
    return [Elements(add(before.length, 1), None, shared, dtype)]


def erase(call: Call, held: HeldByInputs) -> SequenceResults:
    """SequenceErase: without the tensor at a place, without the last one else."""
    before = held[0]
    if before is None:
        return [None]
    shapes = before.shapes
    if shapes:
        place = _place(call, 1, len(shapes) - 1, len(shapes))
        if place is not None:
            return [sequence((*shapes[:place], *shapes[place + 1 :]), before.dtype)]
    return [Elements(add(before.length, -1), None, before.common, before.dtype)]


def at(call: Call, held: HeldByInputs) -> SequenceResults:
    """SequenceAt: the tensor at a place; what all have in common where this is not known."""
    before = held[0]
    if before is None:
        return [None]
    shape = before.common
    if before.shapes:
        place = _place(call, 1, None, len(before.shapes))
        shape = shape if place is None else before.shapes[place]
    return [Made(shape, before.dtype)]


def length(call: Call, held: HeldByInputs) -> SequenceResults:
    """SequenceLength: how many tensors it holds."""
    count = held[0].length if held[0] is not None else None
    return [Made((), INT64, (count,) if count is not None else None)]


def split(call: Call, held: HeldByInputs) -> SequenceResults:
    """SplitToSequence: pieces of one axis: of stated sizes, of one size, or of one row each."""
    data, dtype = call.input(0), call.dtype(0)
    if data is None:
        return [None]
    axis = axis_of(call.node.integer("axis", 0), len(data))
    if not call.has(1):
        keeps = bool(call.node.integer("keepdims", 1))
        one = replace(data, axis, 1) if keeps else (*data[:axis], *data[axis + 1 :])
        return [repeated(data[axis], one, dtype)]
    sizes, shape = numbers_of(call, 1), call.input(1)
    if sizes is None or shape is None:
        return [Elements(None, None, replace(data, axis, None), dtype)]
    if shape == ():
        return [_chunks(data, axis, dim(sizes[0]), dtype)]
    return [sequence(tuple(replace(data, axis, dim(size)) for size in sizes), dtype)]


def _chunks(data: Shape, axis: int, size: Dim | None, dtype: int) -> Elements:
    """Return pieces of one size, the last one of what is left."""
    whole = data[axis]
    if whole is None or size is None or size == 0:
        return Elements(None, None, replace(data, axis, None), dtype)
    count = ceildiv(whole, size)
    if not isinstance(count, int) or count > MAX_ELEMENTS:
        return Elements(count, None, replace(data, axis, size if count == 1 else None), dtype)
    last = replace(data, axis, whole - size * (count - 1))
    return sequence((*(replace(data, axis, size),) * (count - 1), last)[:count], dtype)


def join(call: Call, held: HeldByInputs) -> SequenceResults:
    """ConcatFromSequence: elements one behind the other, or along a new axis."""
    before, node = held[0], call.node
    if before is None or before.common is None:
        return [None]
    shape, is_new = before.common, bool(node.integer("new_axis", 0))
    axis = axis_of(node.integer("axis", 0), len(shape) + is_new)
    if is_new:
        return [Made((*shape[:axis], before.length, *shape[axis:]), before.dtype)]
    if before.shapes is None:
        total = times(before.length, shape[axis])
    else:
        total = add(*(one[axis] for one in before.shapes if one is not None))
    return [Made(replace(shape, axis, total), before.dtype)]


def optional(call: Call, held: HeldByInputs) -> SequenceResults:
    """Optional: a sequence as it is, or one tensor."""
    if not call.has(0):
        return [Elements(0, (), None, 0, optional=True)]
    if held[0] is not None:
        return [held[0]]
    return [Elements(1, (call.input(0),), call.input(0), call.dtype(0), optional=True)]


def element(call: Call, held: HeldByInputs) -> SequenceResults:
    """OptionalGetElement: what is in it; a tensor or a sequence is itself."""
    before = held[0]
    if before is None:
        return [Made(call.input(0), call.dtype(0))]
    return [Made(before.common, before.dtype) if before.optional else before]


def has_element(call: Call, held: HeldByInputs) -> SequenceResults:
    """OptionalHasElement: whether there is one, which is known of what is known."""
    before = held[0]
    numbers: Numbers | None = (0,) if not call.has(0) else None
    if before is not None:
        numbers = (int(not before.optional or before.length != 0),)
    elif call.input(0) is not None:
        numbers = (1,)
    return [Made((), BOOL, numbers)]


TABLE = family(
    "sequence",
    {
        "SequenceMap": Operator(rest="state", shape=unknown, cost=BODY, traits=RUNS_BODIES),
        "SequenceAt": Operator(
            rest="operand", shape=unknown, elements=at, cost=FREE, traits=traits("picks")
        ),
        "SequenceConstruct": Operator(rest="operand", shape=unknown, elements=construct, cost=FREE),
        "SequenceErase": Operator(rest="operand", shape=unknown, elements=erase, cost=FREE),
        "SequenceInsert": Operator(rest="operand", shape=unknown, elements=insert, cost=FREE),
        "ConcatFromSequence": Operator(rest="operand", shape=unknown, elements=join, cost=FREE),
        "SplitToSequence": Operator(rest="operand", shape=unknown, elements=split, cost=FREE),
        "SequenceEmpty": Operator(shape=unknown, elements=empty, cost=FREE),
        "SequenceLength": Operator(
            rest="operand", shape=scalar, dtypes=always(INT64), elements=length, cost=FREE
        ),
        "Optional": Operator(rest="operand", shape=unknown, elements=optional, cost=FREE),
        "OptionalGetElement": Operator(rest="operand", shape=unknown, elements=element, cost=FREE),
        "OptionalHasElement": Operator(
            rest="operand", shape=scalar, dtypes=always(BOOL), elements=has_element, cost=FREE
        ),
    },
)
