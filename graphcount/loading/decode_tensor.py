"""Thin bytes → records, first part: strings, numbers, tensors, and notes on what is odd.

Tags are written as `number << 3 | wire type`, so one comparison checks both; what matches no known
tag is kept as an `UnknownField`, exactly as protobuf would keep it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from graphcount.errors import DamagedError, LimitError, Unknown
from graphcount.loading.limits import Limits
from graphcount.loading.messages import DATA_FIELDS, LEN, VARINT, VARINT_FIELDS, packed_remainder
from graphcount.loading.model import DataField, SparseTensor, Tensor, UnknownField
from graphcount.loading.varints import packed_damage, signed, varint
from graphcount.loading.wire import Thin, fields

KEPT_NOTES = 1000
"""Notes of a kind that are kept; a file of nothing but oddities must not become gigabytes."""


MODEL_LEVEL, FUNCTION_LEVEL, TRAINING_LEVEL = -2, 1, -1
"""Three less than how deep a graph stands below each: in a model 1, in a node of a function 4, in
training information 2. A subgraph is 3 deeper than its graph (node, attribute, graph)."""


class TensorDecoder:
    """Reads messages and collects what was odd about them.

    Attributes:
        level: How deep the graph (or function) that is being read stands below the model.
    """

    def __init__(self, thin: Thin, limits: Limits) -> None:
        self.thin = thin
        self.data = thin.data
        self.limits = limits
        self.level = MODEL_LEVEL
        self.nodes = 0
        self.tensors = 0
        self.issues: list[Unknown] = []
        self.unknown_fields: list[UnknownField] = []
        self.note_count = 0
        self.unknown_count = 0
        self.repeated_fields: list[tuple[str, str, int]] = []
        self.interned: dict[bytes, str] = {}

    # ------------------------------------------------------------------------------- leaves

    def text(self, a: int, b: int) -> str:
        """A string field. Bytes that are not UTF-8 become visible escapes, and an issue."""
        raw = self.data[a:b]
        try:
            return raw.decode()
        except UnicodeDecodeError:
            shown = raw.decode("utf-8", "backslashreplace")
            self.note(Unknown(shown[:120], "name", "text is not UTF-8"))
            return shown

    def word(self, a: int, b: int) -> str:
        """A string that repeats often (op_type, domain, attribute name): decoded once."""
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

    def skip(self, message: str, tag: int, a: int, b: int) -> None:
        """Remember a field that onnx.proto does not define (or not with this wire type)."""
        wire_type = tag & 7
        self.unknown_count += 1
        if self.unknown_count > KEPT_NOTES:
            return
        offset = self.thin.origin(a if wire_type != VARINT else b - 1)
        size = b - a if wire_type != VARINT else 0
        self.unknown_fields.append(UnknownField(message, tag >> 3, wire_type, offset, size))

    def again(self, message: str, field: str, a: int) -> None:
        """Remember that a singular field occurs a second time: readers differ in what they do."""
        self.repeated(message, field, self.thin.origin(a))

    def repeated(self, message: str, field: str, offset: int) -> None:
        """The same, by the offset in the file."""
        if len(self.repeated_fields) < KEPT_NOTES:
            self.repeated_fields.append((message, field, offset))
        self.note(Unknown(message, field, f"{field} is given more than once"))

    def pair(self, a: int, b: int) -> tuple[str, str]:
        """A StringStringEntryProto."""
        key = value = ""
        for tag, x, y in fields(self.data, a, b):
            if tag == 10:
                key = self.text(x, y)
            elif tag == 18:
                value = self.text(x, y)
            else:
                self.skip("StringStringEntryProto", tag, x, y)
        return key, value

    def integers(self, tag: int, a: int, b: int, into: list[int]) -> None:
        """A repeated int64, packed or not."""
        if tag & 7 == VARINT:
            into.append(signed(a))
            return
        data = self.data
        while a < b:
            value = data[a]
            if value < 0x80:  # most dimensions take one byte
                a += 1
                into.append(value)
                continue
            value, a = varint(data, a, b)
            into.append(signed(value))

    # ------------------------------------------------------------------------------ tensors

    def tensor(self, a: int, b: int) -> Tensor:
        """A TensorProto without its data."""
        name, data_type, is_external, segmented = "", 0, False, False
        dims: list[int] = []
        external: list[tuple[str, str]] = []
        held: dict[int, DataField] = {}
        self.tensors += 1
        if self.tensors > self.limits.tensors:
            raise LimitError(f"more than {self.limits.tensors:,} tensors", offset=a)
        for tag, x, y in fields(self.data, a, b):
            number = tag >> 3
            if tag == 8 or tag == 10:
                self.integers(tag, x, y, dims)
            elif tag == 16:
                data_type = signed(x)
            elif tag == 66:
                name = self.text(x, y)
            elif number in DATA_FIELDS:
                self.data_field(held, tag, x, y)
            elif tag == 106:
                external.append(self.pair(x, y))
            elif tag == 112:
                is_external = x == 1
            elif tag == 26:
                segmented = True
            elif tag not in (98, 130):  # doc_string, metadata_props
                self.skip("TensorProto", tag, x, y)
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
            raise LimitError(reason, offset=a)

    def data_field(self, held: dict[int, DataField], tag: int, x: int, y: int) -> None:
        """Note a data field that is present in the thin bytes."""
        number, wire_type = tag >> 3, tag & 7
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
        if name == "raw_data":
            self.again("TensorProto", "raw_data", start)
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
                self.repeated("TensorProto", "raw_data", max(cut.offset, before.offset))
            total = cut.nbytes + (before.nbytes if before else 0)
            occurrences = 1 + (before.occurrences if before else 0)
            offset = min(cut.offset, before.offset) if before else cut.offset
            held[cut.number] = DataField(name, offset, total, occurrences, None)

    def sparse_tensor(self, a: int, b: int) -> SparseTensor:
        """A SparseTensorProto."""
        empty = Tensor("", 0, (), (), (), False, False, self.thin.origin(a))
        values = indices = empty
        dims: list[int] = []
        for tag, x, y in fields(self.data, a, b):
            if tag == 10:
                if values is not empty:
                    self.again("SparseTensorProto", "values", x)
                values = self.tensor(x, y)
            elif tag == 18:
                if indices is not empty:
                    self.again("SparseTensorProto", "indices", x)
                indices = self.tensor(x, y)
            elif tag == 24 or tag == 26:
                self.integers(tag, x, y, dims)
            else:
                self.skip("SparseTensorProto", tag, x, y)
        self.check_rank(dims, a)
        return SparseTensor(values, indices, tuple(dims), self.thin.origin(a))
