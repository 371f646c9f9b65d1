"""The files of a model under audit, and where in them the numbers of each tensor lie."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO, NamedTuple

from graphcount.analysis.fingerprint.payload import occurrences
from graphcount.analysis.stored import Stored, measure
from graphcount.auditing.pieces import MOST_PIECES, Joined, numbers_of
from graphcount.errors import DamagedError, GraphcountError
from graphcount.loading import ModelFile
from graphcount.loading.external import ExternalData, locate, open_side_file
from graphcount.loading.model import Tensor
from graphcount.loading.opening import open_payload
from graphcount.loading.strings import Odd


class Part:
    """A range of the model file or of a side file, as something that can be read by position."""

    def __init__(self, read: Callable[[int, int], bytes], offset: int, nbytes: int) -> None:
        self._read = read
        self.offset = offset
        self.nbytes = nbytes

    def read(self, offset: int, nbytes: int) -> bytes:
        """Return up to `nbytes` bytes from `offset` of the part."""
        nbytes = max(0, min(nbytes, self.nbytes - offset))
        return self._read(self.offset + offset, nbytes) if nbytes else b""


class Holder(NamedTuple):
    """Where in a side file the numbers of a tensor lie."""

    data: ExternalData
    nbytes: int


class Files:
    """Opens the model file and its side files once each, for positioned reads."""

    def __init__(self, model: ModelFile) -> None:
        self._model = model
        self._open: dict[str, IO[bytes] | None] = {}

    def model(self, offset: int, nbytes: int) -> bytes:
        """Bytes of the model file; offsets are those of the records.

        Raises:
            DamagedError: The file became shorter, or cannot be read again.
        """
        thin = self._model.thin
        if thin is not None and not thin.starts:  # taken whole
            return thin.data[offset : offset + nbytes]
        path = self._model.path
        if not self._model.is_at_hand:
            raise DamagedError("large tensors of a pipe or a text form are not kept", path)
        file = self._open.get(path)
        if file is None:
            file = self._open[path] = open_payload(path)
        return _read(file, offset, nbytes, path)

    def side(self, data: ExternalData) -> Part | None:
        """A whole side file, or None when it must not be read."""
        if data.path is None or data.nbytes is None:
            return None
        path = data.path
        if path not in self._open:
            self._open[path] = open_side_file(data._replace(problems=()))
        file = self._open[path]
        if file is None:
            return None
        return Part(lambda offset, nbytes: _read(file, offset, nbytes, path), 0, data.nbytes)

    def close(self) -> None:
        """Close what was opened."""
        for file in self._open.values():
            if file is not None:
                file.close()
        self._open.clear()

    def part(self, stored: Stored) -> Part | None:
        """Bytes of a tensor (the values of a sparse one), or None when they are not to be had."""
        tensor = numbers_of(stored)
        return self.tensor(tensor, self.holder(stored)) if tensor is not None else None

    def holder(self, stored: Stored) -> Holder | None:
        """The place in a side file of a tensor, or of the values of a sparse one."""
        values = stored.sparse.values if stored.sparse is not None else None
        if values is None:
            return Holder(stored.external, stored.nbytes) if stored.external is not None else None
        if not values.is_external:
            return None
        data = locate(values, self._model.path, {})
        return Holder(data, measure(values, data).nbytes)

    def tensor(self, tensor: Tensor, holder: Holder | None) -> Part | None:
        """Bytes of a dense tensor as they lie in a file, or None when they are not to be had."""
        if len(tensor.payloads) > 1:
            return None
        if holder is not None:
            whole = self.side(holder.data)
            if whole is None or holder.data.problems or tensor.payloads:
                return None
            return Part(whole.read, holder.data.offset, holder.nbytes)
        if not tensor.payloads or tensor.payloads[0].field == "string_data":
            return None
        return self.payload(tensor)

    def odd(self, odd: Odd) -> Part:
        """Content of a field that should not be there."""
        thin = self._model.thin
        if thin is None or odd.at < 0:
            return Part(self.model, odd.offset, odd.nbytes)
        data = thin.data
        return Part(lambda offset, nbytes: data[offset : offset + nbytes], odd.at, odd.nbytes)

    def payload(self, tensor: Tensor) -> Part | None:
        """Bytes of the first payload field, or None when they are not one thing.

        Readers join the pieces of a list that is split; of raw_data they take the last one.
        """
        payload = tensor.payloads[0]
        begin = payload.offset
        if payload.data is not None:
            data = payload.data
            return Part(lambda at, nbytes: data[at - begin :][:nbytes], begin, len(data))
        if payload.occurrences == 1:
            return Part(self.model, begin, payload.nbytes)
        if payload.field == "raw_data" or payload.occurrences > MOST_PIECES:
            return None
        whole = Part(self.model, 0, self._model.file_nbytes)
        joined = Joined(self.model, occurrences(tensor, payload, whole))
        return Part(lambda at, nbytes: joined.read(at - begin, nbytes), begin, payload.nbytes)


def _read(file: IO[bytes], offset: int, nbytes: int, path: str) -> bytes:
    try:
        file.seek(offset)
        data = file.read(nbytes)
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise GraphcountError(reason, path) from None
    if len(data) < nbytes:
        raise DamagedError("the file became shorter while it was read", path, offset)
    return data
