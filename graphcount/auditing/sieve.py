"""A search for signs at every place of tensor data, in many views, in one pass of numpy.

Each view of a place is 16 bits of a sign or not: a table of all 16-bit numbers answers for several
views at a time, and little is left. Then 32 bits are compared (`Keys`), and what is left of
that is read. No view is written out, so the cost is a few table look-ups for each byte.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from graphcount.auditing.signs import BEGINNINGS, LONGER, SIGN_NBYTES, SIGNS
from graphcount.auditing.views import BitView, byte_views, orders

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Bytes: TypeAlias = "NDArray[np.uint8]"
    Places: TypeAlias = "NDArray[np.intp]"

BITS = 8 * SIGN_NBYTES
_FIRST = {sign[:2]: index for index, sign in reversed(list(enumerate(SIGNS)))}
ALIKE = [
    _FIRST[sign[:2]] if 0 <= index - len(BEGINNINGS) < len(LONGER) else index
    for index, sign in enumerate(SIGNS)
]
"""For each sign the first that means the same."""

MARGIN = BITS * 8
"""Bytes behind a place that a sign can reach, in the widest elements."""


class Hit(NamedTuple):
    """A sign in a view: the first byte of its first word, and its index in `SIGNS`."""

    view: BitView
    start: int
    sign: int


class Keys(NamedTuple):
    """Numbers that are looked for among many: a table of their hashes, and they in order."""

    table: NDArray[np.bool_]
    sorted: NDArray[np.uint64]

    @classmethod
    def of(cls, keys: NDArray[np.uint64]) -> Keys:
        """Return keys with their table."""
        import numpy as np

        table = np.zeros(1 << HASH_BITS, np.bool_)
        table[_hashed(keys)] = True
        return cls(table, np.unique(keys))

    def among(self, numbers: NDArray[np.uint64]) -> list[int]:
        """Return the indices of numbers that are keys."""
        import numpy as np

        likely = np.flatnonzero(self.table.take(_hashed(numbers)))
        numbers = numbers[likely]
        places = np.minimum(self.sorted.searchsorted(numbers), len(self.sorted) - 1)
        indices: list[int] = likely[self.sorted[places] == numbers].tolist()
        return indices


HASH_BITS = 18


def _hashed(numbers: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return a number of `HASH_BITS` bits for each (Knuth, Art of Computer Programming, 6.4)."""
    import numpy as np

    return numbers * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(64 - HASH_BITS)


class Alternative(NamedTuple):
    """Signs in views that leave the same bits of elements open.

    Attributes:
        mask: Bits that a sign decides.
        keys: What these are where there is a sign.
        meant: For each of them, views and signs, and how far behind the place the sign begins.
    """

    mask: int
    keys: Keys
    meant: dict[int, list[tuple[BitView, int, int]]]


class SignGroup(NamedTuple):
    """Views whose signs take as many elements, of as many bits.

    Attributes:
        stride: Bytes from one element to the next.
        bits: Bits of an element that are compared.
        elements: So many elements, from the lowest place up.
        parts: What they hold where there is a sign.
    """

    stride: int
    bits: int
    elements: int
    parts: tuple[Alternative, ...]

    def hits(self, data: Bytes, places: Places) -> Iterator[Hit]:
        """Yield the signs that begin at some places."""
        import numpy as np

        places = places[places + (self.elements - 1) * self.stride + 1 < len(data)]
        mask = np.uint64((1 << self.bits) - 1)
        key = np.zeros(len(places), np.uint64)
        for element in range(self.elements):
            at = places + element * self.stride
            word = data[at].astype(np.uint64)
            if self.bits > 8:
                word |= data[at + 1].astype(np.uint64) << np.uint64(8)
            key = key << np.uint64(self.bits) | (word & mask)
        for part in self.parts:
            known = key & np.uint64(part.mask)
            for index in part.keys.among(known):
                for view, sign, behind in part.meant[int(known[index])]:
                    yield Hit(view, int(places[index]) + behind, sign)


class Sieve(NamedTuple):
    """A table of 16-bit numbers, with a bit for each group that may have a sign there."""

    table: NDArray[np.uint16]
    groups: tuple[SignGroup, ...]

    def hits(self, data: Bytes, windows: NDArray[np.uint16], step: int) -> Iterator[Hit]:
        """Yield the signs among windows that begin `step` bytes apart."""
        import numpy as np

        marks = self.table.take(windows)
        places = np.flatnonzero(marks != 0)
        if len(places):
            marks = marks[places]
            for bit, group in enumerate(self.groups):
                chosen = places[marks & np.uint16(1 << bit) != 0]
                if len(chosen):
                    yield from group.hits(data, chosen * step)


def bits_of(view: BitView, signs: range) -> NDArray[np.uint64]:
    """Return the bits of signs in the order in which a view reads them: (signs, 32)."""
    import numpy as np

    data = np.frombuffer(b"".join(SIGNS[sign] for sign in signs), np.uint8)
    bits = np.unpackbits(data, bitorder="little" if view.little else "big")
    return bits.reshape(-1, BITS).astype(np.uint64)


