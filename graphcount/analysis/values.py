"""Values of stored tensors, read only when a rule needs them.

Small tensor data was kept while reading; more is fetched from the file on demand and never when the
file has changed its size. Whole tensors are read up to the budget of the `Values` object. The first
elements, by which a kind is decided (`Values.head`), have a budget of their own that no option
changes: a kind does not depend on how deep a model is read (docs/counting.md).
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from functools import partial

from graphcount.analysis.stored import Stored
from graphcount.loading import ModelFile, open_source
from graphcount.loading.source import has_scheme
from graphcount.loading.tensor_data import (
    VARINT_NAMES,
    Part,
    TensorReader,
    UnreadError,
    elements,
    is_kept,
)

CACHED_NBYTES = 64 * 1024
"""Tensors up to this size are kept once read; of larger ones only digests are."""

HEAD_ELEMENTS = 4096
"""Elements of a tensor that may be looked at to decide its kind."""

HEADS_NBYTES = 64 * 2**20
"""Bytes that may be read of a model's files for first elements of its tensors, all together."""


class Values:
    """Reads the values of stored tensors from the model file, within a budget of bytes.

    Attributes:
        complete: False once a tensor was not read because the budget was spent.
    """

    def __init__(self, path: str, budget_nbytes: int) -> None:
        self.path = path
        self.left = budget_nbytes
        self.complete = True
        self._cache: dict[int, bytes | None] = {}
        self._digests: dict[tuple[int, bool], bytes | None] = {}
        self._head: tuple[int, Sequence[float] | None] | None = None
        self._heads_left = HEADS_NBYTES
        opening = None if path == "-" else partial(open_source, path)
        self._reader = TensorReader(path, opening, most_pieces=1)

    def close(self) -> None:
        """Close what was opened."""
        self._reader.close()

    def peek(self, stored: Stored, nbytes: int = 64) -> bytes | None:
        """Return the first bytes of a tensor in the model file, to tell tensors apart cheaply."""
        part = self._part(stored)
        return _bytes(part, 0, min(nbytes, part.nbytes)) if part is not None else None

    def raw(self, stored: Stored) -> bytes | None:
        """Return bytes of a dense tensor as raw_data would hold them, or None."""
        if stored.key in self._cache:
            return self._cache[stored.key]
        data = self._fetch(stored)
        if data is None or len(data) <= CACHED_NBYTES:
            self._cache[stored.key] = data
        return data

    def corners(self, stored: Stored, transposed: bool = False) -> bytes | None:
        """Return a few elements of a dense tensor, to tell tensors apart without reading them.

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

    def cells(self, stored: Stored, places: list[list[int]]) -> list[list[float]] | None:
        """Return single elements of a dense tensor by their position; None when unread."""
        if not stored.elements or stored.nbytes % stored.elements or stored.tensor is None:
            return None
        width = stored.nbytes // stored.elements
        lines = []
        for line in places:
            parts = [self._cell(stored, place * width, width) for place in line]
            if any(part is None or len(part) != width for part in parts):
                return None
            numbers = elements(b"".join(part or b"" for part in parts), stored.tensor.data_type)
            if numbers is None:
                return None
            lines.append([float(number) for number in numbers])
        return lines

    def _cell(self, stored: Stored, start: int, width: int) -> bytes | None:
        """Return the bytes of one element of a tensor that lies in a file as raw bytes."""
        part = self._part(stored, outside=True)
        tensor = stored.tensor
        fields = tensor.data_fields if tensor is not None else ()
        if part is None or any(field.field in VARINT_NAMES for field in fields):
            return None
        return _bytes(part, start, width)

    def _part(self, stored: Stored, outside: bool = False) -> Part | None:
        """Return where in the model file a tensor lies; None when it must not be looked at.

        Args:
            stored: The tensor.
            outside: Look at external data as well, where that is a file of this machine.
        """
        tensor = stored.tensor
        if tensor is None or stored.problems:
            return None
        if tensor.is_external and not (outside and _is_near(stored)):
            return None
        if self.left <= 0 and not is_kept(tensor):
            return None
        try:
            return self._reader.part(tensor, stored.external)
        except UnreadError:
            return None

    def numbers(self, stored: Stored) -> Sequence[float] | None:
        """Return the values of a tensor, or None when they are not to be had."""
        if stored.numbers is not None:
            values = stored.numbers.values
            return None if stored.numbers.kind == "string" else values  # type: ignore[return-value]
        data = self.raw(stored)
        tensor = stored.tensor
        return elements(data, tensor.data_type) if data is not None and tensor is not None else None

    def head(self, stored: Stored) -> Sequence[float] | None:
        """Return the first elements of a tensor, up to `HEAD_ELEMENTS`, whatever the budget is.

        None when they are not to be had: a sparse tensor, strings, what came through a pipe.
        """
        if stored.numbers is not None:
            numbers = self.numbers(stored)
            return numbers[:HEAD_ELEMENTS] if numbers is not None else None
        if self._head is None or self._head[0] != stored.key:  # rules ask one after another
            self._head = (stored.key, self._read_head(stored))
        return self._head[1]

    def _read_head(self, stored: Stored) -> Sequence[float] | None:
        tensor = stored.tensor
        if tensor is None or stored.problems or stored.dtype == "string" or not stored.elements:
            return None
        kept = is_kept(tensor)
        if not kept and self._heads_left <= 0:
            return None
        count = min(stored.elements, HEAD_ELEMENTS)
        nbytes = tensor.dtype.nbytes(count) if tensor.dtype is not None else 0
        try:
            if not tensor.is_external and tensor.data_fields[0].field in VARINT_NAMES:
                data = next(self._reader.chunks(tensor), b"")
            else:
                data = self._reader.part(tensor, stored.external).read(0, nbytes)
        except (UnreadError, IndexError):
            return None
        if not kept:
            self._heads_left -= len(data)
        numbers = elements(data, tensor.data_type)
        return numbers[:count] if numbers is not None and len(numbers) >= count else None

    def constant(self, stored: Stored) -> float | None:
        """Return the value that all elements that are looked at have, or None: they differ."""
        numbers = self.head(stored)
        if not numbers:
            return None
        first = numbers[0]
        return first if all(number == first for number in numbers) else None

    def digest(self, stored: Stored, transposed: bool = False) -> bytes | None:
        """Return a hash of the values, optionally of the transposed matrix, to compare tensors."""
        key = (stored.key, transposed)
        if key not in self._digests:
            data = self.raw(stored)
            if data is not None and transposed:
                data = _transpose(data, stored)
            self._digests[key] = _hash(data) if data is not None else None
        return self._digests[key]

    def _fetch(self, stored: Stored) -> bytes | None:
        tensor = stored.tensor
        if tensor is None or stored.problems or stored.dtype == "string":
            return None
        data = None
        try:
            data = self._reader.read(tensor, stored.external, most_nbytes=self.left)
        except UnreadError as error:
            if error.cause in ("budget", "unkept"):
                self.complete = False
                return None
        if not is_kept(tensor):
            self.left -= stored.stored_nbytes
        return data


def values_of(file: ModelFile, budget_nbytes: int) -> Values:
    """Return a reader for a model; offsets into a text form mean nothing."""
    return Values(file.path if file.format == "onnx" else "-", budget_nbytes)


def _is_near(stored: Stored) -> bool:
    """Return whether external data lies in a file of this machine, where a byte costs little."""
    path = stored.external.path if stored.external is not None else None
    return path is not None and not has_scheme(path)


def _bytes(part: Part, offset: int, nbytes: int) -> bytes | None:
    try:
        return part.read(offset, nbytes)
    except UnreadError:
        return None


def _hash(data: bytes) -> bytes:
    import hashlib  # loads OpenSSL, which most counts do not need

    return hashlib.blake2b(data, digest_size=16).digest()


def _transpose(data: bytes, stored: Stored) -> bytes | None:
    """Return bytes of the transposed matrix."""
    if len(stored.shape) != 2 or not stored.elements or len(data) % stored.elements:
        return None
    columns = stored.shape[1]
    width = len(data) // stored.elements
    code = {1: "B", 2: "H", 4: "I", 8: "Q"}.get(width)
    if code is None:
        return None
    cells = array(code, data)
    return b"".join(cells[column::columns].tobytes() for column in range(columns))
