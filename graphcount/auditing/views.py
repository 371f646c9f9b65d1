"""Ways to read bytes out of the elements of a tensor: which bits, in which order, how far apart.

Who hides bytes in weights keeps the model working, so the bits of low value are taken: the lowest
ones, a whole bit plane, a byte of each element. A view says which, as data; `ViewBytes` reads them.
"""

from __future__ import annotations

from typing import NamedTuple

from graphcount.loading.source import Readable

READ_NBYTES = 1 << 16
"""So much of a view is read, at most, to say what it is."""


class BitView(NamedTuple):
    """One way.

    Attributes:
        name: What is read, in words.
        order: Bits of a word in the order in which they make bytes; 0 is the least significant.
        width: Bytes of a word (little-endian).
        stride: Bytes from one word to the next; negative for backwards.
        little: The first bit of a byte is its least significant one.
        mask: Each byte is combined with this one by exclusive or.
    """

    name: str
    order: tuple[int, ...]
    width: int = 1
    stride: int = 1
    little: bool = False
    mask: int = 0


def down(high: int, low: int = 0) -> tuple[int, ...]:
    """Return bits from the one below `high` to `low`: the usual order."""
    return tuple(range(high - 1, low - 1, -1))


def orders(count: int, width: int) -> list[BitView]:
    """Return the views of the lowest bits of elements, in each order of bits.

    Args:
        count: How many bits; where they fill bytes, backwards as well.
        width: Bytes of an element.
    """
    name = f"the lowest {count} bits of each element"
    signs = (1, -1) if 32 % count == 0 else (1,)
    return [
        BitView(name if sign > 0 else f"{name}, backwards", order, width, sign * width, little)
        for order in (down(count), down(count)[::-1])
        for little in (False, True)
        for sign in signs
    ]


def byte_views(stride: int) -> list[BitView]:
    """Return the views of whole bytes that are `stride` bytes apart."""
    byte = down(8)
    if stride > 1:
        name = f"every {stride}th byte"
        return [
            BitView(name, byte, 1, stride),
            BitView(f"{name}, backwards", byte, 1, -stride),
            BitView(f"{name}, bits reversed", byte[::-1], 1, stride),
        ]
    swapped = [
        BitView(f"byte order of {8 * width}-bit words reversed", down(8 * width), width, width)
        for width in (2, 4, 8)
    ]
    return [
        BitView("its bytes", byte),
        BitView("its bytes backwards", byte, 1, -1),
        BitView("its bytes, bits reversed", byte[::-1]),
        BitView("its bytes, halves exchanged", (3, 2, 1, 0, 7, 6, 5, 4)),
        *swapped,
    ]


class ViewBytes:
    """What a view reads, as something that can be read by position.

    Args:
        content: The data of a tensor.
        view: The view.
        start: First byte of the word that comes first.
    """

    def __init__(self, content: Readable, view: BitView, start: int) -> None:
        self.content = content
        self.view = view
        self.start = start
        step = view.stride
        room = content.nbytes - view.width - start if step > 0 else start
        words = max(0, room // abs(step) + 1)
        self.nbytes = min(words * len(view.order) // 8, READ_NBYTES)

    def read(self, offset: int, nbytes: int) -> bytes:
        """Return up to `nbytes` bytes from `offset`."""
        import numpy as np

        view, count = self.view, len(self.view.order)
        nbytes = max(0, min(nbytes, self.nbytes - offset))
        first, last = offset * 8 // count, -(-(offset + nbytes) * 8 // count)
        if not nbytes:
            return b""
        places = self.start + view.stride * np.arange(first, last)
        low = int(places.min())
        raw = np.frombuffer(self.content.read(low, int(places.max()) - low + view.width), np.uint8)
        words = np.zeros(len(places), np.uint64)
        for byte in range(view.width):
            words |= raw[places - low + byte].astype(np.uint64) << np.uint64(8 * byte)
        bits = words[:, None] >> np.array(view.order, np.uint64) & np.uint64(1)
        wanted = bits.astype(np.uint8).ravel()[offset * 8 - first * count :][: nbytes * 8]
        made = np.packbits(wanted, bitorder="little" if view.little else "big")
        return (made ^ np.uint8(view.mask)).tobytes()
