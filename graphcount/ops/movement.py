"""Operators that join, cut, repeat and pad tensors (ONNX Operators.md, by operator name)."""

from __future__ import annotations

from graphcount.ops.attributes import AXIS, counts_outputs, first_fault, one_of
from graphcount.ops.call import (
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
    integers_of,
    listed,
    numbers_of,
)
from graphcount.ops.elements import first_input, picked, small, whole_axes
from graphcount.ops.formulas import FREE
from graphcount.ops.inference import (
    add,
    axes_of,
    axis_of,
    dim,
    of_rank,
    product,
    replace,
    same,
    times,
)
from graphcount.ops.operator import FIRST, KEEPS_VALUES, PICKS, Operator, family, traits
from graphcount.ops.precision import kept
from graphcount.ops.reshaping import kept_axes
from graphcount.symbolic import Dim, ceildiv, floordiv


def concat(call: Call) -> Shapes:
    """Concat: sizes along the axis add up; elsewhere they are one. An empty tensor adds nothing.

    Raises:
        ValueError: Sizes elsewhere differ.
    """
    inputs = [shape for shape in call.inputs if shape is None or 0 not in shape] or call.inputs
    ranks = {len(shape) for shape in inputs if shape is not None}
    if len(ranks) != 1:
        return [None]
    rank = ranks.pop()
    axis = axis_of(call.node.integer("axis", 1), rank)
    result: list[Dim | None] = []
    for position in range(rank):
        sizes = [shape[position] if shape is not None else None for shape in inputs]
        result.append(add(*sizes) if position == axis else _agreed(sizes))
    return [tuple(result)]


def _agreed(sizes: list[Dim | None]) -> Dim | None:
    """Return the size several tensors share: a number if one knows it, else a symbol.

    Raises:
        ValueError: Two numbers differ.
    """
    numbers = list(dict.fromkeys(size for size in sizes if isinstance(size, int)))
    if len(numbers) > 1:
        raise ValueError(f"{numbers[0]} and {numbers[1]} beside each other")
    return numbers[0] if numbers else next((size for size in sizes if size is not None), None)


def split(call: Call) -> Shapes:
    """Split: by sizes (attribute or input), else into equal parts, the last one smaller."""
    outputs = len(call.node.outputs)
    data = call.input(0)
    if data is None:
        return [None] * outputs
    axis = axis_of(call.node.integer("axis", 0), len(data))
    sizes: Numbers | None = call.node.integers("split")
    if sizes is None and call.has(1):
        sizes = numbers_of(call, 1)
        if sizes is None:
            return [replace(data, axis, None)] * outputs
    if sizes is not None:
        if len(sizes) != outputs:
            raise ValueError("sizes and outputs differ")
        return [replace(data, axis, dim(size)) for size in sizes]
    total = data[axis]
    if total is None:
        return [data] * outputs
    if call.node.attribute("num_outputs") is None:
        return [replace(data, axis, floordiv(total, outputs))] * outputs
    if call.node.integer("num_outputs", 0) != outputs:
        raise ValueError("num_outputs")
    part = ceildiv(total, outputs)
    last = replace(data, axis, total - part * (outputs - 1))
    return [*[replace(data, axis, part)] * (outputs - 1), last]


def tile(call: Call) -> Shapes:
    """Tile: each dimension times its repeats (Tile-1: `tiles` along one `axis`)."""
    data = call.input(0)
    if data is None:
        return [None]
    if call.has(2):
        tiles, axis = numbers_of(call, 1), integers_of(call, 2)
        if not tiles or not axis:
            return [of_rank(len(data))]
        at = axis_of(axis[0], len(data))
        return [replace(data, at, times(data[at], dim(tiles[0])))]
    repeats = numbers_of(call, 1)
    if repeats is None:
        return [of_rank(len(data))]
    pairs = zip(data, repeats, strict=True)
    return [tuple(times(size, dim(number)) for size, number in pairs)]


def pad(call: Call) -> Shapes:
    """Pad: begins, then ends, are added; of `axes` only when these are given."""
    data = call.input(0)
    if data is None:
        return [None]
    pads: Numbers | None = call.node.integers("pads") or call.node.integers("paddings")
    if pads is None:
        pads = numbers_of(call, 1)
    if pads is None:
        return [of_rank(len(data))]
    chosen = list(range(len(data)))
    if call.has(3):
        given = integers_of(call, 3)
        if given is None:
            return [of_rank(len(data))]
        chosen = axes_of(given, len(data))
    if len(pads) != 2 * len(chosen):
        raise ValueError("pads do not fit")
    result = list(data)
    for position, axis in enumerate(chosen):
        begin, end = pads[position], pads[position + len(chosen)]
        known = not isinstance(begin, Ratio) and not isinstance(end, Ratio)
        result[axis] = add(result[axis], begin, end) if known else None  # type: ignore[arg-type]
    return [tuple(result)]


