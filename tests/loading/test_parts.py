"""Messages in parts, oneofs, and numbers beyond their type are read as protobuf reads them."""

from __future__ import annotations

from typing import Any

import onnx
import pytest
from google.protobuf.message import DecodeError

from graphcount.errors import DamagedError, LimitError
from graphcount.loading import read_source
from graphcount.loading.limits import DEFAULT_LIMITS, Limits
from graphcount.loading.model import ModelProto
from graphcount.loading.source import BytesSource
from tests.fuzz.readings import difference, onnx_reading, own_reading

HIGH = 1 << 32


def decode(data: bytes, limits: Limits = DEFAULT_LIMITS) -> ModelProto:
    return read_source(BytesSource(data, "model.onnx"), limits).proto


def graph_of(case: str, wire: Any) -> bytes:
    """Fields of a graph that give something in parts, or as its type does not have it."""
    length, number = wire.len, wire.int

    def shape(*dims: int) -> bytes:
        return bytes(length(2, b"".join(length(1, number(1, dim)) for dim in dims)))

    def info(*types: bytes) -> bytes:
        return bytes(length(11, length(1, b"x") + b"".join(types)))

    def attribute(content: bytes) -> bytes:
        return bytes(length(1, length(4, b"Op") + length(5, length(1, b"a") + content)))

    def tensor(content: bytes) -> bytes:
        return bytes(length(5, length(8, b"w") + content))

    floats = length(4, b"abcd" * 300)
    dims, name = number(1, 600), length(8, b"w")
    one, other = dims + floats, number(2, 1) + floats
    node = length(1, length(4, b"Relu"))
    sequence = length(4, length(1, length(1, number(1, 1))))
    cases: dict[str, bytes] = {
        "type": info(length(2, length(1, number(1, 1))), length(2, length(1, shape(2)))),
        "tensor_type": info(length(2, length(1, number(1, 1)) + length(1, shape(2)))),
        "shape": info(length(2, length(1, number(1, 1) + shape(2) + shape(3, 4)))),
        "another kind": info(length(2, length(1, number(1, 1) + shape(2)) + sequence)),
        "and back": info(length(2, length(1, shape(2)) + sequence + length(1, number(1, 7)))),
        "dim_value, dim_param": info(
            length(2, length(1, length(2, length(1, number(1, 5) + length(2, b"n")))))
        ),
        "t": attribute(length(5, one) + number(20, 4) + length(5, other)),
        "g": attribute(length(6, node) + number(20, 5) + length(6, node + name)),
        "sparse values": length(15, length(1, name + one) + length(1, other) + number(3, 9)),
        "an empty part": attribute(length(5, b"") + length(5, one + other) + number(20, 4)),
        "raw_data": tensor(length(9, b"first") + length(9, b"last")),
        "raw_data, large": tensor(length(9, b"f" * 3000) + length(9, b"l" * 2000)),
        "data_type": tensor(number(2, HIGH + 1)),
        "elem_type": info(length(2, length(1, number(1, HIGH + 7)))),
        "data_location": tensor(number(14, HIGH + 1)),
        "no data_location": tensor(number(14, 1) + number(14, 2)),
        "no attribute type": attribute(number(8, 3) + number(20, 7) + number(20, 99)),
        "attribute type": attribute(number(8, 3) + number(20, 2) + number(20, HIGH + 7)),
        "dims of another type": tensor(number(1, 3) + wire.tag(1, 1) + bytes(8)),
        "data of another type": tensor(number(9, 3) + wire.tag(4, 1) + bytes(8) + number(4, 1)),
        "packed and not": tensor(number(1, 3) + length(1, b"\x01\x02") + number(5, 1) + floats),
        "of two values": attribute(number(3, 5) + length(4, b"s") + number(20, 3)),
    }
    return cases[case]


IN_PARTS = (
    *("type", "tensor_type", "shape", "another kind", "and back", "t", "g"),
    *("sparse values", "an empty part"),
)
OTHERS = (
    *("dim_value, dim_param", "raw_data", "raw_data, large", "data_type", "elem_type"),
    *("data_location", "no data_location", "no attribute type", "attribute type"),
    *("dims of another type", "data of another type", "packed and not", "of two values"),
)


@pytest.mark.parametrize("case", IN_PARTS + OTHERS)
def test_it_is_read_as_protobuf_reads_it(case: str, wire: Any) -> None:
    data = wire.model(graph_of(case, wire))
    proto = decode(data)
    theirs = onnx_reading(onnx.load_from_string(data))
    assert difference(theirs, own_reading(proto, data)) == ""
    assert bool(proto.repeated_fields) is (case in IN_PARTS or case.startswith("raw_data"))


@pytest.mark.parametrize("case", IN_PARTS)
def test_a_large_file_with_messages_in_parts_is_refused(case: str, wire: Any) -> None:
    """They are joined in memory, where a file is read whole; the window keeps no data."""
    data = wire.model(wire.len(10, bytes(5000)) + graph_of(case, wire))
    with pytest.raises(LimitError, match="given in parts") as refused:
        decode(data, Limits(whole_file_nbytes=0, kept_payload_nbytes=16))
    assert refused.value.rule == "FMT007"


def test_graphs_and_training_in_parts(wire: Any) -> None:
    """Two graphs of a model are one, and so are two of a TrainingInfoProto."""
    graph = wire.len(1, wire.len(4, b"Relu")) + wire.len(2, b"first")
    more = wire.len(1, wire.len(4, b"Abs")) + graph_of("t", wire)
    training = wire.len(20, wire.len(1, graph) + wire.len(2, graph) + wire.len(1, more))
    data = wire.model(graph) + training + wire.len(7, more)
    proto = decode(data)
    theirs = onnx_reading(onnx.load_from_string(data))
    assert difference(theirs, own_reading(proto, data)) == ""
    assert [node.op_type for node in proto.graph.nodes] == ["Relu", "Abs", "Op"]
    fields = {(message, field) for message, field, _ in proto.repeated_fields}
    assert fields == {
        ("ModelProto", "graph"),
        ("TrainingInfoProto", "initialization"),
        ("AttributeProto", "t"),
    }


def test_offsets_lead_to_the_file(wire: Any) -> None:
    """What follows a message in parts is found where it stands, and so is the first part."""
    data = wire.model(graph_of("type", wire) + wire.len(5, wire.len(9, b"d" * 40)))
    tensor = decode(data).graph.initializers[0]
    assert data[tensor.offset :].startswith(wire.len(9, b"d" * 40))
    data = wire.model(graph_of("t", wire))
    (held,) = decode(data).graph.nodes[0].attributes[0].tensors
    assert data[held.offset :].startswith(wire.int(1, 600))
    assert (held.dims, held.data_fields[0].nbytes) == ((600,), 2400)


@pytest.mark.parametrize("pad", [4, 5])
def test_a_tag_takes_up_to_five_bytes(pad: int, wire: Any) -> None:
    tag = bytes([0x28 | 0x80]) + b"\x80" * (pad - 1) + b"\0"
    data = wire.model(b"") + tag + b"\x07"
    if pad == 4:
        assert decode(data).model_version == onnx.load_from_string(data).model_version == 7
        return
    with pytest.raises(DecodeError):
        onnx.load_from_string(data)
    with pytest.raises(DamagedError):
        decode(data)
