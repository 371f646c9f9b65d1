"""The way of a stored tensor to a use: what stands on it, and where each axis of the tensor goes.

`graphcount.analysis.attribution` says which operators use a tensor; it looks through operators that
move, convert or dequantize elements. Whether an operand still has every element once, and along
which axis of the stored tensor its sums run, depends on these.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import NamedTuple, TypeAlias

from graphcount.analysis.attribution import Attributed, TensorUse
from graphcount.domains import NEWEST
from graphcount.graph import ModelGraph, OperatorNode, traits_of
from graphcount.ops.call import Axes, Call, Shape, whole
from graphcount.ops.inference import CANNOT
from graphcount.ops.operator import Multiplicand

MOST_STEPS = 32
"""Operators between a tensor and its use that are looked at."""

PassStep: TypeAlias = "tuple[OperatorNode, int]"
"""An operator, and the input at which it takes the elements."""

Opsets: TypeAlias = "Mapping[str, int]"
"""Version of each domain that a model imports."""


class Operand(NamedTuple):
    """What becomes of a stored tensor on its way.

    Attributes:
        shape: Dimensions; None where they are not known.
        axes: Axis of the stored tensor that each of them is; None where that is not known.
        whole: It has every element of the tensor once.
    """

    shape: Shape | None
    axes: Axes | None
    whole: bool


def steps(graph: ModelGraph, tensor: Attributed, use: TensorUse) -> tuple[PassStep, ...] | None:
    """Return the operators from a tensor to its use, that included; None where it is not simple.

    It is not where the tensor enters a body as a part of it, is joined with others, or where an
    attribute holds it.
    """
    node = graph.nodes[use.node]
    if node.kind != "operator" or use.index is None:
        return None
    way: list[PassStep] = [(node, use.index)]
    while len(way) < MOST_STEPS:
        producer = graph.producer(way[-1][0].id, way[-1][1])
        if producer is None:
            return None
        if producer in tensor.origins:
            return tuple(reversed(way))
        node = graph.nodes[producer]
        if node.kind != "operator" or node.operator is None or len(node.operator.passes) != 1:
            return None
        way.append((node, next(iter(node.operator.passes))))
    return None


def stored(shape: tuple[int, ...]) -> Operand:
    """Return a stored tensor as it is."""
    return Operand(shape, tuple(range(len(shape))), True)


def behind(operand: Operand, step: PassStep, opsets: Opsets) -> Operand:
    """Return what an operator that passes an operand on makes of it."""
    node, index = step
    operator = node.operator
    if operator is None:
        return Operand(None, None, False)
    inputs = (None,) * index + (operand.shape,)
    call = Call(node.record, opsets.get(node.domain, NEWEST), inputs)
    try:
        shape = operator.shape(call)[0] if operator.shape is not None else None
        axes = operand.axes
        if axes is not None:
            rule = operator.axes
            kept = shape is not None and shape == operand.shape and "renames" not in operator.traits
            axes = rule(call, axes) if rule is not None else axes if kept else None
    except CANNOT:
        shape, axes = None, None
    traits = traits_of(node)
    same = "renames" in traits or _count(shape) == _count(operand.shape) is not None
    return Operand(shape, axes, operand.whole and same and "picks" not in traits)


def _count(shape: Shape | None) -> int | None:
    dims = whole(shape)
    return None if dims is None else prod(dims)


def factor_at(node: OperatorNode, index: int | None) -> Multiplicand | None:
    """Return the operand of matrix work at an input, its axes as attributes turn them."""
    operator = node.operator
    for factor in operator.factors if operator is not None else ():
        if factor.input == index:
            if factor.turned and node.record.integer(factor.turned, 0):
                return factor._replace(sums=factor.results, results=factor.sums)
            return factor
    return None


def axis_of(operand: Operand, axis: int) -> int | None:
    """Return the axis of the stored tensor that an axis of its operand is; None: not known."""
    axes = operand.axes
    if axes is None or not axes:
        return None
    if len(axes) == 1:
        return axes[0]
    return axes[axis] if -len(axes) <= axis < len(axes) else None
