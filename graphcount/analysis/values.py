"""Values of stored tensors, read only when a rule needs them and only when they are few.

Small payloads were kept while reading; larger ones are fetched from the file on demand, up to the
budget of the `Values` object, and never when the file has changed its size.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from typing import IO

from graphcount.analysis.stored import Stored
from graphcount.errors import GraphcountError
from graphcount.loading.external import open_side_file
from graphcount.loading.model import Payload, Tensor
from graphcount.loading.opening import open_payload
from graphcount.loading.wire import signed, varint

CODES = {1: "f", 2: "B", 3: "b", 4: "H", 5: "h", 6: "i", 7: "q", 9: "B", 10: "e", 11: "d"}
CODES.update({12: "I", 13: "Q"})
"""struct codes of the types that have one, by TensorProto.DataType."""


CACHED_NBYTES = 64 * 1024
"""Tensors up to this size are kept once read; of larger ones only digests are."""


class Values:
    """Reads the numbers of stored tensors from the model file, within a budget of bytes.

    Attributes:
        complete: False once a tensor was not read because the budget was spent.
    """

    def __init__(self, path: str, budget_nbytes: int) -> None:
        self.path = path
        self.left = budget_nbytes
        self.complete = True
        self._cache: dict[int, bytes | None] = {}
        self._digests: dict[tuple[int, bool], bytes | None] = {}
        self._file: IO[bytes] | None = None

    def close(self) -> None:
        """Close the model file, if it was opened."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def peek(self, stored: Stored, nbytes: int = 64) -> bytes | None:
        """The first bytes of a tensor in the model file, to tell tensors apart cheaply."""
        if stored.tensor is None or stored.problems or len(stored.tensor.payloads) != 1:
            return None
        payload = stored.tensor.payloads[0]
        if payload.data is not None:
            return payload.data[:nbytes]
        return self._read(payload.offset, min(nbytes, payload.nbytes))

    def raw(self, stored: Stored) -> bytes | None:
        """Bytes of a dense tensor as raw_data would hold them, or None."""
        if stored.key in self._cache:
            return self._cache[stored.key]
        data = self._fetch(stored)
        if data is None or len(data) <= CACHED_NBYTES:
            self._cache[stored.key] = data
        return data

    def corners(self, stored: Stored, transposed: bool = False) -> bytes | None:
        """A few numbers of a dense tensor, to tell tensors apart without reading them.

        The first two rows' and columns' beginning and the last number of a matrix; for other
        shapes (and matrices read as transposed ones) as far as that can be said, else None.
        """
        if stored.elements < 2 or stored.nbytes % stored.elements:
            return None
        width = stored.nbytes // stored.elements
        shape = stored.shape
        if len(shape) != 2:
            return None if transposed else self.peek(stored)
        rows, columns = shape
        cells = [(0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (2, 0)]
        parts = []
        for i, j in cells:
            row, column = (j, i) if transposed else (i, j)
            if row >= rows or column >= columns:
                parts.append(b"")
                continue
            part = self._cell(stored, (row * columns + column) * width, width)
            if part is None:
                return None
            parts.append(part)
        return b"".join(parts)

    def _cell(self, stored: Stored, start: int, width: int) -> bytes | None:
        """Bytes of one number of a tensor that lies in the model file as raw bytes."""
        if stored.tensor is None or stored.problems or len(stored.tensor.payloads) != 1:
            return None
        payload = stored.tensor.payloads[0]
        if payload.data is not None:
            return payload.data[start : start + width]
        if payload.field not in ("raw_data", "float_data", "double_data"):
            return None
        return self._read(payload.offset + start, width)

    def numbers(self, stored: Stored) -> Sequence[float] | None:
        """The numbers of a tensor, or None when they are not to be had."""
        if stored.numbers is not None:
            values = stored.numbers.values
            return None if stored.numbers.kind == "string" else values  # type: ignore[return-value]
        data = self.raw(stored)
        tensor = stored.tensor
        if data is None or tensor is None or tensor.dtype is None:
            return None
        if tensor.data_type == 16:  # bfloat16: the upper half of a float32
            halves = struct.unpack(f"<{len(data) // 2}H", data[: len(data) // 2 * 2])
            widened = struct.pack(f"<{len(halves)}I", *(half << 16 for half in halves))
            return struct.unpack(f"<{len(halves)}f", widened)
        code = CODES.get(tensor.data_type)
        if code is None:
            return None
        size = struct.calcsize(code)
        count = len(data) // size
        return struct.unpack(f"<{count}{code}", data[: count * size])

    def constant(self, stored: Stored) -> float | None:
        """The single number a tensor is filled with, or None when it holds several."""
        numbers = self.numbers(stored)
        if not numbers:
            return None
        first = numbers[0]
        return first if all(number == first for number in numbers) else None

    def digest(self, stored: Stored, transposed: bool = False) -> bytes | None:
        """Hash of the numbers, optionally of the transposed matrix, to compare tensors."""
        key = (stored.key, transposed)
        if key not in self._digests:
            data = self.raw(stored)
            if data is not None and transposed:
                data = _transpose(data, stored)
            self._digests[key] = _hash(data) if data is not None else None
        return self._digests[key]

    def _fetch(self, stored: Stored) -> bytes | None:
        tensor = stored.tensor
        if tensor is None or stored.problems:
            return None
        if stored.external is None and len(tensor.payloads) != 1:
            return None
        if stored.external is None and tensor.payloads[0].data is not None:
            return _as_raw(tensor, tensor.payloads[0], tensor.payloads[0].data)
        if stored.nbytes > self.left or self.path == "-":
            self.complete = False
            return None
        self.left -= stored.nbytes
        if stored.external is not None:
            return _read_side_file(stored)
        payload = tensor.payloads[0]
        if payload.occurrences != 1:
            return None
        data = self._read(payload.offset, payload.nbytes)
        return _as_raw(tensor, payload, data) if data is not None else None

    def _read(self, offset: int, nbytes: int) -> bytes | None:
        """Bytes of the model file, or None when it cannot be read (or was piped in)."""
        if self.path == "-" or self.left <= 0:
            return None
        try:
            if self._file is None:
                self._file = open_payload(self.path)
            self._file.seek(offset)
            data = self._file.read(nbytes)
        except (OSError, GraphcountError):
            return None
        return data if len(data) == nbytes else None


def _hash(data: bytes) -> bytes:
    import hashlib  # loads OpenSSL, which most counts do not need

    return hashlib.blake2b(data, digest_size=16).digest()


def _read_side_file(stored: Stored) -> bytes | None:
    if stored.external is None:
        return None
    file = open_side_file(stored.external)
    if file is None:
        return None
    with file:
        file.seek(stored.external.offset)
        data = file.read(stored.nbytes)
    return data if len(data) == stored.nbytes else None


def _as_raw(tensor: Tensor, payload: Payload, data: bytes) -> bytes | None:
    """A payload field as raw_data would hold it (little-endian, packed)."""
    if payload.field in ("raw_data", "float_data", "double_data"):
        return data
    dtype = tensor.dtype
    if dtype is None or dtype.bits < 8 or payload.field == "string_data":
        return None
    size = dtype.bits // 8
    out = bytearray()
    position = 0
    while position < len(data):
        value, position = varint(data, position, len(data))
        out += (signed(value) & ((1 << dtype.bits) - 1)).to_bytes(size, "little")
    return bytes(out)


def _transpose(data: bytes, stored: Stored) -> bytes | None:
    """Bytes of the transposed matrix."""
    if len(stored.shape) != 2 or not stored.elements or len(data) % stored.elements:
        return None
    columns = stored.shape[1]
    width = len(data) // stored.elements
    code = {1: "B", 2: "H", 4: "I", 8: "Q"}.get(width)
    if code is None:
        return None
    cells = array(code, data)
    return b"".join(cells[column::columns].tobytes() for column in range(columns))
