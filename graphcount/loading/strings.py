"""Every string of a file with its place, and every field that onnx.proto does not know.

Records keep what counting needs. A careful look at a file needs the rest too: documentation,
metadata, fields nobody reads. `walk` goes over the thin bytes of a model once, driven by the
table of messages, without recursion; places are worked out only for what is asked about.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from graphcount.credentials import mask
from graphcount.errors import DamagedError
from graphcount.loading.limits import Limits
from graphcount.loading.messages import ENUMS, LEN, MESSAGES, VARINT, WIRE_TYPES, Field
from graphcount.loading.wire import Cut, Thin, fields

KEPT = 1000
"""Unknown and repeated fields that are kept; all are counted."""

SKIP, TEXT, MESSAGE = 0, 1, 2

_BEYOND = "a number that its type does not have"

_NAMES = tuple(MESSAGES)


NEGATIVE = (1 << 64) - (1 << 31)
"""The least varint that is a negative int32."""


class _Step(NamedTuple):
    """What to do with a field.

    Attributes:
        action: Whether it is text, a message or neither.
        number: Field number.
        bit: Marks a singular field; members of a oneof share one.
        child: Its message as an index into `_PLANS`.
        limit: Numbers from here up to `NEGATIVE` are beyond its type; 0 where all fit.
    """

    action: int
    number: int
    bit: int
    child: int
    limit: int


def _plan(message: dict[int, Field]) -> dict[int, _Step]:
    """Return steps by tag (`number << 3 | wire type`); repeated numbers may also be packed."""
    plan = {}
    for number, row in message.items():
        child = _NAMES.index(row.type) if row.type in MESSAGES else -1
        action = TEXT if row.text else MESSAGE if child >= 0 else SKIP
        bit = 0 if row.many else 1 if row.oneof else 1 << number
        limit = 0 if row.many else _limit(row.type)
        step = _Step(action, number, bit, child, limit)
        wire_type = WIRE_TYPES.get(row.type, LEN)
        plan[number << 3 | wire_type] = step
        if row.many:
            plan[number << 3 | LEN] = step
    return plan


def _limit(type_: str) -> int:
    """Return the first number that a singular field of some type cannot hold; 0 for none."""
    return 1 << 31 if type_ == "int32" else ENUMS.get(type_, 0)


_PLANS = tuple(_plan(message) for message in MESSAGES.values())


class UnexpectedField(NamedTuple):
    """A field that should not be there: unknown, repeated, or beginning a broken message.

    Attributes:
        frame: Message it stands in; see `Strings.frame_path`.
        number: Field number.
        wire_type: Wire type.
        offset: First byte of its content in the file.
        nbytes: Bytes of its content; 0 for a varint.
        at: The same in the thin bytes; -1 when it was left out of them.
        why: What is wrong with it, where that is not clear from the list it stands in.
        rule: Id of the rule that documents what is wrong.
    """

    frame: int
    number: int
    wire_type: int
    offset: int
    nbytes: int
    at: int = -1
    why: str = ""
    rule: str = ""


class StringField(NamedTuple):
    """One string field that is not empty.

    Attributes:
        at: Its number in file order; `Strings.path` and `Strings.offset` take it.
        field: Row of the table of messages.
        raw: Its bytes.
    """

    at: int
    field: Field
    raw: bytes


class Strings:
    """The strings of a file, and what else a walk over it found.

    Attributes:
        unknown: Fields onnx.proto does not define, the first `KEPT`.
        unknown_count: How many there are.
        unknown_nbytes: Bytes of their content.
        repeated: Singular fields given again, or another member of a oneof, the first `KEPT`.
        irregular: Fields that are not written as onnx.proto defines them, the first `KEPT`.
        broken: Messages that cannot be read to their end, the first `KEPT`.
        left_out: Strings too large to be kept, as cuts.
    """

    def __init__(self, thin: Thin) -> None:
        self.thin = thin
        self.unknown: list[UnexpectedField] = []
        self.unknown_count = 0
        self.unknown_nbytes = 0
        self.repeated: list[UnexpectedField] = []
        self.irregular: list[UnexpectedField] = []
        self.broken: list[UnexpectedField] = []
        self.left_out: list[Cut] = []
        code = "I" if len(thin.data) < 1 << 32 else "Q"
        self._parents, self._numbers = array("I"), array("I")
        self._kinds = array("B")
        self._begins, self._ends = array(code), array(code)
        self._frames, self._fields = array("I"), array("B")
        self._starts, self._stops = array(code), array(code)
        self._siblings: dict[tuple[int, int], array[int]] = {}
        self._names: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[StringField]:
        data, rows = self.thin.data, tuple(MESSAGES.values())
        kinds = self._kinds
        strings = zip(self._frames, self._fields, self._starts, self._stops, strict=True)
        for index, (frame, number, start, stop) in enumerate(strings):
            yield StringField(index, rows[kinds[frame]][number], data[start:stop])

    def distinct(self) -> dict[str, dict[bytes, int]]:
        """Return the different strings by what they are for, each with the number of its first."""
        different: dict[str, dict[bytes, int]] = {}
        note = {
            kind << 8 | number: different.setdefault(row.text, {}).setdefault
            for kind, message in enumerate(MESSAGES.values())
            for number, row in message.items()
            if row.text
        }
        data, kinds = self.thin.data, self._kinds
        fields = zip(self._frames, self._fields, self._starts, self._stops, strict=True)
        for index, (frame, number, start, stop) in enumerate(fields):
            note[kinds[frame] << 8 | number](data[start:stop], index)
        return different

    def within(self, message: str) -> Iterator[StringField]:
        """Yield the strings that stand in messages of one type."""
        kind, rows = _NAMES.index(message), MESSAGES[message]
        kinds = self._kinds
        for index, frame in enumerate(self._frames):
            if kinds[frame] == kind:
                yield StringField(index, rows[self._fields[index]], self.raw(index))

    def raw(self, index: int) -> bytes:
        """Return bytes of a string."""
        return self.thin.data[self._starts[index] : self._stops[index]]

    def offset(self, index: int) -> int:
        """Return the byte of the file where a string begins."""
        return self.thin.origin(self._starts[index])

    def frame(self, index: int) -> int:
        """Return the message a string stands in."""
        return self._frames[index]

    def parent(self, frame: int) -> tuple[int, int]:
        """Return the message that holds a message, and the number of the field that does."""
        return self._parents[frame], self._numbers[frame]

    def path(self, index: int) -> str:
        """Return where a string stands: `graph/node[12]"name"/op_type`."""
        frame = self._frames[index]
        number = self._fields[index]
        row = MESSAGES[_NAMES[self._kinds[frame]]][number]
        here = row.name
        if row.many:
            here = f"{row.name}[{self._position(frame, number, self._starts[index])}]"
        above = self.frame_path(frame)
        return f"{above}/{here}" if above else here

    def frame_path(self, frame: int) -> str:
        """Return where a message stands; empty for the model itself."""
        parts = []
        while frame:
            parent, number = self._parents[frame], self._numbers[frame]
            row = MESSAGES[_NAMES[self._kinds[parent]]][number]
            part = row.name
            if row.many:
                part = f"{part}[{self._position(parent, number, self._begins[frame])}]"
            name = self._name(frame)
            parts.append(f'{part}"{name}"' if name else part)
            frame = parent
        return "/".join(reversed(parts))

    def message(self, frame: int) -> str:
        """Return the type of a message."""
        return _NAMES[self._kinds[frame]]

    def frames_at(self, offsets: Iterable[int]) -> dict[int, int]:
        """Return the messages whose content begins at these bytes of the file."""
        begins, origin = self._begins, self.thin.origin  # both ascend: a message before its parts
        frames = {}
        for offset in offsets:
            frame = bisect_left(begins, offset, key=origin)
            if frame < len(begins) and origin(begins[frame]) == offset:
                frames[offset] = frame
        return frames

    def _position(self, frame: int, number: int, content: int) -> int:
        """Return how many fields of that number stand before the one whose content begins there."""
        key = frame, number
        if key not in self._siblings:
            self._siblings[key] = array(self._begins.typecode)
            append = self._siblings[key].append
            try:
                for tag, a, _ in fields(self.thin.data, self._begins[frame], self._ends[frame]):
                    if tag == number << 3 | LEN:
                        append(a)
            except DamagedError:  # behind what is asked about
                pass
        return bisect_left(self._siblings[key], content)

    def _name(self, frame: int) -> str:
        """Return the name (or key) a message has, without credentials, cut at 80 characters."""
        if frame not in self._names:
            self._names[frame] = self._read_name(frame)
        return self._names[frame]

    def _read_name(self, frame: int) -> str:
        message = MESSAGES[_NAMES[self._kinds[frame]]]
        named = [n for n, row in message.items() if row.name in ("name", "key", "tensor_name")]
        if not named:
            return ""
        wanted = named[0] << 3 | LEN
        try:
            for tag, a, b in fields(self.thin.data, self._begins[frame], self._ends[frame]):
                if tag == wanted:
                    name = self.thin.data[a : min(b, a + 400)].decode("utf-8", "backslashreplace")
                    return mask(name)[:80]
        except DamagedError:
            pass
        return ""


def walk(thin: Thin, limits: Limits) -> Strings:
    """Find every string and every unexpected field of a model.

    Args:
        thin: Its bytes; they were decoded before, so their wire format is mostly sound.
        limits: How deep messages may be nested.
    """
    strings = Strings(thin)
    _Walker(strings, limits).run()
    for cut in thin.cuts:
        row = MESSAGES[cut.message].get(cut.number)
        if row is None or (row.type in WIRE_TYPES and not row.many):
            strings.unknown_count += 1
            strings.unknown_nbytes += cut.nbytes
            strings.unknown.append(UnexpectedField(0, cut.number, LEN, cut.offset, cut.nbytes))
        elif row.text and not (cut.message == "TensorProto" and row.text == "data"):
            strings.left_out.append(cut)
    return strings


class _Walker:
    """One pass: a stack of messages that were entered and not yet left."""

    def __init__(self, strings: Strings, limits: Limits) -> None:
        self.strings = strings
        self.depth = limits.message_depth
        self.stack: list[tuple[Iterator[tuple[int, int, int]], int, int, int]] = []
        columns = (strings._frames, strings._fields, strings._starts, strings._stops)
        self.add_string = tuple(column.append for column in columns)
        messages = (strings._parents, strings._numbers, strings._kinds)
        self.add_message = tuple(c.append for c in (*messages, strings._begins, strings._ends))

    def run(self) -> None:
        """Walk from the model down; a broken message ends itself, not its siblings."""
        self.enter(0, 0, 0, 0, len(self.strings.thin.data))
        while self.stack:
            iterator, frame, kind, seen = self.stack.pop()
            try:
                self.message(iterator, frame, kind, seen)
            except DamagedError as error:
                self.damage(frame, error.offset or 0, error.message, error.rule)

    def message(
        self, iterator: Iterator[tuple[int, int, int]], frame: int, kind: int, seen: int
    ) -> None:
        """Go on in a message, until it ends or a message in it is entered."""
        plan = _PLANS[kind]
        add_frame, add_field, add_start, add_stop = self.add_string
        for tag, a, b in iterator:
            step = plan.get(tag)
            if step is None:
                self.unknown(frame, tag, a, b)
                continue
            action, number, bit, child, limit = step
            if bit:
                if seen & bit:
                    self.repeated(frame, tag, a, b)
                seen |= bit
                if limit and limit <= a and (limit < 1 << 31 or a < NEGATIVE):
                    self.irregular(frame, tag, a, b, _BEYOND)
            if a == b or not action:
                continue
            if action == TEXT:
                add_frame(frame)
                add_field(number)
                add_start(a)
                add_stop(b)
            elif len(self.stack) >= self.depth:
                deep = f"messages are nested deeper than {self.depth}"
                self.damage(frame, a, deep, "FMT003")
            else:
                self.stack.append((iterator, frame, kind, seen))
                self.enter(frame, number, child, a, b)
                return

    def enter(self, parent: int, number: int, kind: int, a: int, b: int) -> None:
        """Go into a message."""
        strings = self.strings
        frame = len(strings._parents)
        add_parent, add_number, add_kind, add_begin, add_end = self.add_message
        add_parent(parent)
        add_number(number)
        add_kind(kind)
        add_begin(a)
        add_end(b)
        self.stack.append((fields(strings.thin.data, a, b), frame, kind, 0))

    def unknown(self, frame: int, tag: int, a: int, b: int) -> None:
        """Note a field that the table does not have."""
        strings = self.strings
        if tag >> 3 in MESSAGES[strings.message(frame)]:
            self.irregular(
                frame, tag, a, b, f"wire type {tag & 7}, which makes it an unknown field"
            )
            return
        field = self.unexpected(frame, tag, a, b)
        strings.unknown_count += 1
        strings.unknown_nbytes += field.nbytes
        if len(strings.unknown) < KEPT:
            strings.unknown.append(field)

    def repeated(self, frame: int, tag: int, a: int, b: int) -> None:
        """Note a singular field that was there before."""
        if len(self.strings.repeated) < KEPT:
            self.strings.repeated.append(self.unexpected(frame, tag, a, b))

    def irregular(self, frame: int, tag: int, a: int, b: int, why: str) -> None:
        """Note a field that is not written as onnx.proto defines it."""
        if len(self.strings.irregular) < KEPT:
            self.strings.irregular.append(self.unexpected(frame, tag, a, b)._replace(why=why))

    def damage(self, frame: int, position: int, why: str, rule: str) -> None:
        """Note a message that cannot be read."""
        if len(self.strings.broken) < KEPT:
            offset = self.strings.thin.origin(position)
            self.strings.broken.append(
                UnexpectedField(frame, 0, LEN, offset, 0, position, why, rule)
            )

    def unexpected(self, frame: int, tag: int, a: int, b: int) -> UnexpectedField:
        """Return a field with its place in the file."""
        is_varint = tag & 7 == VARINT
        offset = self.strings.thin.origin(b - 1 if is_varint else a)
        return UnexpectedField(frame, tag >> 3, tag & 7, offset, 0 if is_varint else b - a, a)
