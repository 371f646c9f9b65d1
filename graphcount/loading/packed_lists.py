"""Lists of attributes as records keep them: a tuple, or when they are long packed in an array.

A list of millions of elements takes 1 to 8 bytes for each, as the largest needs, and a string its
bytes and where it ends. Lists that grow do so in place: the longer part takes the shorter one in.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from graphcount.loading.model import AttributeValues, ListValues, PackedStrings
from graphcount.loading.wire import VARINT_NBYTES, len_varint

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


LONG_NBYTES = 1 << 16
"""Attributes above this size may hold lists that are worth loading numpy."""

PART = 1 << 16
"""Elements that are turned into bytes at a time."""


def equal(values: Sequence[object], text: bytes) -> NDArray[np.bool_]:
    """Return for each string of a list whether it is this one."""
    import numpy as np

    if isinstance(values, PackedStrings):
        return values.equal(text)
    return np.fromiter((value == text for value in values), bool, len(values))


def element_bytes(numbers: AttributeValues) -> Iterator[bytes]:
    """Yield the elements of a packed list as bytes, whatever width they are kept in.

    Integers take 8 bytes and floats 4, little-endian; behind strings stand their ends.
    """
    import numpy as np

    values: Sequence[object] = numbers.values
    if isinstance(values, PackedStrings):
        yield bytes(values.data)
        values = values.ends
    kind = "<f4" if numbers.kind == "float" else "<i8"
    for at in range(0, len(values), PART):
        yield np.asarray(values[at : at + PART]).astype(kind).tobytes()


# ------------------------------------------------------------------------- lists of an attribute

FieldValues: TypeAlias = dict[str, list[Any]]
"""What the fields of a message hold, in file order."""

LIST_IN_TUPLE = 1024
"""Lists longer than this are kept in an `array` (8 bytes a number or fewer, instead of 40)."""


def add_run(values: FieldValues, integers: list[int], slot: str, part: ListValues) -> None:
    """Add what was decoded in bulk to a list of an attribute.

    Args:
        values: What the fields of the attribute hold so far.
        integers: Its integers that were read one by one since the last call; they are taken.
        slot: Name of the list.
        part: The elements.
    """
    if slot != "ints":
        values.setdefault(slot, []).append(part)
        return
    import numpy as np

    (before,) = values.get("ints", (array("b"),))
    before = joined(before, compact(np.array(integers, np.int64)))
    integers.clear()
    values["ints"] = [joined(before, cast("array[int]", part))]


def numbers_held(fields: FieldValues, slot: str) -> AttributeValues | None:
    """Return the values that an attribute has in one field; None where it has none there."""
    parts = fields.get(slot)
    if not parts:
        return None
    if slot == "ints":
        (integers,) = parts
        if isinstance(integers, array):
            return AttributeValues("int", integers, varints_nbytes(integers), True)
        kept = tuple(integers) if len(integers) <= LIST_IN_TUPLE else array("q", integers)
        return AttributeValues("int", kept, sum(map(len_varint, integers)), True)
    if slot == "floats":
        floats = joined_floats(parts)
        few = len(floats) <= LIST_IN_TUPLE
        return AttributeValues("float", tuple(floats) if few else floats, 4 * len(floats), True)
    if slot == "strings":
        if any(isinstance(part, PackedStrings) for part in parts):
            texts = joined_strings(parts)
            return AttributeValues("string", texts, len(texts.data), True)
        return AttributeValues("string", tuple(parts), sum(map(len, parts)), True)
    value: AttributeValues | None = parts[-1] if slot in ("i", "f", "s") else None
    return value


# ------------------------------------------------------------------------------- compact arrays


def compact(numbers: NDArray[np.int64]) -> array[int]:
    """Return integers in the narrowest array that holds them all."""
    low, high = (int(numbers.min()), int(numbers.max())) if len(numbers) else (0, 0)
    code = next(code for code in "bhiq" if _fits(low, high, code))
    return array(code, numbers.astype(code).tobytes())


def _fits(low: int, high: int, code: str) -> bool:
    half = 1 << 8 * array(code).itemsize - 1
    return -half <= low and high < half


def joined(before: array[Any], after: array[Any]) -> array[Any]:
    """Return one list behind another, in the array of the longer one, which changes."""
    import numpy as np

    code = max(before.typecode, after.typecode, key=lambda code: array(code).itemsize)
    before, after = (
        part if part.typecode == code else array(code, np.asarray(part).astype(code).tobytes())
        for part in (before, after)
    )
    if len(before) < len(after):
        after[0:0] = before
        return after
    before.extend(after)
    return before


def joined_floats(parts: Sequence[bytes | array[float]]) -> array[float]:
    """Return floats as the file has them, and runs of them, as one list."""
    floats = array("f")
    for part in parts:
        if isinstance(part, array):
            floats = joined(floats, part)
        else:
            floats.frombytes(part)
    return floats


def joined_strings(parts: Sequence[bytes | PackedStrings]) -> PackedStrings:
    """Return single strings and runs of them as one list: the longest run, which changes."""
    total = sum(len(part.data if isinstance(part, PackedStrings) else part) for part in parts)
    code = "I" if total < 1 << 32 else "Q"
    text, ends = bytearray(), array(code)
    for part in parts:
        if not isinstance(part, PackedStrings):
            text += part
            ends.append(len(text))
            continue
        later = shifted(part.ends, len(text), code)
        if len(text) < len(part.data):
            part.data[0:0] = text
            later[0:0] = ends
            text, ends = part.data, later
        else:
            text += part.data
            ends.extend(later)
    return PackedStrings(text, ends)


def shifted(ends: array[int], by: int, code: str) -> array[int]:
    """Return where strings end that stand so many bytes later."""
    import numpy as np

    return array(code, (np.asarray(ends).astype(code) + np.dtype(code).type(by)).tobytes())


def varints_nbytes(numbers: array[int]) -> int:
    """Return the bytes of integers as minimal varints; see `wire.len_varint`."""
    import numpy as np

    values = np.asarray(numbers)
    negative = int((values < 0).sum())
    nbytes = len(values) + (VARINT_NBYTES - 1) * negative
    for bits in range(7, 8 * numbers.itemsize - 1, 7):
        nbytes += int((values >= 1 << bits).sum())
    return nbytes
