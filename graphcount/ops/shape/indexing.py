"""Operators that pick parts of a tensor (Operators.md: Slice, Gather, GatherND, TopK, …)."""

from __future__ import annotations

from graphcount.ops.call import Call, Shape
from graphcount.ops.shape.kit import (
    MAX_RANK,
    Number,
    Numbers,
    Rule,
    Shapes,
    at_least,
    axes_of,
    axis_of,
    larger,
    numbers_of,
    of_rank,
    product,
    replace,
    same,
    smaller,
    unknown,
)
from graphcount.ops.tables import Key, each, table
from graphcount.symbolic import Dim, Expr, ceildiv

FAR = 2**31 - 1
"""A bound this far out means "to the end" (exporters write INT32_MAX or INT64_MAX)."""


def slice_(call: Call) -> Shapes:
    """Slice: starts, ends, axes, steps as inputs, or as attributes before opset 10."""
    data = call.input(0)
    if data is None:
        return [None]
    bounds = slice_bounds(call, len(data))
    if bounds is None:
        return [_touched(call, data)]
    result = list(data)
    for axis, start, end, step in bounds:
        result[axis] = slice_length(data[axis], start, end, step)
    return [tuple(result)]


def slice_bounds(call: Call, rank: int) -> list[tuple[int, Number, Number, Number]] | None:
    """(axis, start, end, step) of a Slice, or None when a list is not known."""
    node = call.node
    starts: Numbers | None = node.integers("starts")
    ends: Numbers | None = node.integers("ends")
    axes: Numbers | None = node.integers("axes")
    steps: Numbers | None = None
    if starts is None:
        starts, ends, axes = (numbers_of(call, index) for index in (1, 2, 3))
        steps = numbers_of(call, 4)
        if (call.has(3) and axes is None) or (call.has(4) and steps is None):
            return None
    if starts is None or ends is None or len(starts) > MAX_RANK:
        return None
    if axes is None:
        axes = tuple(range(len(starts)))
    if steps is None:
        steps = (1,) * len(starts)
    numbers = [axis for axis in axes if isinstance(axis, int)]
    if len(numbers) != len(axes):
        return None
    return list(zip(axes_of(numbers, rank), starts, ends, steps, strict=True))


def _touched(call: Call, data: Shape) -> Shape | None:
    """What is left when the bounds are not known: dimensions of other axes."""
    axes = numbers_of(call, 3)
    if axes is None:
        starts = call.input(1)
        count = starts[0] if starts else None
        axes = tuple(range(min(count, MAX_RANK))) if isinstance(count, int) else None
    if axes is None:
        return of_rank(len(data))
    chosen = axes_of((axis for axis in axes if isinstance(axis, int)), len(data))
    if len(chosen) != len(axes):
        return of_rank(len(data))
    return tuple(None if axis in chosen else size for axis, size in enumerate(data))


def slice_length(size: Dim | None, start: Number, end: Number, step: Number) -> Dim | None:
    """Numbers that a slice takes from an axis of `size`."""
    if not isinstance(step, int):
        return None
    if step == 0:
        raise ValueError("step 0")
    if size is None:
        return _length_without_size(start, end, step)
    if step < 0:
        return _backward(size, start, end, step)
    low, high = _clamp(start, size), _clamp(end, size)
    if low is None or high is None:
        return None
    whole = low == 0 or (high == size and low == 1)
    return ceildiv(high - low if whole else _positive_part(high - low), step)


def _length_without_size(start: Number, end: Number, step: int) -> Dim | None:
    """One element is one element wherever it is: x[i:i+1]."""
    if step > 0 and isinstance(start, int) and start == -1 and isinstance(end, int) and end >= FAR:
        return 1
    return None


