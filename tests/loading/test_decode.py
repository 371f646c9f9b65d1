"""decode: the records say what `onnx.load` says, and where in the file it stands."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto

from graphcount.errors import DamagedError, LimitError, NotOnnxError
from graphcount.loading import read_model
from graphcount.loading.decode_leaves import KEPT_NOTES
from graphcount.loading.model import Attribute, ModelProto, Tensor

Write = Callable[..., str]
Same = Callable[[ModelProto, onnx.ModelProto, bytes], int]


@pytest.fixture
def tensor(write: Write, wire: Any) -> Callable[[bytes], Tensor]:
    """Decode the bytes of a TensorProto, as the only initializer of a model."""

    def decode(content: bytes) -> Tensor:
        return read_model(write(wire.tensor(content))).proto.graph.initializers[0]

    return decode


@pytest.fixture
def attribute(write: Write, wire: Any) -> Callable[[bytes], tuple[Attribute, ModelProto]]:
    """Decode the bytes of an AttributeProto, as the only one of a node."""

    def decode(content: bytes) -> tuple[Attribute, ModelProto]:
        node = wire.len(4, b"Op") + wire.len(5, wire.len(1, b"a") + content)
        proto = read_model(write(wire.model(wire.len(1, node)))).proto
        return proto.graph.nodes[0].attributes[0], proto

    return decode


def test_every_message_equals_onnx(
    everything: onnx.ModelProto, write: Write, same_as_onnx: Same
) -> None:
    data = everything.SerializeToString()
    file = read_model(write(data))
    assert (file.format, file.file_nbytes) == ("onnx", len(data))
    assert same_as_onnx(file.proto, onnx.load_from_string(data), data) > 28 * 3
    assert file.proto.unknown_fields == ()
    assert file.proto.repeated_fields == ()
    assert file.proto.issues == ()


def test_offsets_identify_tensors(everything: onnx.ModelProto, write: Write) -> None:
    graph = read_model(write(everything.SerializeToString())).proto.graph
    offsets = [tensor.offset for tensor in graph.initializers]
    assert len(set(offsets)) == len(offsets) > 100


def test_shared_models_equal_onnx(shared_models: list[Path], same_as_onnx: Same) -> None:
    compared = 0
    for path in shared_models:
        data = path.read_bytes()
        if len(data) > 60_000:
            continue
        try:
            theirs = onnx.load_from_string(data)
            ours = read_model(str(path)).proto
        except Exception:  # text forms, broken on purpose: the corpus tests are about those
            continue
        if theirs.ByteSize() != len(data) or not theirs.HasField("graph"):
            continue
        try:
            compared += bool(same_as_onnx(ours, theirs, data) + 1)
        except AssertionError as error:
            raise AssertionError(f"{path}: {error}") from error
    assert compared > 300


# --------------------------------------------------------------------- repeated numbers, packing

DIMS = (2, -3, 2**40, 0)


@pytest.mark.parametrize("form", ["packed", "unpacked", "mixed", "two packed"])
def test_dims_are_read_packed_and_not(
    form: str, tensor: Callable[[bytes], Tensor], wire: Any
) -> None:
    pieces = [wire.varint(dim) for dim in DIMS]
    content = {
        "packed": wire.len(1, b"".join(pieces)),
        "unpacked": b"".join(wire.int(1, dim) for dim in DIMS),
        "mixed": wire.int(1, DIMS[0]) + wire.len(1, b"".join(pieces[1:])),
        "two packed": wire.len(1, b"".join(pieces[:2])) + wire.len(1, b"".join(pieces[2:])),
    }[form]
    assert tuple(TensorProto.FromString(content).dims) == DIMS
    assert tensor(content + wire.int(2, 1)).dims == DIMS


@pytest.mark.parametrize(
    ("number", "field", "pieces"),
    [
        (4, "float_data", [struct.pack("<f", 1.5), struct.pack("<f", -2.0)]),
        (10, "double_data", [struct.pack("<d", 1.5), struct.pack("<d", -2.0)]),
        (5, "int32_data", [b"\x05", b"\x80\x01", b"\xff" * 9 + b"\x01"]),
        (7, "int64_data", [b"\x05", b"\x80\x01", b"\xff" * 9 + b"\x01"]),
        (11, "uint64_data", [b"\x05", b"\xff" * 9 + b"\x01"]),
        (5, "int32_data", [b"\x85\x00", b"\x80\x80\x00"]),  # longer than they need be
    ],
)
def test_unpacked_payload_holds_the_packed_bytes(
    number: int, field: str, pieces: list[bytes], tensor: Callable[[bytes], Tensor], wire: Any
) -> None:
    wire_type = {"float_data": 5, "double_data": 1}.get(field, 0)
    unpacked = b"".join(wire.tag(number, wire_type) + piece for piece in pieces)
    packed = wire.len(number, b"".join(pieces))
    assert TensorProto.FromString(unpacked) == TensorProto.FromString(packed)
    (loose,), (tight,) = tensor(unpacked).data_fields, tensor(packed).data_fields
    assert (loose.field, tight.field) == (field, field)
    assert loose.data == tight.data == b"".join(pieces)
    assert loose.nbytes == tight.nbytes == len(b"".join(pieces))
    assert (loose.occurrences, tight.occurrences) == (len(pieces), 1)


def test_unpacked_payload_begins_at_its_first_number(
    write: Write, tensor: Callable[[bytes], Tensor], wire: Any
) -> None:
    content = wire.int(7, 300) + wire.int(7, 301)
    (payload,) = tensor(content).data_fields
    data = wire.tensor(content)
    assert data[payload.offset :].startswith(wire.varint(300))


def test_small_payload_is_kept_and_a_larger_one_is_not(
    tensor: Callable[[bytes], Tensor], wire: Any
) -> None:
    assert tensor(wire.len(9, bytes(1024))).data_fields[0].data == bytes(1024)
    assert tensor(wire.len(9, bytes(1025))).data_fields[0].data is None
    assert tensor(wire.len(4, bytes(600)) * 2).data_fields[0].data is None
    assert tensor(wire.len(4, bytes(600)) * 2).data_fields[0].nbytes == 1200


@pytest.mark.parametrize("form", ["packed", "unpacked"])
def test_attribute_lists_are_read_packed_and_not(
    form: str, attribute: Callable[[bytes], tuple[Attribute, ModelProto]], wire: Any
) -> None:
    ints, floats = [1, -1, 300], [0.5, -2.0]
    packed_floats = [struct.pack("<f", number) for number in floats]
    if form == "packed":
        int_bytes = wire.len(8, b"".join(map(wire.varint, ints)))
        float_bytes = wire.len(7, b"".join(packed_floats))
    else:
        int_bytes = b"".join(wire.int(8, number) for number in ints)
        float_bytes = b"".join(wire.tag(7, 5) + piece for piece in packed_floats)
    assert list(onnx.AttributeProto.FromString(int_bytes).ints) == ints
    found = attribute(int_bytes + wire.int(20, 7))[0].numbers
    assert found is not None
    assert (list(found.values), found.kind, found.is_list) == (ints, "int", True)
    assert found.nbytes == 1 + 10 + 2
    found = attribute(float_bytes + wire.int(20, 6))[0].numbers
    assert found is not None
    assert (list(found.values), found.kind, found.nbytes) == (floats, "float", 8)


@pytest.mark.parametrize("size", [1, 3, 5, 7])
def test_packed_floats_cut_in_a_number_are_damage(
    size: int, attribute: Callable[[bytes], tuple[Attribute, ModelProto]], wire: Any
) -> None:
    with pytest.raises(onnx_decode_error()):
        onnx.AttributeProto.FromString(wire.len(7, bytes(size)))
    with pytest.raises(DamagedError, match="packed floats"):
        attribute(wire.len(7, bytes(size)))


@pytest.mark.parametrize("number", [4, 10])
@pytest.mark.parametrize("size", [3, 7, 2001])
def test_packed_payload_of_no_whole_numbers_is_damage(
    number: int, size: int, wire: Any, write: Write
) -> None:
    data = wire.tensor(wire.int(1, 1) + wire.int(2, 1) + wire.len(number, bytes(size)))
    with pytest.raises(onnx_decode_error()):
        onnx.load_from_string(data)
    with pytest.raises(DamagedError, match=f"take {size:,} bytes") as caught:
        read_model(write(data))
    assert caught.value.rule == "FMT002"
    assert data[caught.value.offset or 0 :].startswith(bytes(size))


OVERLONG = b"\xff" * 10 + b"\x01"


@pytest.mark.parametrize("number", [5, 7, 11])
@pytest.mark.parametrize(
    ("pieces", "why"),
    [
        ([b"\x80"], "cut inside a varint"),
        ([b"\x01" * 2000 + b"\x80"], "cut inside a varint"),
        ([b"\x80", b"\x01"], "cut inside a varint"),  # the pieces together would be sound
        ([OVERLONG], "longer than 10 bytes"),
        ([b"\x01" * 1999 + OVERLONG + b"\x01" * 9], "longer than 10 bytes"),
        ([b"\x80" * 5000], "longer than 10 bytes"),
        ([b"\xff" * 9 + b"\x01"], ""),
        ([b"\x01" * 3000 + b"\xff" * 9 + b"\x7f", b"", b"\x80\x01"], ""),
    ],
)
def test_packed_payload_is_damaged_where_protobuf_says_so(
    number: int, pieces: list[bytes], why: str, wire: Any, write: Write
) -> None:
    content = b"".join(wire.len(number, piece) for piece in pieces)
    data = wire.tensor(wire.int(1, 1) + wire.int(2, 7) + content)
    if why:
        with pytest.raises(onnx_decode_error()):
            onnx.load_from_string(data)
        with pytest.raises(DamagedError, match=why) as caught:
            read_model(write(data))
        assert caught.value.rule == "FMT002"
        assert caught.value.offset is not None
        assert data[caught.value.offset] >= 0x80
    else:
        onnx.load_from_string(data)
        read_model(write(data))


def onnx_decode_error() -> type[Exception]:
    from google.protobuf.message import DecodeError

    return DecodeError  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("kind", "value"),
    [("FLOAT", 0.0), ("INT", 0), ("STRING", b""), ("FLOATS", []), ("INTS", []), ("STRINGS", [])],
)
def test_value_left_out_by_a_proto3_writer_is_its_default(
    kind: str,
    value: object,
    attribute: Callable[[bytes], tuple[Attribute, ModelProto]],
    wire: Any,
) -> None:
    code = onnx.AttributeProto.AttributeType.Value(kind)
    content = wire.int(20, code)
    assert onnx.helper.get_attribute_value(onnx.AttributeProto.FromString(content)) == value
    found = attribute(content)[0].numbers
    assert found is not None
    assert list(found.values) == (value if isinstance(value, list) else [value])
    assert found.is_list == isinstance(value, list)
    assert attribute(content + wire.len(21, b"outer"))[0].numbers is None


# ----------------------------------------------------------------- what protobuf readers differ in


def test_fields_in_reverse_order_read_the_same(wire: Any, write: Write) -> None:
    dims, kind, name, raw = wire.int(1, 2), wire.int(2, 1), wire.len(8, b"w"), wire.len(9, bytes(8))
    graph = wire.len(5, raw + name + kind + dims)
    data = wire.len(8, wire.int(2, 20)) + wire.len(7, graph) + wire.int(1, 8)
    proto = read_model(write(data)).proto
    found = proto.graph.initializers[0]
    assert (found.name, found.dims, found.data_type) == ("w", (2,), 1)
    assert (proto.ir_version, proto.opset()) == (8, 20)
    assert data[found.data_fields[0].offset :][:8] == bytes(8)
    assert data[found.offset :].startswith(raw + name)


def test_scalar_fields_keep_the_last_value(tensor: Callable[[bytes], Tensor], wire: Any) -> None:
    content = wire.int(2, 1) + wire.int(2, 7) + wire.len(8, b"a") + wire.len(8, b"b")
    theirs = TensorProto.FromString(content)
    found = tensor(content)
    assert (found.data_type, found.name) == (theirs.data_type, theirs.name) == (7, "b")


def test_second_graph_is_merged_and_said(wire: Any, write: Write) -> None:
    one = wire.len(2, b"first") + wire.len(1, wire.len(4, b"Relu"))
    two = wire.len(1, wire.len(4, b"Abs"))
    data = wire.model(one) + wire.len(7, two)
    theirs = onnx.load_from_string(data).graph
    proto = read_model(write(data)).proto
    assert [node.op_type for node in proto.graph.nodes] == [n.op_type for n in theirs.node]
    assert proto.graph.name == theirs.name == "first"
    assert [(m, f) for m, f, _ in proto.repeated_fields] == [("ModelProto", "graph")]
    assert any(issue.what == "graph" for issue in proto.issues)


def test_second_raw_data_is_said(wire: Any, write: Write) -> None:
    content = wire.len(9, b"abcd") + wire.len(9, b"efgh")
    data = wire.tensor(content)
    proto = read_model(write(data)).proto
    ((message, field, offset),) = proto.repeated_fields
    assert (message, field) == ("TensorProto", "raw_data")
    assert data[offset:].startswith(b"efgh")
    assert len(proto.issues) == 1


@pytest.mark.parametrize(("number", "field"), [(1, "values"), (2, "indices")])
def test_second_part_of_a_sparse_tensor_is_said(
    number: int, field: str, wire: Any, write: Write
) -> None:
    part = wire.len(number, wire.int(2, 1))
    proto = read_model(write(wire.model(wire.len(15, part + part)))).proto
    assert [(m, f) for m, f, _ in proto.repeated_fields] == [("SparseTensorProto", field)]
    assert len(proto.issues) == 1
    assert read_model(write(wire.model(wire.len(15, part)))).proto.issues == ()


@pytest.mark.parametrize(
    "content",
    [
        "f + ints",
        "i + floats",
        "tensor + ints",
        "ints as a float",
        "tensors as one tensor",
    ],
)
def test_attribute_with_values_beside_its_type_is_an_issue(
    content: str, attribute: Callable[[bytes], tuple[Attribute, ModelProto]], wire: Any
) -> None:
    made = {
        "f + ints": wire.tag(2, 5) + bytes(4) + wire.int(8, 3) + wire.int(20, 1),
        "i + floats": wire.int(3, 1) + wire.len(7, bytes(4)) + wire.int(20, 2),
        "tensor + ints": wire.len(5, wire.int(2, 1)) + wire.int(8, 3) + wire.int(20, 4),
        "ints as a float": wire.int(8, 3) + wire.int(20, 1),
        "tensors as one tensor": wire.len(10, wire.int(2, 1)) + wire.int(20, 4),
    }[content]
    issues = attribute(made)[1].issues
    assert [(issue.where, issue.what) for issue in issues] == [("a", "attribute")]


def test_unknown_fields_are_listed_with_place_and_size(wire: Any, write: Write) -> None:
    inside = wire.len(99, b"hidden") + wire.int(98, 300) + wire.tag(97, 5) + b"four"
    data = wire.model(wire.len(5, inside), after=wire.len(77, b"tail"))
    proto = read_model(write(data)).proto
    found = [(field.message, field.number, field.wire_type) for field in proto.unknown_fields]
    expected = [("TensorProto", 99, 2), ("TensorProto", 98, 0), ("TensorProto", 97, 5)]
    assert found == [*expected, ("ModelProto", 77, 2)]
    contents = [data[field.offset :][: field.nbytes] for field in proto.unknown_fields]
    assert contents == [b"hidden", b"", b"four", b"tail"]


def test_known_field_with_another_wire_type_is_unknown(wire: Any, write: Write) -> None:
    data = wire.model(wire.tag(5, 1) + bytes(8))
    assert len(onnx.load_from_string(data).graph.initializer) == 0
    proto = read_model(write(data)).proto
    assert proto.graph.initializers == ()
    found = proto.unknown_fields[0]
    assert (found.message, found.number, found.wire_type, found.nbytes) == ("GraphProto", 5, 1, 8)


def test_flood_of_oddities_is_counted_not_kept(wire: Any, write: Write) -> None:
    extra = 234
    unknown = wire.int(99, 1) * (KEPT_NOTES + extra)
    names = b"".join(wire.len(1, wire.len(3, b"\xff")) for _ in range(KEPT_NOTES + extra))
    proto = read_model(write(wire.model(unknown + names))).proto
    assert len(proto.unknown_fields) == KEPT_NOTES
    assert len(proto.issues) == KEPT_NOTES + 2
    assert [issue.what for issue in proto.issues[-2:]] == ["issue", "unknown field"]
    assert all(str(extra) in issue.why for issue in proto.issues[-2:])


# -------------------------------------------------------------------------------------- not UTF-8

BAD = b"caf\xe9"
SHOWN = "caf\\xe9"


def test_name_that_is_not_utf8_is_shown_escaped_and_said(wire: Any, write: Write) -> None:
    node = wire.len(1, BAD) + wire.len(2, BAD) + wire.len(3, BAD) + wire.len(4, BAD)
    tensor = wire.len(8, BAD) + wire.int(2, 1) + wire.len(13, wire.len(1, BAD) + wire.len(2, BAD))
    value = wire.len(1, BAD)
    graph = wire.len(2, BAD) + wire.len(1, node) + wire.len(5, tensor) + wire.len(11, value)
    meta = wire.len(14, wire.len(1, BAD) + wire.len(2, BAD))
    proto = read_model(write(wire.model(graph, after=wire.len(2, BAD) + meta))).proto
    found = proto.graph.nodes[0]
    assert (*found.inputs, *found.outputs, found.name, found.op_type) == (SHOWN,) * 4
    assert proto.graph.initializers[0].name == proto.graph.inputs[0].name == SHOWN
    assert proto.graph.initializers[0].external == ((SHOWN, SHOWN),)
    assert (proto.graph.name, proto.producer_name, proto.metadata) == (SHOWN, SHOWN, {SHOWN: SHOWN})
    assert {issue[:3] for issue in proto.issues} == {(SHOWN, "name", "text is not UTF-8")}
    assert len(proto.issues) == 4 + 3 + 1 + 1 + 1 + 2


@pytest.mark.parametrize("raw", [b"\xed\xa0\x80", b"\xc0\xaf", b"\xf8\x88\x80\x80\x80", b"a\x80"])
def test_surrogates_and_overlong_forms_are_not_utf8(raw: bytes, wire: Any, write: Write) -> None:
    proto = read_model(write(wire.model(wire.len(2, raw)))).proto
    assert len(proto.issues) == 1
    assert proto.graph.name.encode()  # no lone surrogate: it can be printed


def test_string_attribute_keeps_its_bytes(
    attribute: Callable[[bytes], tuple[Attribute, ModelProto]], wire: Any
) -> None:
    found, proto = attribute(wire.len(4, BAD) + wire.int(20, 3))
    assert found.numbers is not None
    assert found.numbers.values == (BAD,)
    assert proto.issues == ()
    assert proto.graph.nodes[0].text("a") == SHOWN


# ------------------------------------------------------------------------------------- damage


@pytest.mark.parametrize(
    ("tail", "message"),
    [
        (b"\x3a\x7f", "claims 127 bytes"),
        (b"\x3a\xff\xff\xff\xff\x7f", f"claims {2**35 - 1} bytes"),
        (b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x3f", "longer than 5 bytes"),
        (b"\x3a" + b"\x80" * 9 + b"\x40", "longer than 5 bytes"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "longer than 10 bytes"),
        (b"\x08\x80", "cut inside a varint"),
        (b"\x02\x00", "field number 0"),
        (b"\x00\x00", "field number 0"),
        (b"\x01" + bytes(8), "field number 0"),
        (b"\x05" + bytes(4), "field number 0"),
        (b"\x80\x00\x00", "field number 0"),
        (b"\x0b", "wire type 3"),
        (b"\x0c", "wire type 4"),
        (b"\x0e", "wire type 6"),
        (b"\x0f", "wire type 7"),
        (b"\xfd\xff\xff\xff\x7f" + bytes(4), "does not exist"),
        (b"\x0d\x00\x00\x00", "claims 4 bytes but 3"),
        (b"\x09\x00\x00\x00", "claims 8 bytes but 3"),
    ],
)
def test_broken_wire_is_damaged_with_the_byte(
    tail: bytes, message: str, wire: Any, write: Write
) -> None:
    sound = wire.model(wire.len(2, b"g"))
    if tail[0] not in (0x0B,):  # protobuf skips groups; ONNX has none
        with pytest.raises(onnx_decode_error()):
            onnx.load_from_string(sound + tail)
    with pytest.raises(DamagedError, match=message) as caught:
        read_model(write(sound + tail))
    assert caught.value.offset is not None
    assert len(sound) <= caught.value.offset < len(sound) + len(tail)


def test_damage_inside_a_graph_is_placed_in_the_file(wire: Any, write: Write) -> None:
    inner = wire.len(2, b"name")
    data = wire.model(inner + b"\x0a\x7f", after=b"\x1a\x00")
    with pytest.raises(DamagedError) as caught:
        read_model(write(data))
    assert caught.value.offset == data.index(inner) + len(inner)


def test_protobuf_without_a_graph_is_not_onnx(wire: Any, write: Write) -> None:
    with pytest.raises(NotOnnxError, match="without a graph"):
        read_model(write(wire.int(1, 8) + wire.len(8, wire.int(2, 20))))


# -------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize("levels", [34, 100, 1000, 100_000])
def test_deep_subgraphs_are_a_limit_error(levels: int, wire: Any, write: Write) -> None:
    with pytest.raises(LimitError, match="nested deeper than 100"):
        read_model(write(wire.model(nested(levels, wire))))


def test_thirty_two_subgraphs_are_read(wire: Any, write: Write) -> None:
    data = wire.model(nested(32, wire))
    onnx.load_from_string(data)
    graph, depth = read_model(write(data)).proto.graph, 0
    while graph.nodes:
        graph, depth = graph.nodes[0].attributes[0].graphs[0], depth + 1
    assert depth == 32


def deep_type(optionals: int, wire: Any, shaped: bool) -> bytes:
    """Optional of optional of … tensor: each is two messages, the tensor one, its shape two."""
    shape = wire.len(2, wire.len(1, wire.int(1, 3))) if shaped else b""
    type_ = wire.len(1, wire.int(1, 1) + shape)
    for _ in range(optionals):
        type_ = wire.len(9, wire.len(1, type_))
    return bytes(type_)


@pytest.mark.parametrize("shaped", [False, True])
@pytest.mark.parametrize("place", ["input", "tp", "type_protos", "function", "subgraph"])
def test_types_are_as_deep_as_protobuf_reads_them(
    place: str, shaped: bool, wire: Any, write: Write
) -> None:
    """Model, graph, value, type are 3 deep: with 48 optionals and the tensor, 100."""
    verdicts = set()
    for optionals in (1, 40, 45, 46, 47, 48, 49, 50, 400, 20_000):
        type_ = deep_type(optionals, wire, shaped)
        value = wire.len(1, b"v") + wire.len(2, type_)
        attribute = {"tp": wire.len(14, type_), "type_protos": wire.len(15, type_)}.get(place, b"")
        if place == "subgraph":
            attribute = wire.len(6, wire.len(11, value))
        node = wire.len(1, wire.len(5, wire.len(1, b"a") + attribute)) if attribute else b""
        function = wire.len(25, wire.len(12, value)) if place == "function" else b""
        data = wire.model(wire.len(11, value) if place == "input" else node, after=function)
        assert len(data) < 1 << 20
        path = write(data)
        accepted = True
        try:
            onnx.load_from_string(data)
        except onnx_decode_error():
            accepted = False
        if accepted:
            read_model(path)
        else:
            with pytest.raises(LimitError, match="nested deeper than 100") as caught:
                read_model(path)
            assert caught.value.rule == "FMT003"
        verdicts.add(accepted)
    assert verdicts == {True, False}


def test_damage_deep_in_a_type_is_damage(wire: Any, write: Write) -> None:
    type_ = wire.len(9, wire.len(1, wire.len(9, b"\x0a\x7f")))
    data = wire.model(wire.len(11, wire.len(1, b"v") + wire.len(2, type_)))
    with pytest.raises(onnx_decode_error()):
        onnx.load_from_string(data)
    with pytest.raises(DamagedError):
        read_model(write(data))


def test_subgraphs_beside_one_another_are_not_deep(wire: Any, write: Write) -> None:
    node = wire.len(1, wire.len(5, wire.len(6, wire.len(2, b"body"))))
    graph = read_model(write(wire.model(node * 200))).proto.graph
    assert [node.attributes[0].graphs[0].name for node in graph.nodes] == ["body"] * 200


def nested(levels: int, wire: Any) -> bytes:
    """A graph with that many subgraphs in one another; sizes are computed from the inside."""
    heads: list[bytes] = []
    size = 0
    for _ in range(levels):
        for number in (6, 5, 1):  # g of an attribute, attribute of a node, node of a graph
            head = wire.tag(number, 2) + wire.varint(size)
            heads.append(head)
            size += len(head)
    return b"".join(reversed(heads))


@pytest.mark.parametrize("place", ["tensor", "sparse", "shape"])
@pytest.mark.parametrize(("rank", "accepted"), [(64, True), (65, False), (100_000, False)])
def test_rank_is_limited(place: str, rank: int, accepted: bool, wire: Any, write: Write) -> None:
    dims = wire.varint(2**62) * rank
    data = {
        "tensor": wire.len(5, wire.len(1, dims) + wire.int(2, 1)),
        "sparse": wire.len(15, wire.len(3, dims)),
        "shape": wire.len(
            11, wire.len(2, wire.len(1, wire.len(2, wire.len(1, wire.int(1, 4)) * rank)))
        ),
    }[place]
    if accepted:
        read_model(write(wire.model(data)))
    else:
        with pytest.raises(LimitError, match="64"):
            read_model(write(wire.model(data)))
