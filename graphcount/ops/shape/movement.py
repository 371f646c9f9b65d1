"""Operators that keep the numbers and change the shape (Operators.md, by operator name)."""

from __future__ import annotations

from graphcount.ops.call import Call, Shape, complete
from graphcount.ops.shape.kit import (
    MAX_RANK,
    Number,
    Numbers,
    Ratio,
    Rule,
    Shapes,
    add,
    axes_of,
    axis_of,
    integers_of,
    joined,
    numbers_of,
    of_rank,
    over,
    product,
    replace,
    same,
    times,
)
from graphcount.ops.tables import Key, each, table
from graphcount.symbolic import Dim, Expr, ceildiv, floordiv


def dim(number: Number) -> Dim | None:
    """A number as a dimension; None for what cannot be one."""
    if isinstance(number, int):
        return number if number >= 0 else None
    return number if isinstance(number, Expr) else None


def shape_from(call: Call, index: int) -> Shape | None:
    """A shape given as the numbers of an input; only its rank when they are not known."""
    numbers = numbers_of(call, index)
    if numbers is None:
        given = call.input(index)
        return of_rank(given[0]) if given is not None and len(given) == 1 else None
    return tuple(dim(number) for number in numbers) if len(numbers) <= MAX_RANK else None


def reshape(call: Call) -> Shapes:
    """Reshape: 0 copies a dimension, -1 is what is left."""
    target: Numbers | None = numbers_of(call, 1)
    if call.node.integers("shape") is not None:
        target = call.node.integers("shape")
    if target is None:
        return [shape_from(call, 1)]
    if len(target) > MAX_RANK:
        return [None]
    data = call.input(0)
    dims: list[Dim | None] = []
    for position, number in enumerate(target):
        if number == 0 and not call.node.integer("allowzero", 0):
            dims.append(data[position] if data is not None and position < len(data) else None)
        else:
            dims.append(dim(number))
    holes = [position for position, size in enumerate(dims) if size is None]
    if len(holes) == 1 and data is not None:
        dims[holes[0]] = _left_over(data, [size for size in dims if size is not None])
    return [tuple(dims)]


def _left_over(data: Shape, dims: list[Dim]) -> Dim | None:
    """Elements of `data` divided by dimensions; equal ones are cancelled first."""
    over: list[Dim | None] = list(data)
    under: list[Dim] = []
    for size in dims:
        if size in over:
            over.remove(size)
        else:
            under.append(size)
    elements = complete(tuple(over))
    if elements is None:
        return None
    divisor = product(under)
    total = product(elements)
    return None if total is None or not divisor else floordiv(total, divisor)


def transpose(call: Call) -> Shapes:
    """Transpose: dimensions by `perm`, else reversed."""
    data = call.input(0)
    if data is None:
        return [None]
    perm = call.node.integers("perm")
    if perm is None:
        return [data[::-1]]
    if len(perm) != len(data):
        raise ValueError("perm does not fit")
    return [tuple(data[axis_of(axis, len(data))] for axis in perm)]


def axes(call: Call, index: int) -> tuple[int, ...] | None:
    """Axes as an attribute (older opsets) or as an input; None when neither is known."""
    given = call.node.integers("axes")
    return given if given is not None else integers_of(call, index)


def squeeze(call: Call) -> Shapes:
    """Squeeze: the axes named go; without axes, those of size 1."""
    data = call.input(0)
    if data is None:
        return [None]
    chosen = axes(call, 1)
    if chosen is not None:
        gone = set(axes_of(chosen, len(data)))
        if any(isinstance(data[axis], int) and data[axis] != 1 for axis in gone):
            raise ValueError("a squeezed dimension is not 1")
        return [tuple(size for axis, size in enumerate(data) if axis not in gone)]
    if call.has(1):
        count = call.input(1)
        number = count[0] if count else None
        return [of_rank(len(data) - number) if isinstance(number, int) else None]
    if any(not isinstance(size, int) for size in data):
        return [None]
    return [tuple(size for size in data if size != 1)]


