"""What small integer tensors hold: the part of a graph that computes shapes.

Numbers and symbols alike. A rule takes the facts of a call and the shapes of its outputs and
returns the numbers of each output, flattened in row-major order; None where they are not known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from graphcount.ops.call import Shape
from graphcount.ops.shape import arithmetic
from graphcount.ops.shape.indexing import FAR, slice_bounds
from graphcount.ops.shape.kit import Facts, Number, Numbers, axis_of, integers_of, product
from graphcount.ops.shape.making import shape_part
from graphcount.ops.tables import Key

MAX_NUMBERS = 4096
"""Tensors with more numbers are no shapes."""

Results: TypeAlias = "list[Numbers | None]"
NumberRule: TypeAlias = "Callable[[Facts, tuple[Shape | None, ...]], Results]"

INTEGERS = frozenset({2, 3, 4, 5, 6, 7, 12, 13})
FLOATS = frozenset({1, 10, 11, 16})
BOOL = 9


def small(shape: Shape | None) -> tuple[int, ...] | None:
    """A shape in numbers, when the tensor is small enough to be looked at."""
    if shape is None:
        return None
    sizes = tuple(size for size in shape if isinstance(size, int) and 0 <= size <= MAX_NUMBERS)
    if len(sizes) != len(shape):
        return None
    elements = product(sizes)
    return sizes if isinstance(elements, int) and elements <= MAX_NUMBERS else None


def strides(shape: tuple[int, ...]) -> list[int]:
    """How far apart neighbours of each axis lie."""
    result, step = [], 1
    for size in reversed(shape):
        result.append(step)
        step *= size
    return result[::-1]


def picked(numbers: Numbers, offsets: Sequence[Sequence[int]]) -> Numbers | None:
    """The numbers at every sum of one offset an axis, last axis fastest."""
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
    """Offsets of every element, an axis at a time; a part of an axis costs what it holds."""
    steps = zip(shape, strides(shape), strict=True)
    return [range(0, size * stride, stride) if size else () for size, stride in steps]


def stretched(numbers: Numbers, shape: tuple[int, ...], to: tuple[int, ...]) -> Numbers | None:
    """Numbers broadcast to a wider shape."""
    if shape == to or len(numbers) == product(to):
        return numbers
    lead = len(to) - len(shape)
    offsets: list[Sequence[int]] = [[0] * size for size in to[:lead]]
    for axis, size, wide in zip(whole_axes(shape), shape, to[lead:], strict=True):
        offsets.append([0] * wide if size == 1 else axis)
    return picked(numbers, offsets)


# ----------------------------------------------------------------------------------- elementwise


def elementwise(operation: Callable[..., Number]) -> NumberRule:
    """The operation on broadcast operands; of integers, booleans, and floats on their way back."""

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
    """An operation on two numbers as one on any count of them; what overflows is not known."""

    def fold(first: Number, *rest: Number) -> Number:
        for number in rest:
            first = operation(first, number)
            if not arithmetic.is_known(first):
                first = None
        return first

    return fold


def divided(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Div: integers are rounded towards zero, floats are not."""
    if facts.dtype(0) in FLOATS:
        return elementwise(arithmetic.quotient)(facts, outputs)
    return elementwise(arithmetic.whole_quotient)(facts, outputs)


