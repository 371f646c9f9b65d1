"""The numbers of a model, streamed once: what is not finite, what is constant, what is the same.

Tensors are read in chunks, from the model file or from side files that
`graphcount.loading.external` contains; memory does not depend on their size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from graphcount.analysis.stored import Stored, varint_entries
from graphcount.auditing.files import Files, Part
from graphcount.auditing.pieces import numbers_of
from graphcount.errors import GraphcountError
from graphcount.loading.model import Tensor
from graphcount.loading.wire import CUT_VARINT, LONG_VARINT, overlong_varint

if TYPE_CHECKING:
    import numpy as np

CHUNK_NBYTES = 1 << 20
DIGEST_NBYTES = 16

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


def width_of(tensor: Tensor) -> int:
    """Bytes of an element, 1 for packed ones."""
    return max(1, tensor.dtype.bits // 8) if tensor.dtype else 1


def digest_of(data: bytes) -> bytes:
    """`Facts.digest` of a tensor that holds these bytes."""
    return hashlib.blake2b(data, digest_size=DIGEST_NBYTES).digest()


class PackedError(GraphcountError):
    """The varints of a payload are not what dims say, or protobuf does not read them."""


def chunks(part: Part, tensor: Tensor, external: bool) -> Iterator[bytes]:
    """Bytes of a tensor as raw_data would hold them, in chunks of whole elements.

    Raises:
        PackedError: It holds varints, and one is cut or longer than protobuf reads.
    """
    varints = not external and tensor.payloads[0].field not in RAW_FIELDS
    width = width_of(tensor)
    rest = b""
    for offset in range(0, part.nbytes, CHUNK_NBYTES):
        data = rest + part.read(offset, CHUNK_NBYTES)
        rest = b""
        if varints:
            if overlong_varint(data) >= 0:
                raise PackedError(LONG_VARINT)
            end = len(data.rstrip(_CONTINUED))
            data, rest = data[:end], data[end:]
            yield from (_from_varints(data, width),) if data else ()
        elif data:
            yield data
    if rest:
        raise PackedError(CUT_VARINT)


_CONTINUED = bytes(range(128, 256))


class Scanned(NamedTuple):
    """One pass over all tensors, by `Stored.key`.

    Attributes:
        facts: What it told of those that could be read.
        damaged: Why others hold no such numbers as their dims say.
    """

    facts: Mapping[int, Facts]
    damaged: Mapping[int, str]


def scan(stored: Iterable[Stored], files: Files, progress: Callable[[str], None]) -> Scanned:
    """One pass over the numbers of all sound tensors (values of sparse ones)."""
    readable = [item for item in stored if numbers_of(item) is not None and not item.problems]
    total = sum(item.nbytes for item in readable) or 1
    found: dict[int, Facts] = {}
    damaged: dict[int, str] = {}
    same: dict[Hashable, Facts] = {}
    done = 0
    for item in readable:
        if done // CHUNK_NBYTES != (done + item.nbytes) // CHUNK_NBYTES:
            progress(f"reading tensors: {100 * done // total} %")
        done += item.nbytes
        content = _content(item)
        facts = same.get(content) if content else None
        if facts is None:
            try:
                facts = _facts(item, files)
            except PackedError as error:
                damaged[item.key] = error.message
            if facts is None:
                continue
            if content:
                same[content] = facts
        found[item.key] = facts
    return Scanned(found, damaged)


def _content(stored: Stored) -> Hashable:
    """What tensors of the same numbers share and is known without reading; None for nothing.

    Models hold thousands of scalars, most of them equal.
    """
    external, tensor = stored.external, stored.tensor
    if stored.sparse is not None:
        return None
    if external is not None:
        return (external.path or "", external.offset, stored.nbytes, stored.dtype)
    if tensor is None or not tensor.payloads or tensor.payloads[0].data is None:
        return None
    payload = tensor.payloads[0]
    return (payload.field, payload.data, stored.elements, stored.dtype)


def _facts(stored: Stored, files: Files) -> Facts | None:
    part = files.part(stored)
    tensor = numbers_of(stored)
    if part is None or tensor is None or not part.nbytes:
        return None
    width = width_of(tensor)
    pass_ = _Pass(stored.dtype, width)
    nbytes = 0
    for chunk in chunks(part, tensor, tensor.is_external):
        nbytes += len(chunk)
        pass_.add(chunk)
    varints = not tensor.is_external and tensor.payloads[0].field not in RAW_FIELDS
    if varints and tensor.dtype and stored.sparse is None:
        entries = varint_entries(tensor.dtype, stored.elements)
        if nbytes != entries * width:
            raise PackedError(f"{nbytes // width} numbers where dims and type ask for {entries}")
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
        self.hash = hashlib.blake2b(digest_size=DIGEST_NBYTES)
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
