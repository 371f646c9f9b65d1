"""elements: one pass over the numbers, compared with numpy on the whole array."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from graphcount import api
from graphcount.auditing import elements
from graphcount.auditing.context import Context
from graphcount.auditing.elements import ElementFacts, entropy
from graphcount.errors import GraphcountError
from graphcount.graph import build_graph
from graphcount.loading import read_model, tensor_data
from graphcount.loading.limits import Limits

SMALL = Limits(whole_file_nbytes=0, kept_payload_nbytes=16)


def facts(path: str, limits: Limits = SMALL) -> dict[str, ElementFacts]:
    file = read_model(path, limits, keep_thin=True)
    context = Context(file, build_graph(file.proto), deep=True, limits=limits)
    try:
        return {s.name: context.facts[s.key] for s in context.stored if s.key in context.facts}
    finally:
        context.close()


def save(path: Path, *tensors: TensorProto) -> str:
    model = helper.make_model(helper.make_graph([], "g", [], [], list(tensors)))
    path.write_bytes(model.SerializeToString())
    return str(path)


@pytest.mark.parametrize("chunk", [8, 24, 1 << 20])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.complex64])
def test_counts_do_not_depend_on_chunks(
    chunk: int, dtype: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensor_data, "CHUNK_NBYTES", chunk)
    array = np.linspace(-3, 3, 101).astype(dtype)
    array[[3, 50]] = np.nan
    array[7] = np.inf
    array[[8, 9, 100]] = -np.inf
    array[11] = np.finfo(dtype).tiny / 2
    found = facts(save(tmp_path / "m.onnx", numpy_helper.from_array(array, "a")))["a"]
    real = array.view(array.real.dtype)
    assert found.nan == np.isnan(real).sum()
    assert found.positive_infinite == np.isposinf(real).sum()
    assert found.negative_infinite == np.isneginf(real).sum()
    assert found.others
    assert not found.constant


@pytest.mark.parametrize("chunk", [3, 16, 1 << 20])
@pytest.mark.parametrize("code", [1, 2, 3, 5, 6, 7, 9, 10, 11, 12, 13, 16, 17])
def test_typed_fields_give_the_bytes_of_raw_data(
    chunk: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dtype = helper.tensor_dtype_to_np_dtype(code)
    numbers = np.arange(-60 if code in (3, 5, 6, 7) else 0, 100) % (2 if code == 9 else 10**6)
    array = numbers.astype(dtype)
    raw = numpy_helper.from_array(array, "raw")
    typed = helper.make_tensor("typed", code, array.shape, array.astype(np.float64).tolist())
    assert not typed.raw_data
    expected = facts(save(tmp_path / "raw.onnx", raw))["raw"]
    monkeypatch.setattr(tensor_data, "CHUNK_NBYTES", chunk)
    assert facts(save(tmp_path / "typed.onnx", typed))["typed"] == expected


@pytest.mark.parametrize("chunk", [3, 10, 16, 1 << 20])
@pytest.mark.parametrize(
    ("field", "content", "why"),
    [
        (7, b"\x01" * 100, ""),
        (7, b"\x01" * 99 + b"\xff" * 9 + b"\x01", ""),
        (7, b"\x01" * 50 + b"\xff" * 10 + b"\x01" + b"\x01" * 49, "longer than 10 bytes"),
        (7, b"\xff" * 500 + b"\x01" * 99, "longer than 10 bytes"),
        (7, b"\x01" * 101, "101 elements where dims and type ask for 100"),
        (7, b"\x81\x01" * 99, "99 elements where dims and type ask for 100"),
        (5, b"\x81\x01" * 51, "51 elements where dims and type ask for 50"),  # int4: two a number
        (5, b"\x81\x01" * 50, ""),
    ],
)
def test_varints_are_what_dims_say(
    field: int, content: bytes, why: str, chunk: int, raw: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    """A payload beyond what is kept in memory: only the pass over the numbers can tell."""
    monkeypatch.setattr(tensor_data, "CHUNK_NBYTES", chunk)
    dtype = {7: TensorProto.INT64, 5: TensorProto.INT4}[field]
    head = bytes([1 << 3, 100, 2 << 3, dtype]) + raw.field(8, b"t")  # dims, data_type, name
    graph = raw.field(7, raw.field(5, head + raw.field(field, content)))
    path = tmp_path / "m.onnx"
    path.write_bytes(b"\x08\x08" + graph + raw.field(8, b"\x10\x14"))
    report = api.audit(str(path), select=["TEN"], deep=True, limits=SMALL)
    assert report.audit is not None
    assert report.audit.complete
    found = [f for f in report.findings or () if f.rule == "TEN003"]
    assert [f.severity for f in found] == (["high"] if why else [])
    assert all(why in f.message for f in found)


def test_same_bytes_have_the_same_digest_and_a_transpose_the_same_mixture(tmp_path: Path) -> None:
    matrix = np.arange(600, dtype=np.float32).reshape(20, 30)
    found = facts(
        save(
            tmp_path / "m.onnx",
            numpy_helper.from_array(matrix, "a"),
            numpy_helper.from_array(matrix, "b"),
            numpy_helper.from_array(np.ascontiguousarray(matrix.T), "t"),
            numpy_helper.from_array(matrix + 1, "c"),
        )
    )
    assert found["a"].digest == found["b"].digest != found["t"].digest
    assert found["a"].mixture == found["t"].mixture != found["c"].mixture


def test_side_files_are_read_and_shared_ranges_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    array = np.linspace(0, 1, 5000, dtype=np.float32)
    (tmp_path / "w.bin").write_bytes(array.tobytes())
    tensors = []
    for index in range(50):
        tensor = TensorProto(name=f"w{index}", data_type=1, dims=[5000])
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="w.bin")
        tensors.append(tensor)
    reads = []
    real = tensor_data._bytes
    monkeypatch.setattr(tensor_data, "_bytes", lambda *a: (reads.append(a), real(*a))[1])  # type: ignore[func-returns-value]
    found = facts(save(tmp_path / "m.onnx", *tensors))
    assert len(found) == 50
    assert len({item.digest for item in found.values()}) == 1
    assert len(reads) == 1


def test_scalars_that_are_equal_are_looked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = [
        numpy_helper.from_array(np.array(value, dtype), f"{dtype}{value}.{index}")
        for index in range(50)
        for dtype in ("float32", "int32")
        for value in (0, 7)
    ]
    passes = []
    real = elements._Pass
    monkeypatch.setattr(elements, "_Pass", lambda *a: (passes.append(a), real(*a))[1])  # type: ignore[func-returns-value]
    found = facts(save(tmp_path / "m.onnx", *tensors))
    assert len(found) == 200
    assert len(passes) == 4
    assert {name.split(".")[0]: item.others for name, item in found.items()} == {
        "float320": False,
        "float327": True,
        "int320": False,
        "int327": False,
    }
    assert len({item.digest for item in found.values()}) == 3  # zero of both types, 7, 7.0


def test_memory_does_not_depend_on_the_tensor(tmp_path: Path) -> None:
    import tracemalloc

    array = np.zeros(32 * 2**20, np.uint8)
    array[::1000] = 7
    path = save(tmp_path / "m.onnx", numpy_helper.from_array(array, "a"))
    del array
    facts(path)
    tracemalloc.start()
    facts(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * 2**20


def test_a_file_that_shrinks_is_said(tmp_path: Path) -> None:
    array = np.arange(10**5, dtype=np.float32)
    path = save(tmp_path / "m.onnx", numpy_helper.from_array(array, "a"))
    file = read_model(path, SMALL, keep_thin=True)
    context = Context(file, build_graph(file.proto), deep=True, limits=SMALL)
    with open(path, "r+b") as handle:
        handle.truncate(1000)
    with pytest.raises(GraphcountError, match="shorter"):
        _ = context.facts
    context.close()


def test_tensors_that_contradict_themselves_are_not_read(tmp_path: Path) -> None:
    short = onnx.TensorProto(name="s", data_type=1, dims=[1000], raw_data=bytes(100))
    assert facts(save(tmp_path / "m.onnx", short)) == {}


def test_entropy() -> None:
    assert entropy(b"") == 0
    assert entropy(b"aaaa") == 0
    assert entropy(bytes(range(256))) == 8
    assert entropy(b"ab" * 10) == 1
