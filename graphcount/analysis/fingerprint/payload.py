"""The numbers of a stored tensor as one stream of bytes, however the file keeps them.

The stream is what raw_data would hold (onnx.proto, TensorProto: little-endian, 2- and 4-bit numbers
packed); strings are written with their lengths. So raw_data, typed fields and external data of the
same numbers give the same digest. Memory is bounded by a chunk.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator

from graphcount.analysis.stored import Stored
from graphcount.errors import DamagedError
from graphcount.loading.external import locate, open_side_file
from graphcount.loading.model import Numbers, Payload, Tensor
from graphcount.loading.source import Readable, Source
from graphcount.loading.wire import I32, I64, LEN, PAYLOAD_FIELDS, VARINT, varint

CHUNK_NBYTES = 1 << 20
WINDOW_NBYTES = 1 << 16
FIELD_NUMBER = {name: number for number, name in PAYLOAD_FIELDS.items()}
AS_RAW = frozenset({"raw_data", "float_data", "double_data"})
"""Payload fields whose content is what raw_data would hold."""


class UnreadError(Exception):
    """The numbers of a tensor cannot be had; the text says why."""


def digest(stored: Stored, source: Source, model_path: str) -> str:
    """SHA-256 of a tensor's element type, shape and numbers, in hexadecimal.

    Raises:
        UnreadError: Its numbers are missing, damaged or must not be read.
    """
    if stored.unknowns:
        raise UnreadError(stored.unknowns[0].why)
    found = hashlib.sha256(f"{stored.dtype}[{','.join(map(str, stored.shape))}]".encode())
    for part in _parts(stored, source, model_path):
        found.update(part)
    return found.hexdigest()


def _parts(stored: Stored, source: Source, model_path: str) -> Iterator[bytes]:
    if stored.numbers is not None:
        yield _listed(stored.numbers)
    elif stored.tensor is not None:
        yield from _tensor(stored.tensor, source, model_path)
    elif stored.sparse is not None:
        yield from _tensor(stored.sparse.values, source, model_path)
        yield b"indices"
        yield from _tensor(stored.sparse.indices, source, model_path)
    else:
        raise UnreadError("the file declares it and does not hold it")


def _listed(numbers: Numbers) -> bytes:
    """Numbers of an attribute, as the tensor that a Constant makes of them."""
    if numbers.kind == "string":
        return b"".join(map(_framed, _texts(numbers)))
    code = "f" if numbers.kind == "float" else "q"
    return struct.pack(f"<{len(numbers.values)}{code}", *numbers.values)


def _texts(numbers: Numbers) -> Iterator[bytes]:
    for value in numbers.values:
        yield value if isinstance(value, bytes) else str(value).encode()


def _framed(text: bytes) -> bytes:
    return len(text).to_bytes(8, "little") + text


def _tensor(tensor: Tensor, source: Source, model_path: str) -> Iterator[bytes]:
    if tensor.is_external:
        yield from _external(tensor, model_path)
        return
    if not tensor.payloads:
        return  # no numbers; a tensor that misses some has an unknown
    payload, dtype = tensor.payloads[0], tensor.dtype
    if payload.field == "string_data":
        for offset, size in occurrences(tensor, payload, source):
            yield size.to_bytes(8, "little")
            yield from _chunks(source, offset, size)
        return
    if payload.data is not None:
        pieces: Iterable[bytes] = (payload.data,)
    elif payload.occurrences == 1:
        pieces = _chunks(source, payload.offset, payload.nbytes)
    else:
        found = occurrences(tensor, payload, source)
        pieces = (piece for place in found for piece in _chunks(source, *place))
    if payload.field in AS_RAW or dtype is None:
        yield from pieces
        return
    if dtype.bits == 6:
        raise UnreadError("6-bit numbers in int32_data have no raw form here")
    yield from _fixed_width(pieces, max(1, dtype.bits // 8))


def _external(tensor: Tensor, model_path: str) -> Iterator[bytes]:
    data = locate(tensor, model_path, {})
    file = open_side_file(data)
    dtype = tensor.dtype
    if file is None or dtype is None:
        raise UnreadError(data.problem or f"{data.location} must not be read (another hard link)")
    elements = 1
    for dim in tensor.dims:
        elements *= dim
    left = dtype.nbytes(elements)
    with file:
        file.seek(data.offset)
        while left:
            chunk = file.read(min(left, CHUNK_NBYTES))
            if not chunk:
                raise UnreadError(f"{data.location} became shorter while it was read")
            left -= len(chunk)
            yield chunk


def _chunks(source: Source, offset: int, nbytes: int) -> Iterator[bytes]:
    end = offset + nbytes
    while offset < end:
        chunk = source.read(offset, min(CHUNK_NBYTES, end - offset))
        if not chunk:
            raise UnreadError("the file ends inside its numbers")
        offset += len(chunk)
        yield chunk


def occurrences(tensor: Tensor, payload: Payload, source: Readable) -> Iterator[tuple[int, int]]:
    """Offset and size of each occurrence of a payload field: the message is walked again."""
    wanted, left = FIELD_NUMBER[payload.field], payload.occurrences
    position = base = tensor.offset
    window = b""
    while left:
        if position + 20 > base + len(window) and base + len(window) < source.nbytes:
            base, window = position, source.read(position, WINDOW_NBYTES)
        try:
            number, start, size = _field(window, position - base)
        except (DamagedError, IndexError):
            raise UnreadError("its numbers are not where they were") from None
        if number == wanted:
            left -= 1
            yield base + start, size
        position = base + start + size


def _field(data: bytes, position: int) -> tuple[int, int, int]:
    """Field number, and offset and size of the content, of the field at a position."""
    tag, start = varint(data, position, len(data))
    wire_type = tag & 7
    if wire_type == LEN:
        size, start = varint(data, start, len(data))
    elif wire_type == VARINT:
        size = varint(data, start, len(data))[1] - start
    elif wire_type in (I32, I64):
        size = 4 if wire_type == I32 else 8
    else:
        raise DamagedError("no such wire type")
    return tag >> 3, start, size


def _fixed_width(pieces: Iterable[bytes], width: int) -> Iterator[bytes]:
    """Varints as little-endian numbers of `width` bytes."""
    rest = b""
    for piece in pieces:
        converted, rest = _converted(rest + piece, width)
        yield converted
    if rest:
        raise UnreadError("its numbers end inside a varint")


def _converted(data: bytes, width: int) -> tuple[bytes, bytes]:
    """Whole varints at the beginning of `data` converted, and the bytes behind them."""
    import numpy as np

    coded = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(coded < 0x80)
    if not len(ends):
        return b"", data
    starts = np.concatenate((ends[:1] * 0, ends[:-1] + 1))
    lengths = ends - starts + 1
    longest = int(lengths.max())
    if longest > 10:
        raise UnreadError("a varint is longer than 10 bytes")
    numbers = np.zeros(len(ends), np.uint64)
    for place in range(longest):
        reaches = lengths > place
        seven = (coded[starts[reaches] + place] & 0x7F).astype(np.uint64)
        numbers[reaches] |= seven << np.uint64(7 * place)
    return numbers.astype(f"<u{width}").tobytes(), data[int(ends[-1]) + 1 :]
