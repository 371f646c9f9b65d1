"""The data of tensors: read whole or as a stream, however the file keeps it.

A stream holds what raw_data would hold (onnx.proto, TensorProto: little-endian, 2- and 4-bit
elements packed), so raw_data, typed fields and external data of equal elements give equal bytes.
Two kinds have no such form: strings, which are written behind their lengths (8 bytes), and 6-bit
elements of int32_data, which take a byte each. Memory is bounded by a chunk.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING, Literal

from graphcount.dtypes import DType
from graphcount.errors import DamagedError, GraphcountError
from graphcount.loading.messages import DATA_FIELDS, VARINT_FIELDS
from graphcount.loading.model import DataField, Tensor
from graphcount.loading.source import FileSource, Source
from graphcount.loading.wire import fixed_width

if TYPE_CHECKING:
    from graphcount.loading.external import ExternalData, Way
    from graphcount.loading.window import Window

CHUNK_NBYTES = 1 << 20
"""Bytes of a stream that are held at a time, and of a file that are asked for at a time."""

WINDOW_NBYTES = 1 << 16
"""The window of the walk over a tensor whose data field occurs many times."""

MOST_PIECES = 1 << 18
"""Data in more pieces is not read unless asked for: a list that is not packed has one each."""

MOST_OPEN_FILES = 64
"""External data files that are open at a time."""

UNKEPT = "large tensors of a pipe or a text form are not kept"

FIELD_NUMBER = {name: number for number, name in DATA_FIELDS.items()}
VARINT_NAMES = frozenset(DATA_FIELDS[number] for number in VARINT_FIELDS)

CODES = {1: "f", 2: "B", 3: "b", 4: "H", 5: "h", 6: "i", 7: "q", 9: "B", 10: "e", 11: "d"}
CODES.update({12: "I", 13: "Q"})
"""struct codes of the types that have one, by TensorProto.DataType."""

Cause = Literal[
    "absent",  # the file holds no data for it
    "refused",  # an external data file that must not be read, or does not fit
    "ambiguous",  # readers differ in what they take
    "type",  # the element type is undefined, or has no such form
    "pieces",  # in more pieces than are read
    "budget",  # more bytes than were asked for
    "unkept",  # it came through a pipe or in a text form, and cannot be read again
    "damaged",  # varints that are cut, too long or not as many as dims say
    "changed",  # the file changed while it was read, or the system refuses
]


class UnreadError(GraphcountError):
    """The data of a tensor cannot be had: the message says why, and `cause` of which kind."""

    slug = "unread"
    rule = "FMT002"
    cause: Cause = "changed"

    @classmethod
    def of(cls, cause: Cause, message: str, path: str | None = None) -> UnreadError:
        """Return the error for a cause."""
        error = cls(message, path)
        error.cause = cause
        return error


class Part:
    """A range of a file that holds data, as something that can be read by position."""

    def __init__(self, read: Callable[[int, int], bytes], offset: int, nbytes: int) -> None:
        self._read = read
        self.offset = offset
        self.nbytes = nbytes

    def read(self, offset: int, nbytes: int) -> bytes:
        """Return up to `nbytes` bytes from `offset` of the part."""
        nbytes = max(0, min(nbytes, self.nbytes - offset))
        return self._read(self.offset + offset, nbytes) if nbytes else b""


class TensorReader:
    """Reads the data of a model's tensors; files are opened when they are needed.

    Args:
        model_path: Path of the model as given: external data is looked for beside it.
        open_model: Opens the bytes that offsets in the records refer to; None where they were not
            kept (standard input, text forms).
        most_pieces: Data in more pieces is not read.
    """

    def __init__(
        self,
        model_path: str,
        open_model: Callable[[], Source] | None,
        most_pieces: int = MOST_PIECES,
    ) -> None:
        self.model_path = model_path
        self.most_pieces = most_pieces
        self._open_model = open_model
        self._model: Source | None = None
        self._files: dict[str, FileSource | None] = {}
        self._located: dict[str, ExternalData] = {}
        self._way: Way | None = None

    def close(self) -> None:
        """Close what was opened."""
        for file in self._files.values():
            if file is not None:
                file.close()
        self._files.clear()
        if self._model is not None:
            self._model.close()
            self._model = None

    @property
    def model(self) -> Source:
        """The model file; raises UnreadError."""
        if self._model is None:
            if self._open_model is None:
                raise UnreadError.of("unkept", UNKEPT, self.model_path)
            try:
                self._model = self._open_model()
            except (OSError, GraphcountError) as error:
                raise _changed(error, self.model_path, None) from None
        return self._model

    def model_bytes(self, offset: int, nbytes: int) -> bytes:
        """Return bytes of the model file.

        Raises:
            UnreadError: It cannot be read again, or became shorter.
        """
        return _bytes(self.model.read, offset, nbytes, self.model_path)

    def external_file(self, data: ExternalData) -> Part | None:
        """Return a whole external data file, or None when it must not be read."""
        path, nbytes = data.path, data.nbytes
        if path is None or nbytes is None or self._external(data) is None:
            return None

        def read(offset: int, size: int) -> bytes:
            file = self._external(data)  # it may have been closed for others
            return file.read(offset, size) if file is not None else b""

        return Part(lambda offset, size: _bytes(read, offset, size, path), 0, nbytes)

    def _external(self, data: ExternalData) -> FileSource | None:
        path = data.path or ""
        if path not in self._files:
            if len(self._files) >= MOST_OPEN_FILES:
                first = self._files.pop(next(iter(self._files)))
                if first is not None:
                    first.close()
            from graphcount.loading.external import open_external_file

            file = open_external_file(data._replace(problems=()))
            self._files[path] = FileSource(file, path) if file is not None else None
        return self._files[path]

    def part(self, tensor: Tensor, external: ExternalData | None = None) -> Part:
        """Return the bytes of a tensor as they lie in a file: varints stay varints.

        Args:
            tensor: A dense tensor.
            external: Where its external data is, when that is known already.

        Raises:
            UnreadError: They are not to be had.
        """
        if tensor.is_external:
            return self._external_part(tensor, external)
        field = _only(tensor)
        begin = field.offset
        if field.field == "string_data":
            raise UnreadError.of("type", "strings do not lie in one place")
        if field.data is not None:
            kept = field.data
            return Part(lambda at, nbytes: kept[at - begin :][:nbytes], begin, len(kept))
        if field.occurrences == 1:
            return Part(self.model_bytes, begin, field.nbytes)
        from graphcount.loading.window import Joined

        joined = Joined(self.model_bytes, occurrences(tensor, self._window(field)))
        return Part(lambda at, nbytes: joined.read(at - begin, nbytes), begin, field.nbytes)

    def _external_part(self, tensor: Tensor, data: ExternalData | None) -> Part:
        if data is None:
            from graphcount.loading.external import Way, locate

            self._way = self._way or Way(self.model_path)
            data = locate(tensor, self.model_path, self._located, self._way)
        dtype = _dtype(tensor)
        if data.problems:
            raise UnreadError.of("refused", data.problem)
        if tensor.data_fields:
            raise UnreadError.of("ambiguous", "external data and data in the file as well")
        whole = self.external_file(data)
        if whole is None:
            why = f"{data.location} must not be read (another hard link)"
            raise UnreadError.of("refused", why)
        return Part(whole.read, data.offset, dtype.nbytes(_elements(tensor)))

    def _window(self, field: DataField) -> Window:
        """Return a window to find the pieces of a field by, unless readers do not join them.

        Of raw_data that is repeated they take the last one.
        """
        if field.field == "raw_data":
            raise UnreadError.of("ambiguous", "raw_data is given more than once")
        if field.occurrences > self.most_pieces:
            raise UnreadError.of("pieces", f"it lies in more than {self.most_pieces:,} pieces")
        from graphcount.loading.window import Window

        return Window(self.model, WINDOW_NBYTES)

    def read(
        self, tensor: Tensor, external: ExternalData | None = None, *, most_nbytes: int
    ) -> bytes:
        """Return all data of a tensor, as raw_data would hold it.

        Args:
            tensor: A dense tensor.
            external: See `part`.
            most_nbytes: What may be read of a file; data that was kept with the record is free.

        Raises:
            UnreadError: It is not to be had, or too large.
        """
        if tensor.is_external:
            stored = _dtype(tensor).nbytes(_elements(tensor))
        else:
            stored = _only(tensor).nbytes if tensor.data_fields else 0
        if stored > most_nbytes and not is_kept(tensor):
            raise UnreadError.of("budget", f"{stored:,} bytes are more than may be read")
        return b"".join(self.chunks(tensor, external))

    def chunks(self, tensor: Tensor, external: ExternalData | None = None) -> Iterator[bytes]:
        """Stream the data of a tensor in chunks of whole elements.

        Args:
            tensor: A dense tensor.
            external: See `part`.

        Raises:
            UnreadError: It is not to be had; damage is told where the stream comes to it.
        """
        dtype = _dtype(tensor)
        width = max(1, dtype.bits // 8)
        if tensor.is_external:
            yield from self._blocks(tensor, external, width)
            return
        if not tensor.data_fields and not _elements(tensor):
            return
        field = _only(tensor)
        stored_as = dtype.typed_field if dtype.bits == 0 else "raw_data"
        if field.field not in (stored_as, dtype.typed_field):
            raise UnreadError.of("type", f"{dtype.name} elements in {field.field}")
        if field.field == "string_data":
            yield from self._strings(tensor, field)
        elif field.field in VARINT_NAMES:
            entries = dtype.entries(_elements(tensor))
            try:
                yield from fixed_width(self._blocks(tensor, None, 1), width, entries)
            except DamagedError as error:
                raise UnreadError.of("damaged", error.message) from None
        else:
            yield from self._blocks(tensor, None, width)

    def _blocks(self, tensor: Tensor, external: ExternalData | None, width: int) -> Iterator[bytes]:
        """Yield the bytes as they lie in a file, in blocks of whole elements."""
        size = max(CHUNK_NBYTES // width, 1) * width
        field = None if tensor.is_external else _only(tensor)
        if field is None or field.data is not None or field.occurrences == 1:
            part = self.part(tensor, external)
            for offset in range(0, part.nbytes, size):
                yield part.read(offset, size)
            return
        window, path = self._window(field), self.model_path
        gathered = bytearray()
        for offset, nbytes in occurrences(tensor, window):
            for begin in range(offset, offset + nbytes, size):
                gathered += _bytes(window.read, begin, min(size, offset + nbytes - begin), path)
                while len(gathered) >= size:
                    yield bytes(gathered[:size])
                    del gathered[:size]
        if gathered:
            yield bytes(gathered)

    def _strings(self, tensor: Tensor, field: DataField) -> Iterator[bytes]:
        """Yield strings, each behind its length."""
        window, path = self._window(field), self.model_path
        for offset, nbytes in occurrences(tensor, window):
            yield nbytes.to_bytes(8, "little")
            for begin in range(offset, offset + nbytes, CHUNK_NBYTES):
                yield _bytes(window.read, begin, min(CHUNK_NBYTES, offset + nbytes - begin), path)


def is_kept(tensor: Tensor) -> bool:
    """Return whether a tensor's data was kept with its record: no file is read for it."""
    return not tensor.is_external and all(field.data is not None for field in tensor.data_fields)


