"""Reductions and losses (Operators.md: ReduceSum, ArgMax, SoftmaxCrossEntropyLoss)."""

from __future__ import annotations

from graphcount.ops.call import Call, Shape
from graphcount.ops.shape.kit import Rule, Shapes, axes_of, axis_of, integers_of, of_rank
from graphcount.ops.tables import Key, each, table


def reduced(shape: Shape, axes: set[int], keep: bool) -> Shape:
    """A shape after a reduction over axes that exist."""
    if keep:
        return tuple(1 if axis in axes else size for axis, size in enumerate(shape))
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def reduce(call: Call) -> Shapes:
    """Reduce*: over `axes` (attribute or input), over all when there are none."""
    data, node = call.input(0), call.node
    if data is None:
        return [() if not call.has(1) and _reduces_all(call) else None]
    keep = bool(node.integer("keepdims", 1))
    axes = node.integers("axes")
    if axes is None and call.has(1):
        axes = integers_of(call, 1)
        if axes is None:
            return [of_rank(len(data)) if keep else None]
    if not axes:
        if node.integer("noop_with_empty_axes", 0):
            return [data]
        axes = tuple(range(len(data)))
    return [reduced(data, set(axes_of(axes, len(data))), keep)]


def _reduces_all(call: Call) -> bool:
    node = call.node
    noop = node.integer("noop_with_empty_axes", 0)
    return not node.integer("keepdims", 1) and not node.integers("axes") and not noop


def arg(call: Call) -> Shapes:
    """ArgMax, ArgMin: over one axis."""
    data = call.input(0)
    if data is None:
        return [None]
    axis = axis_of(call.node.integer("axis", 0), len(data))
    return [reduced(data, {axis}, bool(call.node.integer("keepdims", 1)))]


def loss(call: Call) -> Shapes:
    """A loss for each target, or one number; SoftmaxCrossEntropyLoss adds log probabilities."""
    whole = call.node.text("reduction", "mean") != "none"
    return [() if whole else call.input(1), call.input(0)]


TABLE: dict[Key, Rule] = table(
    "",
    each(
        "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd"
        " ReduceSum ReduceSumSquare",
        reduce,
    ),
    each("ArgMax ArgMin", arg),
    each("NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss", loss),
)
