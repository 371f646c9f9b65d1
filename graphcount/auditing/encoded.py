"""Bytes that are written as text: base64, hexadecimal and the like, also in pieces over many names.

Each long run of an encoding's characters is decoded from each of its first places, as many as its
blocks have characters: then every byte stands somewhere as it is, and is looked for there.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from graphcount.auditing.signs import Seen, beginning, within
from graphcount.loading.source import BytesSource

DECODED_NBYTES = 64 * 1024
"""So much of a run is decoded."""

MOST_RUNS = 16
"""So many runs of a text are decoded, a kind."""


class Encoding(NamedTuple):
    """A way to write bytes as text.

    Attributes:
        name: What it is called.
        run: Matches a run that is long enough.
        decode: Reads whole blocks; raises ValueError.
        block: Characters of a block.
    """

    name: str
    run: re.Pattern[bytes]
    decode: Callable[[bytes], bytes]
    block: int


def _base64(run: bytes) -> bytes:
    plain = re.sub(rb"\s", b"", run).translate(_STANDARD)
    whole = plain[: len(plain) - (len(plain) % 4 == 1)]
    return binascii.a2b_base64(whole + b"=" * (-len(whole) % 4))


_STANDARD = bytes.maketrans(b"-_", b"+/")


def _hexadecimal(run: bytes) -> bytes:
    digits = re.sub(rb"\\x|0x|[\s:,]", b"", run)
    return binascii.unhexlify(digits[: len(digits) // 2 * 2])


def _base32(run: bytes) -> bytes:
    plain = re.sub(rb"\s", b"", run).upper()
    return base64.b32decode(plain + b"=" * (-len(plain) % 8))


def _base85(run: bytes) -> bytes:
    return base64.b85decode(run[: len(run) // 5 * 5])


def _ascii85(run: bytes) -> bytes:
    return base64.a85decode(run[: len(run) // 5 * 5])


def _decimal(run: bytes) -> bytes:
    return bytes(int(number) for number in re.findall(rb"\d+", run))


ENCODINGS: tuple[Encoding, ...] = (
    Encoding("base64", re.compile(rb"[A-Za-z0-9+/_\r\n-]{48,}"), _base64, 4),
    Encoding(
        "hexadecimal",
        re.compile(rb"(?:(?:\\x|0x)?[0-9A-Fa-f]{2}[\s:,]{0,2}){32,}"),
        _hexadecimal,
        2,
    ),
    Encoding("base32", re.compile(rb"[A-Z2-7\r\n]{56,}|[a-z2-7\r\n]{56,}"), _base32, 8),
    Encoding("base85", re.compile(rb"[!#-&(-+\--Z^-~;<-@]{48,}"), _base85, 5),
    Encoding("ascii85", re.compile(rb"[!-uz]{48,}"), _ascii85, 5),
    Encoding("decimal numbers", re.compile(rb"(?:\d{1,3}[\s,;]{1,2}){32,}\d{0,3}"), _decimal, 1),
)
"""Encodings that are looked for."""


class Decoded(NamedTuple):
    """What a text stands for: its kind, and the encoding."""

    kind: str
    encoding: str


def decoded(text: bytes) -> Decoded | None:
    """Return what stands in a text in one of the encodings."""
    for encoding in ENCODINGS:
        for run in islice(encoding.run.finditer(text), MOST_RUNS):
            some = run.group()[: 2 * DECODED_NBYTES]
            for skipped in range(encoding.block):
                try:
                    data = encoding.decode(some[skipped:])
                except ValueError:
                    continue
                seen = _seen(data)
                if seen:
                    return Decoded(seen, encoding.name)
    return _as_characters(text)


def _seen(data: bytes) -> str | None:
    seen: Seen | None = within(data)
    return seen.kind if seen else beginning(BytesSource(data, ""), prose=True)


def _as_characters(text: bytes) -> Decoded | None:
    """Return what a text stands for whose characters are bytes."""
    try:
        data = text.decode("utf-8").encode("latin-1")
    except UnicodeError:
        return None
    seen = within(data) if data != text else None
    return Decoded(seen.kind, "characters for bytes") if seen else None


def joined(texts: Sequence[bytes]) -> Iterator[bytes]:
    """Yield strings as one text: whole, and what stands in each behind a separator."""
    yield b"".join(texts)
    for separator in (b":", b".", b"_", b"|", b"#", b"-", b" "):
        yield from _apart([text.rpartition(separator) for text in texts])
    for separator in (b"_", b".", b"/", b"-"):
        yield from _apart([text.partition(separator) for text in texts])


def _apart(parts: Iterable[tuple[bytes, bytes, bytes]]) -> Iterator[bytes]:
    """Yield what stands behind separators, where several texts have one."""
    behind = [part for _, separator, part in parts if separator]
    if len(behind) > 1:
        yield b"".join(behind)
