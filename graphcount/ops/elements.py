"""What rules for elements of small tensors are made of: the part of a graph that computes shapes.

For numbers and for symbols. A rule takes the facts of a call and the shapes of its outputs and
returns the elements of each output, flattened in row-major order; None where they are not known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphcount.ops.call import (
    MAX_NUMBERS,
    DataRule,
    Facts,
    Number,
    Numbers,
    Results,
    Shape,
    is_known,
)
from graphcount.ops.inference import product

INTEGERS = frozenset({2, 3, 4, 5, 6, 7, 12, 13})
FLOATS = frozenset({1, 10, 11, 16})


def small(shape: Shape | None) -> tuple[int, ...] | None:
    """Return a shape in numbers, when the tensor is small enough to be looked at."""
    if shape is None:
        return None
    sizes = tuple(size for size in shape if isinstance(size, int) and 0 <= size <= MAX_NUMBERS)
    if len(sizes) != len(shape):
        return None
    elements = product(sizes)
    return sizes if isinstance(elements, int) and elements <= MAX_NUMBERS else None


def strides(shape: tuple[int, ...]) -> list[int]:
    """Return how far apart neighbours of each axis lie."""
    result, step = [], 1
    for size in reversed(shape):
        result.append(step)
        step *= size
    return result[::-1]


def picked(numbers: Numbers, offsets: Sequence[Sequence[int]]) -> Numbers | None:
    """Return the elements at every sum of one offset an axis, last axis fastest."""
    if any(not axis for axis in offsets):
        return ()
    elements = product(len(axis) for axis in offsets)
    if not isinstance(elements, int) or elements > MAX_NUMBERS:
        return None
    flat = [0]
    for axis in offsets:
        flat = [base + offset for base in flat for offset in axis]
    return tuple(numbers[position] for position in flat)


def whole_axes(shape: tuple[int, ...]) -> list[Sequence[int]]:
    """Return the offsets of all elements, an axis at a time; a part of one costs what it holds."""
    steps = zip(shape, strides(shape), strict=True)
    return [range(0, size * stride, stride) if size else () for size, stride in steps]


def stretched(numbers: Numbers, shape: tuple[int, ...], to: tuple[int, ...]) -> Numbers | None:
    """Return elements broadcast to a wider shape."""
    if shape == to or len(numbers) == product(to):
        return numbers
    lead = len(to) - len(shape)
    offsets: list[Sequence[int]] = [[0] * size for size in to[:lead]]
    for axis, size, wide in zip(whole_axes(shape), shape, to[lead:], strict=True):
        offsets.append([0] * wide if size == 1 else axis)
    return picked(numbers, offsets)


# ----------------------------------------------------------------------------------- elementwise


def each_element(operation: Callable[..., Number]) -> DataRule:
    """Return the rule of an operation on operands that broadcast; floats are on their way back."""

    def rule(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
        shape = small(outputs[0])
        if shape is None:
            return [None]
        operands = []
        for index in range(len(facts.inputs)):
            numbers, given = facts.numbers[index], small(facts.input(index))
            if numbers is None or given is None:
                return [None]
            operands.append(stretched(numbers, given, shape))
        if any(operand is None for operand in operands):
            return [None]
        columns = [operand for operand in operands if operand is not None]
        return [tuple(operation(*row) for row in zip(*columns, strict=True))]

    return rule


def folded(operation: Callable[[Number, Number], Number]) -> Callable[..., Number]:
    """Return an operation on two numbers as one on any count; what overflows is not known."""

    def fold(first: Number, *rest: Number) -> Number:
        for number in rest:
            first = operation(first, number)
            if not is_known(first):
                first = None
        return first

    return fold


def unchanged(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Return the same elements, whatever their shape is now."""
    return [facts.numbers[0]]


def first_input(facts: Facts) -> tuple[Numbers, tuple[int, ...]]:
    """Return elements and shape of the first input.

    Raises:
        LookupError: One is not known.
    """
    numbers, shape = facts.numbers[0], small(facts.input(0))
    if numbers is None or shape is None:
        raise LookupError("not known")
    return numbers, shape


def folded_to_one(operation: Callable[..., Number], empty: Number) -> DataRule:
    """Return the rule of a reduction of a vector, or of all elements, to one."""

    def rule(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
        numbers = facts.numbers[0]
        shape = small(outputs[0])
        if numbers is None or shape is None or product(shape) != 1:
            return [None]
        return [(operation(*numbers) if numbers else empty,)]

    return rule
