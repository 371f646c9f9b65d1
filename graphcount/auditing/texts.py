"""The strings of a model as rules look at them: each different one once, with its first place."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import NamedTuple

from graphcount.loading.strings import Strings

SCANNED_NBYTES = 1 << 20
"""So much of a string is looked at; a longer one is a finding by itself."""

SEARCHED_NBYTES = 8 << 20
"""So much text of a kind is searched for patterns (about half a second a MiB)."""

_PLAIN = re.compile(rb"[ -~]*")
"""Printable ASCII, as nearly all names are."""


class StoredString(NamedTuple):
    """One string: what it is for, its bytes, and where it stands first."""

    kind: str
    raw: bytes
    at: int

    @property
    def text(self) -> str:
        """The string, with visible escapes for bytes that are not UTF-8."""
        return self.raw[:SCANNED_NBYTES].decode("utf-8", "backslashreplace")


class _JoinedStrings(NamedTuple):
    """Strings behind each other with a NUL between them, and where each begins."""

    data: bytes
    starts: list[int]
    firsts: list[tuple[bytes, int]]


class Wanted(NamedTuple):
    """What to look for in text.

    Attributes:
        pattern: Searched for in time proportional to the text; matches no NUL.
        needs: One of these is in all that it matches, in lower case where the pattern ignores
            case. Finding that none is there takes a hundredth of the time of most patterns.
    """

    pattern: re.Pattern[bytes]
    needs: tuple[bytes, ...]


class Texts:
    """Different strings by what they are for: `name`, `doc`, `value`, `data`."""

    def __init__(self, strings: Strings) -> None:
        self.strings = strings
        self._distinct = strings.distinct()
        self._unexpected: dict[str, list[StoredString]] = {}
        self._joined: dict[str, _JoinedStrings] = {}

    def distinct(
        self, *kinds: str, that: Callable[[bytes], object] | None = None
    ) -> Iterator[StoredString]:
        """Yield the different strings of these kinds, in file order within a kind.

        Args:
            kinds: What they are for.
            that: A test of the bytes; None for all of them.
        """
        for kind in kinds:
            for raw, at in self._distinct.get(kind, {}).items():
                if that is None or that(raw):
                    yield StoredString(kind, raw, at)

    def unexpected(self, *kinds: str) -> Iterator[StoredString]:
        """Yield those that are not printable ASCII from end to end."""
        for kind in kinds:
            if kind not in self._unexpected:
                places = self.distinct(kind, that=lambda raw: not _PLAIN.fullmatch(raw))
                self._unexpected[kind] = list(places)
            yield from self._unexpected[kind]

    def matching(self, wanted: Wanted, *kinds: str) -> Iterator[tuple[StoredString, bytes]]:
        """Yield strings in which a pattern matches, with its first match.

        All strings are searched at once, joined by a NUL, which no pattern may match.
        """
        for kind in kinds:
            joined = self._join(kind)
            searched = joined.data
            if wanted.pattern.flags & re.IGNORECASE:
                searched = searched.lower()
            if not any(need in searched for need in wanted.needs):
                continue
            seen = -1
            for match in wanted.pattern.finditer(joined.data):
                number = bisect_right(joined.starts, match.start()) - 1
                if number > seen:
                    seen = number
                    yield StoredString(kind, *joined.firsts[number]), match.group()

    def unsearched_nbytes(self, *kinds: str) -> int:
        """Return bytes of text beyond what is searched for patterns."""
        total = 0
        for kind in kinds:
            size = sum(min(len(raw), SCANNED_NBYTES) for raw in self._distinct.get(kind, ()))
            total += max(0, size - SEARCHED_NBYTES)
        return total

    def _join(self, kind: str) -> _JoinedStrings:
        joined = self._joined.get(kind)
        if joined is None:
            pieces, left = [], SEARCHED_NBYTES
            firsts = self._distinct.get(kind, {})
            for raw in firsts:
                piece = raw[: min(SCANNED_NBYTES, left)].replace(b"\0", b"\1")
                left -= len(piece)
                if not piece:
                    break
                pieces.append(piece)
            starts = list(accumulate((len(piece) + 1 for piece in pieces), initial=0))
            joined = _JoinedStrings(b"\0".join(pieces), starts, list(firsts.items()))
            self._joined[kind] = joined
        return joined

    def where(self, place: StoredString) -> dict[str, object]:
        """Return the place of a finding: path in the file and byte offset."""
        return {"path": self.strings.path(place.at), "offset": self.strings.offset(place.at)}