def unsqueeze(call: Call) -> Shapes:
    """Unsqueeze: dimensions of size 1 at the axes of the result."""
    data = call.input(0)
    if data is None:
        return [None]
    chosen = axes(call, 1)
    if chosen is None:
        count = call.input(1)
        number = count[0] if count else None
        return [of_rank(len(data) + number) if isinstance(number, int) else None]
    rank = len(data) + len(chosen)
    new = set(axes_of(chosen, rank))
    if rank > MAX_RANK or len(new) != len(chosen):
        raise ValueError("axes repeat")
    rest = iter(data)
    return [tuple(1 if axis in new else next(rest) for axis in range(rank))]


def flatten(call: Call) -> Shapes:
    """Flatten: a matrix, split at `axis`."""
    data = call.input(0)
    if data is None:
        return [(None, None)]
    axis = call.node.integer("axis", 1)
    if not -len(data) <= axis <= len(data):
        raise IndexError("axis")
    axis = axis + len(data) if axis < 0 else axis
    return [(product(data[:axis]), product(data[axis:]))]


def expand(call: Call) -> Shapes:
    """Expand: data and shape broadcast against each other."""
    target = shape_from(call, 1)
    data = call.input(0)
    if data is None or target is None:
        return [None]
    wide = max(len(data), len(target))
    a = (1,) * (wide - len(data)) + data
    b = (1,) * (wide - len(target)) + target
    return [tuple(joined(x, y) for x, y in zip(a, b, strict=True))]


def concat(call: Call) -> Shapes:
    """Concat: sizes along the axis add up; elsewhere the best known one is taken."""
    ranks = {len(shape) for shape in call.inputs if shape is not None}
    if len(ranks) != 1:
        return [None]
    rank = ranks.pop()
    axis = axis_of(call.node.integer("axis", 1), rank)
    result: list[Dim | None] = []
    for position in range(rank):
        sizes = [shape[position] if shape is not None else None for shape in call.inputs]
        result.append(add(*sizes) if position == axis else _agreed(sizes))
    return [tuple(result)]


def _agreed(sizes: list[Dim | None]) -> Dim | None:
    """The size several tensors share: a number if one knows it, else a symbol."""
    best: Dim | None = None
    for size in sizes:
        if isinstance(size, int):
            return size
        best = best if best is not None else size
    return best


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


def depth_to_space(call: Call) -> Shapes:
    """DepthToSpace: (N, C, H, W) → (N, C / b^2, H * b, W * b)."""
    n, c, h, w = call.input(0) or (None,) * 4
    block = call.node.integer("blocksize", 0)
    return [(n, over(c, block * block), times(h, block), times(w, block))]


def space_to_depth(call: Call) -> Shapes:
    """SpaceToDepth: (N, C, H, W) → (N, C * b^2, H / b, W / b)."""
    n, c, h, w = call.input(0) or (None,) * 4
    block = call.node.integer("blocksize", 0)
    return [(n, times(c, block * block), over(h, block), over(w, block))]


def center_crop_pad(call: Call) -> Shapes:
    """CenterCropPad: the sizes asked for, at `axes` or everywhere."""
    data = call.input(0)
    target = shape_from(call, 1)
    if data is None:
        return [None]
    given = call.node.integers("axes")
    chosen = axes_of(given, len(data)) if given is not None else list(range(len(data)))
    if target is None or len(target) != len(chosen):
        return [of_rank(len(data))]
    result = list(data)
    for axis, size in zip(chosen, target, strict=True):
        result[axis] = size
    return [tuple(result)]


TABLE: dict[Key, Rule] = table(
    "",
    {
        "Reshape": reshape,
        "Transpose": transpose,
        "Squeeze": squeeze,
        "Unsqueeze": unsqueeze,
        "Flatten": flatten,
        "Expand": expand,
        "Concat": concat,
        "Split": split,
        "Tile": tile,
        "Pad": pad,
        "DepthToSpace": depth_to_space,
        "SpaceToDepth": space_to_depth,
        "CenterCropPad": center_crop_pad,
    },
    each("ReverseSequence TensorScatter Scatter ScatterElements ScatterND", same(0)),
)