# ---------------------------------------------------------------------------------------- data


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


def tiled(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Tile: every axis over and over."""
    numbers, shape = first_input(facts)
    to = small(outputs[0])
    if to is None or len(to) != len(shape):
        return [None]
    axes = zip(whole_axes(shape), shape, to, strict=True)
    offsets = [list(axis) * (wide // size if size else 0) for axis, size, wide in axes]
    return [picked(numbers, offsets)]


def parted(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Split: consecutive pieces of one axis."""
    numbers, shape = first_input(facts)
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


# --------------------------------------------------------------------------------------- checks


def check_split(call: Call) -> str:
    """Sizes of the outputs: one each, none negative, together the whole axis."""
    data, outputs = call.input(0), len(call.node.outputs)
    axis = call.node.integer("axis", 0)
    size = data[axis] if data and -len(data) <= axis < len(data) else None
    if not call.has(1) and call.node.attribute("split") is None:
        uneven = isinstance(size, int) and outputs and size % outputs
        halved = call.node.attribute("num_outputs") is None
        return f"{size} into {outputs} outputs" if uneven and halved else ""
    sizes = given(call, 1, "split")
    if sizes is None:
        return ""
    if min(sizes, default=0) < 0 or (isinstance(size, int) and sum(sizes) != size):
        return f"sizes {listed(sizes)}" + (f" of {size}" if isinstance(size, int) else "")
    return f"{len(sizes)} sizes for {outputs} outputs" if len(sizes) != outputs else ""


def check_pad(call: Call) -> str:
    """Two numbers an axis, and nothing is cut that is not there."""
    data, pads = call.input(0), given(call, 1, "pads", "paddings")
    axes = given(call, 3)
    if data is None or pads is None or (call.has(3) and axes is None):
        return ""
    chosen = tuple(range(len(data))) if axes is None else axes
    if len(pads) != 2 * len(chosen):
        return f"{len(pads)} pads for {len(chosen)} axes"
    why = beyond(chosen, len(data))
    if why or not data:
        return why
    for axis, begin, end in zip(chosen, pads, pads[len(chosen) :], strict=False):
        size = data[axis]
        if isinstance(size, int) and size + begin + end < 0:
            return f"pads {begin} and {end} of an axis of {size}"
    return ""


def check_tile(call: Call) -> str:
    """One count an axis, none negative (opset 1 has another form, of three inputs)."""
    data, repeats = call.input(0), given(call, 1)
    if repeats is None or call.has(2):
        return ""
    if min(repeats, default=0) < 0:
        return f"repeats {listed(repeats)}"
    if data is not None and len(repeats) != len(data):
        return f"{len(repeats)} repeats for {len(data)} dimensions"
    return ""


TABLE = family(
    "movement",
    {
        "Split": Operator(
            roles=("operand", "shape"),
            passes=FIRST,
            shape=split,
            data=parted,
            axes=kept_axes,
            reads="picked",
            cost=FREE,
            check=first_fault(AXIS, check_split),
            attribute_check=counts_outputs,
            traits=PICKS,
        ),
        "Tile": Operator(
            roles=("operand", "shape", "axes"),
            shape=tile,
            data=tiled,
            cost=FREE,
            check=check_tile,
            traits=traits("generates", "keeps values"),
        ),
        "Concat": Operator(
            rest="operand",
            shape=concat,
            data=concatenated,
            cost=FREE,
            check=AXIS,
            traits=KEEPS_VALUES,
        ),
        "Pad": Operator(
            roles=("operand", "shape", "literal", "axes"),
            shape=pad,
            precision=kept,
            cost=FREE,
            check=check_pad,
            attribute_check=one_of("mode", "constant", "reflect", "edge", "wrap"),
        ),
        "Trilu": Operator(
            roles=("operand", "scalar"), shape=same(0), cost=FREE, traits=traits("overwrites")
        ),
        "ReverseSequence": Operator(
            roles=("operand", "shape"), shape=same(0), cost=FREE, traits=KEEPS_VALUES
        ),
    },
)
