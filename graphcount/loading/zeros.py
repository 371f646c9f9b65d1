"""Zeros of tensor data, counted over the stream that `loading/tensor_data.py` makes of it.

Memory is that of a chunk, whatever the size of a tensor. A zero is a bit pattern: +0 and -0 of
floating point types (`DType.zero_mask`), and of quantized integers the zero point, which stands for
the real number 0 (ONNX Operators.md, DequantizeLinear: y = (x - x_zero_point) * x_scale).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from graphcount.dtypes import DType
from graphcount.loading.model import Tensor
from graphcount.loading.tensor_data import elements

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]

GROUP, MOST_IN_GROUP = 4, 2
"""N:M sparsity of NVIDIA's tensor cores: of 4 consecutive elements at most 2 are not zero."""

MOST_WAITING = 1 << 24
"""Elements of 4 lines that are held until a group is whole; of longer lines nothing is said."""


class ZeroAxis(NamedTuple):
    """How the places of a tensor follow an axis of its zero points.

    Attributes:
        inner: Elements of the tensor between two neighbours along the axis.
        size: Dimension of the tensor.
        block: Neighbours that share a zero point.
        step: Zero points between two neighbours.
    """

    inner: int
    size: int
    block: int
    step: int


class ZeroPoint(NamedTuple):
    """The elements of a tensor that are zero: one for all, or one for each row, column, block.

    Attributes:
        codes: Bits of the zero points.
        axes: Axes along which they differ.
    """

    codes: Array
    axes: tuple[ZeroAxis, ...]

    def at(self, first: int, count: int) -> Array:
        """Return the zero points of `count` elements from element `first`, or the one of all."""
        import numpy as np

        if not self.axes:
            return self.codes[:1]
        places = np.arange(first, first + count)
        index = np.zeros(count, np.int64)
        for axis in self.axes:
            index += places // axis.inner % axis.size // axis.block * axis.step
        return self.codes[index]


