"""What a model takes on disk, beside `os.stat`; and what its tensors refer to."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper

import graphcount
from graphcount.cli.main import main

Entry = tuple[str, int, int | str]
"""Location, offset and length of external data."""

SHAPE, NBYTES = (8, 16), 8 * 16 * 4


def write(folder: Path, *entries: Entry) -> str:
    """Write a chain of MatMuls with one external weight an entry; `length` "" is not stated."""
    nodes, weights = [], []
    for number, (location, offset, length) in enumerate(entries):
        weight = TensorProto(name=f"w{number}", data_type=1, dims=SHAPE, data_location="EXTERNAL")
        for key, value in (("location", location), ("offset", offset), ("length", length)):
            if value != "":
                weight.external_data.add(key=key, value=str(value))
        weights.append(weight)
        nodes.append(helper.make_node("MatMul", ["x", weight.name], [f"y{number}"]))
    inputs = [helper.make_tensor_value_info("x", 1, [1, 8])]
    outputs = [helper.make_tensor_value_info(node.output[0], 1, [1, 16]) for node in nodes]
    graph = helper.make_graph(nodes, "g", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    return str(folder / "m.onnx")


def test_each_file_counts_once_with_what_nobody_uses(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(3 * NBYTES + 5))
    path = write(tmp_path, ("w.bin", 0, NBYTES), ("./w.bin", NBYTES, NBYTES))
    report = graphcount.count(path)
    assert report.model.external_nbytes == 3 * NBYTES + 5
    assert report.model.referenced_nbytes == 2 * NBYTES
    assert report.model.disk_nbytes == os.stat(path).st_size + 3 * NBYTES + 5


def test_one_range_of_two_tensors_lies_there_once(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(NBYTES))
    model = graphcount.count(write(tmp_path, ("w.bin", 0, NBYTES), ("w.bin", 0, NBYTES))).model
    assert (model.external_nbytes, model.referenced_nbytes) == (NBYTES, 2 * NBYTES)


def test_the_model_file_is_not_counted_twice(tmp_path: Path) -> None:
    path = write(tmp_path, ("m.onnx", 0, NBYTES))
    model = graphcount.count(path).model
    assert (model.external_nbytes, model.disk_nbytes) == (0, os.stat(path).st_size)


def test_values_and_indices_of_a_sparse_tensor_may_lie_in_two_files(tmp_path: Path) -> None:
    parts = []
    for name, data_type, nbytes in (("values", 1, 12), ("indices", 7, 24)):
        part = TensorProto(name=name, data_type=data_type, dims=[3], data_location="EXTERNAL")
        part.external_data.add(key="location", value=f"{name}.bin")
        (tmp_path / f"{name}.bin").write_bytes(bytes(nbytes + 1))
        parts.append(part)
    sparse = onnx.SparseTensorProto(dims=[8, 16], values=parts[0], indices=parts[1])
    node = helper.make_node("MatMul", ["x", "values"], ["y"])
    inputs = [helper.make_tensor_value_info("x", 1, [1, 8])]
    outputs = [helper.make_tensor_value_info("y", 1, [1, 16])]
    graph = helper.make_graph([node], "g", inputs, outputs, sparse_initializer=[sparse])
    (tmp_path / "m.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    model = graphcount.count(str(tmp_path / "m.onnx")).model
    assert (model.external_nbytes, model.referenced_nbytes) == (13 + 25, 12 + 24)
    assert [file.location for file in model.side_files] == ["indices.bin", "values.bin"]


def test_a_gate_on_disk_sees_all_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(10_000))
    path = write(tmp_path, ("w.bin", 0, NBYTES))
    whole = os.stat(path).st_size + 10_000
    assert main(["check", "--max", f"disk_nbytes={whole}", path]) == 0
    assert main(["check", "--max", f"disk_nbytes={whole - 1}", path]) == 1
    assert f"disk_nbytes {whole:,} bytes" in " ".join(capsys.readouterr().out.split())
    (tmp_path / "w.bin").unlink()
    assert main(["check", "--max", "disk_nbytes=1GB", path]) == 1
    assert "an external data file is missing" in " ".join(capsys.readouterr().out.split())


def test_a_length_of_zero_is_read_as_onnxruntime_reads_it(tmp_path: Path) -> None:
    """It gives the results of the whole tensor, so that is what counts; the audit says so."""
    runtime = pytest.importorskip("onnxruntime")
    weight = np.arange(8 * 16, dtype=np.float32).reshape(SHAPE)
    (tmp_path / "w.bin").write_bytes(bytes(64) + weight.tobytes())
    path = write(tmp_path, ("w.bin", 64, 0))
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {"x": np.ones((1, 8), np.float32)})
    assert np.array_equal(result, weight.sum(axis=0, keepdims=True))
    report = graphcount.count(path, deep=True)
    assert (report.totals.parameters, report.exact) == (8 * 16, True)
    (finding,) = [row for row in graphcount.audit(path).findings if row.rule == "EXT014"]
    assert finding.severity == "medium"
    assert f"length 0: onnxruntime reads the {NBYTES} bytes" in finding.message


def test_bytes_on_disk_are_those_of_stat(shared: Path) -> None:
    """Of every model with external data that is there; locations are read by onnx."""
    compared = 0
    for path in sorted(shared.rglob("*.onnx")):
        if b"location" not in path.read_bytes():
            continue  # no external data
        try:
            model = onnx.load(path, load_external_data=False)
            report = graphcount.count(str(path))
        except (graphcount.GraphcountError, DecodeError):
            continue
        files = {
            (path.parent / pair.value).resolve()
            for tensor in onnx.external_data_helper._get_all_tensors(model)
            for pair in tensor.external_data
            if pair.key == "location" and tensor.data_location == TensorProto.EXTERNAL
        }
        inside = all(file.is_relative_to(path.parent.resolve()) for file in files)
        if not files or not inside or not all(file.is_file() for file in files):
            continue
        assert report.model.external_nbytes == sum(file.stat().st_size for file in files), path
        assert report.model.disk_nbytes == report.model.external_nbytes + path.stat().st_size
        compared += 1
    assert compared > 10
