"""The protobuf wire format (protobuf.dev/programming-guides/encoding): fields and varints."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from graphcount.errors import DamagedError, LimitError
from graphcount.loading.limits import Limits, beyond
from graphcount.loading.messages import I32, I64, LEN, VARINT
from graphcount.loading.model import ListRun

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

VARINT_NBYTES = 10
"""The longest varint that protobuf reads."""


LONG_VARINT = f"a varint is longer than {VARINT_NBYTES} bytes"
CUT_VARINT = "cut inside a varint"

_GOES_ON = bytes(128) + b"\1" * 128
"""1 for each byte that a varint does not end with."""


SMALL_NBYTES = 1 << 16
"""Packed varints up to here are decoded one by one; more are worth loading numpy."""


class Cut(NamedTuple):
    """A field left out of the thin bytes.

    Attributes:
        message: Type of the message it belongs to.
        number: Field number.
        offset: First byte of its content in the original file.
        nbytes: Bytes of its content.
    """

    message: str
    number: int
    offset: int
    nbytes: int


class Thin(NamedTuple):
    """A model without its large data fields.

    Attributes:
        data: A valid ModelProto.
        starts: Offsets in `data` where a copied piece begins, ascending.
        origins: Offset in the file of each of these pieces.
        cut_at: Offsets in `data` where something was left out, ascending.
        cuts: What was left out there.
        lists: Parts of long lists that were left out and decoded, in file order, by the offset in
            the file of the AttributeProto they belong to.
        work: Units of work that leaving things out took.
    """

    data: bytes
    starts: list[int]
    origins: list[int]
    cut_at: list[int]
    cuts: list[Cut]
    lists: Mapping[int, Sequence[ListRun]] = MappingProxyType({})
    work: int = 0

    def origin(self, position: int) -> int:
        """Return the offset in the file of byte `position` of `data`."""
        starts = self.starts
        if not starts:
            return position
        index = bisect_left(starts, position)  # a message that begins with a cut: its empty piece
        if index == len(starts) or starts[index] != position:
            index -= 1
        return self.origins[index] + position - starts[index]


def fields(data: bytes, position: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield (tag, a, b) for each field of the message in data[position:end].

    The tag is `number << 3 | wire type`. For varints `a` is the value and `b` the position behind
    it; for all others the content is data[a:b].

    Raises:
        DamagedError: A field runs past the end, or a tag is impossible; offset in `data`.
    """
    while position < end:
        start = position
        tag = data[position]
        position += 1
        if tag & 0x87 == LEN and tag > 7 and position + 1 < end:
            # nearly every field: a tag of one byte, a size of one or two
            size, content = data[position], position + 1
            if size >= 0x80:
                if (high := data[content]) < 0x80:
                    size, content = size - 0x80 + 0x80 * high, content + 1
                else:
                    size, content = field_size(data, tag, position, end, start)
        else:
            if tag >= 0x80 or tag < 8:
                tag, position = field_tag(data, start, end)
            if tag & 7 == VARINT:
                if position < end and (value := data[position]) < 0x80:
                    position += 1
                else:
                    value, position = varint(data, position, end)
                yield tag, value, position
                continue
            size, content = field_size(data, tag, position, end, start)
        position = content + size
        if position > end:
            raise DamagedError(overrun(tag, size, end - content), offset=start)
        yield tag, content, position


def field_tag(data: bytes, position: int, end: int) -> tuple[int, int]:
    """Read a tag and return it with the position behind it; protobuf reads 32 bits in 5 bytes."""
    tag, behind = varint(data, position, end)
    if tag < 8 or tag >> 32 or behind - position > 5:
        raise DamagedError(f"field number {tag >> 3} does not exist", offset=position)
    return tag, behind


