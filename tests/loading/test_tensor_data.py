"""tensor_data: every element type in every field, against onnx.numpy_helper."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from graphcount.dtypes import DTYPES
from graphcount.errors import GraphcountError
from graphcount.loading import open_source, read_model, tensor_data
from graphcount.loading import wire as wire_format
from graphcount.loading.limits import Limits
from graphcount.loading.model import Tensor
from graphcount.loading.tensor_data import TensorReader, UnreadError, elements, is_kept

SMALL = Limits(whole_file_nbytes=0, kept_payload_nbytes=16)
EVERYTHING = 1 << 62
STRING, SIX_BITS = TensorProto.STRING, (27, 28)
NUMERIC = [code for code in DTYPES if code != STRING and code not in SIX_BITS]
FORMS = ("raw", "packed", "unpacked", "split", "external")
NUMBERS = {  # what Python has a number for, and how struct reads it
    1: "f",
    2: "B",
    3: "b",
    4: "H",
    5: "h",
    6: "i",
    7: "q",
    9: "B",
    10: "e",
    11: "d",
    12: "I",
    13: "Q",
}


def array_of(code: int, count: int, seed: int) -> Any:
    """Random elements of a type, all of them numbers."""
    rng = np.random.default_rng(seed)
    dtype, family = helper.tensor_dtype_to_np_dtype(code), DTYPES[code].family
    if family == "complex":
        return (rng.normal(size=count) + 1j * rng.normal(size=count)).astype(dtype)
    if family == "float":
        return rng.choice([0.5, 1, 2, 4], count).astype(dtype)
    if family == "bool":
        return rng.integers(0, 2, count).astype(bool)
    bits = DTYPES[code].bits
    numbers = rng.integers(0, 1 << 64, count, np.uint64, endpoint=False) >> np.uint64(64 - bits)
    return numbers.astype(np.int64).astype(dtype) if bits < 8 else numbers.astype(dtype)


def typed(array: Any, code: int) -> TensorProto:
    """The elements in the field of their type."""
    proto = TensorProto(name="t", data_type=code, dims=array.shape)
    field, bits = DTYPES[code].typed_field, DTYPES[code].bits
    raw = numpy_helper.from_array(array).raw_data
    if field in ("float_data", "double_data"):
        getattr(proto, field).extend(np.frombuffer(raw, "<f4" if field == "float_data" else "<f8"))
    else:
        kind = "i" if DTYPES[code].name.startswith("int") and bits >= 8 else "u"
        width = max(1, bits // 8)
        getattr(proto, field).extend(np.frombuffer(raw, f"<{kind}{width}").tolist())
    return proto


def serialized(proto: TensorProto) -> bytes:
    return bytes(proto.SerializeToString())


def by_hand(wire: Any, proto: TensorProto, form: str) -> bytes:
    """The message with its typed field unpacked, or packed in three pieces."""
    (field,) = [f for f, _ in proto.ListFields() if f.name.endswith("_data")] or [None]
    head = TensorProto(name=proto.name, data_type=proto.data_type, dims=proto.dims)
    if field is None:
        return serialized(head)
    numbers = list(getattr(proto, field.name))
    fixed = {"float_data": "<f", "double_data": "<d"}.get(field.name)

    def coded(values: list[Any]) -> bytes:
        return b"".join(struct.pack(fixed, v) if fixed else wire.varint(v) for v in values)

    if form == "unpacked":
        kind = {None: 0, "<f": 5, "<d": 1}[fixed]
        body = b"".join(wire.tag(field.number, kind) + coded([value]) for value in numbers)
    else:
        third = len(numbers) // 3
        pieces = numbers[:third], numbers[third : 2 * third + 1], numbers[2 * third + 1 :]
        body = b"".join(wire.len(field.number, coded(piece)) for piece in pieces)
    doc: bytes = wire.len(12, b"doc")
    return serialized(head) + body + doc


def message(wire: Any, array: Any, code: int, form: str, folder: Path) -> bytes:
    """A TensorProto of the elements in one of `FORMS`."""
    raw = numpy_helper.from_array(array, "t")
    if form == "raw":
        return serialized(raw)
    if form == "packed":
        return serialized(typed(array, code))
    if form == "external":
        (folder / "side").write_bytes(b"12345678" + raw.raw_data)
        raw.ClearField("raw_data")
        raw.data_location = TensorProto.EXTERNAL
        for key, value in (("location", "side"), ("offset", "8")):
            raw.external_data.add(key=key, value=value)
        return serialized(raw)
    return by_hand(wire, typed(array, code), form)


@contextmanager
def opened(
    data: bytes, path: Path, limits: Limits = SMALL, **options: Any
) -> Iterator[tuple[TensorReader, Tensor]]:
    """A model of one initializer, its reader and the record of the initializer."""
    path.write_bytes(data)
    tensor = read_model(str(path), limits).proto.graph.initializers[0]
    with closing(TensorReader(str(path), partial(open_source, str(path)), **options)) as reader:
        yield reader, tensor


def cause(call: Callable[[], object]) -> str:
    with pytest.raises(UnreadError) as caught:
        call()
    assert caught.value.message
    return caught.value.cause


# ------------------------------------------------------------------------ what the file holds


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("code", NUMERIC)
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    count=st.integers(0, 70),
    seed=st.integers(0, 1 << 32),
    chunk=st.sampled_from([1, 3, 8, 24, 1 << 20]),
    small=st.sampled_from([0, 1 << 16]),
    limits=st.sampled_from([SMALL, Limits()]),
)
def test_read_and_chunks_agree_with_onnx(
    code: int,
    form: str,
    count: int,
    seed: int,
    chunk: int,
    small: int,
    limits: Limits,
    wire: Any,
    tmp_path: Path,
) -> None:
    array = array_of(code, count, seed)
    content = wire.tensor(message(wire, array, code, form, tmp_path))
    path = tmp_path / "m.onnx"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tensor_data, "CHUNK_NBYTES", chunk)
        patch.setattr(tensor_data, "WINDOW_NBYTES", 40)
        patch.setattr(wire_format, "SMALL_NBYTES", small)
        with opened(content, path, limits) as (reader, tensor):
            chunks = list(reader.chunks(tensor))
            data = reader.read(tensor, most_nbytes=EVERYTHING)
    theirs = numpy_helper.to_array(onnx.load(path).graph.initializer[0], str(tmp_path))
    assert theirs.tobytes() == array.tobytes()
    expected = numpy_helper.from_array(theirs).raw_data
    assert data == b"".join(chunks) == expected
    width = max(1, DTYPES[code].bits // 8)
    assert all(len(piece) % width == 0 for piece in chunks)
    numbers = elements(data, code)
    if code in NUMBERS or code == TensorProto.BFLOAT16:
        assert numbers is not None
        assert list(numbers) == theirs.astype(np.float64 if code == 16 else theirs.dtype).tolist()
    else:
        assert numbers is None


@pytest.mark.parametrize("limits", [SMALL, Limits()])
def test_strings_are_written_behind_their_lengths(
    limits: Limits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensor_data, "CHUNK_NBYTES", 7)
    texts = [b"", b"a", b"longer than a chunk", "gr\u00fcn".encode(), b""]
    proto = TensorProto(name="t", data_type=STRING, dims=[5], string_data=texts)
    model = helper.make_model(helper.make_graph([], "g", [], [], [proto]))
    with opened(model.SerializeToString(), tmp_path / "m.onnx", limits) as (reader, tensor):
        data = reader.read(tensor, most_nbytes=EVERYTHING)
        assert cause(lambda: reader.part(tensor)) == "type"
    assert data == b"".join(struct.pack("<Q", len(text)) + text for text in texts)


@pytest.mark.parametrize("code", SIX_BITS)
def test_six_bits_of_int32_data_take_a_byte_each(code: int, wire: Any, tmp_path: Path) -> None:
    head = wire.int(1, 40) + wire.int(2, code)
    numbers = bytes(range(20, 60))
    with opened(wire.tensor(head + wire.len(5, numbers)), tmp_path / "m.onnx") as (reader, tensor):
        assert reader.read(tensor, most_nbytes=EVERYTHING) == numbers


@pytest.mark.parametrize("form", FORMS)
def test_a_part_is_what_lies_in_the_file(form: str, wire: Any, tmp_path: Path) -> None:
    array = np.arange(100, dtype=np.float32)
    content = wire.tensor(message(wire, array, 1, form, tmp_path))
    whole = array.tobytes()
    with opened(content, tmp_path / "m.onnx") as (reader, tensor):
        part = reader.part(tensor)
        assert part.nbytes == 400
        for begin, size in ((0, 400), (0, 1), (3, 9), (131, 200), (398, 10), (400, 1), (9, 0)):
            assert part.read(begin, size) == whole[begin : begin + size]
    place = (tmp_path / "side").read_bytes() if form == "external" else content
    assert place[part.offset :].startswith(whole[:4])


# --------------------------------------------------------------------------- why it cannot be had


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\x01" * 100, ""),
        (b"\x01" * 99 + b"\xff" * 9 + b"\x01", ""),
        (b"\x01" * 50 + b"\xff" * 10 + b"\x01" * 50, "damaged"),
        (b"\xff" * 500 + b"\x01" * 99, "damaged"),
        (b"\x01" * 101, "damaged"),
        (b"\x81\x01" * 99, "damaged"),
    ],
)
@pytest.mark.parametrize("chunk", [3, 10, 1 << 20])
@pytest.mark.parametrize("small", [0, 1 << 16])
def test_varints_that_are_not_what_dims_say(
    body: bytes, why: str, chunk: int, small: int, wire: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(tensor_data, "CHUNK_NBYTES", chunk)
    monkeypatch.setattr(wire_format, "SMALL_NBYTES", small)
    head = wire.int(1, 100) + wire.int(2, TensorProto.INT64)
    filler = b"\x05" * len(body)  # the decoder refuses what it holds in memory
    content = wire.tensor(head + wire.len(7, filler))
    with opened(content, tmp_path / "m.onnx") as (reader, tensor):
        data = (tmp_path / "m.onnx").read_bytes().replace(filler, body)
        (tmp_path / "m.onnx").write_bytes(data)
        if why:
            assert cause(lambda: reader.read(tensor, most_nbytes=EVERYTHING)) == why
        else:
            assert len(reader.read(tensor, most_nbytes=EVERYTHING)) == 800


def test_a_list_that_ends_inside_a_varint(wire: Any, tmp_path: Path) -> None:
    head = wire.int(1, 100) + wire.int(2, TensorProto.INT64)
    path = tmp_path / "m.onnx"
    with opened(wire.tensor(head + wire.len(7, b"\x05" * 100)), path) as (reader, tensor):
        path.write_bytes(path.read_bytes().replace(b"\x05" * 100, b"\x05" * 99 + b"\x81"))
        assert cause(lambda: reader.read(tensor, most_nbytes=EVERYTHING)) == "damaged"


def test_causes(wire: Any, tmp_path: Path) -> None:
    dims, kind = wire.int(1, 100), wire.int(2, 1)
    floats, raw = wire.len(4, bytes(400)), wire.len(9, bytes(400))
    one_by_one = (wire.tag(4, 5) + bytes(4)) * 100
    cases = {
        "absent": dims + kind,
        "type": dims + raw,
        "ambiguous": dims + kind + floats + raw,
        "pieces": dims + kind + one_by_one,
        "budget": dims + kind + raw,
    }
    for expected, body in cases.items():
        with opened(wire.tensor(body), tmp_path / "m.onnx", most_pieces=99) as (reader, tensor):
            most = 399 if expected == "budget" else 400
            assert cause(partial(reader.read, tensor, most_nbytes=most)) == expected
            if expected in ("absent", "ambiguous", "pieces"):
                assert cause(partial(reader.part, tensor)) == expected
    twice = dims + kind + wire.len(9, bytes(200)) * 2
    with opened(wire.tensor(twice), tmp_path / "m.onnx") as (reader, tensor):
        assert cause(lambda: reader.read(tensor, most_nbytes=EVERYTHING)) == "ambiguous"
    wrong = wire.tensor(dims + wire.int(2, 15) + wire.len(5, bytes(100)))
    with opened(wrong, tmp_path / "m.onnx") as (reader, tensor):
        assert cause(lambda: reader.read(tensor, most_nbytes=EVERYTHING)) == "type"


def test_what_was_kept_is_free_and_needs_no_file(wire: Any, tmp_path: Path) -> None:
    body = wire.int(1, 4) + wire.int(2, 1) + wire.len(9, bytes(16))
    path = tmp_path / "m.onnx"
    with opened(wire.tensor(body), path) as (reader, tensor):
        path.unlink()
        assert is_kept(tensor)
        assert reader.read(tensor, most_nbytes=0) == bytes(16)


def test_a_model_that_was_not_kept(wire: Any, tmp_path: Path) -> None:
    body = wire.int(1, 100) + wire.int(2, 1) + wire.len(9, bytes(400))
    with opened(wire.tensor(body), tmp_path / "m.onnx") as (_, tensor):
        reader = TensorReader("-", None)
        assert cause(lambda: reader.read(tensor, most_nbytes=EVERYTHING)) == "unkept"


@pytest.mark.parametrize("form", FORMS)
def test_files_that_shrink_or_go(form: str, wire: Any, tmp_path: Path) -> None:
    content = wire.tensor(message(wire, np.ones(300, np.float32), 1, form, tmp_path))
    path = tmp_path / "m.onnx"
    with opened(content, path) as (reader, tensor):
        file = tmp_path / "side" if form == "external" else path
        with file.open("r+b") as handle:
            handle.truncate(200)
        with pytest.raises(GraphcountError) as caught:
            reader.read(tensor, most_nbytes=EVERYTHING)
        assert isinstance(caught.value, UnreadError)
        assert caught.value.cause == ("refused" if form == "external" else "changed")
    with opened(content, path) as (reader, tensor):
        path.unlink()
        if form != "external":
            assert cause(lambda: reader.read(tensor, most_nbytes=EVERYTHING)) == "changed"


def test_an_external_file_that_shrinks_while_it_is_read(wire: Any, tmp_path: Path) -> None:
    content = wire.tensor(message(wire, np.ones(300, np.float32), 1, "external", tmp_path))
    with opened(content, tmp_path / "m.onnx") as (reader, tensor):
        part = reader.part(tensor)
        with (tmp_path / "side").open("r+b") as handle:
            handle.truncate(200)
        assert cause(lambda: part.read(0, 1200)) == "changed"


@pytest.mark.parametrize("how", ["outside", "hard link", "missing", "link out", "fifo", "twice"])
def test_external_data_that_must_not_be_read(how: str, wire: Any, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    content = message(wire, np.ones(300, np.float32), 1, "external", folder)
    (tmp_path / "secret").write_bytes(bytes(2000))
    side = folder / "side"
    if how == "outside":
        proto = TensorProto()
        proto.ParseFromString(content)
        proto.external_data[0].value = "../secret"
        content = proto.SerializeToString()
    elif how == "hard link":
        os.link(side, folder / "other")
    elif how == "twice":
        content += wire.len(9, bytes(1200))
    else:
        side.unlink()
        if how == "link out":
            side.symlink_to(tmp_path / "secret")
        if how == "fifo":
            os.mkfifo(side)
    with opened(wire.tensor(content), folder / "m.onnx") as (reader, tensor):
        expected = "ambiguous" if how == "twice" else "refused"
        for call in (partial(reader.part, tensor), lambda: list(reader.chunks(tensor))):
            assert cause(call) == expected


def test_few_external_files_are_open_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensor_data, "MOST_OPEN_FILES", 2)
    tensors = []
    for index in range(5):
        (tmp_path / f"side{index}").write_bytes(bytes([index]) * 40)
        proto = TensorProto(name=f"t{index}", data_type=2, dims=[40])
        proto.data_location = TensorProto.EXTERNAL
        proto.external_data.add(key="location", value=f"side{index}")
        tensors.append(proto)
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(helper.make_graph([], "g", [], [], tensors)), path)
    records = read_model(str(path)).proto.graph.initializers
    with closing(TensorReader(str(path), None)) as reader:
        parts = [reader.part(record) for record in records]
        for _ in range(2):
            assert [part.read(39, 1)[0] for part in parts] == [0, 1, 2, 3, 4]
        assert len(reader._files) == 2
