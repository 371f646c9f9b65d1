"""Thin bytes → records. Each message is read as the tables of `loading/messages.py` state it.

What matches no field of the tables is kept as an `UnknownField`, as protobuf would. A singular
message that is given in parts is merged, as protobuf does it: see `loading/parts.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from graphcount.errors import DamagedError, LimitError, Unknown
from graphcount.loading.decode_graphs import FieldStep, GraphDecoder
from graphcount.loading.decode_leaves import (
    FUNCTION_LEVEL,
    KEPT_NOTES,
    MODEL_LEVEL,
    TRAINING_LEVEL,
    last,
)
from graphcount.loading.limits import Limits, beyond
from graphcount.loading.messages import (
    DATA_FIELDS,
    INTEGERS,
    LEN,
    MESSAGES,
    VARINT,
    Field,
    tag,
    tags,
)
from graphcount.loading.model import Dim, Function, Graph, ModelProto, ValueInfo
from graphcount.loading.wire import Thin, fields, int32, signed, too_deep


def decode_model(thin: Thin, limits: Limits, file_nbytes: int) -> ModelProto:
    """Decode a ModelProto from a file of some size.

    Raises:
        DamagedError: The wire format is broken.
        LimitError: Nested too deeply, or more work than a file of that size may ask for.
    """
    decoder = _Decoder(thin, limits, file_nbytes)
    try:
        proto = decoder.model(0, len(thin.data))
    except (DamagedError, LimitError) as error:
        origin = thin.origin(error.offset) if error.offset is not None else None
        raise type(error)(error.message, offset=origin, rule=error.rule) from None
    return _in_one_part(proto, thin, limits, file_nbytes) if decoder.in_parts else proto


def _in_one_part(proto: ModelProto, thin: Thin, limits: Limits, file_nbytes: int) -> ModelProto:
    """Read again what gives a message in parts, as protobuf reads it: with the parts joined.

    The data of its tensors are kept, since a tensor need not lie in one place.
    """
    if thin.starts:
        message, field, offset = proto.repeated_fields[0]
        reason = f"{field} of {message} is given in parts, which are joined in small files only"
        raise beyond("whole_file_nbytes", reason, file_nbytes, offset, "FMT007")
    from graphcount.loading.parts import joined

    kept = replace(limits, kept_payload_nbytes=file_nbytes)
    again = decode_model(joined(thin.data), kept, file_nbytes)
    return replace(
        again,
        issues=tuple(dict.fromkeys((*proto.issues, *again.issues))),
        repeated_fields=proto.repeated_fields,
    )


_INFO, _TYPE, _DIMENSION = map(tags, ("ValueInfoProto", "TypeProto", "TensorShapeProto.Dimension"))
_INFO_NAME, _INFO_TYPE = tag("ValueInfoProto", "name"), tag("ValueInfoProto", "type")
_INFO_METADATA = tag("ValueInfoProto", "metadata_props")
_ELEM_TYPE, _SHAPE = tag("TypeProto.Tensor", "elem_type"), tag("TypeProto.Tensor", "shape")
_SHAPE_DIM = tag("TensorShapeProto", "dim")
_DIM_VALUE, _DIM_PARAM = (
    tag("TensorShapeProto.Dimension", name) for name in ("dim_value", "dim_param")
)

KINDS = {
    tag("TypeProto", row.name): row.name
    for row in MESSAGES["TypeProto"].values()
    if row.type in MESSAGES
}
"""Members of the oneof of TypeProto, by tag; a kind of value is called so without `_type`."""

_SIGNS = frozenset("+-*/()")
"""Characters of names of dimensions that are formulas."""

TENSOR_TYPE_DEPTH = 3
"""Messages below the type of a tensor: TypeProto.Tensor, its shape, a dimension."""


class _Decoder(GraphDecoder):
    """Reads types, functions and the model."""

    # ------------------------------------------------------------------------------ types

    def value_info(self, a: int, b: int) -> ValueInfo:
        """Return a ValueInfoProto; its type is read one level deep (a sequence of what, is not)."""
        name, kind, data_type = "", "", 0
        shape: tuple[Dim, ...] | None = None
        typed = False
        self.budget.spend("ValueInfoProto", a)
        for tag_, x, y in fields(self.data, a, b):
            if tag_ == _INFO_NAME:
                name = self.text(x, y)
            elif tag_ == _INFO_TYPE:
                if typed:
                    self.again("ValueInfoProto", "type", x)
                typed = True
                kind, data_type, shape = self.type(x, y)
            elif tag_ == _INFO_METADATA:
                self.unread(x, y)
            elif tag_ not in _INFO:
                self.skip("ValueInfoProto", tag_, x, y)
        return ValueInfo(name, kind, data_type, shape)

    def type(self, a: int, b: int) -> tuple[str, int, tuple[Dim, ...] | None]:
        """Return a TypeProto: kind of value, element type code and shape (of tensors)."""
        kind, data_type = "", 0
        shape: tuple[Dim, ...] | None = None
        level = self.level + 2  # ValueInfoProto, TypeProto
        follow = level + TENSOR_TYPE_DEPTH > self.limits.message_depth
        for tag_, x, y in fields(self.data, a, b):
            if tag_ not in KINDS:
                if tag_ not in _TYPE:
                    self.skip("TypeProto", tag_, x, y)
                continue
            member = KINDS[tag_]
            if kind:
                self.again("TypeProto", member, x)
            kind = member.removesuffix("_type")
            if kind not in ("tensor", "sparse_tensor"):
                follow = True
                continue
            for inner, u, v in fields(self.data, x, y):
                if inner == _ELEM_TYPE:
                    data_type = u if u < 128 else int32(u)
                elif inner == _SHAPE:
                    if shape is not None:
                        self.again("TypeProto.Tensor", "shape", u)
                    shape = self.shape(u, v)
                else:
                    self.skip("TypeProto.Tensor", inner, u, v)
        if follow:
            self.nested("TypeProto", a, b, level)
        return kind, data_type, shape

    def nested(self, message: str, a: int, b: int, level: int) -> None:
        """Refuse what is nested too deep in the message at data[a:b], which is `level` deep."""
        self.budget.spend("message", a)
        open_messages = [(MESSAGES[message], fields(self.data, a, b))]
        while open_messages:
            table, rest = open_messages[-1]
            for tag_, x, y in rest:
                row = table.get(tag_ >> 3)
                child = MESSAGES.get(row.type) if row is not None and tag_ & 7 == LEN else None
                if child is None:
                    continue
                self.budget.spend("message", x)
                if level + len(open_messages) > self.limits.message_depth:
                    raise too_deep(self.limits, x)
                open_messages.append((child, fields(self.data, x, y)))
                break
            else:
                open_messages.pop()

    def shape(self, a: int, b: int) -> tuple[Dim, ...]:
        """Return a TensorShapeProto."""
        dims: list[Dim] = []
        for tag_, x, y in fields(self.data, a, b):
            if tag_ != _SHAPE_DIM:
                self.skip("TensorShapeProto", tag_, x, y)
                continue
            dim: Dim = None
            for inner, u, v in fields(self.data, x, y):
                if inner == _DIM_VALUE:
                    dim = signed(u)
                elif inner == _DIM_PARAM:
                    dim = self.dim_param(u, v) or None
                elif inner not in _DIMENSION:
                    self.skip("TensorShapeProto.Dimension", inner, u, v)
            dims.append(dim)
            if len(dims) > self.limits.rank:
                reason = f"a shape has more than {self.limits.rank} dimensions"
                raise beyond("rank", reason, 2 * self.limits.rank, a)
        self.budget.spend("dimension", a, len(dims))
        return tuple(dims)

    def dim_param(self, a: int, b: int) -> str:
        """Return the name of a dimension; one like a formula is worked with as such."""
        text = self.word(a, b)
        if not _SIGNS.isdisjoint(text) and text not in self.formulas:
            self.formulas.add(text)
            self.budget.spend("expression", a)
        return text

    def nested_type(self, x: int, y: int) -> None:
        """Check a TypeProto in an attribute: nobody reads it, but it must not be too deep."""
        self.nested("TypeProto", x, y, self.level + 3)

    # ----------------------------------------------------------------- functions, model

    def function(self, a: int, b: int) -> Function:
        """Return a FunctionProto."""
        self.budget.spend("FunctionProto", a)
        self.level = FUNCTION_LEVEL
        values = self.message("FunctionProto", a, b)
        self.level = MODEL_LEVEL
        get = values.get
        return Function(
            name=last(values, "name", ""),
            domain=last(values, "domain", ""),
            overload=last(values, "overload", ""),
            inputs=tuple(get("input", ())),
            outputs=tuple(get("output", ())),
            attributes=tuple(get("attribute", ())),
            attribute_protos=tuple(get("attribute_proto", ())),
            nodes=tuple(get("node", ())),
            value_info=tuple(get("value_info", ())),
            opset_imports=tuple(get("opset_import", ())),
            metadata=dict(get("metadata_props", ())),
        )

    def opset(self, a: int, b: int) -> tuple[str, int]:
        """Return an OperatorSetIdProto."""
        self.budget.spend("OperatorSetIdProto", a)
        values = self.message("OperatorSetIdProto", a, b)
        return last(values, "domain", ""), last(values, "version", 0)

    def training(self, a: int, b: int) -> list[Graph]:
        """Return a TrainingInfoProto: its graphs (initialization, algorithm)."""
        self.budget.spend("TrainingInfoProto", a)
        self.level = TRAINING_LEVEL
        values = self.message("TrainingInfoProto", a, b)
        self.level = MODEL_LEVEL
        return values.get("initialization", [])[-1:] + values.get("algorithm", [])[-1:]

    def model(self, a: int, b: int) -> ModelProto:
        """Return a ModelProto; fields in any order, as protobuf allows."""
        values = self.message("ModelProto", a, b)
        get = values.get
        if "graph" not in values:
            raise DamagedError("no graph", offset=None, rule="FMT010")
        self.large_text()
        ir_version: int = last(values, "ir_version", 0)
        for attribute in self.mistyped_attributes:
            if why := attribute.why(ir_version):
                self.note(Unknown(attribute.name[:120], "attribute", why))
        for what, count in (("issue", self.note_count), ("unknown field", self.unknown_count)):
            if count > KEPT_NOTES:
                why = f"{count - KEPT_NOTES:,} more of this kind are not listed"
                self.issues.append(Unknown("model", what, why))
        return ModelProto(
            graph=values["graph"][-1],
            ir_version=ir_version,
            opset_imports=tuple(get("opset_import", ())),
            producer_name=last(values, "producer_name", ""),
            producer_version=last(values, "producer_version", ""),
            domain=last(values, "domain", ""),
            model_version=last(values, "model_version", 0),
            functions=tuple(get("functions", ())),
            training_graphs=tuple(graph for graphs in get("training_info", ()) for graph in graphs),
            metadata=dict(get("metadata_props", ())),
            issues=tuple(self.issues),
            unknown_fields=tuple(self.unknown_fields),
            repeated_fields=tuple(self.repeated_fields),
            mistyped_attributes=tuple(self.mistyped_attributes),
            work_left=self.budget.left,
        )

    def large_text(self) -> None:
        """Say which fields other than data and doc_string were too large to be read."""
        for cut in self.thin.cuts:
            if cut.message == "TensorProto" and cut.number in DATA_FIELDS:
                continue
            row = MESSAGES[cut.message].get(cut.number)
            if row is not None and row.text == "doc":
                continue
            where = f"{cut.message} field {cut.number}"
            why = f"{cut.nbytes:,} bytes at byte {cut.offset} were not read"
            self.note(Unknown(where, "field", why))


_READERS: dict[str, Callable[[_Decoder, int, int], object]] = {
    "string": _Decoder.text,
    "int64": _Decoder.integer,
    "AttributeProto": _Decoder.attribute,
    "FunctionProto": _Decoder.function,
    "GraphProto": _Decoder.graph,
    "NodeProto": _Decoder.node,
    "OperatorSetIdProto": _Decoder.opset,
    "StringStringEntryProto": _Decoder.pair,
    "TensorProto": _Decoder.tensor,
    "SparseTensorProto": _Decoder.sparse_tensor,
    "TrainingInfoProto": _Decoder.training,
    "ValueInfoProto": _Decoder.value_info,
}
"""What reads a field, by its type; nobody needs fields of other types."""

_OTHERS: dict[tuple[str, str], FieldStep] = {
    ("AttributeProto", "i"): FieldStep("i", _Decoder.int_),
    ("AttributeProto", "f"): FieldStep("f", _Decoder.float_),
    ("AttributeProto", "s"): FieldStep("s", _Decoder.string_),
    ("AttributeProto", "floats"): FieldStep("floats", _Decoder.floats),
    ("AttributeProto", "strings"): FieldStep("strings", _Decoder.raw),
    ("AttributeProto", "tp"): FieldStep("tp", _Decoder.nested_type, True),
    ("AttributeProto", "type_protos"): FieldStep("type_protos", _Decoder.nested_type),
}
"""Fields that are read in a way of their own."""

_WORDS = frozenset({"op_type", "domain", "overload"})
"""Strings that repeat often."""


def _step(message: str, tag_: int, name: str, row: Field) -> FieldStep:
    """Return what to do with one field."""
    other = _OTHERS.get((message, name))
    if other is not None:
        return other
    if row.type in INTEGERS and row.many:
        return FieldStep(name, _Decoder.one_integer if tag_ & 7 == VARINT else _Decoder.integers)
    if row.text == "doc":
        return FieldStep(name, None)
    read = _Decoder.word if name in _WORDS else _READERS.get(row.type)
    if row.type == "string" and row.many:
        read = _Decoder.name
    if row.type in MESSAGES and read is None:
        read = _Decoder.unread
    return FieldStep(name, read, row.type in MESSAGES and not row.many)


_Decoder.steps = {
    message: {
        tag_: _step(message, tag_, rows[tag_ >> 3].name, rows[tag_ >> 3]) for tag_ in tags(message)
    }
    for message, rows in MESSAGES.items()
}
"""What to do with each field, by its tag."""
