"""Thin bytes → records, first part: strings, numbers, tensors, and notes on the unexpected.

Tags are written as `number << 3 | wire type`, so one comparison checks both; what matches no known
tag is kept as an `UnknownField`, exactly as protobuf would keep it.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from typing import TypeVar

from graphcount.errors import DamagedError, Unknown
from graphcount.loading.limits import UNREAD_NBYTES, FileBudget, Limits, beyond
from graphcount.loading.messages import (
    DATA_FIELDS,
    DATA_TAGS,
    ENUMS,
    LEN,
    VARINT,
    VARINT_FIELDS,
    packed_remainder,
    tag,
    tags,
)
from graphcount.loading.model import AttributeValues, DataField, Mistyped, Tensor, UnknownField
from graphcount.loading.packed_lists import FieldValues
from graphcount.loading.wire import Thin, fields, int32, len_varint, packed_damage, signed, varint

_KEY, _VALUE = tag("StringStringEntryProto", "key"), tag("StringStringEntryProto", "value")
_DIM, _DATA_TYPE, _SEGMENT, _NAME, _EXTERNAL_DATA, _DATA_LOCATION, _METADATA = (
    tag("TensorProto", name)
    for name in (
        *("dims", "data_type", "segment", "name", "external_data", "data_location"),
        "metadata_props",
    )
)
_DIMS = _DIM | LEN
_TENSOR = tags("TensorProto")
_LOCATIONS = ENUMS["TensorProto.DataLocation"]

KEPT_NOTES = 1000
"""Notes of a kind that are kept; a file of nothing but oddities must not become gigabytes."""


MODEL_LEVEL, FUNCTION_LEVEL, TRAINING_LEVEL = -2, 1, -1
"""Three less than how deep a graph stands below each: in a model 1, in a node of a function 4, in
training information 2. A subgraph is 3 deeper than its graph (node, attribute, graph)."""


class LeafDecoder:
    """Reads messages and collects what was unexpected in them.

    Attributes:
        budget: What the file may still ask for.
        level: How deep the graph (or function) that is being read stands below the model.
        in_parts: A singular message was given again, which protobuf merges.
        formulas: Names of dimensions that are formulas.
    """

    def __init__(self, thin: Thin, limits: Limits, nbytes: int) -> None:
        self.thin = thin
        self.data = thin.data
        self.limits = limits
        self.budget = FileBudget(limits.most_work(nbytes), thin.work)
        self.level = MODEL_LEVEL
        self.issues: list[Unknown] = []
        self.unknown_fields: list[UnknownField] = []
        self.note_count = 0
        self.unknown_count = 0
        self.repeated_fields: list[tuple[str, str, int]] = []
        self.mistyped_attributes: list[Mistyped] = []
        self.in_parts = False
        self.interned: dict[bytes, str] = {}
        self.formulas: set[str] = set()

    # ------------------------------------------------------------------------------- leaves

    def text(self, a: int, b: int) -> str:
        """Return a string field. Bytes that are not UTF-8 become visible escapes, and an issue."""
        raw = self.data[a:b]
        try:
            return raw.decode()
        except UnicodeDecodeError:
            escaped = raw.decode("utf-8", "backslashreplace")
            self.note(Unknown(escaped[:120], "name", "text is not UTF-8"))
            return escaped

    def word(self, a: int, b: int) -> str:
        """Return a string that repeats often (op_type, domain, attribute name): decoded once."""
        raw = self.data[a:b]
        text = self.interned.get(raw)
        if text is None:
            text = self.interned[raw] = self.text(a, b)
        return text

    def note(self, unknown: Unknown) -> None:
        """Keep what cannot be trusted; beyond `KEPT_NOTES` it is only counted."""
        self.note_count += 1
        if self.note_count <= KEPT_NOTES:
            self.issues.append(unknown)

    def skip(self, message: str, tag_: int, a: int, b: int) -> None:
        """Remember a field that onnx.proto does not define (or not with this wire type)."""
        wire_type = tag_ & 7
        self.budget.spend("unknown field", a if wire_type != VARINT else b - 1)
        self.unknown_count += 1
        if self.unknown_count > KEPT_NOTES:
            return
        offset = self.thin.origin(a if wire_type != VARINT else b - 1)
        size = b - a if wire_type != VARINT else 0
        self.unknown_fields.append(UnknownField(message, tag_ >> 3, wire_type, offset, size))

    def again(self, message: str, field: str, a: int) -> None:
        """Remember that a singular message occurs a second time."""
        self.in_parts = True
        self.repeated(message, field, self.thin.origin(a))

    def repeated(self, message: str, field: str, offset: int) -> None:
        """Remember that a field occurs a second time, at an offset: readers differ."""
        if len(self.repeated_fields) < KEPT_NOTES:
            self.repeated_fields.append((message, field, offset))
        self.note(Unknown(message, field, f"{field} is given more than once"))

    def name(self, a: int, b: int) -> str:
        """Return one name of a list."""
        self.budget.spend("name", a)
        return self.text(a, b)

    def unread(self, a: int, b: int) -> None:
        """Pass over a message that nobody needs."""
        self.budget.spend("unread", a, 1 + (b - a) // UNREAD_NBYTES)

    def raw(self, a: int, b: int) -> bytes:
        """Return a bytes field."""
        return self.data[a:b]

    def integer(self, a: int, b: int) -> int:
        """Return a singular int64."""
        return signed(a)

    def one_integer(self, a: int, b: int) -> list[int]:
        """Return one number of a repeated int64 that is not packed."""
        return [signed(a)]

    def integers(self, a: int, b: int) -> list[int]:
        """Return the integers of a packed int64."""
        data, into = self.data, []
        while a < b:
            value = data[a]
            if value < 0x80:  # most dimensions take one byte
                a += 1
                into.append(value)
                continue
            value, a = varint(data, a, b)
            into.append(signed(value))
        return into

    def int_(self, x: int, y: int) -> AttributeValues:
        """Return AttributeProto.i."""
        return AttributeValues("int", (signed(x),), len_varint(x), False)

    def float_(self, x: int, y: int) -> AttributeValues:
        """Return AttributeProto.f."""
        return AttributeValues("float", struct.unpack("<f", self.data[x:y]), 4, False)

    def string_(self, x: int, y: int) -> AttributeValues:
        """Return AttributeProto.s."""
        return AttributeValues("string", (self.data[x:y],), y - x, False)

    def floats(self, x: int, y: int) -> bytes:
        """Return floats, packed or one."""
        if (y - x) % 4:
            raise DamagedError(f"packed floats take {y - x} bytes", offset=x)
        return self.data[x:y]

    def pair(self, a: int, b: int) -> tuple[str, str]:
        """Return a StringStringEntryProto."""
        key = value = ""
        self.budget.spend("StringStringEntryProto", a)
        for tag_, x, y in fields(self.data, a, b):
            if tag_ == _KEY:
                key = self.text(x, y)
            elif tag_ == _VALUE:
                value = self.text(x, y)
            else:
                self.skip("StringStringEntryProto", tag_, x, y)
        return key, value

    # ------------------------------------------------------------------------------ tensors

    def tensor(self, a: int, b: int) -> Tensor:
        """Return a TensorProto without its data."""
        name, data_type, is_external, segmented = "", 0, False, False
        dims: list[int] = []
        external: list[tuple[str, str]] = []
        held: dict[int, DataField] = {}
        self.budget.spend("TensorProto", a)
        for tag_, x, y in fields(self.data, a, b):
            if tag_ == _DIM:
                dims.append(signed(x))
            elif tag_ == _DIMS:
                dims += self.integers(x, y)
            elif tag_ == _DATA_TYPE:
                data_type = x if x < 128 else int32(x)
            elif tag_ == _NAME:
                name = self.text(x, y)
            elif tag_ in DATA_TAGS:
                self.data_field(held, tag_, x, y)
            elif tag_ == _EXTERNAL_DATA:
                external.append(self.pair(x, y))
            elif tag_ == _DATA_LOCATION:
                if 0 <= int32(x) < _LOCATIONS:
                    is_external = int32(x) == 1
                else:
                    self.skip("TensorProto", tag_, x, y)
            elif tag_ == _SEGMENT:
                segmented = True
            elif tag_ == _METADATA:
                self.unread(x, y)
            elif tag_ not in _TENSOR:
                self.skip("TensorProto", tag_, x, y)
        self.cut_fields(held, a, b)
        self.check_rank(dims, a)
        ordered = tuple(held[number] for number in sorted(held))
        offset = self.thin.origin(a)
        return Tensor(
            name, data_type, tuple(dims), ordered, tuple(external), is_external, segmented, offset
        )

    def check_rank(self, dims: list[int], a: int) -> None:
        """Refuse dims that no runtime takes: their product would cost more than the file."""
        if len(dims) > self.limits.rank:
            reason = f"tensor has {len(dims)} dimensions (at most {self.limits.rank})"
            raise beyond("rank", reason, len(dims), a)

    def data_field(self, held: dict[int, DataField], tag_: int, x: int, y: int) -> None:
        """Note a data field that is present in the thin bytes."""
        number, wire_type = tag_ >> 3, tag_ & 7
        start = x
        if wire_type == VARINT:  # x is the value and y the position behind it
            start = y - 1
            while self.data[start - 1] >= 0x80:
                start -= 1
        chunk = self.data[start:y]
        if number in VARINT_FIELDS and wire_type == LEN:
            damage = packed_damage(chunk)
            if damage is not None:
                raise DamagedError(damage[0], offset=start + damage[1])
        why = packed_remainder(number, len(chunk)) if wire_type == LEN else ""
        if why:
            raise DamagedError(why, offset=start)
        before = held.get(number)
        name = DATA_FIELDS[number]
        if before is None:
            kept = chunk if len(chunk) <= self.limits.kept_payload_nbytes else None
            held[number] = DataField(name, self.thin.origin(start), len(chunk), 1, kept)
            return
        self.budget.spend("field", start)
        if name == "raw_data":  # the last one holds
            self.repeated("TensorProto", name, self.thin.origin(start))
            before = DataField(name, self.thin.origin(start), 0, before.occurrences, b"")
        joined = None
        if (
            before.data is not None
            and before.nbytes + len(chunk) <= self.limits.kept_payload_nbytes
        ):
            joined = before.data + chunk
        held[number] = DataField(
            name, before.offset, before.nbytes + len(chunk), before.occurrences + 1, joined
        )

    def cut_fields(self, held: dict[int, DataField], a: int, b: int) -> None:
        """Note the data fields of the tensor at data[a:b] that were left out."""
        thin = self.thin
        if not thin.cuts:
            return
        for index in range(bisect_left(thin.cut_at, a), bisect_right(thin.cut_at, b)):
            cut = thin.cuts[index]
            if cut.message != "TensorProto":
                continue
            if cut.number not in DATA_FIELDS:
                continue
            name = DATA_FIELDS[cut.number]
            before = held.get(cut.number)
            if before is not None and name == "raw_data":
                self.repeated("TensorProto", name, max(cut.offset, before.offset))
                of_cut = DataField(name, cut.offset, cut.nbytes, 1, None)
                later = of_cut if cut.offset > before.offset else before
                held[cut.number] = later._replace(occurrences=before.occurrences + 1)
                continue
            total = cut.nbytes + (before.nbytes if before else 0)
            occurrences = 1 + (before.occurrences if before else 0)
            offset = min(cut.offset, before.offset) if before else cut.offset
            held[cut.number] = DataField(name, offset, total, occurrences, None)


# -------------------------------------------------------------------------------------- attributes

Value = TypeVar("Value")


def last(fields: FieldValues, slot: str, default: Value) -> Value:
    """Return the value of a singular field: of several the last one, as protobuf takes it."""
    values = fields.get(slot)
    return values[-1] if values else default
