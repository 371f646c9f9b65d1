"""Long lists of attributes, as tree ensembles have them, are decoded in bulk.

onnx.proto does not pack `ints`, `floats` and `strings`: each element is a field of its own, with a
tag. A run of such fields is decoded at once here, as far as each of them is written as all writers
do. Where one is not, the run ends, and whoever asked reads the next field on its own: what is
damaged is refused there.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeVar, cast

from graphcount.errors import DamagedError
from graphcount.loading.messages import LEN, tag
from graphcount.loading.model import ListRun, ListValues, PackedStrings
from graphcount.loading.packed_lists import LONG_NBYTES, compact, joined
from graphcount.loading.wire import VARINT_NBYTES, fields, fixed_width, in_bulk, varints_at

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SAME = 256
"""Fields of one list in a row, read one by one, after which the others are looked at in bulk."""

FIRST_NBYTES, MOST_NBYTES = 1 << 11, 1 << 18
"""Bytes that are looked at in bulk at a time: twice as many each time, so that looking costs no
more than the length of the run."""

SHORT_STRING = 128
"""Strings below this size are taken in bulk: their size takes one byte."""

INTS, FLOATS, STRINGS = (tag("AttributeProto", name) for name in ("ints", "floats", "strings"))
PACKED_INTS, PACKED_FLOATS = (number & ~7 | LEN for number in (INTS, FLOATS))
RUNS = frozenset({INTS, FLOATS, STRINGS})
"""Tags of elements, a field each."""

SLOTS = {INTS: "ints", FLOATS: "floats", STRINGS: "strings"}
SLOTS |= {PACKED_INTS: "ints", PACKED_FLOATS: "floats"}
"""Names of lists by the tags of their fields."""

Number = TypeVar("Number", int, float)

Read: TypeAlias = Callable[[int, int], bytes]
"""Returns so many bytes from a position, or fewer at the end."""


# ----------------------------------------------------------------------------------- fields in bulk


def long_fields(
    data: bytes,
    position: int,
    end: int,
    left_out: Sequence[ListRun],
    add: Callable[[str, ListValues], None],
) -> Iterator[tuple[int, int, int]]:
    """Yield the fields of a large attribute (see `wire.fields`); lists in bulk go to `add`.

    Args:
        data: The bytes that were kept of the file.
        position: Where the attribute begins.
        end: Where it ends.
        left_out: Parts of its lists that are not in `data`, in the order of the file.
        add: Takes part of a list. What was yielded before stands before it.
    """
    for run in left_out:
        yield from _long_fields(data, position, run.at, add)
        add(run.slot, run.values)
        position = run.at
    yield from _long_fields(data, position, end, add)


def _long_fields(
    data: bytes, position: int, end: int, add: Callable[[str, ListValues], None]
) -> Iterator[tuple[int, int, int]]:
    def read(start: int, nbytes: int) -> bytes:
        return data[start : start + nbytes]

    while position < end:
        same = before = 0
        for tag_, x, y in fields(data, position, end):
            position = y
            if is_packed(tag_, y - x):
                add(SLOTS[tag_], packed(read, tag_, x, y))
                continue
            yield tag_, x, y
            same = same + 1 if tag_ == before else 0
            before = tag_
            if same >= SAME and tag_ in RUNS:
                values, position = run_of(read, tag_, y, end)
                if len(values):
                    add(SLOTS[tag_], values)
                break


def is_packed(tag_: int, nbytes: int) -> bool:
    """Return whether a field is a long list that is packed."""
    return tag_ in (PACKED_INTS, PACKED_FLOATS) and in_bulk(nbytes, LONG_NBYTES)


def packed(read: Read, tag_: int, start: int, end: int) -> ListValues:
    """Return the elements of a packed list.

    Raises:
        DamagedError: It is cut, or a varint in it is too long.
    """
    blocks = (read(at, min(MOST_NBYTES, end - at)) for at in range(start, end, MOST_NBYTES))
    if tag_ == PACKED_FLOATS:
        if (end - start) % 4:
            raise DamagedError(f"packed floats take {end - start} bytes", offset=start)
        floats = array("f")
        for block in blocks:
            floats.frombytes(block)
        return floats
    import numpy as np

    values = array("b")
    try:
        for block in fixed_width(blocks, 8):
            values = joined(values, compact(np.frombuffer(block, "<i8")))
    except DamagedError as error:
        raise DamagedError(error.message, offset=start) from None
    return values


def run_of(read: Read, tag_: int, position: int, end: int) -> tuple[ListValues, int]:
    """Return the elements of fields with one tag, and the position behind the last of them."""
    if tag_ == STRINGS:
        return _strings(read, position, end)
    if tag_ == INTS:
        return _numbers(read, position, end, _ints, "b")
    return _numbers(read, position, end, _floats, "f")


def _numbers(
    read: Read,
    position: int,
    end: int,
    take: Callable[[bytes], tuple[int, array[Number]]],
    code: str,
) -> tuple[array[Number], int]:
    """Return numbers, and the position behind the last of them; `take` reads those of a chunk."""
    values = cast("array[Number]", array(code))
    size = FIRST_NBYTES
    while position < end:
        chunk = read(position, min(size, end - position))
        nbytes, part = take(chunk)
        values = joined(values, part)
        position += nbytes
        if not nbytes or len(chunk) - nbytes > VARINT_NBYTES + 1:
            break
        size = min(2 * size, MOST_NBYTES)
    return values, position


def _ints(chunk: bytes) -> tuple[int, array[int]]:
    """Return the size of the integers that a chunk begins with, and the integers.

    Bytes that end a varint are below 128. In a run every second of them is a tag of one byte, right
    behind the one before.
    """
    import numpy as np

    coded = np.frombuffer(chunk, np.uint8)
    ends = np.flatnonzero(coded < 0x80)
    tags, lasts = ends[: len(ends) // 2 * 2 : 2], ends[1::2]
    whole = (coded[tags] == INTS) & (lasts - tags <= VARINT_NBYTES)
    whole &= tags == np.append(0, lasts[:-1] + 1)[: len(tags)]
    count = len(whole) if whole.all() else int(whole.argmin())
    starts = tags[:count] + 1
    numbers = varints_at(coded, starts, lasts[:count] - tags[:count]).view(np.int64)
    return int(lasts[count - 1]) + 1 if count else 0, compact(numbers)


def _floats(chunk: bytes) -> tuple[int, array[float]]:
    """Return the size of the floats that a chunk begins with, and the floats."""
    import numpy as np

    rows = np.frombuffer(chunk, np.uint8)[: len(chunk) // 5 * 5].reshape(-1, 5)
    whole = rows[:, 0] == FLOATS
    count = len(whole) if whole.all() else int(whole.argmin())
    return 5 * count, array("f", rows[:count, 1:].tobytes())


def _strings(read: Read, position: int, end: int) -> tuple[PackedStrings, int]:
    """Return strings of up to 127 bytes, and the position behind the last of them."""
    import numpy as np

    text, sizes, size = bytearray(), bytearray(), FIRST_NBYTES
    while position < end:
        chunk = read(position, min(size, end - position))
        part = _sizes(chunk)
        begins = np.cumsum(part + 2) - (part + 2)
        nbytes = int(part.sum()) + 2 * len(part)
        is_text = np.ones(nbytes, bool)
        is_text[begins] = is_text[begins + 1] = False
        text += np.frombuffer(chunk, np.uint8)[:nbytes][is_text].tobytes()
        sizes += part.astype(np.uint8).tobytes()
        position += nbytes
        if not nbytes or len(chunk) - nbytes > SHORT_STRING + 1:
            break
        size = min(2 * size, MOST_NBYTES)
    code = "I" if len(text) < 1 << 32 else "Q"
    ends = np.cumsum(np.frombuffer(sizes, np.uint8), dtype=code)
    return PackedStrings(text, array(code, ends.tobytes())), position


def _sizes(chunk: bytes) -> NDArray[np.int64]:
    """Return sizes of the strings of up to 127 bytes that a chunk begins with.

    Where no string holds the byte that is their tag, each such byte is behind the string before.
    """
    import numpy as np

    coded = np.frombuffer(chunk, np.uint8)
    tags = np.flatnonzero(coded[:-1] == STRINGS)
    sizes = coded[tags + 1].astype(np.int64)
    behind = tags + 2 + sizes
    whole = (sizes < SHORT_STRING) & (behind <= len(chunk))
    whole &= tags == np.append(0, behind[:-1])[: len(tags)]
    count = len(whole) if whole.all() else int(whole.argmin())
    if count >= SAME or count == len(whole):
        return sizes[:count]
    one_by_one = bytearray()
    at, most = 0, len(chunk) - 1
    while at < most and chunk[at] == STRINGS and (nbytes := chunk[at + 1]) < SHORT_STRING:
        at += nbytes + 2
        one_by_one.append(nbytes)
    if at > len(chunk):  # the last one goes on
        one_by_one.pop()
    return np.frombuffer(one_by_one, np.uint8).astype(np.int64)
