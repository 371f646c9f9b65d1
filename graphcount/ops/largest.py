"""The largest shape of results whose size the data decide: what no run goes beyond.

A rule returns the shape of each output with nothing left open that has a bound. Where the size is
known anyway, the shape rule says it, and this one is not asked.
Source: ONNX Operators.md (NonZero, Unique, …) and ContribOperators.md of onnxruntime.
"""

from __future__ import annotations

from graphcount.ops.call import Call, Shape, Shapes, numbers_of
from graphcount.ops.inference import add, axis_of, product, replace, smaller, times
from graphcount.symbolic import Dim, Expr


def _smaller(a: Dim | None, b: Dim | None) -> Dim | None:
    """Return the smaller of two bounds, where one may be missing."""
    if a is None or b is None:
        return b if a is None else a
    return smaller(a, b)


def _elements(shape: Shape | None) -> Dim | None:
    return product(shape) if shape is not None else None


def kept(call: Call) -> Shapes:
    """Compress: no more than the condition has elements, nor than there are."""
    data, condition = call.input(0), call.input(1)
    asked = condition[0] if condition else None
    if call.node.attribute("axis") is None:
        return [(_smaller(_elements(data), asked),)]
    if data is None:
        return [None]
    axis = axis_of(call.node.integer("axis", 0), len(data))
    return [replace(data, axis, _smaller(data[axis], asked))]


def places(call: Call) -> Shapes:
    """NonZero: every element."""
    data = call.input(0)
    return [(max(len(data), 1), product(data)) if data is not None else None]


def different(call: Call) -> Shapes:
    """Unique: every element, or every slice along the axis, is another one."""
    data = call.input(0)
    if data is None:
        return [None]
    if call.node.attribute("axis") is None:
        count: Dim | None = product(data)
        return [(count,)] * 4
    axis = axis_of(call.node.integer("axis", 0), len(data))
    return [data, *[(data[axis],)] * 3]


def boxes(call: Call) -> Shapes:
    """NonMaxSuppression: of each batch and class all boxes, or as many as the limit says."""
    all_boxes, scores = call.input(0), call.input(1)
    if all_boxes is None or scores is None or (len(all_boxes), len(scores)) != (3, 3):
        return [None]
    limit: Dim | None = None if call.has(2) else 0  # left out, it is 0
    numbers = numbers_of(call, 2)
    if numbers and isinstance(numbers[0], int | Expr):
        limit = max(numbers[0], 0) if isinstance(numbers[0], int) else numbers[0]
    selected = _smaller(all_boxes[1], limit)
    return [(times(times(scores[0], scores[1]), selected), 3)]


def of_data(call: Call) -> Shapes:
    """Slice, TopK: a part of the data."""
    return [call.input(0)] * len(call.node.outputs)


def unpadded(call: Call) -> Shapes:
    """RemovePadding: no token is padding."""
    data = call.input(0)
    if data is None or len(data) != 3:
        return [None]
    return [(times(data[0], data[1]), data[2])]


def path(call: Call) -> Shapes:
    """DynamicTimeWarping: a path that takes one step at a time."""
    data = call.input(0)
    if data is None or len(data) < 2:
        return [None]
    return [(2, add(data[-2], data[-1], -1))]
