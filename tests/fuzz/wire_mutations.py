"""Changes of valid models on the wire, one field at a time, as a second reader would not expect.

A message is read into a tree of fields by the tables of `graphcount.loading.messages`, changed and
written again, so that sizes around a change fit and every change reaches the reader of its field.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from graphcount.loading.messages import I32, I64, LEN, MESSAGES, VARINT

Content: TypeAlias = "int | bytes | list[Part]"


@dataclass(slots=True)
class Part:
    """One field: a varint, bytes of any other kind, or a message as its fields.

    Attributes:
        number: Field number.
        wire_type: Wire type.
        content: A number (of a varint), bytes, or the fields of a message.
        message: Type of the message; empty for others.
        pad: Bytes by which tag, size and number are longer than they need to be.
    """

    number: int
    wire_type: int
    content: Content
    message: str = ""
    pad: dict[str, int] = field(default_factory=dict)

    def copy(self) -> Part:
        """Return a copy that shares nothing."""
        content = self.content
        if isinstance(content, list):
            content = [part.copy() for part in content]
        return Part(self.number, self.wire_type, content, self.message, dict(self.pad))


def varint(number: int, pad: int = 0) -> bytes:
    """Write a number, `pad` bytes longer than it needs to be."""
    out = []
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    if pad:
        out[-1] |= 0x80
        out += [0x80] * (pad - 1) + [0]
    return bytes(out)


def parse(data: bytes, message: str = "ModelProto") -> list[Part]:
    """Read the fields of a valid message."""
    parts, at, table = [], 0, MESSAGES[message]

    def number() -> int:
        nonlocal at
        result = shift = 0
        while True:
            byte = data[at]
            at += 1
            result |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return result

    while at < len(data):
        tag = number()
        wire_type, row = tag & 7, table.get(tag >> 3)
        if wire_type == VARINT:
            parts.append(Part(tag >> 3, wire_type, number()))
            continue
        size = {I32: 4, I64: 8}.get(wire_type) or number()
        content = data[at : at + size]
        at += size
        if wire_type == LEN and row is not None and row.type in MESSAGES:
            parts.append(Part(tag >> 3, wire_type, parse(content, row.type), row.type))
        else:
            parts.append(Part(tag >> 3, wire_type, content))
    return parts


def write(parts: list[Part]) -> bytes:
    """Write fields."""
    out = bytearray()
    for part in parts:
        content, pad = part.content, part.pad
        out += varint(part.number << 3 | part.wire_type, pad.get("tag", 0))
        if isinstance(content, int):
            out += varint(content, pad.get("number", 0))
            continue
        raw = write(content) if isinstance(content, list) else content
        if part.wire_type == LEN:
            out += varint(len(raw), pad.get("size", 0))
        out += raw
    return bytes(out)


def messages(parts: list[Part], kind: str = "ModelProto") -> Iterator[tuple[str, list[Part]]]:
    """Yield every message of a tree, by its type and its fields."""
    yield kind, parts
    for part in parts:
        if isinstance(part.content, list):
            yield from messages(part.content, part.message)


NUMBERS = (
    *(0, 1, 2, 3, 5, 7, 9, 99, 255, 4000, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1),
    *(1 << 32, (1 << 32) + 1, (1 << 32) + 7, (1 << 33) + 2, (1 << 63) - 1, 1 << 63),
    *((1 << 64) - 1, (1 << 64) - 2, (1 << 64) - (1 << 31)),
)
"""Varints at the edges of 32 and 64 bits, enums and element types among them."""

TEXTS = (b"", b"\0", b"x\0y", b"\xff\xfe", b"w", b"x", b"\xc3\xa9", b"location", b"Relu")

Change: TypeAlias = Callable[[random.Random, str, list[Part], list[tuple[str, list[Part]]]], None]


def _place(rng: random.Random, parts: list[Part]) -> int:
    return rng.choice((0, len(parts), rng.randint(0, len(parts))))


def _again(rng: random.Random, kind: str, parts: list[Part], every: object) -> None:
    """Give a field again."""
    if parts:
        parts.insert(_place(rng, parts), rng.choice(parts).copy())


def _again_changed(
    rng: random.Random, kind: str, parts: list[Part], every: list[tuple[str, list[Part]]]
) -> None:
    """Give a field again with another content."""
    if parts:
        copy = rng.choice(parts).copy()
        inner = copy.content
        if isinstance(inner, list):
            target, fields = rng.choice(list(messages(inner, copy.message)))
            rng.choice((_number, _text, _drop, _again))(rng, target, fields, every)
        else:
            _revalue(rng, copy)
        parts.insert(_place(rng, parts), copy)


def _revalue(rng: random.Random, part: Part) -> None:
    if isinstance(part.content, int):
        part.content = rng.choice(NUMBERS)
    elif isinstance(part.content, bytes) and part.wire_type == LEN:
        part.content = rng.choice(TEXTS)
    elif isinstance(part.content, bytes):
        part.content = rng.randbytes(len(part.content))


def _number(rng: random.Random, kind: str, parts: list[Part], every: object) -> None:
    """Change a number: to an edge, or by what 32 bits do not hold."""
    numbers = [part for part in parts if isinstance(part.content, int)]
    if numbers:
        part = rng.choice(numbers)
        assert isinstance(part.content, int)
        higher = (part.content + (rng.randint(1, 7) << 32)) % (1 << 64)
        part.content = rng.choice((higher, rng.choice(NUMBERS)))


def _text(rng: random.Random, kind: str, parts: list[Part], every: object) -> None:
    """Change a string or bytes."""
    texts = [part for part in parts if isinstance(part.content, bytes)]
    if texts:
        part = rng.choice(texts)
        assert isinstance(part.content, bytes)
        if rng.random() < 0.5:
            at = rng.randint(0, len(part.content))
            if part.wire_type == LEN:
                extra = rng.choice(TEXTS)
                part.content = part.content[:at] + extra + part.content[at:]
        else:
            _revalue(rng, part)


def _drop(rng: random.Random, kind: str, parts: list[Part], every: object) -> None:
    """Leave a field out."""
    if parts:
        parts.pop(rng.randrange(len(parts)))


def _move(rng: random.Random, kind: str, parts: list[Part], every: object) -> None:
    """Put a field elsewhere in its message."""
    if parts:
        part = parts.pop(rng.randrange(len(parts)))
        parts.insert(_place(rng, parts), part)


def _split(rng: random.Random, kind: str, parts: list[Part], every: object) -> None:
    """Give a message in two halves, which protobuf merges."""
    inner = [part for part in parts if isinstance(part.content, list) and part.content]
    if inner:
        part = rng.choice(inner)
        half = part.copy()
        assert isinstance(part.content, list)
        assert isinstance(half.content, list)
        at = rng.randint(0, len(part.content))
        part.content, half.content = part.content[:at], half.content[at:]
        index = next(place for place, other in enumerate(parts) if other is part)
        parts.insert(rng.choice((index + 1, len(parts))), half)


def _wire_type(rng: random.Random, kind: str, parts: list[Part], every: object) -> None:
    """Write a field under another wire type: to protobuf a packed list, or an unknown field."""
    if not parts:
        return
    part = rng.choice(parts)
    wanted = rng.choice([kind for kind in (VARINT, I64, LEN, I32) if kind != part.wire_type])
    content = part.content
    raw = varint(content) if isinstance(content, int) else b""
    if not isinstance(content, int):
        raw = write(content) if isinstance(content, list) else content
    if rng.random() < 0.3:
        part = part.copy()
        parts.insert(_place(rng, parts), part)
    part.wire_type, part.message = wanted, ""
    if wanted == VARINT:
        part.content = content if isinstance(content, int) else rng.choice(NUMBERS)
    elif wanted == LEN:
        part.content = raw
    else:
        size = 4 if wanted == I32 else 8
        part.content = raw[:size].ljust(size, b"\0")


def _repack(rng: random.Random, kind: str, parts: list[Part], every: object) -> None:
    """Join numbers in a packed list, or add one that is not packed."""
    numbers = {part.number for part in parts if isinstance(part.content, int)}
    if not numbers:
        return
    number = rng.choice(sorted(numbers))
    ints = [part for part in parts if part.number == number and isinstance(part.content, int)]
    taken = ints[: rng.randint(1, len(ints))]
    packed = b"".join(varint(part.content) for part in taken if isinstance(part.content, int))
    at = next(place for place, part in enumerate(parts) if part is taken[0])
    parts.insert(at, Part(number, LEN, packed))
    if rng.random() < 0.7:
        parts[:] = [part for part in parts if not any(part is other for other in taken)]


def _overlong(rng: random.Random, kind: str, parts: list[Part], every: object) -> None:
    """Write a tag, a size or a number longer than it needs to be."""
    if parts:
        pad = rng.choice((1, 2, 3, 4, 5, 8, 9, 10))
        rng.choice(parts).pad = {rng.choice(("tag", "size", "number")): pad}


def _sibling(rng: random.Random, kind: str, parts: list[Part], every: object) -> None:
    """Add a field that the message may have: another member of a oneof, a value of another kind."""
    number = rng.choice(list(MESSAGES[kind]))
    row = MESSAGES[kind][number]
    if row.type in MESSAGES:
        inner: list[Part] = []
        if rng.random() < 0.7:
            _sibling(rng, row.type, inner, every)
        part = Part(number, LEN, inner, row.type)
    elif row.type in ("string", "bytes"):
        part = Part(number, LEN, rng.choice(TEXTS))
    elif row.type in ("float", "double"):
        wire_type = I32 if row.type == "float" else I64
        part = Part(number, wire_type, rng.randbytes(4 if row.type == "float" else 8))
    else:
        part = Part(number, VARINT, rng.choice(NUMBERS))
    parts.insert(_place(rng, parts), part)


def _other_message(
    rng: random.Random, kind: str, parts: list[Part], every: list[tuple[str, list[Part]]]
) -> None:
    """Add a field of another message of the same type."""
    others = [fields for other, fields in every if other == kind and fields]
    if others:
        parts.insert(_place(rng, parts), rng.choice(rng.choice(others)).copy())


def _unknown(rng: random.Random, kind: str, parts: list[Part], every: object) -> None:
    """Add a field that onnx.proto does not have, or a group."""
    number = rng.choice((*range(1, 30), 100, 1000, (1 << 29) - 1))
    if rng.random() < 0.4:
        end = number if rng.random() < 0.7 else number + 1
        group = [Part(number, 3, b""), Part(end, 4, b"")]
        if rng.random() < 0.5:
            group.insert(1, Part(1, VARINT, 1))
        at = _place(rng, parts)
        parts[at:at] = group
        return
    wire_type = rng.choice((VARINT, LEN, I32, I64))
    contents: dict[int, Content] = {VARINT: 7, LEN: b"abc", I32: b"abcd", I64: b"abcdefgh"}
    content = contents[wire_type]
    parts.insert(_place(rng, parts), Part(number, wire_type, content))


def _renumber(rng: random.Random, kind: str, parts: list[Part], every: object) -> None:
    """Give a field the number of another."""
    if parts:
        part = rng.choice(parts)
        part.number = rng.choice(list(MESSAGES[kind]))
        if isinstance(part.content, list):
            part.message = MESSAGES[kind][part.number].type
            if part.message not in MESSAGES:
                part.content, part.message = write(part.content), ""


CHANGES: tuple[Change, ...] = (
    *(_again, _again_changed, _again_changed, _number, _number, _text, _drop, _move, _split),
    *(_split, _wire_type, _repack, _overlong, _sibling, _sibling, _other_message, _unknown),
    _renumber,
)
"""What is done to a message; the likelier ones stand twice."""


def mutant(rng: random.Random, base: bytes) -> bytes:
    """Return a valid model with one to three changes; of each tenth also a byte."""
    tree = parse(base)
    every = list(messages(tree))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        kinds = sorted({kind for kind, _ in every})
        wanted = rng.choice(kinds)  # rare messages as often as nodes
        kind, parts = rng.choice([row for row in every if row[0] == wanted])
        rng.choice(CHANGES)(rng, kind, parts, every)
    data = write(tree)
    if rng.random() < 0.1 and data:
        at = rng.randrange(len(data))
        cut = rng.choice((data[:at], data[:at] + rng.randbytes(1) + data[at + 1 :]))
        data = cut if rng.random() < 0.5 else data[:at] + rng.randbytes(1) + data[at:]
    return data
