"""source: what is opened, what is refused unopened, and standard input."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import onnx
import pytest
from onnx import helper

import graphcount.loading.source as source_module
from graphcount.errors import DamagedError, LimitError, NotReadableError
from graphcount.loading import open_source, read_model, read_source
from graphcount.loading.limits import Limits
from graphcount.loading.source import BytesSource

Write = Callable[..., str]
POSIX = pytest.mark.skipif(os.name != "posix", reason="FIFOs, devices and links of POSIX")


@pytest.fixture
def model() -> bytes:
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "graph name", [], [])
    return cast(bytes, helper.make_model(graph, ir_version=8).SerializeToString())


# ------------------------------------------------------------------------------------- refusals


def fifo(path: Path) -> str:
    os.mkfifo(path)
    return str(path)


def listening(path: Path) -> str:
    short = os.path.relpath(path)  # a socket name has about 100 characters
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(short if len(short) < 100 else str(path))
    return str(path)


def folder(path: Path) -> str:
    path.mkdir()
    return str(path)


def loop(path: Path) -> str:
    path.symlink_to(path.name)
    return str(path)


def link_to_fifo(path: Path) -> str:
    os.mkfifo(path.with_suffix(".fifo"))
    path.symlink_to(path.with_suffix(".fifo").name)
    return str(path)


def dangling(path: Path) -> str:
    path.symlink_to("nothing")
    return str(path)


@POSIX
@pytest.mark.parametrize(
    ("make", "word"),
    [
        (fifo, "FIFO"),
        (link_to_fifo, "FIFO"),
        (listening, "socket"),
        (folder, "directory"),
        (loop, "symbolic links"),
        (dangling, "no such file"),
        (lambda path: str(path), "no such file"),
        (lambda path: str(path / "below"), "no such file"),
        (lambda path: "/dev/zero", "device"),
        (lambda path: "/dev/null", "device"),
        (lambda path: "/dev/tty", "device"),
        (lambda path: "a\0b", "not a usable path"),
        (lambda path: "", "no such file"),
        (lambda path: "x" * 5000, "too long"),
    ],
)
def test_what_is_no_file_is_refused_without_being_opened(
    make: Callable[[Path], str],
    word: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    path = make(tmp_path / "model.onnx")
    monkeypatch.setattr(os, "open", never("os.open"))
    monkeypatch.setattr(io, "open", never("io.open"))
    monkeypatch.setattr("builtins.open", never("open"))
    with pytest.raises(NotReadableError, match=word) as caught:
        read_model(path)
    assert caught.value.path == path


def never(name: str) -> Callable[..., Any]:
    def refuse(*arguments: Any, **more: Any) -> Any:
        pytest.fail(f"{name}{arguments} was called")

    return refuse


@POSIX
def test_fifo_put_in_place_of_the_file_after_the_look_does_not_block(
    model: bytes, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(model)
    real = os.stat(path)
    os.unlink(path)
    os.mkfifo(path)
    open_now = os.open

    def without_blocking(path: str, flags: int) -> int:
        assert flags & os.O_NONBLOCK, "opening a FIFO would wait for a writer"
        return open_now(path, flags)

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda name: real)
        patch.setattr(os, "open", without_blocking)
        with pytest.raises(NotReadableError, match="FIFO"):
            open_source(path)


@POSIX
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_refused(model: bytes, write: Write) -> None:
    path = write(model)
    os.chmod(path, 0)
    with pytest.raises(NotReadableError, match="permission denied"):
        read_model(path)


def test_read_error_is_not_readable(
    model: bytes, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: object, offset: int, nbytes: int) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(source_module.FileSource, "read", broken)
    with pytest.raises(NotReadableError, match="input/output error"):
        read_model(write(model))


@POSIX
def test_file_is_closed_after_reading_and_after_an_error(model: bytes, write: Write) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc to count descriptors")
    good, bad = write(model), write(model[:-3], "bad.onnx")
    before = count()
    for _ in range(5):
        read_model(good)
        with pytest.raises(DamagedError):
            read_model(bad)
    assert count() == before


def test_path_is_kept_as_given(model: bytes, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(write(model)).parent)
    assert read_model("model.onnx").path == "model.onnx"
    assert read_model("./model.onnx").path == "./model.onnx"


# ---------------------------------------------------------------------------- files that change


@pytest.mark.parametrize("limits", [Limits(), Limits(whole_file_nbytes=0, window_nbytes=64)])
def test_file_that_shrinks_while_read_is_damaged(
    limits: Limits, everything: onnx.ModelProto, write: Write
) -> None:
    path = write(everything.SerializeToString())
    source = open_source(path)
    os.truncate(path, 5000)
    try:
        with pytest.raises(DamagedError, match="shorter"):
            read_source(source, limits)
    finally:
        source.close()


def test_file_that_grows_while_read_is_read_to_its_first_size(model: bytes, write: Write) -> None:
    path = write(model)
    source = open_source(path)
    with open(path, "ab") as file:
        file.write(b"\xff" * 100)
    try:
        assert read_source(source).file_nbytes == len(model)
        assert source.read(len(model) - 2, 100) == model[-2:]
        assert source.read(len(model) + 5, 100) == b""
    finally:
        source.close()


def test_short_reads_of_the_system_are_joined(model: bytes, write: Write) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 7))

    source = source_module.FileSource(Slow(model), "slow")
    assert source.read(0, len(model)) == model
    assert source.read(3, 20) == model[3:23]
    assert source.read(len(model) - 2, 100) == model[-2:]
    assert source.read(len(model) + 5, 100) == b""


def test_bytes_source_reads_by_position() -> None:
    source = BytesSource(b"0123456789", "m")
    assert (source.nbytes, source.read(2, 3), source.read(8, 100)) == (10, b"234", b"89")


# ------------------------------------------------------------------------------- standard input

PROGRAM = """
import sys
from graphcount.errors import GraphcountError
from graphcount.loading import read_model
try:
    file = read_model("-")