def elements(data: bytes, data_type: int) -> Sequence[float] | None:
    """Return the elements of a small tensor as numbers; None for types without a number in Python.

    Args:
        data: Its data, as raw_data would hold it.
        data_type: TensorProto.DataType.
    """
    if data_type == 16:  # bfloat16: the upper half of a float32
        halves = struct.unpack(f"<{len(data) // 2}H", data[: len(data) // 2 * 2])
        data = struct.pack(f"<{len(halves)}I", *(half << 16 for half in halves))
        return struct.unpack(f"<{len(halves)}f", data)
    code = CODES.get(data_type)
    if code is None:
        return None
    size = struct.calcsize(code)
    count = len(data) // size
    return struct.unpack(f"<{count}{code}", data[: count * size])


def occurrences(tensor: Tensor, window: Window) -> Iterator[tuple[int, int]]:
    """Yield offset and size of each occurrence of a tensor's data field, by a second walk."""
    field = tensor.data_fields[0]
    wanted, left = FIELD_NUMBER[field.field], field.occurrences
    position, end = tensor.offset, window.source.nbytes
    while left:
        try:
            tag, size, start = window.header(position, end)
        except GraphcountError:
            raise UnreadError("its data is not where it was") from None
        if tag >> 3 == wanted:
            left -= 1
            yield start, size
        position = start + size


def _dtype(tensor: Tensor) -> DType:
    if tensor.dtype is None:
        raise UnreadError.of("type", f"element type {tensor.data_type} is not defined")
    return tensor.dtype


def _elements(tensor: Tensor) -> int:
    """Return elements by the dims; 0 when one is negative."""
    return prod(tensor.dims) if all(dim >= 0 for dim in tensor.dims) else 0


def _only(tensor: Tensor) -> DataField:
    """Return the one data field of a tensor."""
    if not tensor.data_fields:
        raise UnreadError.of("absent", "the file holds no data for it")
    if len(tensor.data_fields) > 1:
        raise UnreadError.of("ambiguous", "it has data in more than one field")
    return tensor.data_fields[0]


def _bytes(read: Callable[[int, int], bytes], offset: int, nbytes: int, path: str) -> bytes:
    """Read all of a range, or say why not."""
    try:
        data = read(offset, nbytes)
    except UnreadError:
        raise
    except (OSError, GraphcountError) as error:
        raise _changed(error, path, offset) from None
    if len(data) < nbytes:
        raise UnreadError("the file became shorter while it was read", path, offset)
    return data


def _changed(error: OSError | GraphcountError, path: str, offset: int | None) -> UnreadError:
    if isinstance(error, GraphcountError):
        return UnreadError(error.message, error.path or path, error.offset)
    return UnreadError((error.strerror or "cannot be read").lower(), path, offset)
