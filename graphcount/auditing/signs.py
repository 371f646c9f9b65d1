"""Signs of programs, archives and scripts that are looked for at every place, not at beginnings.

A sign is four bytes, so chance makes one in four billion places; what stands there must then be
whole, as `graphcount.auditing.magic` asks, or be readable text.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import islice
from typing import NamedTuple

from graphcount.auditing.magic import HEAD, identify
from graphcount.credentials import CREDENTIALS
from graphcount.loading.source import BytesSource, Readable
from graphcount.loading.tensor_data import Part

SIGN_NBYTES = 4

BACK = 1024
"""Bytes before a sign that are looked at."""

BEGINNINGS: tuple[bytes, ...] = (
    *(b"\x7fELF", b"MZ\x90\0", b"MZ\0\0", b"\0asm", b"PK\3\4", b"7z\xbc\xaf", b"Rar!", b"\xfd7zX"),
    *(b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xfe\xed\xfa\xcf", b"\xfe\xed\xfa\xce"),
    *(b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf", b"\x1f\x8b\x08\0", b"\x1f\x8b\x08\x08", b"%PDF"),
    *(b"BZh%d" % level for level in range(1, 10)),
    *(b"#!/b", b"#!/u", b"#! /", b"(dp0", b"(lp0", b"(dp1", b"(lp1", b"cos\n", b"cnt\n", b"cpos"),
    *(b"c__b", b"cbui", b"csub", b"ccop", b"ccol", b"cnum", b"ctor"),
    *(b"\x80%c%cq" % (protocol, code) for protocol in (2, 3) for code in b"}]"),
)
"""First bytes of what is looked for."""

LONGER: tuple[bytes, ...] = (
    *(b"\x80%c\x95%c" % (protocol, size) for protocol in (4, 5) for size in range(256)),
    *(b"\x80%c\x8c%c" % (protocol, size) for protocol in (4, 5) for size in range(2, 20)),
    *(b"\x80%cc%c" % (protocol, letter) for protocol in (2, 3) for letter in range(95, 123)),
)
"""Beginnings of pickles of which three bytes are given, the fourth in a range."""

WITHIN: tuple[bytes, ...] = (
    *(b"PE\0\0", b"usta", b"impo", b"exec", b"eval", b"os.s", b"subp", b"curl", b"wget", b"/bin"),
    *(b"powe", b"Powe", b"----", b"BEGI", b"<scr", b"<SCR", b"<!DO", b"<!do", b"<htm", b"<HTM"),
    *(b"AKIA", b"ghp_", b"http", b"pass"),
)
"""Bytes that stand further behind: a Windows program's second header, a tar header, text."""

SIGNS = (*BEGINNINGS, *LONGER, *WITHIN)
"""All of them; a sign is an index."""

_TEXT = re.compile(rb"[\t\n\r -~]*")
_TEXT_NBYTES = 32
_RUN = re.compile(rb"[\t\n\r -~]{32}")
"""So many readable characters in a row are a text: chance makes one in 10^13 places."""

_NAME = re.compile(rb"[ -~]{1,60}\0+$")
"""How a tar header begins."""

_SCRIPT = re.compile(
    rb"#! ?/(?:usr/)?(?:local/)?bin/\w|\bos\.(?:system|popen|exec\w*)\s*\(|\bsubprocess\.\w+\("
    rb"|(?<![\w.])(?:eval|exec)\s*\(|\b__import__\s*\(|\b(?:curl|wget)\s+(?:-\S+\s+)*\S*https?:"
    rb"|(?:^|\n)(?:import [\w.]+(?: as \w+)?\s*[\n;,]|from [\w.]+ import )"
    rb"|[Pp]ower[Ss]hell(?:\.exe)?\s|<(?:script|SCRIPT)[\s>]"
)
_PAGE = re.compile(rb"<!doctype html|<html[\s>]", re.IGNORECASE)
_WORDS = re.compile(rb"(?:[A-Za-z]{2,14}[ \t,.;:=\n'\"()<>/_-]{1,4}){6}")


@cache
def _credential() -> re.Pattern[bytes]:
    return re.compile("|".join(one.pattern for one in CREDENTIALS if one.secret).encode())


TEXTS = frozenset({"a script", "an HTML page", "a credential", "text"})
"""Kinds that are read by people or by an interpreter."""


class Seen(NamedTuple):
    """What was seen: its name with the article, and where it begins."""

    kind: str
    at: int


