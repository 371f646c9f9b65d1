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
    Ratio,
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
from graphcount.symbolic import Dim, Expr, ceildiv, maximum, minimum

FAR = 10**9
"""A bound this far out means "to the end" of a dynamic size, which is taken to be smaller.

Exporters write 10^9, INT32_MAX or INT64_MAX. Sizes that are numbers are compared as they are."""

NO_END = frozenset({2**31 - 1, 2**63 - 1})
"""Ends that onnxruntime takes for no end at all, in both directions (slice_helper.h)."""

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
    """Return how many elements a slice takes from an axis of `size`: never more than it has."""
    if not isinstance(step, int):
        return None
    if step == 0:
        raise ValueError("step 0")
    if size is None:
        return _length_without_size(start, end, step)
    if size == 0:
        return 0
    low, high = (0, size) if step > 0 else (-1, size - 1)
    first = _position(start, size, 0, high)
    last = low if step < 0 and end in NO_END else _position(end, size, low, high)
    if first is None or last is None:
        return None
    span = last - first if step > 0 else first - last
    whole = (low, high) if step > 0 else (high, low)
    in_order = first == whole[0] or last == whole[1]
    return ceildiv(span if in_order else _positive_part(span), abs(step))


def _length_without_size(start: Number, end: Number, step: int) -> Dim | None:
    """One element is one element wherever it is: x[i:i+1]."""
    if step > 0 and isinstance(start, int) and start == -1 and isinstance(end, int) and end >= FAR:
        return 1
    return None


def _position(bound: Number, size: Dim, low: int, high: Dim) -> Dim | None:
    """Return where on its axis a bound lies: counted from the end if negative, kept within limits.

    A dynamic size is taken to be at least 1 and below `FAR`.
    """
    if bound is None or isinstance(bound, Ratio):
        return None
    if bound in (size, high):
        return high
    if isinstance(bound, int) and isinstance(size, Expr):
        if abs(bound) >= FAR:
            return high if bound > 0 else low
        if bound == 0 or (bound == 1 and high == size):
            return bound
    least = at_least(bound)
    if least is not None and least >= 0:
        return smaller(bound, high)
    least = at_least(-bound)
    if least is not None and least > 0:
        return size - 1 if bound == -1 else larger(size + bound, low)
    negative = minimum(maximum(-bound, 0), 1)  # 1 where it is counted from the end, else 0
    return larger(smaller(bound + size * negative, high), low)


def _positive_part(dim: Dim) -> Dim:
    return max(dim, 0) if isinstance(dim, int) else larger(dim, 0)


def sliced(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Slice, as Python slices each axis, but for a start before the first element."""
    numbers, shape = first_input(facts)
    bounds = slice_bounds(facts, len(shape))
    if bounds is None:
        return [None]
    offsets = whole_axes(shape)
    for axis, start, end, step in bounds:
        if not isinstance(start, int) or not isinstance(end, int) or not isinstance(step, int):
            return [None]
        if step < 0:
            start = max(start, -len(offsets[axis]))  # else Python takes nothing
        offsets[axis] = offsets[axis][start : None if end in NO_END else end : step]
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
