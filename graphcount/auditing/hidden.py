"""Programs, archives and scripts within tensor data, wherever and in whatever bits they lie.

Every place of every tensor is searched in the views of `graphcount.auditing.sieve`. Beginnings of
tensors are searched in more of them: elements some way apart, column by column, dealt out over
tensors that follow each other, numbers that stand for bytes, and text in an odd number of bits.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import accumulate, islice
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from graphcount.analysis.stored import Stored
from graphcount.auditing.elements import LAYOUTS
from graphcount.auditing.files import Files, dense_of, is_fatal, located
from graphcount.auditing.planes import in_planes, masked
from graphcount.auditing.sieve import MARGIN, Hit, in_bits
from graphcount.auditing.signs import BACK, SIGN_NBYTES, TEXTS, Seen, beginning, confirm
from graphcount.auditing.views import BitView, ViewBytes, down
from graphcount.loading.source import BytesSource, Readable
from graphcount.loading.tensor_data import UnreadError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHUNK_NBYTES = 1 << 17
"""Bytes that are searched at a time: what is made of them stays in a processor's cache."""

SMALLEST_NBYTES = 32
"""Tensors of fewer bytes hold nothing."""

DECODED_NBYTES = 1 << 26
"""A tensor that is not stored as it is (numbers as varints) is searched up to this size."""

BEGINNING = 1024
"""Elements at the beginning of a tensor that are searched in further ways."""

MOST_SIGNS = 2000
"""Signs in one tensor that are looked at closely; chance makes about 30 in 100 MB."""

STEPS = range(2, 9)
"""So many tensors that bytes are dealt out to."""

APART = range(2, 65)
"""Elements so far apart."""


class Payload(NamedTuple):
    """Something that lies in tensor data.

    Attributes:
        stored: The tensor.
        kind: What it is, with the article.
        how: Which bits it takes, in words.
        at: First byte of the tensor's data that it takes.
    """

    stored: Stored
    kind: str
    how: str
    at: int


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


class Searched(NamedTuple):
    """What a search says.

    Attributes:
        payloads: What was seen, at most one a tensor and kind.
        left: Bytes of tensors that were not searched.
        crowded: Tensors with more signs than are looked at.
    """

    payloads: list[Payload]
    left: int
    crowded: list[Stored]


def look(stored: Iterable[Stored], files: Files) -> Searched:
    """Search the data of tensors."""
    searched = Searched([], 0, [])
    left = 0
    known: set[Hashable] = set()
    beginnings: list[TensorContent] = []
    for item in stored:
        shared = _place(item)
        if item.problems or item.nbytes < SMALLEST_NBYTES or shared in known:
            continue
        known.add(shared)
        try:
            tensors = list(_tensors(item, files))
        except UnreadError as error:
            if is_fatal(error):
                raise
            left += item.nbytes
            continue
        for tensor in tensors:
            searched.payloads.extend(_everywhere(tensor, searched.crowded))
        beginnings += tensors
    searched.payloads.extend(_further(beginnings))
    return searched._replace(left=left)


def _place(stored: Stored) -> Hashable:
    """Return what tensors that lie in the same bytes of a file share."""
    external = stored.external
    if external is None or stored.sparse is not None:
        return stored.key
    return external.path, external.offset, stored.nbytes, stored.dtype


