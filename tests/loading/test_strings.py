"""strings: every string with its place, compared with protobuf's own descriptors and values."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import onnx
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from graphcount.loading import read_source, thin_source
from graphcount.loading.limits import DEFAULT_LIMITS, Limits
from graphcount.loading.messages import ENUMS, MESSAGES
from graphcount.loading.source import BytesSource
from graphcount.loading.strings import KEPT, Strings, walk

LEGACY = {("FunctionProto", 2), ("FunctionProto", 3)}
WINDOW = Limits(whole_file_nbytes=0, window_nbytes=64, kept_payload_nbytes=16)


def messages(top: Descriptor) -> dict[str, Descriptor]:
    """All messages below one, by name without the package."""
    found: dict[str, Descriptor] = {}
    todo = [top]
    while todo:
        message = todo.pop()
        name = message.full_name.removeprefix("onnx.")
        if name not in found:
            found[name] = message
            todo += [field.message_type for field in message.fields if field.message_type]
    return found


def test_the_table_is_onnx_proto() -> None:
    """Number, name, type and repetition of every field of every message, one oneof in each."""
    theirs = messages(onnx.ModelProto.DESCRIPTOR)
    assert set(MESSAGES) == set(theirs)
    kinds = {
        FieldDescriptor.TYPE_STRING: "string",
        FieldDescriptor.TYPE_BYTES: "bytes",
        FieldDescriptor.TYPE_FLOAT: "float",
        FieldDescriptor.TYPE_DOUBLE: "double",
        FieldDescriptor.TYPE_INT32: "int32",
        FieldDescriptor.TYPE_INT64: "int64",
        FieldDescriptor.TYPE_UINT64: "uint64",
    }
    for name, message in theirs.items():
        ours = {n: (f.name, f.type, f.many, f.oneof) for n, f in MESSAGES[name].items()}
        expected = {}
        for field in message.fields:
            kind = kinds.get(field.type, "")
            if field.message_type or field.enum_type:
                kind = (field.message_type or field.enum_type).full_name.removeprefix("onnx.")
            if field.enum_type:
                numbers = [value.number for value in field.enum_type.values]
                assert sorted(numbers) == list(range(ENUMS[kind]))
            oneof = "value" if field.containing_oneof else ""
            expected[field.number] = (field.name, kind, field.is_repeated, oneof)
        for number in set(ours) - set(expected):
            assert (name, number) in LEGACY
            del ours[number]
        assert ours == expected


def test_every_string_field_is_for_something() -> None:
    for message in MESSAGES.values():
        for field in message.values():
            is_text = field.type in ("string", "bytes") and field.name != "raw_data"
            assert bool(field.text) == is_text


def strings_of(message: Any, path: str = "") -> Iterator[tuple[str, bytes]]:
    """(path without names, value) of every string below a message, by reflection."""
    for field, value in message.ListFields():
        many = field.is_repeated
        for index, item in enumerate(value if many else [value]):
            here = f"{path}/{field.name}[{index}]" if many else f"{path}/{field.name}"
            if field.message_type:
                yield from strings_of(item, here)
            elif field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
                raw = item.encode() if isinstance(item, str) else item
                if field.name != "raw_data" and raw:
                    yield here.removeprefix("/"), raw


def without_names(path: str) -> str:
    """The path without the quoted names behind its steps."""
    out, inside = [], False
    for character in path:
        inside ^= character == '"'
        if not inside and character != '"':
            out.append(character)
    return "".join(out)


def walked(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Strings:
    return walk(thin_source(BytesSource(data, "memory"), limits), limits)


@pytest.mark.parametrize("limits", [DEFAULT_LIMITS, WINDOW], ids=["whole", "window"])
def test_every_string_is_found_at_its_place(everything: onnx.ModelProto, limits: Limits) -> None:
    data = everything.SerializeToString()
    strings = walked(data, limits)
    found = {(without_names(strings.path(text.at)), text.raw) for text in strings}
    assert found == set(strings_of(everything))
    for text in strings:
        offset = strings.offset(text.at)
        assert data[offset : offset + len(text.raw)] == text.raw
        assert strings.raw(text.at) == text.raw
    assert (strings.unknown, strings.repeated, strings.broken) == ([], [], [])


def test_paths_name_what_has_a_name(wire: Any) -> None:
    node = wire.len(3, b"conv") + wire.len(5, wire.len(1, b"value") + wire.len(4, b"text"))
    strings = walked(wire.model(wire.len(2, b"g") + wire.len(1, b"") + wire.len(1, node)))
    paths = {text.raw: strings.path(text.at) for text in strings}
    assert paths[b"text"] == 'graph"g"/node[1]"conv"/attribute[0]"value"/s'
    assert paths[b"conv"] == 'graph"g"/node[1]"conv"/name'


@pytest.mark.parametrize("limits", [DEFAULT_LIMITS, WINDOW], ids=["whole", "window"])
def test_many_places_are_found_in_linear_work(limits: Limits, wire: Any) -> None:
    count = 20_000
    tensor = wire.len(9, bytes(32)) + wire.len(8, b"w")
    source = BytesSource(wire.model(wire.len(5, tensor) * count), "model.onnx")
    strings = walk(thin_source(source, limits), limits)
    tensors = read_source(source, limits).proto.graph.initializers
    start = time.process_time()
    for index, found in enumerate(tensors):
        frame = strings.frames_at([found.offset])[found.offset]
        assert strings.frame_path(frame) == f'graph/initializer[{index}]"w"'
    assert time.process_time() - start < 3
    assert strings.frames_at([tensors[0].offset + 1]) == {}


def test_credentials_do_not_reach_a_path(wire: Any) -> None:
    secret = b"AKIA" + b"A1B2C3D4E5F6G7H8"
    node = wire.len(3, b"x" * 70 + b" " + secret) + wire.len(4, b"Relu")
    strings = walked(wire.model(wire.len(1, node)))
    assert secret[:8].decode() not in strings.path(len(strings) - 1)


def test_unknown_repeated_and_broken_fields(wire: Any) -> None:
    graph = wire.len(2, b"a") + wire.len(2, b"b") + wire.len(14, b"\x0a\x05x") + wire.int(77, 5)
    data = wire.model(graph, after=wire.len(1000, b"payload"))
    strings = walked(data)
    assert [(strings.message(o.frame), o.number) for o in strings.unknown] == [
        ("GraphProto", 77),
        ("ModelProto", 1000),
    ]
    assert (strings.unknown_count, strings.unknown_nbytes) == (2, 7)
    last = strings.unknown[-1]
    assert data[last.offset : last.offset + last.nbytes] == b"payload"
    assert [(o.number, data[o.offset : o.offset + 1]) for o in strings.repeated] == [(2, b"b")]
    (broken,) = strings.broken
    assert strings.frame_path(broken.frame) == 'graph"a"/quantization_annotation[0]'
    assert b"b" in [text.raw for text in strings]


def test_a_flood_is_counted_and_not_kept(wire: Any) -> None:
    strings = walked(wire.model(wire.int(77, 1) * 5000 + wire.len(2, b"n") * 3000))
    assert (len(strings.unknown), strings.unknown_count) == (KEPT, 5000)
    assert len(strings.repeated) == KEPT


def test_depth_is_bounded(wire: Any) -> None:
    type_ = wire.len(1, b"")
    for _ in range(2000):
        type_ = wire.len(4, wire.len(1, type_))
    strings = walked(wire.model(wire.len(13, wire.len(2, type_))))
    (broken,) = strings.broken
    assert broken.rule == "FMT003"


def test_what_was_left_out_is_told(wire: Any) -> None:
    limits = Limits(whole_file_nbytes=0, text_nbytes=1000)
    data = wire.model(wire.len(10, b"d" * 5000), after=wire.len(1000, b"u" * 6000))
    strings = walked(data, limits)
    assert [(cut.message, cut.number, cut.nbytes) for cut in strings.left_out] == [
        ("GraphProto", 10, 5000)
    ]
    (odd,) = strings.unknown
    assert (odd.number, odd.nbytes, odd.at) == (1000, 6000, -1)
    assert data[odd.offset : odd.offset + 6000] == b"u" * 6000


def test_the_bytes_are_kept_only_when_asked_for(everything: onnx.ModelProto) -> None:
    source = BytesSource(everything.SerializeToString(), "memory")
    assert read_source(source).thin is None
    kept = read_source(source, keep_thin=True).thin
    assert kept is not None
    assert kept.data == source.read(0, source.nbytes)