def zero_point(
    zero: Tensor,
    data: bytes,
    dtype: DType,
    dims: Sequence[int],
    shape: Sequence[int],
    block: int = 0,
) -> ZeroPoint | None:
    """Return zero points as they lie over a tensor; None where they do not fit it.

    Args:
        zero: The tensor of zero points: of the same type, or of whole numbers.
        data: Its data, as raw_data would hold it.
        dtype: Type of the tensor that they are for.
        dims: Dimensions of the zero points, as many as those of the tensor: each 1, the same, or
            the number of its blocks.
        shape: Dimensions of the tensor.
        block: Neighbours of a block; 0: there are none.
    """
    count = prod(dims)
    codes = _zero_codes(zero, data, dtype, count)
    if codes is None or len(codes) != count or not count or len(dims) != len(shape):
        return None
    if (codes == codes[0]).all():
        return ZeroPoint(codes[:1], ())
    axes = []
    for axis, (many, size) in enumerate(zip(dims, shape, strict=True)):
        if many > 1:
            shared = 1 if many == size else block
            if not shared or -(-size // shared) != many:
                return None
            axes.append(ZeroAxis(prod(shape[axis + 1 :]), size, shared, prod(dims[axis + 1 :])))
    return ZeroPoint(codes, tuple(axes))


def _zero_codes(zero: Tensor, data: bytes, dtype: DType, count: int) -> Array | None:
    """Return zero points as bits of elements of a type; None for what is no whole number."""
    import numpy as np

    if zero.data_type == dtype.code:
        return next(codes_of(iter([data]), dtype, count), None)
    numbers = elements(data, zero.data_type)
    if numbers is None or any(number != number // 1 for number in numbers):
        return None
    limit = 1 << dtype.bits
    if any(not -limit < number < limit for number in numbers):
        return None
    width = max(8, dtype.bits)
    return np.array([int(number) % limit for number in numbers], f"<u{width // 8}")


def codes_of(
    chunks: Iterator[bytes], dtype: DType, count: int, *, whole_bytes: bool = False
) -> Iterator[Array]:
    """Yield the bits of elements as unsigned integers; of complex numbers two an element.

    Args:
        chunks: The data, as raw_data would hold it.
        dtype: Its type.
        count: How many elements there are: the last byte may have room for more.
        whole_bytes: Elements of 6 bits take a byte each (int32_data).
    """
    import numpy as np

    if dtype.bits >= 8:
        width = dtype.bits // (16 if dtype.family == "complex" else 8)
        for chunk in chunks:
            yield np.frombuffer(chunk, f"<u{width}", len(chunk) // width)
        return
    left = count
    period = 1 if dtype.bits != 6 or whole_bytes else 3
    for chunk in _whole(chunks, period):
        data = np.frombuffer(chunk, np.uint8)
        codes = _unpacked(data, 8 if whole_bytes and dtype.bits == 6 else dtype.bits)[:left]
        left -= len(codes)
        yield codes


def _whole(chunks: Iterator[bytes], period: int) -> Iterator[bytes]:
    """Yield the same bytes in chunks of whole periods, the last one filled up with zeros."""
    rest = b""
    for chunk in chunks:
        joined = rest + chunk
        size = len(joined) // period * period
        rest = joined[size:]
        yield joined[:size]
    if rest:
        yield rest.ljust(period, b"\0")


def _unpacked(data: Array, bits: int) -> Array:
    """Return elements of 2, 4, 6 or 8 bits: the first in the lowest bits (onnx.proto, raw_data)."""
    import numpy as np

    if bits == 8:
        return data
    if bits == 6:
        three = data.reshape(-1, 3).astype(np.uint32)
        words = three[:, 0] | three[:, 1] << 8 | three[:, 2] << 16
        shifts = np.arange(0, 24, 6, dtype=np.uint32)
        return (words[:, None] >> shifts & 0x3F).astype(np.uint8).reshape(-1)
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    codes: Array = (data[:, None] >> shifts & ((1 << bits) - 1)).reshape(-1)
    return codes


class TensorZeros(NamedTuple):
    """What one pass over a tensor counts.

    Attributes:
        elements: Elements that were read.
        zeros: Those of them that are zero.
        two_four: Whether at most 2 of 4 consecutive elements are not zero, along every axis that
            was asked for; None where none was, or lines are too long.
    """

    elements: int
    zeros: int
    two_four: bool | None


def count_zeros(
    chunks: Iterator[bytes],
    dtype: DType,
    count: int,
    *,
    zero: ZeroPoint | None = None,
    lines: Sequence[int] = (),
    whole_bytes: bool = False,
) -> TensorZeros:
    """Count the zeros of a tensor over the stream of its data.

    Args:
        chunks: The data, as raw_data would hold it.
        dtype: Its type, which is not strings.
        count: How many elements the dimensions ask for.
        zero: What is zero; None: 0.
        lines: For each axis along which groups are looked at, elements between two neighbours; its
            dimension is a multiple of 4.
        whole_bytes: See `codes_of`.
    """
    import numpy as np

    groups = [_Groups(inner) for inner in lines]
    mask = dtype.zero_mask
    zeros = first = 0
    for codes in codes_of(chunks, dtype, count, whole_bytes=whole_bytes):
        stored: Array
        if mask is None:
            stored = np.ones(len(codes), bool)
        elif zero is not None and dtype.family == "int":
            stored = np.not_equal(codes, zero.at(first, len(codes)))
        else:
            stored = np.not_equal(codes & codes.dtype.type(mask), 0)
        if dtype.family == "complex":
            stored = np.logical_or(stored[::2], stored[1::2])
        zeros += len(stored) - int(np.count_nonzero(stored))
        first += len(stored)
        for group in groups:
            group.add(stored)
    two_four = all(group.holds for group in groups) if groups else None
    if two_four and any(GROUP * inner > MOST_WAITING for inner in lines):
        two_four = None
    return TensorZeros(first, zeros, two_four)


class _Groups:
    """Whether groups along one axis hold enough zeros; nothing is held once one does not."""

    def __init__(self, inner: int) -> None:
        self.inner = inner
        self.block = GROUP * inner
        self.holds = True
        self.waiting: list[Array] = []
        self.length = 0

    def add(self, stored: Array) -> None:
        """Look at the next elements; True is what is not zero."""
        import numpy as np

        if not self.holds or self.block > MOST_WAITING:
            return
        self.waiting.append(stored)
        self.length += len(stored)
        whole = self.length // self.block * self.block
        if not whole:
            return
        joined = self.waiting[0] if len(self.waiting) == 1 else np.concatenate(self.waiting)
        lines = joined[:whole].view(np.uint8).reshape(-1, GROUP, self.inner)
        sums = sum((lines[:, place] for place in range(1, GROUP)), lines[:, 0])
        self.holds = bool((sums <= MOST_IN_GROUP).all())
        self.waiting, self.length = [joined[whole:]], self.length - whole


__all__ = ["TensorZeros", "ZeroPoint", "codes_of", "count_zeros", "zero_point"]
