"""Messages that are given in several parts, joined as protobuf joins them.

A singular message that occurs again is merged with the one before it, which comes to the same as
to read the parts one behind the other; of the members of a oneof only the last one holds
(protobuf.dev/programming-guides/encoding, "Last One Wins"). No writer makes such a file, but
readers take it, and those that do not merge see another model in it.
"""

from __future__ import annotations

from typing import NamedTuple

from graphcount.loading.messages import LEN, MESSAGES
from graphcount.loading.wire import Thin, encode_varint, fields


class _Piece(NamedTuple):
    """Bytes start..end of the data, or a header that takes the place of the one at `start`."""

    start: int
    end: int
    header: bytes = b""

    @property
    def nbytes(self) -> int:
        return len(self.header) or self.end - self.start


def joined(data: bytes) -> Thin:
    """Return a model with each singular message in one part.

    Args:
        data: The whole file, which was decoded before.
    """
    pieces = _message(data, "ModelProto", [(0, len(data))]) or [_Piece(0, len(data))]
    starts, total = [], 0
    for piece in pieces:
        starts.append(total)
        total += piece.nbytes
    content = b"".join(piece.header or data[piece.start : piece.end] for piece in pieces)
    return Thin(content, starts, [piece.start for piece in pieces], [], [])


def _message(data: bytes, kind: str, parts: list[tuple[int, int]]) -> list[_Piece] | None:
    """Return the pieces of a message; None where it is one part and nothing in it is joined."""
    begin = parts[0][0]
    pieces = [_Piece(begin, begin)]  # marks where the message stands
    singular: dict[int, list[tuple[int, int]]] = {}
    heads: dict[int, int] = {}
    changed = len(parts) > 1
    for start, end in parts:
        at = start
        for tag, a, b in fields(data, start, end):
            row = MESSAGES[kind].get(tag >> 3)
            if row is None or row.type not in MESSAGES or tag & 7 != LEN:
                _add(pieces, [_Piece(at, b)])
            elif row.many:
                inner = _message(data, row.type, [(a, b)])
                changed |= inner is not None
                _add(pieces, _field(tag, at, inner) if inner else [_Piece(at, b)])
            else:
                if (
                    row.oneof and tag not in singular
                ):  # all members of TypeProto's oneof are messages
                    changed |= bool(singular)
                    singular.clear()
                if tag not in singular:
                    singular[tag], heads[tag] = [], at
                singular[tag].append((a, b))
            at = b
    for tag, places in singular.items():
        inner = _message(data, MESSAGES[kind][tag >> 3].type, places)
        changed |= inner is not None
        whole = [_Piece(heads[tag], places[-1][1])]
        _add(pieces, _field(tag, heads[tag], inner) if inner else whole)
    return pieces if changed else None


def _field(tag: int, start: int, content: list[_Piece]) -> list[_Piece]:
    """Return a field with some content."""
    size = sum(piece.nbytes for piece in content)
    return [_Piece(start, start, encode_varint(tag) + encode_varint(size)), *content]


def _add(pieces: list[_Piece], more: list[_Piece]) -> None:
    """Add pieces; bytes that follow bytes are one piece with them."""
    last, first = pieces[-1], more[0]
    if len(pieces) > 1 and not (last.header or first.header) and last.end == first.start:
        pieces[-1] = last._replace(end=first.end)
        more = more[1:]
    pieces.extend(more)
