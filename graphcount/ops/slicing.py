"""Slice: starts, ends, axes and steps against numbers and symbols; its row is in `indexing`.

Source: ONNX Operators.md (Slice-1 with attributes, Slice-10 with inputs).
"""

from __future__ import annotations

from graphcount.ops.call import (
    MAX_RANK,
    Call,
    Facts,
    Number,
    Numbers,
    Results,
    Shape,
    Shapes,
    beyond,
    given,
    numbers_of,
    repeated,
    whole,
)
from graphcount.ops.elements import first_input, picked, whole_axes
from graphcount.ops.inference import at_least, axes_of, larger, of_rank, smaller
from graphcount.symbolic import Dim, Expr, ceildiv

FAR = 2**31 - 1
"""A bound this far out means "to the end" (exporters write INT32_MAX or INT64_MAX)."""

LISTS = ("starts", "ends", "axes", "steps")


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
    """Return (axis, start, end, step) of a Slice, or None when a list is not known."""
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
    """Return what is left when the bounds are not known: dimensions of other axes."""
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
    """Return how many elements a slice takes from an axis of `size`."""
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
    """Return the length of a slice with a negative step, by numbers or over the whole axis."""
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
    """Return a slice's bound between 0 and the size of its axis (a symbol is at least 1).

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


def sliced(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Slice, as Python slices each axis."""
    numbers, shape = first_input(facts)
    bounds = slice_bounds(facts, len(shape))
    if bounds is None:
        return [None]
    offsets = whole_axes(shape)
    for axis, start, end, step in bounds:
        if not isinstance(start, int) or not isinstance(end, int) or not isinstance(step, int):
            return [None]
        until = None if step < 0 and end <= -FAR else end
        offsets[axis] = offsets[axis][start:until:step]
    return [picked(numbers, offsets)]


def check_slice(call: Call) -> str:
    """One start, end and step an axis; no step is 0; the axes exist."""
    lengths = _lengths(call)
    if len(set(lengths.values())) > 1:
        return "; ".join(f"{length} {name}" for name, length in lengths.items())
    if 0 in (given(call, 4) or ()):
        return "a step is 0"
    data, axes = call.input(0), given(call, 3, "axes")
    if data is None:
        return ""
    if axes is not None:
        return beyond(axes, len(data)) or repeated(axes, len(data))
    count = lengths.get("starts", 0)
    too_many = count > len(data) and not call.has(3)
    return f"{count} starts for {len(data)} dimensions" if too_many else ""


def _lengths(call: Call) -> dict[str, int]:
    in_attributes = call.node.attribute("starts") is not None
    lengths = {}
    for index, name in enumerate(LISTS, 1):
        numbers = call.node.integers(name) if in_attributes else given(call, index)
        length = len(numbers) if numbers is not None else _length(call, index)
        if length is not None:
            lengths[name] = length
    return lengths


def _length(call: Call, index: int) -> int | None:
    shape = whole(call.input(index)) if call.has(index) else None
    return shape[0] if shape and len(shape) == 1 else None