def modulo(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Mod: with the sign of the divisor, or with `fmod` of the dividend."""
    c_like = facts.node.integer("fmod", 0)
    return elementwise(arithmetic.fmod if c_like else arithmetic.remainder)(facts, outputs)


def cast(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Cast, CastLike: to integers rounded towards zero, to booleans whether it is 0."""
    numbers = facts.numbers[0]
    to = facts.node.integer("to", 0) or facts.dtype(1)
    if numbers is None or to not in INTEGERS | FLOATS | {BOOL}:
        return [None]
    if to == BOOL:
        return [tuple(arithmetic.negated(arithmetic.equal(number, 0)) for number in numbers)]
    if to in INTEGERS:
        return [tuple(arithmetic.truncated(number) for number in numbers)]
    return [numbers]


def chosen(condition: Number, yes: Number, no: Number) -> Number:
    """Where."""
    if isinstance(condition, int):
        return yes if condition else no
    return yes if yes == no else None


def clipped(number: Number, low: Number = None, high: Number = None) -> Number:
    """Clip, with both bounds given."""
    return arithmetic.minimum_of(arithmetic.maximum_of(number, low), high)


# -------------------------------------------------------------------------------------- movement


def unchanged(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """The same numbers in another shape."""
    return [facts.numbers[0]]


def shape_of(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Shape: dimensions as numbers."""
    data = facts.input(0)
    return [data[shape_part(facts, len(data))] if data is not None else None]


def size_of(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Size: the product of the dimensions."""
    data = facts.input(0)
    return [(product(data),) if data is not None else None]


def _data(facts: Facts) -> tuple[Numbers, tuple[int, ...]]:
    """Numbers and shape of the first input; LookupError when one is not known."""
    numbers, shape = facts.numbers[0], small(facts.input(0))
    if numbers is None or shape is None:
        raise LookupError("not known")
    return numbers, shape


def sliced(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Slice, as Python slices each axis."""
    numbers, shape = _data(facts)
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


def gathered(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Gather: indices may be negative."""
    numbers, shape = _data(facts)
    indices = integers_of(facts, 1)
    if indices is None:
        return [None]
    axis = axis_of(facts.node.integer("axis", 0), len(shape))
    offsets = whole_axes(shape)
    offsets[axis] = [offsets[axis][index] for index in indices]
    return [picked(numbers, offsets)]


def concatenated(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Concat: pieces of each tensor in turn, as long as the axis and those behind it."""
    shape = small(outputs[0])
    if shape is None:
        return [None]
    axis = axis_of(facts.node.integer("axis", 0), len(shape))
    rows = product(shape[:axis])
    if not isinstance(rows, int) or rows == 0:
        return [() if rows == 0 else None]
    parts: list[Numbers] = []
    for numbers in facts.numbers:
        if numbers is None or len(numbers) % rows:
            return [None]
        if numbers:
            parts.append(numbers)
    result: list[Number] = []
    for row in range(rows):
        for part in parts:
            width = len(part) // rows
            result.extend(part[row * width : (row + 1) * width])
    return [tuple(result)]


def transposed(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Transpose: axes in another order."""
    numbers, shape = _data(facts)
    perm = facts.node.integers("perm") or tuple(reversed(range(len(shape))))
    axes = whole_axes(shape)
    return [picked(numbers, [axes[axis] for axis in perm])]


def expanded(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Expand: broadcast to the result's shape."""
    numbers, shape = _data(facts)
    to = small(outputs[0])
    return [stretched(numbers, shape, to) if to is not None else None]


def tiled(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Tile: every axis over and over."""
    numbers, shape = _data(facts)
    to = small(outputs[0])
    if to is None or len(to) != len(shape):
        return [None]
    axes = zip(whole_axes(shape), shape, to, strict=True)
    offsets = [list(axis) * (wide // size if size else 0) for axis, size, wide in axes]
    return [picked(numbers, offsets)]


def parted(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Split: consecutive pieces of one axis."""
    numbers, shape = _data(facts)
    axis = axis_of(facts.node.integer("axis", 0), len(shape))
    results: Results = []
    start = 0
    for output in outputs:
        piece = small(output)
        if piece is None:
            return [None] * len(outputs)
        offsets = whole_axes(shape)
        offsets[axis] = offsets[axis][start : start + piece[axis]]
        start += piece[axis]
        results.append(picked(numbers, offsets))
    return results


# ---------------------------------------------------------------------------------------- making


def filled(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """ConstantOfShape: one number (0 by default) everywhere."""
    shape = small(outputs[0])
    held: Number = facts.held[0] if facts.held else 0
    count = product(shape) if shape is not None else None
    return [(held,) * count if isinstance(count, int) else None]


def held(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Constant: what its attribute holds."""
    return [facts.held]


def counted(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Range: start, start + delta and so on."""
    shape = small(outputs[0])
    if shape is None or any(not numbers for numbers in facts.numbers[:3]):
        return [None]
    start, _, delta = (numbers[0] for numbers in facts.numbers[:3] if numbers)
    result: list[Number] = []
    for _ in range(shape[0]):
        result.append(start)
        start = arithmetic.plus(start, delta)
    return [tuple(result)]


def non_zero(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """NonZero: coordinates, an axis a row."""
    numbers, shape = _data(facts)
    if any(not isinstance(number, int) for number in numbers):
        return [None]
    places = [position for position, number in enumerate(numbers) if number]
    sizes = shape or (1,)
    if len(places) * len(sizes) > MAX_NUMBERS:
        return [None]
    rows: list[Number] = []
    for size, stride in zip(sizes, strides(sizes), strict=True):
        rows.extend(place // stride % size for place in places)
    return [tuple(rows)]


def reduced(operation: Callable[..., Number], empty: Number) -> NumberRule:
    """A reduction of a vector or of all numbers to one."""

    def rule(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
        numbers = facts.numbers[0]
        shape = small(outputs[0])
        if numbers is None or shape is None or product(shape) != 1:
            return [None]
        return [(operation(*numbers) if numbers else empty,)]

    return rule


def accumulated(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """CumSum of a vector."""
    numbers, shape = _data(facts)
    options = (facts.node.integer("exclusive", 0), facts.node.integer("reverse", 0))
    if len(shape) != 1 or any(options):
        return [None]
    total: Number = 0
    result: list[Number] = []
    for number in numbers:
        total = arithmetic.plus(total, number)
        result.append(total)
    return [tuple(result)]


def _rules(op_types: str, rule: NumberRule) -> dict[Key, NumberRule]:
    return {("", op_type): rule for op_type in op_types.split()}


NUMBER_RULES: dict[Key, NumberRule] = {
    **_rules("Add Sum", elementwise(folded(arithmetic.plus))),
    **_rules("Sub", elementwise(arithmetic.minus)),
    **_rules("Mul", elementwise(arithmetic.multiplied)),
    **_rules("Div", divided),
    **_rules("Mod", modulo),
    **_rules("Pow", elementwise(arithmetic.power)),
    **_rules("Min", elementwise(folded(arithmetic.minimum_of))),
    **_rules("Max", elementwise(folded(arithmetic.maximum_of))),
    **_rules("Clip", elementwise(clipped)),
    **_rules("Neg", elementwise(lambda a: arithmetic.multiplied(a, -1))),
    **_rules("Abs", elementwise(lambda a: arithmetic.maximum_of(a, arithmetic.minus(0, a)))),
    **_rules("Relu", elementwise(lambda a: arithmetic.maximum_of(a, 0))),
    **_rules("Floor", elementwise(arithmetic.rounded_down)),
    **_rules("Ceil", elementwise(arithmetic.rounded_up)),
    **_rules("Equal", elementwise(arithmetic.equal)),
    **_rules("Less", elementwise(arithmetic.below)),
    **_rules("LessOrEqual", elementwise(arithmetic.at_most)),
    **_rules("Greater", elementwise(lambda a, b: arithmetic.below(b, a))),
    **_rules("GreaterOrEqual", elementwise(lambda a, b: arithmetic.at_most(b, a))),
    **_rules("Not", elementwise(arithmetic.negated)),
    **_rules("And", elementwise(arithmetic.both)),
    **_rules("Or", elementwise(arithmetic.either)),
    **_rules("Where", elementwise(chosen)),
    **_rules("Cast CastLike", cast),
    **_rules("Identity Reshape Squeeze Unsqueeze Flatten Dropout", unchanged),
    **_rules("Shape", shape_of),
    **_rules("Size", size_of),
    **_rules("Slice", sliced),
    **_rules("Gather", gathered),
    **_rules("Concat", concatenated),
    **_rules("Transpose", transposed),
    **_rules("Expand", expanded),
    **_rules("Tile", tiled),
    **_rules("Split", parted),
    **_rules("Constant", held),
    **_rules("ConstantOfShape", filled),
    **_rules("Range", counted),
    **_rules("NonZero", non_zero),
    **_rules("ReduceProd", reduced(folded(arithmetic.multiplied), 1)),
    **_rules("ReduceSum", reduced(folded(arithmetic.plus), 0)),
    **_rules("ReduceMax", reduced(folded(arithmetic.maximum_of), None)),
    **_rules("ReduceMin", reduced(folded(arithmetic.minimum_of), None)),
    **_rules("CumSum", accumulated),
}
"""By (domain, op_type); an operator without a rule makes no known numbers."""

NEEDS_NO_NUMBERS = frozenset({"Shape", "Size", "Constant", "ConstantOfShape"})
"""Operators whose result is known from shapes and attributes; the others need their inputs'."""

PICKS = frozenset({"Slice", "Gather", "Split"})
"""Operators that look at the numbers they return only; the others go through all inputs."""