def confirm(content: Readable, at: int, sign: int) -> Seen | None:
    """Return what a sign stands for, or None where it stands for nothing.

    Args:
        content: Bytes, from up to `BACK` before the sign on.
        at: Where in them the sign stands.
        sign: Its index in `SIGNS`.
    """
    if sign < len(BEGINNINGS) + len(LONGER):
        part = Part(content.read, at, content.nbytes - at)
        head = part.read(0, 64)
        if head[:1] == b"\x80" and not _is_whole_pickle(head):
            return None  # seen in a few bytes; to follow its opcodes takes many
        kind = identify(part)
        if kind is not None and (kind != "a pickle" or _is_whole_pickle(head)):
            return Seen(kind, at)
        return _text(content, at) if SIGNS[sign][:2] == b"#!" else None
    if SIGNS[sign] == b"PE\0\0":
        return _program(content, at)
    if SIGNS[sign] == b"usta":
        start = at - 257
        part = Part(content.read, start, content.nbytes - start)
        return Seen("a tar archive", start) if start >= 0 and identify(part) else None
    return _text(content, at)


def _is_whole_pickle(head: bytes) -> bool:
    """Return whether a pickle has a frame that fits, or names something."""
    if head[1:2] in (b"\4", b"\5") and head[2:3] == b"\x95":
        return 4 <= int.from_bytes(head[3:11], "little") < 1 << 32
    return re.search(rb"[A-Za-z_.]{5}", head) is not None


def _program(content: Readable, at: int) -> Seen | None:
    """Return the Windows program whose second header stands here."""
    before = content.read(0, at)
    for match in re.finditer(b"MZ", before):
        start = match.start()
        if int.from_bytes(before[start + 0x3C : start + 0x40], "little") == at - start:
            kind = identify(Part(content.read, start, content.nbytes - start))
            if kind:
                return Seen(kind, start)
    return None


def _text(content: Readable, at: int) -> Seen | None:
    """Return the text around a place, where it is one that something runs, or a secret."""
    start = max(0, at - _TEXT_NBYTES)
    near = content.read(start, at - start + _TEXT_NBYTES)
    if not _RUN.search(near):
        return None
    before, behind = content.read(0, at), content.read(at, HEAD)
    run = len(_TEXT.match(before[::-1]).group())  # type: ignore[union-attr]
    whole = before[len(before) - run :] + _TEXT.match(behind).group()  # type: ignore[union-attr]
    kind = text_kind(whole)
    return Seen(kind, at - run) if kind else None


def text_kind(text: bytes) -> str | None:
    """Return what readable text is: a script, a page, a credential; None for other text."""
    if len(text) < _TEXT_NBYTES:
        return None
    if _PAGE.search(text):
        return "an HTML page"
    if _SCRIPT.search(text):
        return "a script"
    return "a credential" if _credential().search(text) else None


def may_begin(head: bytes) -> bool:
    """Return whether `beginning` has to look at more than the first 64 bytes."""
    if len(head) < _TEXT_NBYTES:
        return False
    return head[:SIGN_NBYTES] in _ALL or _NAME.match(head) is not None or _is_text(head)


def _is_text(head: bytes) -> bool:
    return _TEXT.fullmatch(head) is not None


def beginning(content: Readable, *, prose: bool) -> str | None:
    """Return what bytes begin as: one of the signs, a tar header, or text.

    Args:
        content: The bytes.
        prose: Text of any kind counts, if it is made of words.
    """
    head = content.read(0, 64)
    if len(head) < _TEXT_NBYTES:
        return None
    if head[:SIGN_NBYTES] in _ALL or _NAME.match(head):
        seen = identify(content)
        if seen and (seen != "a pickle" or _is_whole_pickle(head)):
            return seen
    if not _is_text(head):
        return None
    text = _TEXT.match(content.read(0, HEAD)).group()  # type: ignore[union-attr]
    return text_kind(text) or ("text" if prose and _WORDS.search(text) else None)


_ALL = frozenset((*BEGINNINGS, *LONGER))


@cache
def _anywhere() -> re.Pattern[bytes]:
    some = (*BEGINNINGS, *WITHIN)
    longer = dict.fromkeys(sign[:3] for sign in LONGER)
    return re.compile(b"|".join(map(re.escape, (*some, *longer))), re.DOTALL)


MOST_PLACES = 1000
"""Signs in one string or gap that are looked at closely."""


def within(data: bytes) -> Seen | None:
    """Return what stands anywhere in some bytes, as they are."""
    content = BytesSource(data, "")
    for match in islice(_anywhere().finditer(data), MOST_PLACES):
        sign = next(i for i, one in enumerate(SIGNS) if one.startswith(match.group()))
        seen = confirm(content, match.start(), sign)
        if seen is not None:
            return seen
    return None
