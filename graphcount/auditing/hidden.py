"""Programs, archives and scripts within tensor data, wherever and in whatever bits they lie.

Every place of every tensor is searched in the views of `graphcount.auditing.sieve`. Beginnings of
tensors are searched in more of them: elements some way apart, column by column, dealt out over
tensors that follow each other, numbers that stand for bytes, and text in an odd number of bits.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from graphcount.analysis.stored import Stored
from graphcount.auditing.elements import LAYOUTS
from graphcount.auditing.files import Files, dense_of, is_fatal, located
from graphcount.auditing.planes import in_planes, masked
from graphcount.auditing.rearranged import BEGINNING, STEPS, Rearranged, TensorContent, rearranged
from graphcount.auditing.sieve import MARGIN, Hit, in_bits
from graphcount.auditing.signs import BACK, SIGN_NBYTES, TEXTS, Seen, beginning, confirm, may_begin
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

FURTHER_NBYTES, FURTHER_SHARE = 1 << 26, 4
"""Bytes that are searched in further ways: so many, and so many times those of the tensors. Tensors
beyond are searched as they lie."""

BEGINNING_COST = 20_000
"""What looking at one beginning in all numbers of bits is worth, in such bytes."""

MOST_SIGNS, NBYTES_A_SIGN = 2000, 2000
"""So many signs in one tensor are looked at closely, and one more for so many of its bytes; chance
makes about 130 in each MB of float32."""


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


class Searched(NamedTuple):
    """What a search says.

    Attributes:
        payloads: What was seen, at most one a tensor and kind.
        left: Bytes of tensors that were not searched.
        crowded: Tensors with more signs than are looked at, or whose beginnings are too many.
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
    small: list[Rearranged] = []
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
            if tensor.content.nbytes < CHUNK_NBYTES:
                data = tensor.content.read(0, tensor.content.nbytes)
                small.append(Rearranged(tensor, "", data, tensor.width))
                searched.payloads.extend(_in_unusual(tensor, [_unusual(data, tensor)]))
            else:
                searched.payloads.extend(_everywhere(tensor, searched.crowded))
        beginnings += tensors
    searched.payloads.extend(_together(small, searched.crowded))
    searched.payloads.extend(_further(beginnings, searched.crowded))
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
    unusual: list[list[NDArray[Any]]] = []
    kinds: set[str] = set()
    left = MOST_SIGNS + content.nbytes // NBYTES_A_SIGN
    for offset in range(0, content.nbytes, CHUNK_NBYTES):
        data = content.read(offset, CHUNK_NBYTES + 2 * MARGIN)
        unusual.append(_unusual(data[:CHUNK_NBYTES], tensor))
        for hit in search(np.frombuffer(data, np.uint8), width):
            left -= 1
            if left < 0:
                crowded.append(stored)
                return
            payload = _payload(tensor, hit._replace(start=hit.start + offset))
            if payload is not None and payload.kind not in kinds and not _is_plain(payload):
                kinds.add(payload.kind)
                yield payload
    yield from _in_unusual(tensor, unusual)


def _in_unusual(tensor: TensorContent, parts: list[list[NDArray[Any]]]) -> Iterator[Payload]:
    """Yield what lies in elements that are subnormal or not a number; nobody misses them."""
    import numpy as np

    for words in (np.concatenate(some) for some in zip(*parts, strict=True)):
        few = tensor._replace(content=BytesSource(words.tobytes(), ""))
        if SMALLEST_NBYTES <= few.content.nbytes < tensor.content.nbytes:
            for payload in _beginning(few, every=True):
                yield payload._replace(how=f"{payload.how}, of subnormal numbers or NaN")


def _together(pieces: Iterable[Rearranged], crowded: list[Stored]) -> Iterator[Payload]:
    """Yield what lies in many small parts: those of one width are searched as one."""
    waiting: dict[int, list[Rearranged]] = {}
    held: dict[int, int] = {}
    for piece in pieces:
        width = piece.width
        waiting.setdefault(width, []).append(piece)
        held[width] = held.get(width, 0) + len(piece.data) + 2 * MARGIN
        if held[width] >= CHUNK_NBYTES:
            yield from _of_all(waiting.pop(width), width, crowded)
            held[width] = 0
    for width, some in waiting.items():
        yield from _of_all(some, width, crowded)


