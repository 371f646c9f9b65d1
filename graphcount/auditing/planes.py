"""Signs in the bit planes of tensor data, and in bytes that were combined with a constant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from graphcount.auditing.sieve import BITS, Hit, Keys, bits_of
from graphcount.auditing.signs import BEGINNINGS, LONGER, SIGN_NBYTES, SIGNS
from graphcount.auditing.views import BitView, down

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from graphcount.auditing.sieve import Bytes, Places


class Plane(NamedTuple):
    """Signs in a bit plane by their 32 bits, the bit of the first element lowest.

    Attributes:
        keys: These.
        meant: For each, whether the first bit of a byte is its least significant, whether the
            plane is read backwards, and the sign; more than one where they are alike.
    """

    keys: Keys
    meant: dict[int, list[tuple[bool, bool, int]]]


@cache
def _plane() -> Plane:
    import numpy as np

    meant: defaultdict[int, list[tuple[bool, bool, int]]] = defaultdict(list)
    weights = np.arange(BITS, dtype=np.uint64)
    for little, backwards in PLANE_WAYS:
        bits = bits_of(BitView("", (0,), little=little), range(len(SIGNS)))
        keys = (bits << (weights[::-1] if backwards else weights)).sum(1, dtype=np.uint64)
        for sign, key in enumerate(keys.tolist()):
            meant[key].append((little, backwards, sign))
    return Plane(Keys.of(np.array(list(meant), np.uint64)), dict(meant))


PLANE_WAYS = tuple((little, backwards) for little in (False, True) for backwards in (False, True))


@cache
def _plane_table() -> NDArray[np.uint8]:
    """Return for 16 bits of a plane which of them a sign can begin before: a bit for each of 8."""
    import numpy as np

    table = np.zeros(1 << 16, np.uint8)
    for phase in range(8):
        windows = _plane().keys.sorted >> np.uint64(phase) & np.uint64(0xFFFF)
        table[windows] |= np.uint8(1 << phase)
    return table


def in_planes(data: Bytes, width: int) -> Iterator[Hit]:
    """Yield the signs in each bit plane: a bit of every element."""
    import numpy as np

    front = 8 * width  # a sign can begin in the first 8 elements
    whole = np.zeros(front + (len(data) + front - 1) // front * front + 4 * front, np.uint8)
    whole[front : front + len(data)] = data
    for byte in range(width):
        # byte 8 g + j: bit j of elements 8 g - 8 to 8 g - 1, the first one lowest
        planes = transposed(np.ascontiguousarray(whole[byte::width]))
        windows = planes[8:].astype(np.uint16) << np.uint16(8) | planes[:-8]
        marks = _plane_table().take(windows)
        places = np.flatnonzero(marks != 0)
        places = places[(places >= 8) & (places + 24 < len(planes))]
        marks = marks[places]
        near = np.zeros(len(places), np.uint64)
        for i in range(5):
            near |= planes[places + 8 * (i - 1)].astype(np.uint64) << np.uint64(8 * i)
        for phase in range(8):
            chosen = np.flatnonzero(marks & np.uint8(1 << phase))
            keys = near[chosen] >> np.uint64(8 - phase) & np.uint64(0xFFFFFFFF)
            yield from _plane_hits(keys, places[chosen], phase, 8 * byte, width)


def _plane_hits(
    keys: NDArray[np.uint64], places: Places, phase: int, low: int, width: int
) -> Iterator[Hit]:
    keys_of_signs, meant = _plane()
    for index in keys_of_signs.among(keys):
        group, bit = divmod(int(places[index]), 8)
        for little, backwards, sign in meant[int(keys[index])]:
            element = 8 * (group - 1) - phase + (BITS - 1 if backwards else 0)
            stride = -width if backwards else width
            name = f"bit {low + bit} of each element"
            view = BitView(name, (low + bit,), width, stride, little)
            yield Hit(view, element * width, sign)


def transposed(column: Bytes) -> Bytes:
    """Return bytes with each 8 x 8 block of bits transposed (Warren, Hacker's Delight, 7-3)."""
    import numpy as np

    x = column[: len(column) // 8 * 8].view(np.uint64)
    for shift, mask in ((7, 0x00AA00AA00AA00AA), (14, 0x0000CCCC0000CCCC), (28, 0xF0F0F0F0)):
        swap = (x ^ x >> np.uint64(shift)) & np.uint64(mask)
        x = x ^ swap ^ swap << np.uint64(shift)
    return x.view(np.uint8)


# ------------------------------------------------------------------------- a constant on each byte


LEAST_DIFFERENCE = 16
"""Neighbours that differ by less are no sign."""


@cache
def _masked_signs() -> tuple[dict[int, list[tuple[int, bool]]], Keys, NDArray[np.bool_]]:
    """Return signs by what is left of them when each byte is combined with its neighbour.

    Of pickles those with a frame; each forwards and backwards. Not those whose bytes differ as
    little as small numbers do that stand beside each other.
    """
    import numpy as np

    meant: defaultdict[int, list[tuple[int, bool]]] = defaultdict(list)
    for index, sign in enumerate(SIGNS):
        a, b, c, d = sign
        pickle = 0 <= index - len(BEGINNINGS) < len(LONGER)
        if max(a ^ b, b ^ c, c ^ d) >= LEAST_DIFFERENCE and (not pickle or c == 0x95):
            meant[(a ^ b) << 16 | (b ^ c) << 8 | c ^ d].append((index, False))
            meant[(c ^ d) << 16 | (b ^ c) << 8 | a ^ b].append((index, True))
    keys = np.array(list(meant), np.uint64)
    table = np.zeros(1 << 16, np.bool_)
    table[keys >> np.uint64(8)] = True
    return dict(meant), Keys.of(keys), table


def masked(data: Bytes, stride: int) -> Iterator[Hit]:
    """Yield the signs in bytes, `stride` apart, that were combined with a constant by exclusive or.

    Args:
        data: The bytes.
        stride: From one to the next.
    """
    import numpy as np

    meant, known, table = _masked_signs()
    changes = data[:-stride] ^ data[stride:]
    windows = changes[:-stride].astype(np.uint16) << np.uint16(8) | changes[stride:]
    places = np.flatnonzero(table.take(windows))
    places = places[places + 2 * stride < len(changes)]
    keys = windows[places].astype(np.uint64) << np.uint64(8) | changes[places + 2 * stride]
    for index in known.among(keys):
        place = int(places[index])
        for sign, backwards in meant[int(keys[index])]:
            start = place + (SIGN_NBYTES - 1) * stride if backwards else place
            mask = int(data[start]) ^ SIGNS[sign][0]
            if mask:
                name = f"every {stride}th byte" if stride > 1 else "its bytes"
                name = f"{name}, backwards" if backwards else name
                step = -stride if backwards else stride
                view = BitView(f"{name}, each xor a constant", down(8), 1, step, mask=mask)
                yield Hit(view, start, sign)
