"""The protobuf wire format: reading fields, and thinning a large model.

Reference: protobuf.dev/programming-guides/encoding and onnx.proto (onnx 1.23).

`thin` walks a file of any size through a small window and returns a valid ModelProto whose large
payload fields are left out; each omission is remembered with its place in the original file.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import NamedTuple

from graphcount.errors import DamagedError, LimitError
from graphcount.loading.limits import Limits
from graphcount.loading.messages import (
    DATA_FIELDS,
    HOLDERS,
    I32,
    I64,
    LEN,
    VARINT,
    VARINT_FIELDS,
    packed_remainder,
)
from graphcount.loading.source import Readable, Source
from graphcount.loading.varints import CUT_VARINT, encode_varint, varint


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
    """A model without its large payload fields.

    Attributes:
        data: A valid ModelProto.
        starts: Offsets in `data` where a copied piece begins, ascending.
        origins: Offset in the file of each of these pieces.
        cut_at: Offsets in `data` where something was left out, ascending.
        cuts: What was left out there.
    """

    data: bytes
    starts: list[int]
    origins: list[int]
    cut_at: list[int]
    cuts: list[Cut]

    def origin(self, position: int) -> int:
        """Offset in the file of byte `position` of `data`."""
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
                    size, content = _size(data, tag, position, end, start)
        else:
            if tag >= 0x80 or tag < 8:
                tag, position = _tag(data, start, end)
            if tag & 7 == VARINT:
                if position < end and (value := data[position]) < 0x80:
                    position += 1
                else:
                    value, position = varint(data, position, end)
                yield tag, value, position
                continue
            size, content = _size(data, tag, position, end, start)
        position = content + size
        if position > end:
            raise DamagedError(_overrun(tag, size, end - content), offset=start)
        yield tag, content, position


def _tag(data: bytes, position: int, end: int) -> tuple[int, int]:
    """Read a tag; return it with the position behind it."""
    tag, behind = varint(data, position, end)
    if tag < 8 or tag >> 32:
        raise DamagedError(f"field number {tag >> 3} does not exist", offset=position)
    return tag, behind


def _size(data: bytes, tag: int, position: int, end: int, start: int) -> tuple[int, int]:
    """Size and position of the content of a field that is no varint."""
    wire_type = tag & 7
    if wire_type == LEN:
        size, content = varint(data, position, end)
        if content - position > 5:  # protobuf reads 32 bits; 35 are enough for any file
            raise DamagedError("a field's size is longer than 5 bytes", offset=start)
        return size, content
    if wire_type in (I32, I64):
        return (4 if wire_type == I32 else 8), position
    raise DamagedError(f"wire type {wire_type} is not used by ONNX", offset=start)


def _overrun(tag: int, size: int, left: int) -> str:
    return f"field {tag >> 3} claims {size} bytes but {left} are left"


def thin(source: Source, limits: Limits) -> Thin:
    """Walk a model and leave out every payload field larger than `limits.kept_payload_nbytes`.

    Args:
        source: The file.
        limits: Window, depth and field limits.

    Raises:
        DamagedError: The wire format is broken; offset in the file.
        LimitError: Nested or fragmented beyond the limits.
    """
    walk = _Walk(source, limits)
    walk.message("ModelProto", 0, source.nbytes, 1)
    return walk.assemble()


class Window:
    """A source behind a small window of bytes, for walks that go forward.

    Args:
        source: The bytes.
        nbytes: Bytes read at a time.
    """

    def __init__(self, source: Readable, nbytes: int) -> None:
        self.source = source
        self.nbytes = nbytes
        self.window = b""
        self.base = 0

    def load(self, position: int) -> None:
        """Move the window so that it begins at `position`."""
        self.window = self.source.read(position, self.nbytes)
        self.base = position

    def read(self, offset: int, nbytes: int) -> bytes:
        """Return bytes of the source; the window stays where it is."""
        low = offset - self.base
        inside = low >= 0 and low + nbytes <= len(self.window)
        return self.window[low : low + nbytes] if inside else self.source.read(offset, nbytes)

    def header(self, position: int, end: int) -> tuple[int, int, int]:
        """Return tag, size and position of the content of the field at `position`."""
        if not self.base <= position <= self.base + len(self.window) - 20:
            self.load(position)
        window, base = self.window, self.base
        limit = min(len(window), end - base)
        start = position - base
        try:
            tag, at = _tag(window, start, limit)
            if tag & 7 == VARINT:
                size = varint(window, at, limit)[1] - at
            else:
                size, at = _size(window, tag, at, limit, start)
        except DamagedError as error:
            raise DamagedError(error.message, offset=(error.offset or 0) + base) from None
        if base + at + size > end:
            raise DamagedError(_overrun(tag, size, end - base - at), offset=position)
        return tag, size, base + at


class _Walk(Window):
    """One pass over a file: the pieces kept and the cuts made."""

    def __init__(self, source: Readable, limits: Limits) -> None:
        super().__init__(source, limits.window_nbytes)
        self.limits = limits
        self.fields = 0
        self.pieces: list[tuple[int, bytes]] = []
        self.cuts: list[tuple[int, Cut]] = []

    def keep(self, start: int, stop: int) -> int:
        """Copy file bytes start..stop as one piece; return their number."""
        if stop <= start:
            return 0
        self.pieces.append((start, self.read(start, stop - start)))
        return stop - start

    def last_byte(self, end: int) -> None:
        """Refuse packed varints that are cut at their end; the window then begins there."""
        if not self.base < end <= self.base + len(self.window):
            self.load(end - 1)
        at = end - 1 - self.base
        if self.window[at : at + 1] >= b"\x80":
            raise DamagedError(CUT_VARINT, offset=end - 1)

    def message(self, kind: str, position: int, end: int, depth: int) -> int:
        """Walk one message and return the number of bytes kept of it."""
        if depth > self.limits.message_depth:
            raise LimitError(too_deep(self.limits), offset=position, rule="FMT003")
        children, is_tensor = HOLDERS[kind], kind == "TensorProto"
        kept, run = 0, position
        small = self.limits.kept_payload_nbytes
        while position < end:
            start = position
            tag, size, content = self.header(position, end)
            position = content + size
            self.fields += 1
            if self.fields > self.limits.fields:
                reason = f"more than {self.limits.fields:,} protobuf fields"
                raise LimitError(reason, offset=start)
            if size <= small or tag & 7 != LEN:
                if position - run > self.limits.window_nbytes // 2:
                    kept += self.keep(run, position)
                    run = position
                continue
            number = tag >> 3
            child = children.get(number)
            payload = is_tensor and number in DATA_FIELDS
            if child is None and not payload and size <= self.limits.text_nbytes:
                continue
            kept += self.keep(run, start)
            run = position
            if child is None:
                if not kept:  # the message begins with a cut: an empty piece marks where it stands
                    self.pieces.append((start, b""))
                if payload and number in VARINT_FIELDS:
                    self.last_byte(position)
                why = packed_remainder(number, size) if payload else ""
                if why:
                    raise DamagedError(why, offset=content)
                self.cuts.append((len(self.pieces), Cut(kind, number, content, size)))
                continue
            slot = len(self.pieces)
            self.pieces.append((start, b""))
            inner = self.message(child, content, position, depth + 1)
            head = encode_varint(tag) + encode_varint(inner)
            self.pieces[slot] = (start, head)
            kept += len(head) + inner
        return kept + self.keep(run, end)

    def assemble(self) -> Thin:
        """Join the pieces and compute where each of them, and each cut, lies."""
        starts, total = [], 0
        for _, piece in self.pieces:
            starts.append(total)
            total += len(piece)
        ends = [*starts, total]
        return Thin(
            data=b"".join(piece for _, piece in self.pieces),
            starts=starts,
            origins=[origin for origin, _ in self.pieces],
            cut_at=[ends[index] for index, _ in self.cuts],
            cuts=[cut for _, cut in self.cuts],
        )


def too_deep(limits: Limits) -> str:
    """The reason for refusing a file whose messages are nested beyond the limit."""
    return f"messages are nested deeper than {limits.message_depth} (protobuf's own limit)"