def _of_all(pieces: Sequence[Rearranged], width: int, crowded: list[Stored]) -> Iterator[Payload]:
    """Yield what lies in parts that are searched as one, of each tensor the first of a kind."""
    import numpy as np

    space = bytes(2 * MARGIN)
    ends = list(accumulate(len(piece.data) + len(space) for piece in pieces))
    whole = space.join([*(piece.data for piece in pieces), b""])
    seen: set[tuple[int, str]] = set()
    for number, hit in enumerate(search(np.frombuffer(whole, np.uint8), width)):
        if number >= MOST_SIGNS:
            crowded += [piece.tensor.stored for piece in pieces]
            return
        place = bisect_right(ends, hit.start)
        piece = pieces[place]
        start = hit.start - (ends[place] - len(piece.data) - len(space))
        made = TensorContent(piece.tensor.stored, BytesSource(piece.data, ""), width)
        payload = _payload(made, hit._replace(start=start))
        if payload is None or (not piece.how and _is_plain(payload)):
            continue
        key = payload.stored.key, payload.kind
        if key not in seen:
            seen.add(key)
            how = f"{payload.how}, {piece.how}" if piece.how else payload.how
            yield payload._replace(how=how, at=0 if piece.how else payload.at)


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


def _unusual(data: bytes, tensor: TensorContent) -> list[NDArray[Any]]:
    """Return the first words that are zero or subnormal, and not a number; none of integers."""
    import numpy as np

    layout = LAYOUTS.get(tensor.stored.dtype)
    if layout is None or layout.width < 2:
        return []
    words = np.frombuffer(data, f"<u{layout.width}", len(data) // layout.width)
    kind, exponent = words.dtype.type, layout.exponent
    exponents = words & kind(exponent)
    nan = (exponents == kind(exponent)) & (words & (kind(exponent & -exponent) - kind(1)) != 0)
    return [words[exponents == 0][:BEGINNING], words[nan][:BEGINNING]]


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


def _further(tensors: Sequence[TensorContent], crowded: list[Stored]) -> Iterator[Payload]:
    """Yield what begins with a tensor in further ways, as far as there is room for them."""
    room = FURTHER_NBYTES + FURTHER_SHARE * sum(tensor.content.nbytes for tensor in tensors)
    made: list[Rearranged] = []
    for place, tensor in enumerate(tensors):
        some = rearranged(tensors[place : place + STEPS[-1]])
        pieces = [piece for piece in some if len(piece.data) >= SMALLEST_NBYTES]
        room -= BEGINNING_COST + sum(len(piece.data) + 2 * MARGIN for piece in pieces)
        if room < 0:
            crowded += [left.stored for left in tensors[place:]]
            break
        yield from _beginning(tensor, every=False)
        made += pieces
        if len(made) > 1000:
            yield from _together(made, crowded)
            made.clear()
    yield from _together(made, crowded)


def _beginning(tensor: TensorContent, *, every: bool) -> Iterator[Payload]:
    """Yield what a tensor begins as in a number of bits that is not searched everywhere.

    Args:
        tensor: The tensor.
        every: In each number of bits.
    """
    import numpy as np

    stored, content, width = tensor
    prose = stored.dtype in LAYOUTS
    words = np.frombuffer(content.read(0, 8 * HEAD_NBYTES * width), np.uint8)
    rows = words[: len(words) // width * width].reshape(-1, width)
    bits = np.unpackbits(rows, axis=1, bitorder="little")
    for count in range(1, min(8 * width, MOST_BITS) + 1):
        if not every and count in SEARCHED:
            continue
        lowest = bits[: -(-8 * HEAD_NBYTES // count), :count]
        for ordered, order in ((lowest[:, ::-1], down(count)), (lowest, down(count)[::-1])):
            for little in (False, True):
                head = np.packbits(ordered.ravel(), bitorder="little" if little else "big")
                if not may_begin(head[:HEAD_NBYTES].tobytes()):
                    continue
                name = f"the lowest {count} bits of each element"
                view = BitView(name, order, width, width, little)
                kind = beginning(ViewBytes(content, view, 0), prose=prose)
                if kind:
                    yield Payload(stored, kind, name, 0)
                    return


HEAD_NBYTES = 64
"""Bytes that say whether something may begin there."""

SEARCHED = (1, 2, 4, 8)
"""Bits of an element in which every sign of `graphcount.auditing.signs` is seen everywhere."""

MOST_BITS = 52
"""Bits of the longest mantissa, that of float64."""
