"""Thin bytes → records, second part: types of values, and how deep they are nested.

What counting needs of a type is read one level deep. What lies deeper is walked for its depth and
its wire format only: a reader that recurses must not meet what this program passed over.
"""

from __future__ import annotations

from graphcount.errors import LimitError
from graphcount.loading.decode_tensor import TensorDecoder
from graphcount.loading.messages import LEN, MESSAGES
from graphcount.loading.model import Dim, ValueInfo
from graphcount.loading.varints import signed
from graphcount.loading.wire import fields, too_deep

KINDS = {
    10: "tensor",
    34: "sequence",
    42: "map",
    58: "opaque",
    66: "sparse_tensor",
    74: "optional",
}
"""Kinds of values by the tag of the TypeProto field that holds their type."""

TENSOR_TYPE_DEPTH = 3
"""Messages below the type of a tensor: TypeProto.Tensor, its shape, a dimension."""


class TypeDecoder(TensorDecoder):
    """Reads the types of values."""

    def value_info(self, a: int, b: int) -> ValueInfo:
        """A ValueInfoProto; the type is read one level deep (a sequence of what is not asked)."""
        name, kind, data_type = "", "", 0
        shape: tuple[Dim, ...] | None = None
        for tag, x, y in fields(self.data, a, b):
            if tag == 10:
                name = self.text(x, y)
            elif tag == 18:
                kind, data_type, shape = self.type(x, y)
            elif tag not in (26, 34):  # doc_string, metadata_props
                self.skip("ValueInfoProto", tag, x, y)
        return ValueInfo(name, kind, data_type, shape)

    def type(self, a: int, b: int) -> tuple[str, int, tuple[Dim, ...] | None]:
        """A TypeProto: kind of value, element type code and shape (of tensors)."""
        kind, data_type = "", 0
        shape: tuple[Dim, ...] | None = None
        level = self.level + 2  # ValueInfoProto, TypeProto
        follow = level + TENSOR_TYPE_DEPTH > self.limits.message_depth
        for tag, x, y in fields(self.data, a, b):
            if tag not in KINDS:
                if tag != 50:  # denotation
                    self.skip("TypeProto", tag, x, y)
                continue
            kind = KINDS[tag]
            if kind not in ("tensor", "sparse_tensor"):
                follow = True
                continue
            for inner, u, v in fields(self.data, x, y):
                if inner == 8:
                    data_type = signed(u)
                elif inner == 18:
                    shape = self.shape(u, v)
                else:
                    self.skip("TypeProto.Tensor", inner, u, v)
        if follow:
            self.nested("TypeProto", a, b, level)
        return kind, data_type, shape

    def nested(self, message: str, a: int, b: int, level: int) -> None:
        """Refuse what is nested too deep in the message at data[a:b], which is `level` deep."""
        open_messages = [(MESSAGES[message], fields(self.data, a, b))]
        while open_messages:
            table, rest = open_messages[-1]
            for tag, x, y in rest:
                row = table.get(tag >> 3)
                child = MESSAGES.get(row.type) if row is not None and tag & 7 == LEN else None
                if child is None:
                    continue
                if level + len(open_messages) > self.limits.message_depth:
                    raise LimitError(too_deep(self.limits), offset=x, rule="FMT003")
                open_messages.append((child, fields(self.data, x, y)))
                break
            else:
                open_messages.pop()

    def shape(self, a: int, b: int) -> tuple[Dim, ...]:
        """A TensorShapeProto."""
        dims: list[Dim] = []
        for tag, x, y in fields(self.data, a, b):
            if tag != 10:
                self.skip("TensorShapeProto", tag, x, y)
                continue
            dim: Dim = None
            for inner, u, v in fields(self.data, x, y):
                if inner == 8:
                    dim = signed(u)
                elif inner == 18:
                    dim = self.text(u, v) or None
                elif inner != 26:  # denotation
                    self.skip("TensorShapeProto.Dimension", inner, u, v)
            dims.append(dim)
            if len(dims) > self.limits.rank:
                raise LimitError(f"a shape has more than {self.limits.rank} dimensions", offset=a)
        return tuple(dims)
