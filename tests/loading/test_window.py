"""The walk over a large file through a small window: same records, few bytes, little memory."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from graphcount.errors import DamagedError, GraphcountError, LimitError
from graphcount.loading import open_source, read_model, read_source, thin_source
from graphcount.loading.limits import DEFAULT_LIMITS, Limits
from graphcount.loading.messages import DATA_FIELDS
from graphcount.loading.model import ModelProto
from graphcount.loading.source import BytesSource
from graphcount.loading.wire import Thin

Write = Callable[..., str]
WINDOWS = (64, 100, 333, 1024, 4096, 32768)


def windowed(window_nbytes: int, **changes: Any) -> Limits:
    return Limits(whole_file_nbytes=0, window_nbytes=window_nbytes, **changes)


def decode(data: bytes, limits: Limits) -> ModelProto:
    return read_source(BytesSource(data, "memory"), limits).proto


class Counting:
    """A source that remembers what was read of it."""

    def __init__(self, path: str) -> None:
        self.source = open_source(path)
        self.path = path
        self.nbytes = self.source.nbytes
        self.bytes_read = self.largest = 0

    def read(self, offset: int, nbytes: int) -> bytes:
        self.bytes_read += nbytes
        self.largest = max(self.largest, nbytes)
        return self.source.read(offset, nbytes)

    def close(self) -> None:
        self.source.close()


# -------------------------------------------------------------------------------- same records


@pytest.mark.parametrize("window_nbytes", WINDOWS)
@pytest.mark.parametrize("kept", [0, 1, 127, 128, 1024])
def test_window_and_whole_file_give_equal_records(
    window_nbytes: int, kept: int, everything: onnx.ModelProto
) -> None:
    data = everything.SerializeToString()
    whole = decode(data, Limits(kept_payload_nbytes=kept))
    assert decode(data, windowed(window_nbytes, kept_payload_nbytes=kept)) == whole


@pytest.mark.parametrize("window_nbytes", [64, 4096])
def test_window_and_whole_file_give_equal_records_of_shared_models(
    window_nbytes: int, shared_models: list[Path]
) -> None:
    compared = 0
    for path in shared_models:
        data = path.read_bytes()
        if len(data) > 40_000:
            continue
        try:
            whole = decode(data, DEFAULT_LIMITS)
        except GraphcountError:
            continue
        assert decode(data, windowed(window_nbytes)) == whole, path
        compared += 1
    assert compared > 250


LARGE = bytes(range(256)) * 8
ORDERS = {
    "payload last": ("dims", "kind", "name", "raw"),
    "payload first": ("raw", "dims", "kind", "name"),
    "payload in the middle": ("dims", "raw", "kind", "name"),
    "payload alone": ("raw",),
    "two payloads": ("floats", "dims", "raw", "kind"),
    "payload given twice, small first": ("small", "raw", "dims"),
    "payload given twice, small last": ("raw", "small", "dims"),
    "payload given twice, both large": ("raw", "raw", "dims"),
    "typed payload in pieces": ("floats", "few", "floats", "few"),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("window_nbytes", [64, 333, 4096])
def test_place_of_the_payload_in_its_tensor_does_not_matter(
    order: str, window_nbytes: int, wire: Any
) -> None:
    pieces = {
        "dims": wire.len(1, wire.varint(512)),
        "kind": wire.int(2, 1),
        "name": wire.len(8, b"weight"),
        "raw": wire.len(9, LARGE),
        "small": wire.len(9, b"few bytes"),
        "floats": wire.len(4, LARGE),
        "few": wire.len(4, b"few "),
    }
    tensor = b"".join(pieces[name] for name in ORDERS[order])
    node = wire.len(4, b"Op") + wire.len(5, wire.len(5, tensor) + wire.len(1, b"value"))
    graph = (
        wire.len(5, tensor) * 2
        + wire.len(1, node)
        + wire.len(15, wire.len(1, tensor) + wire.len(2, tensor))
    )
    data = wire.model(graph)
    whole = decode(data, DEFAULT_LIMITS)
    assert decode(data, windowed(window_nbytes)) == whole
    for found in (*whole.graph.initializers, whole.graph.nodes[0].attributes[0].tensors[0]):
        assert data[found.offset :].startswith(tensor)


def test_field_at_a_window_border_is_read(wire: Any) -> None:
    for filler in range(120, 150):
        graph = wire.len(2, bytes(filler)) + wire.len(5, wire.len(9, LARGE) + wire.len(8, b"w"))
        data = wire.model(graph)
        assert decode(data, windowed(64)) == decode(data, DEFAULT_LIMITS)


def test_doc_string_beyond_the_limit_is_skipped_without_a_word(wire: Any) -> None:
    data = wire.model(wire.len(10, bytes(5000)) + wire.len(2, b"name"))
    proto = decode(data, windowed(64, text_nbytes=2000))
    assert (proto.graph.name, proto.issues) == ("name", ())


def test_other_text_beyond_the_limit_is_said(wire: Any) -> None:
    data = wire.model(wire.len(2, b"n" * 5000))
    proto = decode(data, windowed(64, text_nbytes=2000))
    assert [issue.where for issue in proto.issues] == ["GraphProto field 2"]
    assert str(data.index(b"n" * 5000)) in proto.issues[0].why
    assert "5,000" in proto.issues[0].why


# ----------------------------------------------------------------------------------- thin bytes


def thin_of(data: bytes, limits: Limits) -> Thin:
    return thin_source(BytesSource(data, "memory"), limits)


@pytest.mark.parametrize("window_nbytes", WINDOWS)
def test_thin_bytes_are_the_model_without_large_payload(
    window_nbytes: int, everything: onnx.ModelProto
) -> None:
    data = everything.SerializeToString()
    thin = thin_of(data, windowed(window_nbytes))
    found = onnx.load_from_string(thin.data)
    expected = onnx.ModelProto()
    expected.CopyFrom(everything)
    cleared = clear_payloads(expected, 1024)
    assert found == expected
    assert len(thin.cuts) == cleared > 40
    for cut in thin.cuts:
        assert cut.message == "TensorProto"
        assert cut.nbytes > 1024
    originals = {payload for tensor in tensors(everything) for payload in raw_payloads(tensor)}
    assert originals <= {data[cut.offset : cut.offset + cut.nbytes] for cut in thin.cuts}


def tensors(message: Any) -> list[onnx.TensorProto]:
    """Every TensorProto below a message."""
    if isinstance(message, onnx.TensorProto):
        return [message]
    found = []
    for field, value in message.ListFields():
        if field.message_type is not None:
            for child in [value] if hasattr(value, "ListFields") else value:
                found += tensors(child)
    return found


def clear_payloads(message: Any, small: int) -> int:
    """Clear payload fields above a size; return how many."""
    cleared = 0
    for tensor in tensors(message):
        for name in DATA_FIELDS.values():
            if name == "string_data" or not len(getattr(tensor, name)):
                continue
            alone = onnx.TensorProto()
            value = getattr(tensor, name)
            if name == "raw_data":
                size = len(value)
            else:
                getattr(alone, name).extend(value)
                size = len(alone.SerializeToString()) - (2 if alone.ByteSize() < 130 else 3)
            if size > small:
                tensor.ClearField(name)
                cleared += 1
    return cleared


def raw_payloads(tensor: onnx.TensorProto) -> list[bytes]:
    return [tensor.raw_data] if len(tensor.raw_data) > 1024 else []


def test_every_kept_byte_keeps_its_place(everything: onnx.ModelProto, wire: Any) -> None:
    data = everything.SerializeToString()
    thin = thin_of(data, windowed(256))
    for tensor in everything.graph.initializer:
        name = wire.len(8, tensor.name.encode())
        assert thin.data.count(name) == data.count(name) == 1
        # of the field's tag the place is that of the piece; its content has one meaning only
        assert thin.origin(thin.data.index(name) + 2) == data.index(name) + 2


# -------------------------------------------------------------------------------- large files


def sparse_file(path: Path, wire: Any, sizes: list[int]) -> tuple[str, list[int]]:
    """A model whose float initializers have these payload sizes, all of them holes in the file."""
    heads = []
    for index, size in enumerate(sizes):
        inner = wire.len(1, wire.varint(size // 4)) + wire.int(2, 1) + wire.len(8, b"w%d" % index)
        inner += wire.tag(9, 2) + wire.varint(size)
        heads.append(wire.tag(5, 2) + wire.varint(len(inner) + size) + inner)
    node = wire.len(1, wire.len(1, b"w0") + wire.len(2, b"y") + wire.len(4, b"Relu"))
    graph_nbytes = sum(map(len, heads)) + sum(sizes) + len(node)
    offsets = []
    with path.open("wb") as file:
        file.write(wire.int(1, 8) + wire.tag(7, 2) + wire.varint(graph_nbytes))
        for head, size in zip(heads, sizes, strict=True):
            file.write(head)
            offsets.append(file.tell())
            file.seek(size, os.SEEK_CUR)
        file.write(node + wire.len(8, wire.int(2, 20)))
    return str(path), offsets


@pytest.mark.parametrize(
    "sizes",
    [[3 * 2**30], [2**30] * 5, [2**31 - 4, 4, 2**31], [2**20] * 300, [0, 2**33]],
    ids=["3 GiB", "5 of 1 GiB", "2 GiB borders", "300 of 1 MiB", "8 GiB"],
)
def test_large_file_is_read_with_few_bytes_and_little_memory(
    sizes: list[int], tmp_path: Path, wire: Any
) -> None:
    path, offsets = sparse_file(tmp_path / "large.onnx", wire, sizes)
    source = Counting(path)
    tracemalloc.start()
    try:
        proto = read_source(source).proto
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        source.close()
    places = [(p.offset, p.nbytes) for t in proto.graph.initializers for p in t.data_fields]
    assert places == list(zip(offsets, sizes, strict=True))
    assert [tensor.dims for tensor in proto.graph.initializers] == [(size // 4,) for size in sizes]
    assert [node.op_type for node in proto.graph.nodes] == ["Relu"]
    assert proto.issues == ()
    assert proto.opset() == 20
    assert source.bytes_read <= 4096 + (len(sizes) + 2) * 2 * DEFAULT_LIMITS.window_nbytes
    assert peak < 20 * 2**20


def test_file_of_whole_file_size_is_read_at_once_and_a_larger_one_is_not(
    tmp_path: Path, wire: Any
) -> None:
    path, _ = sparse_file(tmp_path / "model.onnx", wire, [100_000])
    size = os.path.getsize(path)
    for limit, largest in ((size, size), (size - 1, DEFAULT_LIMITS.window_nbytes)):
        source = Counting(path)
        read_source(source, replace(DEFAULT_LIMITS, whole_file_nbytes=limit))
        source.close()
        assert source.largest == largest


def test_cut_large_file_is_damaged(tmp_path: Path, wire: Any) -> None:
    path, offsets = sparse_file(tmp_path / "large.onnx", wire, [3 * 2**30])
    os.truncate(path, 2 * 2**30)
    with pytest.raises(DamagedError, match="claims") as caught:
        read_model(path)
    assert caught.value.offset is not None
    assert caught.value.offset < offsets[0]


# ------------------------------------------------------------------------------- damage and limits


@pytest.mark.parametrize(
    "tail",
    [
        b"\x3a\x7f",
        b"\x3a\xff\xff\xff\xff\x7f",
        b"\x3a\xff\xff\xff\xff\xff\x01",
        b"\x08" + b"\xff" * 11,
        b"\x08\x80",
        b"\x02\x00",
        b"\x00\x00",
        b"\x01" + bytes(8),
        b"\x05" + bytes(4),
        b"\x0b",
        b"\x0e",
        b"\xfd\xff\xff\xff\x7f0000",
        b"\x0d000",
        b"\x09000",
    ],
)
def test_window_finds_the_damage_of_the_whole_file_at_the_same_byte(
    tail: bytes, everything: onnx.ModelProto
) -> None:
    data = everything.SerializeToString() + tail
    found = []
    for limits in (DEFAULT_LIMITS, windowed(64), windowed(4096)):
        with pytest.raises(DamagedError) as caught:
            decode(data, limits)
        found.append((caught.value.message, caught.value.offset))
    assert len(set(found)) == 1
    assert found[0][1] is not None
    assert found[0][1] >= len(data) - len(tail)


def test_flood_of_fields_stops_at_the_limit(wire: Any) -> None:
    data = wire.model(b"\x98\x06\x00" * 50_000)
    source = BytesSource(data, "memory")
    reads = 0

    class Watched(BytesSource):
        def read(self, offset: int, nbytes: int) -> bytes:
            nonlocal reads
            reads += 1
            return source.read(offset, nbytes)

    with pytest.raises(
        LimitError, match="more than 1,000 units of work, most of them for 1,001 times field"
    ):
        read_source(Watched(data, "memory"), windowed(4096, work=1000))
    assert reads < 10  # it stopped where the limit is, not at the end


@pytest.mark.parametrize("levels", [34, 5000])
def test_deep_subgraphs_are_a_limit_error_in_the_window(levels: int, wire: Any) -> None:
    graph = wire.len(10, bytes(2000))
    for _ in range(levels):
        graph = wire.len(1, wire.len(5, wire.len(6, graph)))
    with pytest.raises(LimitError, match="nested deeper than 100"):
        decode(wire.model(graph), windowed(4096))


@pytest.mark.parametrize(("levels", "accepted"), [(32, True), (33, False)])
def test_walk_itself_stops_at_the_depth_limit(levels: int, accepted: bool, wire: Any) -> None:
    graph = wire.len(10, bytes(2000))
    for _ in range(levels):
        graph = wire.len(1, wire.len(5, wire.len(6, graph)))
    data = wire.model(graph)
    if accepted:
        assert onnx.load_from_string(thin_of(data, windowed(4096)).data).HasField("graph")
    else:
        with pytest.raises(LimitError, match="nested deeper than 100"):
            thin_of(data, windowed(4096))


def test_graph_of_many_small_nodes_is_read_by_windows(tmp_path: Path, wire: Any) -> None:
    node = wire.len(1, wire.len(1, b"x") + wire.len(2, b"y") + wire.len(4, b"Relu"))
    data = wire.model(node * 50_000)
    path = tmp_path / "nodes.onnx"
    path.write_bytes(data)
    source = Counting(str(path))
    proto = read_source(source, windowed(4096)).proto
    source.close()
    assert len(proto.graph.nodes) == 50_000
    assert source.largest == 4096
    assert source.bytes_read < 4 * len(data)


def test_random_models_give_equal_records(wire: Any) -> None:
    random = np.random.default_rng(7)
    for _ in range(60):
        graph = b""
        for index in range(random.integers(1, 12)):
            size = int(random.choice([0, 3, 60, 128, 1024, 1025, 5000]))
            raw = wire.len(int(random.choice([4, 6, 9, 12])), bytes(size // 4 * 4))
            fields = [wire.len(8, b"w%d" % index), raw, wire.int(2, 1), wire.len(1, b"\x05")]
            random.shuffle(fields)
            tensor = b"".join(fields)
            place = random.integers(0, 3)
            if place == 0:
                graph += wire.len(5, tensor)
            elif place == 1:
                graph += wire.len(15, wire.len(1, tensor) + wire.len(2, tensor))
            else:
                body = wire.len(6, wire.len(5, tensor) + wire.len(2, b"body"))
                graph += wire.len(1, wire.len(5, wire.len(5, tensor) + body) + wire.len(4, b"If"))
        data = wire.model(graph)
        whole = decode(data, DEFAULT_LIMITS)
        for window_nbytes in (64, 500, 4096):
            assert decode(data, windowed(window_nbytes)) == whole


@pytest.mark.parametrize("window_nbytes", WINDOWS)
@pytest.mark.parametrize("number", [5, 7, 11])
def test_packed_payload_that_is_left_out_is_read_to_its_end(
    number: int, window_nbytes: int, wire: Any
) -> None:
    limits = windowed(window_nbytes)
    sound = wire.tensor(wire.int(2, 7) + wire.len(number, b"\x81\x01" * 5000))
    cut = wire.tensor(wire.int(2, 7) + wire.len(number, b"\x81\x01" * 4999 + b"\x01\x81"))
    assert len(sound) == len(cut)
    (tensor,) = decode(sound, limits).graph.initializers
    assert tensor.data_fields[0].nbytes == 10_000
    with pytest.raises(DamagedError, match="cut inside a varint") as caught:
        decode(cut, limits)
    differ = [at for at, (a, b) in enumerate(zip(sound, cut, strict=True)) if a != b]
    assert caught.value.offset == differ[-1]