def _backward(size: Dim, start: Number, end: Number, step: int) -> Dim | None:
    """A slice with a negative step; by numbers, or over the whole axis."""
    if isinstance(size, int) and isinstance(start, int) and isinstance(end, int):
        start = start + size if start < 0 else start
        end = end + size if -size <= end < 0 else end
        first = min(max(start, 0), size - 1)
        last = min(max(end, -1), size - 1)
        return max(0, -((first - last) // step))
    from_end = start == -1 or (isinstance(start, int) and start >= FAR)
    if from_end and isinstance(end, int) and end <= -FAR:
        return ceildiv(size, -step)
    return None


def _clamp(bound: Number, size: Dim) -> Dim | None:
    """A bound of a slice between 0 and the size of its axis, a symbolic one being at least 1.

    A symbolic bound of a numeric axis is taken to lie inside it: stored tables (masks, positions)
    are cut to a length that a model cannot exceed anyway.
    """
    if isinstance(bound, int):
        if bound >= FAR:
            return size
        if bound in (0, 1) and isinstance(size, Expr):
            return bound
        if bound >= 0:
            return smaller(bound, size)
        if bound == -1 and isinstance(size, Expr):
            return size + bound
        return 0 if bound <= -FAR else _positive_part(size + bound)
    if not isinstance(bound, Expr):
        return None
    low = at_least(-bound)
    if low is not None and low > 0:
        return _positive_part(size + bound)
    if isinstance(size, int):
        return bound
    low = at_least(bound)
    if low is None or low < 0:
        return bound if bound == size else None
    return smaller(bound, size)


def _positive_part(dim: Dim) -> Dim:
    return max(dim, 0) if isinstance(dim, int) else larger(dim, 0)


def gather(call: Call) -> Shapes:
    """Gather: the axis is replaced by the shape of the indices."""
    data, indices = call.input(0), call.input(1)
    if data is None or indices is None:
        return [None]
    axis = axis_of(call.node.integer("axis", 0), len(data))
    return [_ranked(data[:axis] + indices + data[axis + 1 :])]


def gather_nd(call: Call) -> Shapes:
    """GatherND: indices without their last dimension, then what of the data is not indexed."""
    data, indices = call.input(0), call.input(1)
    if data is None or not indices:
        return [None]
    batch = call.node.integer("batch_dims", 0)
    depth = indices[-1]
    if not isinstance(depth, int):
        return [None]
    if depth < 0 or not 0 <= batch <= len(data) - depth:
        raise ValueError("indices do not fit")
    return [_ranked(indices[:-1] + data[batch + depth :])]


def _ranked(shape: Shape) -> Shape | None:
    return shape if len(shape) <= MAX_RANK else None


def top_k(call: Call) -> Shapes:
    """TopK: k along the axis (attribute in TopK-1)."""
    data = call.input(0)
    if data is None:
        return [None, None]
    axis = axis_of(call.node.integer("axis", -1), len(data))
    k = call.node.integer("k", -1)
    numbers = numbers_of(call, 1)
    size: Number = k if k >= 0 else (numbers[0] if numbers else None)
    dim = size if isinstance(size, int | Expr) else None
    return [replace(data, axis, dim)] * 2


def compress(call: Call) -> Shapes:
    """Compress: how many are kept depends on the data, unless the condition is known."""
    data = call.input(0)
    condition = numbers_of(call, 1)
    kept = None
    if condition is not None and all(isinstance(number, int) for number in condition):
        kept = sum(1 for number in condition if number)
    if call.node.attribute("axis") is None:
        return [(kept,)]
    if data is None:
        return [None]
    return [replace(data, axis_of(call.node.integer("axis", 0), len(data)), kept)]


def non_zero(call: Call) -> Shapes:
    """NonZero: (rank, how many); how many is known when the numbers are."""
    data = call.input(0)
    numbers = numbers_of(call, 0)
    count = None
    if numbers is not None and all(isinstance(number, int) for number in numbers):
        count = sum(1 for number in numbers if number)
    return [(max(len(data), 1) if data is not None else None, count)]


def unique(call: Call) -> Shapes:
    """Unique: how many there are depends on the data."""
    data = call.input(0)
    first: Shape | None = (None,)
    if call.node.attribute("axis") is not None:
        if data is None:
            return [None, (None,), (None,), (None,)]
        axis = axis_of(call.node.integer("axis", 0), len(data))
        first, inverse = replace(data, axis, None), (data[axis],)
    else:
        inverse = (product(data),) if data is not None else (None,)
    return [first, (None,), inverse, (None,)]


def one_hot(call: Call) -> Shapes:
    """OneHot: a dimension of size `depth` is inserted at the axis."""
    indices = call.input(0)
    if indices is None:
        return [None]
    axis = axis_of(call.node.integer("axis", -1), len(indices) + 1)
    depth = numbers_of(call, 1)
    dim = depth[0] if depth and isinstance(depth[0], int | Expr) else None
    return [_ranked((*indices[:axis], dim, *indices[axis:]))]


TABLE: dict[Key, Rule] = table(
    "",
    {
        "Slice": slice_,
        "Gather": gather,
        "GatherElements": same(1),
        "GatherND": gather_nd,
        "TopK": top_k,
        "Compress": compress,
        "NonZero": non_zero,
        "Unique": unique,
        "OneHot": one_hot,
    },
    each("NonMaxSuppression", lambda call: [(None, 3)]),
    each(
        "SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceMap"
        " SplitToSequence ConcatFromSequence Optional OptionalGetElement",
        unknown,
    ),
    each("SequenceLength OptionalHasElement", lambda call: [()]),
)
