"""Operators that make a tensor from sizes (Operators.md: ConstantOfShape, Range, Shape, …)."""

from __future__ import annotations

from graphcount.ops.call import Call, Shape
from graphcount.ops.shape.kit import (
    MAX_RANK,
    Numbers,
    Ratio,
    Rule,
    Shapes,
    add,
    larger,
    numbers_of,
    over,
    same,
    scalar,
)
from graphcount.ops.shape.movement import dim, shape_from
from graphcount.ops.tables import Key, each, table
from graphcount.symbolic import Dim, Expr, ceildiv, floordiv


def shape(call: Call) -> Shapes:
    """Shape: as many numbers as the part of the shape asked for has dimensions."""
    data = call.input(0)
    return [(len(data[shape_part(call, len(data))]),)] if data is not None else [(None,)]


def shape_part(call: Call, rank: int) -> slice:
    """Which dimensions Shape returns: from `start` to `end`, clamped."""
    start = call.node.integer("start", 0)
    end = call.node.integer("end", rank)
    return slice(_clamped(start, rank), _clamped(end, rank))


def _clamped(bound: int, rank: int) -> int:
    return min(max(bound + rank if bound < 0 else bound, 0), rank)


def constant(call: Call) -> Shapes:
    """Constant: the tensor or numbers in its attribute."""
    for attribute in call.node.attributes:
        held = [tensor.dims for tensor in attribute.tensors]
        held += [sparse.dims for sparse in attribute.sparse_tensors]
        if held:
            return [held[0] if len(held[0]) <= MAX_RANK else None]
        if attribute.numbers is not None and attribute.name.startswith("value_"):
            listed = attribute.name.endswith("s")
            return [(len(attribute.numbers.values),) if listed else ()]
    return [None]


def range_(call: Call) -> Shapes:
    """Range: max(ceil((limit - start) / delta), 0)."""
    parts = [(numbers_of(call, index) or (None,))[0] for index in range(3)]
    start, limit, delta = (_over_one(part) for part in parts)
    if start is None or limit is None or delta is None:
        return [(None,)]
    (a, b), (c, d), (e, f) = start, limit, delta
    # (c/d - a/b) / (e/f) over the common denominator
    count = ceildiv((c * b - a * d) * f, b * d * e)
    return [(max(count, 0) if isinstance(count, int) else larger(count, 0),)]


def _over_one(number: int | Expr | Ratio | None) -> tuple[Dim, Dim] | None:
    if number is None:
        return None
    return (number.over, number.under) if isinstance(number, Ratio) else (number, 1)


def given_shape(call: Call) -> Shapes:
    """A shape in the attribute `shape`."""
    sizes: Numbers | None = call.node.integers("shape")
    if sizes is None or len(sizes) > MAX_RANK:
        return [None]
    return [tuple(dim(size) for size in sizes)]


def window(call: Call) -> Shapes:
    """Windows: `size` numbers."""
    size = numbers_of(call, 0)
    return [(dim(size[0]) if size else None,)]


def mel_weights(call: Call) -> Shapes:
    """MelWeightMatrix: (dft_length / 2 + 1, num_mel_bins)."""
    bins, length = (numbers_of(call, index) or (None,) for index in range(2))
    return [(add(over(dim(length[0]), 2), 1), dim(bins[0]))]


def multinomial(call: Call) -> Shapes:
    """Multinomial: (batch, sample_size)."""
    data = call.input(0)
    batch = data[0] if data else None
    return [(batch, dim(call.node.integer("sample_size", 1)))]


def constant_of_shape(call: Call) -> Shapes:
    """ConstantOfShape: the shape its input holds."""
    return [shape_from(call, 0)]


def dft(call: Call) -> Shapes:
    """DFT: real and imaginary part last; the axis has `dft_length`, or half when one-sided."""
    data = call.input(0)
    if data is None or len(data) < 2:
        return [None]
    axis: int | None = call.node.integer("axis", 1 if call.opset < 20 else -2)
    if call.has(2):
        given = numbers_of(call, 2)
        axis = given[0] if given and isinstance(given[0], int) else None
    if axis is None:
        return [(None,) * (len(data) - 1) + (2,)]
    at = range(len(data))[axis]
    length = data[at]
    if call.has(1):
        lengths = numbers_of(call, 1)
        length = dim(lengths[0]) if lengths else None
    onesided, inverse = call.node.integer("onesided", 0), call.node.integer("inverse", 0)
    result: list[Dim | None] = [*data[:-1], 1 if onesided and inverse else 2]
    if onesided and not inverse:
        length = add(over(length, 2), 1)
    result[at] = length
    return [tuple(result)]


def stft(call: Call) -> Shapes:
    """STFT: (batch, frames, bins, 2)."""
    signal: Shape = call.input(0) or (None, None)
    step = (numbers_of(call, 1) or (None,))[0]
    length: Dim | None = None
    lengths = numbers_of(call, 3)
    if lengths:
        length = dim(lengths[0])
    elif call.input(2):
        length = (call.input(2) or (None,))[0]
    frames = bins = None
    if length is not None and isinstance(step, int | Expr) and signal[1] is not None:
        frames = floordiv(signal[1] - length, step) + 1
    if length is not None:
        bins = floordiv(length, 2) + 1 if call.node.integer("onesided", 1) else length
    return [(signal[0], frames, bins, 2)]


TABLE: dict[Key, Rule] = table(
    "",
    {
        "Shape": shape,
        "Constant": constant,
        "ConstantOfShape": constant_of_shape,
        "Range": range_,
        "EyeLike": same(0),
        "MelWeightMatrix": mel_weights,
        "Multinomial": multinomial,
        "DFT": dft,
        "STFT": stft,
    },
    each("Size", scalar),
    each("RandomNormal RandomUniform", given_shape),
    each("BlackmanWindow HammingWindow HannWindow", window),
)