def _tensors(stored: Stored, files: Files) -> Iterator[TensorContent]:
    """Yield what is to be read of a stored tensor: of a sparse one values and indices."""
    dense = [(dense_of(stored), located(stored))]
    dense += [(stored.sparse.indices, None)] if stored.sparse is not None else []
    for record, external in dense:
        if record is None or record.dtype is None or record.dtype.family == "string":
            continue
        width = max(1, record.dtype.bits // 8)
        width = width // 2 if record.dtype.family == "complex" else width
        fields = record.data_fields
        if record.is_external or (fields and fields[0].field in ("raw_data", *AS_THEY_ARE)):
            content: Readable = files.reader.part(record, external)
        else:
            data = files.reader.read(record, external, most_nbytes=DECODED_NBYTES)
            content = BytesSource(data, "")
        if content.nbytes >= SMALLEST_NBYTES:
            yield TensorContent(stored, content, width)


AS_THEY_ARE = ("float_data", "double_data")
"""Fields whose elements have the bytes that raw_data has."""


def _everywhere(tensor: TensorContent, crowded: list[Stored]) -> Iterator[Payload]:
    """Yield what lies anywhere in a tensor, and in those of its elements that are no usual ones."""
    import numpy as np

    stored, content, width = tensor
    layout = LAYOUTS.get(stored.dtype)
    unusual: list[tuple[NDArray[Any], NDArray[Any]]] = []
    kinds: set[str] = set()
    left = MOST_SIGNS
    for offset in range(0, content.nbytes, CHUNK_NBYTES):
        chunk = np.frombuffer(content.read(offset, CHUNK_NBYTES + 2 * MARGIN), np.uint8)
        if layout is not None and layout.width > 1:
            words = chunk[: min(CHUNK_NBYTES, len(chunk)) // layout.width * layout.width]
            unusual.append(_unusual(words.view(f"<u{layout.width}"), layout.exponent))
        for hit in search(chunk, width):
            left -= 1
            if left < 0:
                crowded.append(stored)
                return
            payload = _payload(tensor, hit._replace(start=hit.start + offset))
            if payload is not None and payload.kind not in kinds and not _is_plain(payload):
                kinds.add(payload.kind)
                yield payload
    for words in (np.concatenate(some) for some in zip(*unusual, strict=True)):
        few = TensorContent(stored, BytesSource(words.tobytes(), ""), width)
        if SMALLEST_NBYTES <= few.content.nbytes < content.nbytes:
            for payload in _beginning(few, every=True):
                yield payload._replace(how=f"{payload.how}, of subnormal numbers or NaN")


def search(data: NDArray[np.uint8], width: int) -> Iterator[Hit]:
    """Yield every sign in bytes that hold little-endian elements of `width` bytes."""
    yield from in_bits(data, width)
    yield from in_planes(data, width)
    for stride in {1, width}:
        yield from masked(data, stride)


def first_in(data: bytes) -> str | None:
    """Return what lies in some bytes that no tensor owns, in any of the views of bytes."""
    import numpy as np

    content = BytesSource(data, "")
    for hit in islice(search(np.frombuffer(data, np.uint8), 1), MOST_SIGNS):
        seen = _seen(content, hit.view, hit.start, 0, hit.sign)
        if seen is not None:
            return f"{seen.kind} in {hit.view.name}"
    return None


def _unusual(words: NDArray[Any], exponent: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the first words that are zero or subnormal, and not a number: nobody misses them."""
    kind = words.dtype.type
    exponents = words & kind(exponent)
    nan = (exponents == kind(exponent)) & (words & (kind(exponent & -exponent) - kind(1)) != 0)
    return words[exponents == 0][:BEGINNING], words[nan][:BEGINNING]


def _is_plain(payload: Payload) -> bool:
    """Return whether a tensor begins as a program or an archive: HID001 says so."""
    return payload.at == 0 and payload.how == "its bytes" and payload.kind not in TEXTS


def _payload(tensor: TensorContent, hit: Hit) -> Payload | None:
    """Return what a sign stands for."""
    view = hit.view
    for turn in range(SIGN_NBYTES + 1 if view.width == 2 * SIGN_NBYTES else 1):
        seen = _seen(tensor.content, view, hit.start + turn, turn, hit.sign)
        if seen is not None:
            at = hit.start + turn + seen.at * 8 // len(view.order) * view.stride
            return Payload(tensor.stored, seen.kind, view.name, at)
    return None


def _seen(content: Readable, view: BitView, start: int, ahead: int, sign: int) -> Seen | None:
    """Return what a sign stands for, beginning as many bytes after or before a word as `at` says.

    Args:
        content: The data.
        view: How it is read.
        start: First byte of a word.
        ahead: Bytes of the view from there to the sign: words of 8 bytes hold it at any of them.
        sign: The sign.
    """
    if not 0 <= start <= content.nbytes - view.width:
        return None
    step, bits = abs(view.stride), len(view.order)
    room = content.nbytes - view.width - start if view.stride < 0 else start
    groups = min(room // step // 8, -(-BACK // bits))  # 8 elements are as many bytes as bits
    begin = ViewBytes(content, view, start - view.stride * 8 * groups)
    seen = confirm(begin, groups * bits + ahead, sign)
    return seen and seen._replace(at=seen.at - groups * bits)


# ----------------------------------------------------------------------- beginnings, in more ways


def _further(tensors: Sequence[TensorContent]) -> Iterator[Payload]:
    """Yield what begins with a tensor in further ways."""
    for tensor in tensors:
        yield from _beginning(tensor, every=False)
        yield from _of_all(tensor, list(_rearranged(tensor)))
        for how, part in _as_bytes(tensor):
            yield from _of(tensor, part, 1, how)
    for step in STEPS:
        for first in range(len(tensors) - step + 1):
            some = tensors[first : first + step]
            if len({tensor.width for tensor in some}) == 1:
                yield from _dealt(some)


def _of(tensor: TensorContent, data: bytes, width: int, how: str) -> Iterator[Payload]:
    """Yield what lies in bytes that were made of a tensor's elements."""
    import numpy as np

    made = TensorContent(tensor.stored, BytesSource(data, ""), width)
    for hit in search(np.frombuffer(data, np.uint8), width):
        payload = _payload(made, hit)
        if payload is not None:
            yield payload._replace(how=f"{payload.how}, {how}")
            return


def _of_all(tensor: TensorContent, parts: Sequence[tuple[str, bytes]]) -> Iterator[Payload]:
    """Yield what lies in one of several rearrangements, which are searched as one."""
    import numpy as np

    space = bytes(2 * MARGIN)
    ends = list(accumulate(len(data) + len(space) for _, data in parts))
    whole = space.join([*(data for _, data in parts), b""])
    made = TensorContent(tensor.stored, BytesSource(whole, ""), tensor.width)
    for hit in islice(search(np.frombuffer(whole, np.uint8), tensor.width), MOST_SIGNS // 20):
        payload = _payload(made, hit)
        if payload is not None:
            how = parts[bisect_right(ends, hit.start)][0]
            yield payload._replace(how=f"{payload.how}, {how}", at=0)
            return


def _rearranged(tensor: TensorContent) -> Iterator[tuple[str, bytes]]:
    """Yield elements in other orders: some apart, by columns; and numbers as bytes."""
    import numpy as np

    stored, content, width = tensor
    words = _words(tensor, BEGINNING // 2 * APART[-1])
    for step in APART:
        yield f"every {step}th element", words[::step][: BEGINNING // 2].tobytes()
    for low in range(1, 5 * width):
        shifted = words[:BEGINNING] >> words.dtype.type(low)
        yield f"shifted by {low} bits", shifted.tobytes()
    shape = stored.shape if prod(stored.shape) * width == content.nbytes else ()
    for columns in {prod(shape[1:]), *shape[-1:]} if len(shape) > 1 else ():
        rows = content.nbytes // width // columns
        if rows > 1 < columns:
            at = np.arange(min(BEGINNING, rows * columns))
            places = (at % rows * columns + at // rows) * width
            yield "column by column", b"".join(content.read(int(p), width) for p in places)


SCALES = ((1.0, 0.0), (255.0, 0.0), (256.0, 0.0), (128.0, 128.0), (127.5, 127.5), (1.0, 128.0))
"""What makes bytes of numbers: times the first, plus the second."""


def _as_bytes(tensor: TensorContent) -> Iterator[tuple[str, bytes]]:
    """Yield what floats stand for whose first ones are bytes, or parts of 255 and the like."""
    import numpy as np

    dtype = FLOATS.get(tensor.stored.dtype)
    if dtype is None:
        return
    data = tensor.content.read(0, 64 * BEGINNING * tensor.width)
    words = np.frombuffer(data, f"<u{tensor.width}", len(data) // tensor.width)
    if tensor.stored.dtype == "bfloat16":
        words = words.astype("<u4") << 16
    numbers = words.view(dtype).astype(np.float64)
    for scale, shift in SCALES:
        with np.errstate(all="ignore"):
            whole = np.rint(numbers * scale + shift)
            near = np.abs(numbers * scale + shift - whole) <= 0.03 * (scale > 1)
        fits = near[:64] & (whole[:64] >= 0) & (whole[:64] < 256)
        if fits.all() and len(np.unique(whole[:64])) > 3:
            made = np.where((whole >= 0) & (whole < 256), whole, 0).astype(np.uint8).tobytes()
            yield f"of numbers times {scale:g}" + (f" plus {shift:g}" if shift else ""), made
            return


FLOATS = {"float32": "<f4", "float16": "<f2", "float64": "<f8", "bfloat16": "<f4"}


def _words(tensor: TensorContent, most: int) -> NDArray[Any]:
    """Return the first elements of a tensor as unsigned integers."""
    import numpy as np

    data = tensor.content.read(0, most * tensor.width)
    return np.frombuffer(data, f"<u{tensor.width}", len(data) // tensor.width)


def _dealt(tensors: Sequence[TensorContent]) -> Iterator[Payload]:
    """Yield what lies in the elements of several tensors in turn."""
    import numpy as np

    words = [_words(tensor, BEGINNING) for tensor in tensors]
    most = min(map(len, words))
    turns = np.stack([some[:most] for some in words], 1).tobytes()
    yield from _of(tensors[0], turns, tensors[0].width, f"of {len(tensors)} tensors in turn")


def _beginning(tensor: TensorContent, *, every: bool) -> Iterator[Payload]:
    """Yield what a tensor begins as in a number of bits that is not searched everywhere.

    Args:
        tensor: The tensor.
        every: In each number of bits.
    """
    stored, content, width = tensor
    prose = stored.dtype in LAYOUTS
    for count in range(1, min(8 * width, MOST_BITS) + 1):
        if every or count not in SEARCHED:
            for order in (down(count), down(count)[::-1]):
                for little in (False, True):
                    name = f"the lowest {count} bits of each element"
                    view = BitView(name, order, width, width, little)
                    kind = beginning(ViewBytes(content, view, 0), prose=prose)
                    if kind:
                        yield Payload(stored, kind, name, 0)
                        return


SEARCHED = (1, 2, 4, 8)
"""Bits of an element in which every sign of `graphcount.auditing.signs` is seen everywhere."""

MOST_BITS = 52
"""Bits of the longest mantissa, that of float64."""
