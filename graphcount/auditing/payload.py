"""The numbers of a model, streamed once: what is not finite, what is constant, what is the same.

Tensors are read in chunks, from the model file or from side files that
`graphcount.loading.external` contains; memory does not depend on their size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from graphcount.analysis.fingerprint.payload import occurrences
from graphcount.analysis.stored import Stored, measure
from graphcount.auditing.pieces import MOST_PIECES, Joined, numbers_of
from graphcount.errors import DamagedError, GraphcountError
from graphcount.loading import ModelFile
from graphcount.loading.external import ExternalData, locate, open_side_file
from graphcount.loading.model import Tensor
from graphcount.loading.opening import open_payload
from graphcount.loading.strings import Odd

if TYPE_CHECKING:
    import numpy as np

CHUNK_NBYTES = 1 << 20

RAW_FIELDS = frozenset({"raw_data", "float_data", "double_data"})
"""Payload fields whose bytes are those of raw_data; the others hold varints."""


class Layout(NamedTuple):
    """Bits of a floating point type whose largest exponent means infinity or not a number.

    Attributes:
        width: Bytes.
        exponent: Mask of the exponent.
        mantissa: Mask of the mantissa.
        sign: Mask of the sign.
    """

    width: int
    exponent: int
    mantissa: int
    sign: int


LAYOUTS: dict[str, Layout] = {
    "float32": Layout(4, 0x7F800000, 0x007FFFFF, 1 << 31),
    "complex64": Layout(4, 0x7F800000, 0x007FFFFF, 1 << 31),
    "float64": Layout(8, 0x7FF << 52, (1 << 52) - 1, 1 << 63),
    "complex128": Layout(8, 0x7FF << 52, (1 << 52) - 1, 1 << 63),
    "float16": Layout(2, 0x7C00, 0x03FF, 1 << 15),
    "bfloat16": Layout(2, 0x7F80, 0x007F, 1 << 15),
    "float8_e5m2": Layout(1, 0x7C, 0x03, 1 << 7),
}
"""IEEE 754 and its short forms (onnx/docs/docsgen/source/technical/float8.md)."""

NAN_CODES: dict[str, tuple[int, ...]] = {
    "float8_e4m3fn": (0x7F, 0xFF),
    "float8_e4m3fnuz": (0x80,),
    "float8_e5m2fnuz": (0x80,),
    "float8_e8m0fnu": (0xFF,),
}
"""Types without infinities: the bytes that are no numbers."""


class Facts(NamedTuple):
    """What one pass over a tensor's numbers told.

    Attributes:
        nan: Elements that are not a number.
        positive_infinite: Elements that are +inf.
        negative_infinite: Elements that are -inf.
        subnormal: Elements below the smallest normal number, zero excepted.
        others: A finite element other than 0 and 1 was seen.
        constant: All elements have the same bytes.
        digest: Hash of the bytes as raw_data would hold them.
        mixture: A sum over the elements that does not depend on their order.
    """

    nan: int
    positive_infinite: int
    negative_infinite: int
    subnormal: int
    others: bool
    constant: bool
    digest: bytes
    mixture: int


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


def width_of(tensor: Tensor) -> int:
    """Bytes of an element, 1 for packed ones."""
    return max(1, tensor.dtype.bits // 8) if tensor.dtype else 1


def chunks(part: Part, tensor: Tensor, external: bool) -> Iterator[bytes]:
    """Bytes of a tensor as raw_data would hold them, in chunks of whole elements."""
    varints = not external and tensor.payloads[0].field not in RAW_FIELDS
    width = width_of(tensor)
    rest = b""
    for offset in range(0, part.nbytes, CHUNK_NBYTES):
        data = rest + part.read(offset, CHUNK_NBYTES)
        rest = b""
        if varints:
            end = len(data)
            while end and data[end - 1] >= 0x80:
                end -= 1
            data, rest = data[:end], data[end:]
            yield from (_from_varints(data, width),) if data else ()
        elif data:
            yield data


def scan(
    stored: Iterable[Stored], files: Files, progress: Callable[[str], None]
) -> dict[int, Facts]:
    """One pass over the numbers of all sound tensors (values of sparse ones), by `Stored.key`."""
    readable = [item for item in stored if numbers_of(item) is not None and not item.problems]
    total = sum(item.nbytes for item in readable) or 1
    found: dict[int, Facts] = {}
    same_place: dict[tuple[str, int, int, str], Facts] = {}
    done = 0
    for item in readable:
        if done // CHUNK_NBYTES != (done + item.nbytes) // CHUNK_NBYTES:
            progress(f"reading tensors: {100 * done // total} %")
        done += item.nbytes
        external = item.external
        place = None
        if external is not None and item.sparse is None:
            place = (external.path or "", external.offset, item.nbytes, item.dtype)
        facts = same_place.get(place) if place else None
        if facts is None:
            facts = _facts(item, files)
            if facts is None:
                continue
            if place:
                same_place[place] = facts
        found[item.key] = facts
    return found


def _facts(stored: Stored, files: Files) -> Facts | None:
    part = files.part(stored)
    tensor = numbers_of(stored)
    if part is None or tensor is None or not part.nbytes:
        return None
    pass_ = _Pass(stored.dtype, width_of(tensor))
    for chunk in chunks(part, tensor, tensor.is_external):
        pass_.add(chunk)
    return pass_.facts()


class _Pass:
    """Sums over the chunks of one tensor."""

    def __init__(self, dtype: str, width: int) -> None:
        self.dtype = dtype
        self.width = width if width in (1, 2, 4, 8) else 1
        self.layout = LAYOUTS.get(dtype)
        self.counts = [0, 0, 0, 0]
        self.others = False
        self.first: Any = None
        self.constant = True
        self.hash = hashlib.blake2b(digest_size=16)
        self.mixture = 0

    def add(self, chunk: bytes) -> None:
        """Look at the next bytes."""
        import numpy as np

        self.hash.update(chunk)
        words = np.frombuffer(chunk, f"<u{self.width}", len(chunk) // self.width)
        if not len(words):
            return
        if self.first is None:
            self.first = words[0]
        self.constant = self.constant and bool((words == self.first).all())
        self.mixture = (self.mixture + int(words.sum(dtype=np.uint64))) % (1 << 64)
        if self.layout is not None:
            self.floats(np.frombuffer(chunk, f"<u{self.layout.width}"), self.layout)
        elif self.dtype in NAN_CODES:
            codes = NAN_CODES[self.dtype]
            self.counts[0] += int(np.isin(words, np.array(codes, words.dtype)).sum())
            self.others = True

    def floats(self, words: np.ndarray[Any, Any], layout: Layout) -> None:
        """Count what the exponent gives away; the rare cases are looked at closely."""
        import numpy as np

        exponents = words & words.dtype.type(layout.exponent)
        extreme = words[exponents == layout.exponent]
        if len(extreme):
            nan = extreme & words.dtype.type(layout.mantissa) != 0
            negative = extreme & words.dtype.type(layout.sign) != 0
            self.counts[0] += int(nan.sum())
            self.counts[1] += int((~nan & ~negative).sum())
            self.counts[2] += int((~nan & negative).sum())
        tiny = words[exponents == 0]
        if len(tiny):
            self.counts[3] += int(np.count_nonzero(tiny & words.dtype.type(layout.mantissa)))
        if not self.others:
            zero_or_extreme = len(extreme) + len(tiny)
            one = words.dtype.type(_ONES[layout.exponent])
            self.others = zero_or_extreme + int((words == one).sum()) < len(words)

    def facts(self) -> Facts:
        """What was found."""
        nan, positive, negative, subnormal = self.counts
        return Facts(
            nan=nan,
            positive_infinite=positive,
            negative_infinite=negative,
            subnormal=subnormal,
            others=self.others,
            constant=self.constant and self.first is not None,
            digest=self.hash.digest(),
            mixture=self.mixture,
        )


_ONES = {
    0x7F800000: 0x3F800000,
    0x7FF << 52: 0x3FF << 52,
    0x7C00: 0x3C00,
    0x7F80: 0x3F80,
    0x7C: 0x3C,
}
"""The number one, by the mask of the exponent."""


def entropy(data: bytes) -> float:
    """Bits of information a byte: 8 for noise, encrypted or compressed data; 0 for a constant."""
    from collections import Counter
    from math import log2

    size = len(data)
    return -sum(n / size * log2(n / size) for n in Counter(data).values()) if size else 0.0


def _from_varints(data: bytes, width: int) -> bytes:
    """Varints that end with the data, each as `width` bytes, little-endian."""
    import numpy as np

    array = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(array < 0x80)
    starts = np.concatenate((np.zeros(1, ends.dtype), ends[:-1] + 1))
    values = np.zeros(len(ends), np.uint64)
    for place in range(int((ends - starts).max(initial=0)) + 1):
        at = starts + place
        inside = at <= ends
        digits = array[np.where(inside, at, 0)].astype(np.uint64) & np.uint64(0x7F)
        values |= np.where(inside, digits << np.uint64(min(7 * place, 63)), np.uint64(0))
    return values.astype(f"<u{width}" if width in (1, 2, 4, 8) else "<u1").tobytes()


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
