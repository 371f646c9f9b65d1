"""Stores behind fsspec: memory, and S3 (moto's server is the double; no S3 is reached)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

import graphcount
import graphcount.loading.remote as remote
import graphcount.loading.transfer as transfer
from graphcount.errors import GraphcountError, NotReadableError
from graphcount.loading.source import is_remote, public_path
from graphcount.report.serial import to_dict

fsspec = pytest.importorskip("fsspec", reason="fsspec is not installed")


@pytest.fixture
def memory() -> Iterator[Any]:
    """fsspec's store in memory, empty."""
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    yield fs
    fs.store.clear()


def test_memory_gives_the_same_report(memory: Any, fixtures: Path) -> None:
    memory.pipe("/m/cnn.onnx", (fixtures / "cnn.onnx").read_bytes())
    expected = to_dict(graphcount.count(str(fixtures / "cnn.onnx"), hash_file=True))
    expected["model"]["path"] = "memory://m/cnn.onnx"
    assert to_dict(graphcount.count("memory://m/cnn.onnx", hash_file=True)) == expected


def test_external_data_in_a_store(memory: Any, save: Callable[..., str]) -> None:
    weight = TensorProto(name="w", data_type=1, dims=[2], data_location=TensorProto.EXTERNAL)
    weight.external_data.add(key="location", value="./part/w.bin")
    path = save([helper.make_node("Relu", ["w"], ["y"])], [weight], outputs=[("y", [2])])
    memory.pipe("/m/a.onnx", Path(path).read_bytes())
    missing = graphcount.count("memory://m/a.onnx")
    assert [unknown.why for unknown in missing.unknown] == ["./part/w.bin is missing"]
    memory.pipe("/m/part/w.bin", bytes(8))
    assert graphcount.count("memory://m/a.onnx", deep=True).model.external_nbytes == 8


def test_a_file_that_changes_is_noticed(memory: Any, monkeypatch: Any) -> None:
    memory.pipe("/m/a.onnx", bytes(2**21))
    source = remote.open_remote("memory://m/a.onnx")
    source.read(0, 100)
    memory.pipe("/m/a.onnx", bytes(2**21))
    with pytest.raises(NotReadableError, match="changed while it was read"):
        source.close()


def test_what_is_no_file_has_its_line(memory: Any) -> None:
    memory.pipe("/m/a.onnx", b"")
    for path, words in (
        ("memory://m/none.onnx", "no such file"),
        ("memory://m", "is a folder"),
        ("memory://m/a.onnx", "an empty file"),
        ("file:///etc/passwd", "give the path itself"),
        ("reference://x", "is not read here"),
        ("simplecache::memory://m/a.onnx", "no such file"),  # no scheme: a local name
        ("memory://m/a.onnx::memory://b", "chained"),
    ):
        with pytest.raises(GraphcountError, match=words):
            graphcount.count(path)


def test_a_missing_package_names_the_command() -> None:
    program = (
        "import sys; sys.modules['fsspec'] = None\n"
        "from graphcount.cli.main import main; sys.exit(main(['https://h/m.onnx']))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'graphcount[remote]'" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("model.onnx", "model.onnx"),
        ("C:\\m?x=1", "C:\\m?x=1"),
        ("zip://a?b.onnx::x.zip", "zip://a?b.onnx::x.zip"),
        ("https://u:p@h/a.onnx", "https://h/a.onnx"),
        ("https://h/a@b.onnx?sig=x", "https://h/a@b.onnx?sig=***"),
        ("https://h/a.onnx?x#y", "https://h/a.onnx?***"),
        ("https://h/a.onnx?ref=v1&token=x", "https://h/a.onnx?ref=v1&token=***"),
        ("s3://k:s@bucket/a.onnx", "s3://bucket/a.onnx"),
        ("abfs://container@account/a.onnx", "abfs://container@account/a.onnx"),
        ("zip://a.onnx::https://u:p@h/x.zip?s=1", "zip://a.onnx::https://h/x.zip?s=***"),
    ],
)
def test_public_path(path: str, shown: str) -> None:
    assert public_path(path) == shown
    assert is_remote(path) == ("://h/" in path or "@" in path)


# ----------------------------------------------------------------------------------------- S3


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    """A bucket of moto's server, which is a test double of S3."""
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    moto = pytest.importorskip("moto.server", reason="moto[server] is not installed")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test-key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test-5ecret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setattr(transfer, "PAUSES_S", (0.0,))
        fs = fsspec.filesystem("s3")
        fs.mkdir("models")
        yield fs
    server.stop()


def test_s3_gives_the_same_report(bucket: Any, fixtures: Path) -> None:
    path = fixtures / "cnn.onnx"
    bucket.pipe("models/a/cnn.onnx", path.read_bytes())
    expected = to_dict(graphcount.count(str(path), deep=True, hash_file=True))
    expected["model"]["path"] = "s3://models/a/cnn.onnx"
    found = to_dict(graphcount.count("s3://models/a/cnn.onnx", deep=True, hash_file=True))
    assert found == expected


def test_s3_reads_ranges_of_a_large_model(bucket: Any) -> None:
    side = 1024
    tensors = []
    for i in range(6):
        tensors.append(TensorProto(name=f"w{i}", data_type=1, dims=[side, side]))
        tensors[-1].raw_data = bytes([i]) * (4 * side * side)
    graph = helper.make_graph([], "g", [], [], tensors)
    data = helper.make_model(graph).SerializeToString()
    bucket.pipe("models/large.onnx", data)
    source = remote.open_remote("s3://models/large.onnx")
    model = graphcount.loading.read_source(source)
    assert [tensor.dims for tensor in model.proto.graph.initializers] == [(side, side)] * 6
    assert source.round_trips <= 6
    source.close()


def test_s3_has_lines_for_what_fails(bucket: Any) -> None:
    for path in ("s3://models/none.onnx", "s3://no-such-bucket/a.onnx"):
        with pytest.raises(NotReadableError, match="no such file") as caught:
            graphcount.count(path)
        assert "5ecret" not in str(caught.value)