def field_size(data: bytes, tag: int, position: int, end: int, start: int) -> tuple[int, int]:
    """Return size and position of the content of a field that is no varint."""
    wire_type = tag & 7
    if wire_type == LEN:
        size, content = varint(data, position, end)
        if content - position > 5:  # protobuf reads 32 bits; 35 are enough for any file
            raise DamagedError("a field's size is longer than 5 bytes", offset=start)
        return size, content
    if wire_type in (I32, I64):
        return (4 if wire_type == I32 else 8), position
    raise DamagedError(f"wire type {wire_type} is not used by ONNX", offset=start)


def overrun(tag: int, size: int, left: int) -> str:
    """Return why a field is refused that is longer than what is left."""
    return f"field {tag >> 3} claims {size} bytes but {left} are left"


def too_deep(limits: Limits, offset: int) -> LimitError:
    """Return the error for a file whose messages are nested beyond the limit."""
    most = limits.message_depth
    reason = f"messages are nested deeper than {most} (protobuf's own limit is 100)"
    return beyond("message_depth", reason, 2 * most, offset, "FMT003")


# ----------------------------------------------------------------------------------------- varints


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
    """Return where a packed varint is longer than protobuf reads; -1 for nowhere."""
    return data.translate(_GOES_ON).find(b"\1" * VARINT_NBYTES)


def packed_damage(data: bytes) -> tuple[str, int] | None:
    """Return what is wrong with packed varints, and at which byte; None when sound."""
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
    """Return the bytes of a number as a minimal varint; a negative one takes the most."""
    if value < 0:
        return VARINT_NBYTES
    return 1 if value < 0x80 else (value.bit_length() + 6) // 7


def signed(number: int) -> int:
    """Read an unsigned 64-bit varint as int64, which is how protobuf stores negative numbers."""
    return number - (1 << 64) if number >> 63 else number


def int32(number: int) -> int:
    """Read an unsigned 64-bit varint as int32: protobuf keeps its lower 32 bits."""
    number &= 0xFFFF_FFFF
    return number - (1 << 32) if number >> 31 else number


def fixed_width(blocks: Iterable[bytes], width: int, entries: int | None = None) -> Iterator[bytes]:
    """Yield varints as little-endian integers of `width` bytes; there must be `entries` of them.

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
    if entries is not None and count != entries:
        raise DamagedError(f"{count} elements where dims and type ask for {entries}")


def in_bulk(size: int, few: int) -> bool:
    """Return whether so much is worth numpy, and numpy is there: in a browser it may not be."""
    if size <= few:
        return False
    from importlib.util import find_spec

    return find_spec("numpy") is not None


_CONTINUED = bytes(range(128, 256))
"""Bytes that a varint does not end with."""


def _decoded(data: bytes, width: int) -> bytes:
    """Return packed varints that end with `data` as little-endian integers of `width` bytes."""
    if in_bulk(len(data), SMALL_NBYTES):
        return _decoded_at_once(data, width)
    out = bytearray()
    position, mask = 0, (1 << 8 * width) - 1
    while position < len(data):
        value, position = varint(data, position, len(data))
        out += (value & mask).to_bytes(width, "little")
    return bytes(out)


def _decoded_at_once(data: bytes, width: int) -> bytes:
    """Return the same for millions of them: every byte adds its seven bits (see `varint`)."""
    import numpy as np

    coded = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(coded < 0x80)
    starts = np.concatenate((np.zeros(1, ends.dtype), ends[:-1] + 1))
    return varints_at(coded, starts, ends - starts + 1).astype(f"<u{width}").tobytes()


def varints_at(
    coded: NDArray[np.uint8], starts: NDArray[np.intp], lengths: NDArray[np.intp]
) -> NDArray[np.uint64]:
    """Return the varints at some places of some bytes, by their lengths of up to ten."""
    import numpy as np

    numbers = (coded[starts] & 0x7F).astype(np.uint64)
    for place in range(1, int(lengths.max()) if len(lengths) else 0):
        reaches = lengths > place
        seven = (coded[starts[reaches] + place] & 0x7F).astype(np.uint64)
        numbers[reaches] |= seven << np.uint64(7 * place)
    return numbers
