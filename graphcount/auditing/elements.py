"""The elements of a model, streamed once: what is not finite, what is constant, what is the same.

`graphcount.loading.tensor_data` reads tensors in chunks; memory does not depend on their size.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from graphcount.analysis.stored import Stored
from graphcount.auditing.files import Files, dense_of, is_fatal, located
from graphcount.loading.tensor_data import CHUNK_NBYTES, UnreadError

if TYPE_CHECKING:
    import numpy as np

DIGEST_NBYTES = 16


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


class ElementFacts(NamedTuple):
    """What one pass over the elements of a tensor says.

    Attributes:
        nan: Elements that are not a number.
        positive_infinite: Elements that are +inf.
        negative_infinite: Elements that are -inf.
        others: A finite element other than 0 and 1 was seen.
        constant: All elements have the same bytes.
        digest: Hash of the bytes as raw_data would hold them.
        mixture: A sum over the elements that does not depend on their order.
    """

    nan: int
    positive_infinite: int
    negative_infinite: int
    others: bool
    constant: bool
    digest: bytes
    mixture: int

    @property
    def finite(self) -> bool:
        """Whether every element is a finite number."""
        return not (self.nan or self.positive_infinite or self.negative_infinite)


def digest_of(data: bytes) -> bytes:
    """Return `ElementFacts.digest` of a tensor that holds these bytes."""
    return hashlib.blake2b(data, digest_size=DIGEST_NBYTES).digest()


class ElementScan(NamedTuple):
    """One pass over all tensors, by `Stored.key`.

    Attributes:
        facts: What it says of those that could be read.
        damaged: Why others hold no such numbers as their dims say.
    """

    facts: Mapping[int, ElementFacts]
    damaged: Mapping[int, str]


def scan(stored: Iterable[Stored], files: Files, progress: Callable[[str], None]) -> ElementScan:
    """Return what one pass over all sound tensors (values of sparse ones) says."""
    readable = [item for item in stored if dense_of(item) is not None and not item.problems]
    total = sum(item.nbytes for item in readable) or 1
    by_key: dict[int, ElementFacts] = {}
    damaged: dict[int, str] = {}
    same: dict[Hashable, ElementFacts] = {}
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
            except UnreadError as error:
                if is_fatal(error):
                    raise
                if error.cause == "damaged":
                    damaged[item.key] = error.message
            if facts is None:
                continue
            if content:
                same[content] = facts
        by_key[item.key] = facts
    return ElementScan(by_key, damaged)


def _content(stored: Stored) -> Hashable:
    """Return what tensors of the same data share and is known unread; None for nothing.

    Models hold thousands of scalars, most of them equal.
    """
    external, tensor = stored.external, stored.tensor
    if stored.sparse is not None:
        return None
    if external is not None:
        return (external.path or "", external.offset, stored.nbytes, stored.dtype)
    if tensor is None or not tensor.data_fields or tensor.data_fields[0].data is None:
        return None
    field = tensor.data_fields[0]
    return (field.field, field.data, stored.elements, stored.dtype)


def _facts(stored: Stored, files: Files) -> ElementFacts | None:
    tensor = dense_of(stored)
    if tensor is None or tensor.dtype is None or tensor.dtype.family == "string":
        return None
    pass_ = _Pass(stored.dtype, max(1, tensor.dtype.bits // 8))
    for chunk in files.reader.chunks(tensor, located(stored)):
        pass_.add(chunk)
    return pass_.facts() if pass_.first is not None else None


class _Pass:
    """Sums over the chunks of one tensor."""

    def __init__(self, dtype: str, width: int) -> None:
        self.dtype = dtype
        self.width = width if width in (1, 2, 4, 8) else 1
        self.layout = LAYOUTS.get(dtype)
        self.counts = [0, 0, 0]
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
        if self.constant:  # the last one alone tells most apart
            self.constant = bool(words[-1] == self.first and (words == self.first).all())
        self.mixture = (self.mixture + int(words.sum(dtype=np.uint64))) % (1 << 64)
        if self.layout is not None:
            self.floats(np.frombuffer(chunk, f"<u{self.layout.width}"), self.layout)
        elif self.dtype in NAN_CODES:
            codes = NAN_CODES[self.dtype]
            self.counts[0] += int(np.isin(words, np.array(codes, words.dtype)).sum())
            self.others = True

    def floats(self, words: np.ndarray[Any, Any], layout: Layout) -> None:
        """Count what the exponent gives away; the rare cases are looked at closely."""
        exponents = words & words.dtype.type(layout.exponent)
        extreme = words[exponents == layout.exponent]
        if len(extreme):
            nan = extreme & words.dtype.type(layout.mantissa) != 0
            negative = extreme & words.dtype.type(layout.sign) != 0
            self.counts[0] += int(nan.sum())
            self.counts[1] += int((~nan & ~negative).sum())
            self.counts[2] += int((~nan & negative).sum())
        if not self.others:
            self.others = _is_other(int(words[0]), layout)  # as the first nearly always is
        if not self.others:
            zero_or_extreme = len(extreme) + int((exponents == 0).sum())
            one = words.dtype.type(_ONES[layout.exponent])
            self.others = zero_or_extreme + int((words == one).sum()) < len(words)

    def facts(self) -> ElementFacts:
        """Return what the pass says."""
        nan, positive, negative = self.counts
        return ElementFacts(
            nan=nan,
            positive_infinite=positive,
            negative_infinite=negative,
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


def _is_other(word: int, layout: Layout) -> bool:
    """Return whether one element is finite, normal and not 1."""
    exponent = word & layout.exponent
    return exponent not in (0, layout.exponent) and word != _ONES[layout.exponent]


def entropy(data: bytes) -> float:
    """Return bits of information a byte: 8 for noise or compressed data; 0 for a constant."""
    from collections import Counter
    from math import log2

    size = len(data)
    return -sum(n / size * log2(n / size) for n in Counter(data).values()) if size else 0.0