class SignElements(NamedTuple):
    """What signs make of elements, from the lowest place up.

    Attributes:
        values: (signs, elements).
        known: For each element, the bits that they decide.
        behind: How far behind the lowest place the first word is.
    """

    values: NDArray[np.uint64]
    known: tuple[int, ...]
    behind: int

    def joined(self, count: int) -> tuple[NDArray[np.uint64], int]:
        """Return the elements of each sign as one number, and which bits of it are decided."""
        import numpy as np

        keys, mask = np.zeros(len(self.values), np.uint64), 0
        for element, known in enumerate(self.known):
            keys = keys << np.uint64(count) | self.values[:, element]
            mask = mask << count | known
        return keys, mask


def _elements(view: BitView, stride: int, count: int) -> SignElements:
    """Return what signs make of elements of `count` bits, `stride` bytes apart: words, or bytes."""
    import numpy as np

    bits = bits_of(view, range(len(SIGNS)))
    places = []
    for bit in range(BITS):
        word, position = divmod(bit, len(view.order))
        byte, shift = divmod(view.order[position], 8) if count == 8 else (0, view.order[position])
        places.append((word * view.stride + byte, shift))
    base = min(place for place, _ in places)
    length = (max(place for place, _ in places) - base) // stride + 1
    values, known = np.zeros((len(bits), length), np.uint64), [0] * length
    for bit, (place, shift) in enumerate(places):
        values[:, (place - base) // stride] |= bits[:, bit] << np.uint64(shift)
        known[(place - base) // stride] |= 1 << shift
    return SignElements(values, tuple(known), -base)


def _group(views: list[BitView], stride: int, count: int) -> tuple[SignGroup, NDArray[np.uint64]]:
    """Return a group, and the elements of its signs: (views x signs, elements)."""
    import numpy as np

    parts: defaultdict[int, defaultdict[int, list[tuple[BitView, int, int]]]]
    parts = defaultdict(lambda: defaultdict(list))
    every = []
    for view in views:
        elements = _elements(view, stride, count)
        keys, mask = elements.joined(count)
        for sign, key in dict.fromkeys(zip(ALIKE, keys.tolist(), strict=True)):
            parts[mask][key].append((view, sign, elements.behind))
        every.append(elements.values)
    values = np.concatenate(every)
    made = tuple(
        Alternative(mask, Keys.of(np.array(list(meant), np.uint64)), dict(meant))
        for mask, meant in parts.items()
    )
    return SignGroup(stride, count, values.shape[1], made), values


def _sieve(groups: list[tuple[SignGroup, NDArray[np.uint64]]], bits: int) -> Sieve:
    """Return the sieve whose windows hold the lowest `bits` bits of consecutive elements."""
    import numpy as np

    table = np.zeros(1 << 16, np.uint16)
    for number, (_, elements) in enumerate(groups):
        window = np.zeros(len(elements), np.uint64)
        for element in range(16 // bits):
            lowest = elements[:, element] & np.uint64((1 << bits) - 1)
            window = window << np.uint64(bits) | lowest
        table[window] |= np.uint16(1 << number)
    return Sieve(table, tuple(group for group, _ in groups))


@cache
def byte_sieve(stride: int) -> Sieve:
    """Return the sieve of whole bytes, `stride` bytes apart; of more bits, where they are words."""
    groups = [_group(byte_views(stride), stride, 8)]
    if stride > 1:
        groups += [_group(orders(count, stride), stride, count) for count in range(9, 17)]
    return _sieve(groups, 8)


@cache
def low_sieve(bits: int, width: int) -> Sieve:
    """Return the sieve of a few low bits: 4 (views of 4 to 7 bits) or 2 (of 2 and 3)."""
    counts = range(4, 8) if bits == 4 else range(2, 4)
    return _sieve(
        [_group(orders(count, width), width, count) for count in counts],
        bits,
    )


def in_bits(data: Bytes, width: int) -> Iterator[Hit]:
    """Yield the signs in bytes and low bits of little-endian elements of `width` bytes."""
    import numpy as np

    data = data[: len(data) // width * width]
    if len(data) < 2 * MARGIN:
        data = np.concatenate((data, np.zeros(2 * MARGIN - len(data) % (2 * MARGIN), np.uint8)))
    for stride in {1, width}:
        windows = data[:-stride].astype(np.uint16) << np.uint16(8) | data[stride:]
        yield from byte_sieve(stride).hits(data, windows, 1)
    lowest = np.ascontiguousarray(data[::width])
    nibbles = lowest & np.uint8(15)
    yield from low_sieve(4, width).hits(data, _windows(nibbles, 4), width)
    yield from low_sieve(2, width).hits(data, _windows(lowest & np.uint8(3), 2), width)


def _windows(numbers: Bytes, bits: int) -> NDArray[np.uint16]:
    """Return 16 bits from each place on, of numbers of so few bits."""
    import numpy as np

    reach = 1
    while bits < 8:
        numbers = numbers[:-reach] << np.uint8(bits) | numbers[reach:]
        bits, reach = 2 * bits, 2 * reach
    return numbers[:-reach].astype(np.uint16) << np.uint16(8) | numbers[reach:]