except GraphcountError as error:
    print(type(error).__name__, error)
else:
    print(file.path, file.file_nbytes, file.proto.graph.name)
"""


def run(**stdin: Any) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=False, timeout=20, **stdin
    )
    assert done.stderr == b""
    assert done.returncode == 0
    return str(done.stdout.decode()).strip()


def test_standard_input_from_a_file(model: bytes, write: Write) -> None:
    with open(write(model), "rb") as file:
        assert run(stdin=file) == f"- {len(model)} graph name"


def test_standard_input_from_a_pipe(model: bytes) -> None:
    assert run(input=model) == f"- {len(model)} graph name"


@POSIX
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_standard_input_from_a_device_is_refused(device: str) -> None:
    with open(device, "rb") as file:
        assert run(stdin=file) == "NotReadableError -: is a device, not a file"


@POSIX
def test_closed_standard_input_is_refused() -> None:
    assert run(preexec_fn=lambda: os.close(0)) == "NotReadableError -: is closed"


def test_empty_standard_input_is_not_onnx() -> None:
    assert "empty file" in run(input=b"")


class Stream:
    """A sys.stdin of given bytes."""

    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)


def test_stream_without_a_descriptor_is_read(model: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Stream(model))
    assert read_model("-").proto.graph.name == "graph name"


def test_pipe_is_bounded(model: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "STDIN_NBYTES", len(model))
    monkeypatch.setattr(sys, "stdin", Stream(model))
    assert read_model("-").file_nbytes == len(model)
    monkeypatch.setattr(sys, "stdin", Stream(model + b"x"))
    with pytest.raises(LimitError, match="longer than"):
        read_model("-")


@POSIX
def test_slow_pipe_is_waited_for(model: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()

    def feed() -> None:
        for at in range(0, len(model), 5):
            os.write(writer, model[at : at + 5])
        os.close(writer)

    thread = threading.Thread(target=feed)
    with open(reader, encoding="latin-1") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        thread.start()
        file = read_model("-")
    thread.join()
    assert (file.file_nbytes, file.proto.graph.name) == (len(model), "graph name")
