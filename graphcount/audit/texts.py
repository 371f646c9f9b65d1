"""The strings of a model as rules look at them: each different one once, with its first place."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, NamedTuple

from graphcount.loading.strings import Strings

SCANNED_NBYTES = 1 << 20
"""So much of a string is looked at; a longer one is a finding by itself."""

_PLAIN = re.compile(rb"[ -~]*")
"""Printable ASCII, as nearly all names are."""


class Place(NamedTuple):
    """One string: what it is for, its bytes, and where it stands first."""

    kind: str
    raw: bytes
    at: int

    @property
    def text(self) -> str:
        """The string, with visible escapes for bytes that are not UTF-8."""
        return self.raw[:SCANNED_NBYTES].decode("utf-8", "backslashreplace")


class Texts:
    """Different strings by what they are for: `name`, `doc`, `value`, `data`."""

    def __init__(self, strings: Strings) -> None:
        self.strings = strings
        self._distinct: dict[str, dict[bytes, int]] = {
            kind: {} for kind in ("name", "doc", "value", "data")
        }
        for index, field, raw in strings:
            self._distinct[field.text].setdefault(raw, index)

    def distinct(self, *kinds: str) -> Iterator[Place]:
        """Every different string of these kinds, in file order within a kind."""
        for kind in kinds:
            for raw, index in self._distinct[kind].items():
                yield Place(kind, raw, index)

    def odd(self, *kinds: str) -> Iterator[Place]:
        """Those that are not printable ASCII from end to end."""
        for place in self.distinct(*kinds):
            if not _PLAIN.fullmatch(place.raw):
                yield place

    def matching(self, pattern: re.Pattern[bytes], *kinds: str) -> Iterator[tuple[Place, bytes]]:
        """Strings in which a pattern is found, with what it found first.

        All strings are searched at once, joined by a NUL, which no pattern may match.
        """
        places = list(self.distinct(*kinds))
        starts, pieces, position = [], [], 0
        for place in places:
            piece = place.raw[:SCANNED_NBYTES].replace(b"\0", b"\1")
            starts.append(position)
            pieces.append(piece)
            position += len(piece) + 1
        seen = -1
        for match in pattern.finditer(b"\0".join(pieces)):
            number = bisect_right(starts, match.start()) - 1
            if number > seen:
                seen = number
                yield places[number], match.group()

    def where(self, place: Place) -> dict[str, Any]:
        """The place of a finding: path in the file and byte offset."""
        return {"path": self.strings.path(place.at), "offset": self.strings.offset(place.at)}
