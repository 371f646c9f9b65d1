"""Beginnings of tensors in other orders: elements apart, shifted, in turn, and numbers as bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import takewhile
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from graphcount.analysis.stored import Stored
from graphcount.loading.source import Readable

if TYPE_CHECKING:
    from numpy.typing import NDArray

BEGINNING, FEWER = 1024, 256
"""Elements at the beginning of a tensor that are searched in further ways: all in all, and in ways
of which there are many."""

STEPS = range(2, 9)
"""So many tensors that bytes are dealt out to."""

APART = range(2, 65)
"""Elements so far apart."""


class TensorContent(NamedTuple):
    """A tensor whose data can be read by position.

    Attributes:
        stored: The tensor.
        content: Its data, as raw_data holds it.
        width: Bytes of an element, or of a part of one.
    """

    stored: Stored
    content: Readable
    width: int


class Rearranged(NamedTuple):
    """Bytes that were made of a tensor's elements.

    Attributes:
        tensor: The tensor.
        how: In what way, in words; empty for its data as it lies.
        data: The bytes.
        width: Bytes of a word in them.
    """

    tensor: TensorContent
    how: str
    data: bytes
    width: int


def rearranged(tensors: Sequence[TensorContent]) -> Iterator[Rearranged]:
    """Yield the beginning of the first tensor in every other order, with those after it in turn."""
    yield from _apart(tensors[0])
    yield from _as_bytes(tensors[0])
    yield from _dealt(tensors)


def _apart(tensor: TensorContent) -> Iterator[Rearranged]:
    """Yield elements in other orders: some apart, shifted, by columns."""
    import numpy as np

    stored, content, width = tensor
    words = _words(tensor, FEWER * APART[-1])
    for step in APART:
        yield Rearranged(tensor, f"every {step}th element", words[::step][:FEWER].tobytes(), width)
    for low in range(1, 5 * width):
        shifted = words[: 2 * FEWER] >> words.dtype.type(low)
        yield Rearranged(tensor, f"shifted by {low} bits", shifted.tobytes(), width)
    shape = stored.shape if prod(stored.shape) * width == content.nbytes else ()
    for columns in {prod(shape[1:]), *shape[-1:]} if len(shape) > 1 else ():
        rows = content.nbytes // width // columns if columns else 0
        if rows > 1 < columns:
            at = np.arange(min(BEGINNING, rows * columns))
            places = (at % rows * columns + at // rows) * width
            data = b"".join(content.read(int(place), width) for place in places)
            yield Rearranged(tensor, "column by column", data, width)


SCALES = ((1.0, 0.0), (255.0, 0.0), (256.0, 0.0), (128.0, 128.0), (127.5, 127.5), (1.0, 128.0))
"""What makes bytes of numbers: times the first, plus the second."""


def _as_bytes(tensor: TensorContent) -> Iterator[Rearranged]:
    """Yield what floats stand for whose first ones are bytes, or parts of 255 and the like."""
    import numpy as np

    dtype = FLOATS.get(tensor.stored.dtype)
    if dtype is None:
        return
    data = tensor.content.read(0, 64 * BEGINNING * tensor.width)
    words = np.frombuffer(data, f"<u{tensor.width}", len(data) // tensor.width)
    if tensor.stored.dtype == "bfloat16":
        words = words.astype("<u4") << 16
    with np.errstate(invalid="ignore"):  # NaN that are no quiet ones
        numbers = words.view(dtype).astype(np.float64)
    for scale, shift in SCALES:
        with np.errstate(all="ignore"):
            whole = np.rint(numbers * scale + shift)
            near = np.abs(numbers * scale + shift - whole) <= 0.03 * (scale > 1)
        fits = near[:64] & (whole[:64] >= 0) & (whole[:64] < 256)
        if fits.all() and len(np.unique(whole[:64])) > 3:
            made = np.where((whole >= 0) & (whole < 256), whole, 0).astype(np.uint8).tobytes()
            how = f"of numbers times {scale:g}" + (f" plus {shift:g}" if shift else "")
            yield Rearranged(tensor, how, made, 1)
            return


FLOATS = {"float32": "<f4", "float16": "<f2", "float64": "<f8", "bfloat16": "<f4"}


def _words(tensor: TensorContent, most: int) -> NDArray[Any]:
    """Return the first elements of a tensor as unsigned integers."""
    import numpy as np

    data = tensor.content.read(0, most * tensor.width)
    return np.frombuffer(data, f"<u{tensor.width}", len(data) // tensor.width)


def _dealt(tensors: Sequence[TensorContent]) -> Iterator[Rearranged]:
    """Yield the elements of the first tensor and of those after it in turn."""
    import numpy as np

    first = tensors[0]
    alike = takewhile(lambda tensor: tensor.width == first.width, tensors)
    words = [_words(tensor, BEGINNING) for tensor in alike]
    for step in STEPS[: max(0, len(words) - 1)]:
        most = min(2 * BEGINNING // step, *map(len, words[:step]))
        turns = np.stack([some[:most] for some in words[:step]], 1).tobytes()
        yield Rearranged(first, f"of {step} tensors in turn", turns, first.width)
