"""Models that are one field repeated: a family for each repeated field of onnx.proto.

The families follow from the tables of `graphcount.loading.messages`: every way from the model to a
message, and every repeated field of that message, with elements that are empty, that are named
(each has its own name) and that are whole (each field of the element once). A field that is added
to the tables has its flood as well.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from graphcount.loading.messages import LEN, MESSAGES, VARINT, WIRE_TYPES, Field, tag
from graphcount.loading.wire import encode_varint


class Flood(NamedTuple):
    """A family of files.

    Attributes:
        name: What is repeated, and how.
        make: Returns a file of about so many bytes.
        suffix: Of the file.
    """

    name: str
    make: Callable[[int], bytes]
    suffix: str = ".onnx"


Way = tuple[tuple[str, int], ...]
"""Message and number of its field, from the model to a message."""


def field(message: str, name: str, content: bytes | int) -> bytes:
    """Write one field."""
    return _field(tag(message, name), content)


def _field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return encode_varint(number) + encode_varint(content)
    size = encode_varint(len(content)) if number & 7 == LEN else b""
    return encode_varint(number) + size + content


# ---------------------------------------------------------------------------- one of each message


def _relu(name: str) -> bytes:
    inputs = field("NodeProto", "input", b"x")
    return (
        inputs
        + field("NodeProto", "output", name.encode())
        + field("NodeProto", "op_type", b"Relu")
    )


def _value(name: str) -> bytes:
    """Return a float value of shape [1]."""
    dim = field("TensorShapeProto", "dim", field("TensorShapeProto.Dimension", "dim_value", 1))
    tensor = field("TypeProto.Tensor", "elem_type", 1) + field("TypeProto.Tensor", "shape", dim)
    typed = field("ValueInfoProto", "type", field("TypeProto", "tensor_type", tensor))
    return field("ValueInfoProto", "name", name.encode()) + typed


def _tensor(name: str) -> bytes:
    head = field("TensorProto", "dims", 1) + field("TensorProto", "data_type", 1)
    raw = field("TensorProto", "raw_data", struct.pack("<f", 0.5))
    return head + field("TensorProto", "name", name.encode()) + raw


def _graph(name: str) -> bytes:
    node = field("GraphProto", "node", _relu("y"))
    values = field("GraphProto", "input", _value("x")) + field("GraphProto", "output", _value("y"))
    return node + field("GraphProto", "name", name.encode()) + values


def _attribute(name: str) -> bytes:
    value = field("AttributeProto", "i", 1) + field("AttributeProto", "type", 2)
    return field("AttributeProto", "name", name.encode()) + value


def _model(name: str) -> bytes:
    opset = field("OperatorSetIdProto", "domain", b"") + field("OperatorSetIdProto", "version", 21)
    head = field("ModelProto", "ir_version", 10) + field("ModelProto", "opset_import", opset)
    return head + field("ModelProto", "graph", _graph(name))


def _function(name: str) -> bytes:
    names = [("name", name), ("domain", "local"), ("input", "x"), ("output", "y")]
    head = b"".join(field("FunctionProto", key, text.encode()) for key, text in names)
    return head + field("FunctionProto", "node", _relu("y"))


WHOLE: dict[str, Callable[[str], bytes]] = {
    "AttributeProto": _attribute,
    "FunctionProto": _function,
    "GraphProto": _graph,
    "ModelProto": _model,
    "NodeProto": _relu,
    "TensorProto": _tensor,
    "ValueInfoProto": _value,
}
"""Messages that are valid only with some of their fields."""


def whole(message: str, name: str, depth: int = 4) -> bytes:
    """Return a message of a name with every field that it can have once."""
    if message in WHOLE:
        return WHOLE[message](name)
    out, members = b"", False
    for number, row in MESSAGES[message].items():
        if row.oneof and members:
            continue
        members |= bool(row.oneof)
        out += element(number, row, name, depth)
    return out


def element(number: int, row: Field, name: str, depth: int = 4) -> bytes:
    """Return one field with a value."""
    if row.type in MESSAGES:
        inner = whole(row.type, name, depth - 1) if depth else b""
        return _field(number << 3 | LEN, inner)
    wire_type = WIRE_TYPES.get(row.type, LEN)
    numbers: dict[int, bytes | int] = {VARINT: 1, LEN: name.encode()}
    return _field(
        number << 3 | wire_type, numbers.get(wire_type) or bytes(8)[: 4 + 4 * (wire_type == 1)]
    )


def named(message: str, name: str) -> bytes:
    """Return a message with nothing but its first text."""
    for number, row in MESSAGES[message].items():
        if row.type in ("string", "bytes") and row.text != "doc":
            return element(number, row, name)
    return b""


# ---------------------------------------------------------------------------- ways to each message


def ways() -> Iterator[tuple[str, Way]]:
    """Yield each message with one way from the model for every field that holds it."""
    shortest: dict[str, Way] = {"ModelProto": ()}
    waiting = ["ModelProto"]
    yield "ModelProto", ()
    while waiting:
        message = waiting.pop(0)
        for number, row in MESSAGES[message].items():
            if row.type not in MESSAGES:
                continue
            way = (*shortest[message], (message, number))
            if row.type not in shortest:
                shortest[row.type] = way
                waiting.append(row.type)
            yield row.type, way


def without(data: bytes, number: int) -> bytes:
    """Leave the fields of a number out of a message."""
    from graphcount.loading.wire import fields

    out, at = b"", 0
    for tag_, _, end in fields(data, 0, len(data)):
        if tag_ >> 3 != number:
            out += data[at:end]
        at = end
    return out


def inside(way: Way, content: bytes) -> bytes:
    """Return a model that holds a content at the end of a way."""
    for message, number in reversed(way):
        content = without(whole(message, "a"), number) + _field(number << 3 | LEN, content)
    return content


def repeated(message: str, way: Way, number: int, how: str) -> Callable[[int], bytes]:
    """Return a maker of files with a repeated field of the message at the end of a way."""
    row = MESSAGES[message][number]

    def one(at: int) -> bytes:
        if how == "empty":
            return _field(number << 3 | LEN, b"")
        if how == "named":
            return _field(number << 3 | LEN, named(row.type, f"{at:x}"))
        return element(number, row, f"{at:x}")

    def make(nbytes: int) -> bytes:
        elements = [one(0)]
        if how == "empty" or (len(one(1)) == len(one(2)) and one(1) == one(2)):
            elements *= max(1, nbytes // len(one(0)))
        else:
            elements = []
            size = at = 0
            while size < nbytes:
                elements.append(one(at))
                size += len(elements[-1])
                at += 1
        return inside(way, whole(message, "a") + b"".join(elements))

    return make


def field_floods() -> Iterator[Flood]:
    """Yield the floods of every repeated field."""
    for message, way in ways():
        place = ".".join(MESSAGES[parent][number].name for parent, number in way) or "model"
        for number, row in MESSAGES[message].items():
            if not row.many:
                continue
            if row.type in MESSAGES:
                hows = ["empty", "named", "whole"]
            elif WIRE_TYPES.get(row.type, LEN) == LEN:
                hows = ["empty", "whole"]
            else:
                hows = ["whole"]
            for how in hows:
                if how == "named" and not named(row.type, "a"):
                    continue
                yield Flood(f"{place}.{row.name} {how}", repeated(message, way, number, how))
