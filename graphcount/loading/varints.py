"""Varints, protobuf's integers of one to ten bytes (protobuf.dev/programming-guides/encoding)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphcount.errors import DamagedError

VARINT_NBYTES = 10
"""The longest varint that protobuf reads."""


LONG_VARINT = f"a varint is longer than {VARINT_NBYTES} bytes"
CUT_VARINT = "cut inside a varint"

_GOES_ON = bytes(128) + b"\1" * 128
"""1 for each byte that a varint does not end with."""


SMALL_NBYTES = 1 << 16
"""Packed varints up to here are decoded one by one; more are worth loading numpy."""


def varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    """Read a varint and return it (unsigned, 64 bits) with the position after it."""
    result = shift = 0
    start = position
    while position < end:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFF_FFFF_FFFF_FFFF, position
        shift += 7
        if shift > 63:
            raise DamagedError(LONG_VARINT, offset=start)
    raise DamagedError(CUT_VARINT, offset=start)


def overlong_varint(data: bytes) -> int:
    """Where in a list of packed varints one is longer than protobuf reads; -1 for nowhere."""
    return data.translate(_GOES_ON).find(b"\1" * VARINT_NBYTES)


def packed_damage(data: bytes) -> tuple[str, int] | None:
    """What is wrong with a list of packed varints, and at which of its bytes; None when sound."""
    overlong = overlong_varint(data)
    if overlong >= 0:
        return LONG_VARINT, overlong
    if data and data[-1] >= 0x80:
        return CUT_VARINT, len(data) - 1
    return None


def encode_varint(number: int) -> bytes:
    """Encode an unsigned number as a varint."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def len_varint(value: int) -> int:
    """Bytes a number takes as a varint of minimal length; a negative one is as long as they get."""
    if value < 0:
        return VARINT_NBYTES
    return 1 if value < 0x80 else (value.bit_length() + 6) // 7


def signed(number: int) -> int:
    """Read an unsigned 64-bit varint as int64, which is how protobuf stores negative numbers."""
    return number - (1 << 64) if number >> 63 else number


def fixed_width(blocks: Iterable[bytes], width: int, entries: int) -> Iterator[bytes]:
    """Varints as little-endian integers of `width` bytes; there must be `entries` of them.

    Raises:
        DamagedError: They are not as many, or one is cut or too long.
    """
    rest, count = b"", 0
    for block in blocks:
        data = rest + block
        if overlong_varint(data) >= 0:
            raise DamagedError(LONG_VARINT)
        end = len(data.rstrip(_CONTINUED))
        rest = data[end:]
        if end:
            decoded = _decoded(data[:end], width)
            count += len(decoded) // width
            yield decoded
    if rest:
        raise DamagedError(CUT_VARINT)
    if count != entries:
        raise DamagedError(f"{count} elements where dims and type ask for {entries}")


_CONTINUED = bytes(range(128, 256))
"""Bytes that a varint does not end with."""


def _decoded(data: bytes, width: int) -> bytes:
    """Packed varints that end with `data` as little-endian integers of `width` bytes."""
    if len(data) > SMALL_NBYTES:
        return _decoded_at_once(data, width)
    out = bytearray()
    position, mask = 0, (1 << 8 * width) - 1
    while position < len(data):
        value, position = varint(data, position, len(data))
        out += (value & mask).to_bytes(width, "little")
    return bytes(out)


def _decoded_at_once(data: bytes, width: int) -> bytes:
    """The same for millions of them: every byte adds its seven bits (see `varint`)."""
    import numpy as np

    coded = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(coded < 0x80)
    starts = np.concatenate((np.zeros(1, ends.dtype), ends[:-1] + 1))
    lengths = ends - starts + 1
    numbers = np.zeros(len(ends), np.uint64)
    for place in range(min(int(lengths.max()), VARINT_NBYTES)):
        reaches = lengths > place
        seven = (coded[starts[reaches] + place] & 0x7F).astype(np.uint64)
        numbers[reaches] |= seven << np.uint64(7 * place)
    return numbers.astype(f"<u{width}").tobytes()
