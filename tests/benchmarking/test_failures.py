"""What goes wrong ends in one clear line and exit code 2."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import onnx
import pytest
from onnx import parser

from graphcount.benchmarking.process import BenchError, _death
from graphcount.cli.main import main
from tests.benchmarking.jobs import JOB

Run = Callable[..., tuple[int, str, str]]
HEAD = '<ir_version: 8, opset_import: ["" : 17, "com.acme" : 1]>'
RELU = "g (float[batch, 3] x) => (float[batch, 3] y) { [r] y = Relu (x) }"

needs_onnxruntime = pytest.mark.skipif(
    find_spec("onnxruntime") is None, reason="onnxruntime is not installed (extra bench)"
)
posix = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = main(["bench", *(str(argument) for argument in arguments), "--runs", "1"])
        out, err = capfd.readouterr()
        return code, out, err

    return call


@pytest.fixture
def save_text(tmp_path: Path) -> Callable[[str], Path]:
    def save(text: str) -> Path:
        path = tmp_path / "model.onnx"
        onnx.save(parser.parse_model(HEAD + text), path)
        return path

    return save


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a module called onnxruntime before the real one."""

    def install(source: str, **environment: str) -> None:
        folder = tmp_path / "modules"
        folder.mkdir()
        (folder / "onnxruntime.py").write_text(source, "utf-8")
        monkeypatch.setenv("PYTHONPATH", str(folder))
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    return install


def one_line(found: tuple[int, str, str], *words: str) -> None:
    """Exit code 2, nothing on stdout, one line that says it."""
    code, out, err = found
    assert (code, out) == (2, "")
    assert err.startswith("graphcount: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    for word in words:
        assert word in err, err


OTHER = str(Path(__file__).parents[2] / "fixtures" / "cnn.onnx")
FAKE = (Path(__file__).parent / "fake_onnxruntime.py").read_text("utf-8")
CUDA, CPU = "CUDAExecutionProvider", "CPUExecutionProvider"


def test_without_onnxruntime_it_says_what_to_install(
    run: Run, fixtures: Path, fake: Callable[..., None]
) -> None:
    fake("raise ModuleNotFoundError(\"No module named 'onnxruntime'\", name='onnxruntime')")
    found = run(fixtures / "cnn.onnx")
    one_line(found, "onnxruntime is not installed: pip install 'graphcount[bench]'")


@needs_onnxruntime
def test_a_provider_that_is_not_there(run: Run, fixtures: Path) -> None:
    found = run(fixtures / "cnn.onnx", "--provider", "dml")
    one_line(found, "has no DmlExecutionProvider", "pip install 'onnxruntime-directml'")


def test_a_session_that_fell_back(
    run: Run, save_text: Callable[[str], Path], fake: Callable[..., None]
) -> None:
    fake(FAKE, FAKE_ACTIVE=CPU, FAKE_RAN=CPU)
    found = run(save_text(RELU), "--provider", "cuda")
    one_line(found, f"fell back from {CUDA} to {CPU}")


def test_a_provider_that_computed_nothing(
    run: Run, save_text: Callable[[str], Path], fake: Callable[..., None]
) -> None:
    fake(FAKE, FAKE_ACTIVE=CUDA, FAKE_RAN=CPU)
    found = run(save_text(RELU), "--provider", "cuda")
    one_line(found, f"{CUDA} computed no operator: all ran on {CPU}")


def test_the_path_of_a_device_up_to_the_device(
    run: Run, save_text: Callable[[str], Path], fake: Callable[..., None]
) -> None:
    import json

    fake(FAKE, FAKE_ACTIVE=CUDA, FAKE_RAN=CUDA)
    code, out, err = run(save_text(RELU), "--provider", "cuda", "--format", "json")
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert found["provider"] == {
        "requested": CUDA,
        "active": [CUDA, CPU],
        "nodes": {CUDA: 1},
        "io_binding": True,
    }
    assert found["nodes"][0]["sources"] == ["r"]
    assert found["device_nbytes"] is None
    assert found["options"]["memory_limit_nbytes"] is None


@needs_onnxruntime
def test_a_missing_side_file(run: Run, fixtures: Path, tmp_path: Path) -> None:
    path = tmp_path / "mlp_external.onnx"
    shutil.copyfile(fixtures / "mlp_external.onnx", path)
    one_line(run(path, "--trust"), "mlp_external.onnx.data", "does not exist")


@needs_onnxruntime
def test_a_model_that_asks_for_too_much_memory(run: Run, save_text: Callable[[str], Path]) -> None:
    bomb = save_text(
        "g (int64[1] x) => (float[N] y) { k = Constant <value = int64[1] {1000000}> ()"
        " m = Mul (x, k) n = Mul (m, k) y = ConstantOfShape (n) }"
    )
    one_line(run(bomb, "--trust", "--memory-limit", "2GB"), "out of memory", "2.00 GB")


@posix
@needs_onnxruntime
def test_the_limit_is_ours_not_the_machines(run: Run, save_text: Callable[[str], Path]) -> None:
    model = save_text(
        "g (int64[1] x) => (float[N] y) { k = Constant <value = int64[1] {100000000}> ()"
        " m = Mul (x, k) y = ConstantOfShape (m) }"
    )  # 400 MB
    one_line(run(model, "--trust", "--memory-limit", "300MB", "--threads", 1), "out of memory")


@needs_onnxruntime
def test_an_endless_loop_ends_in_time(run: Run, save_text: Callable[[str], Path]) -> None:
    model = save_text(
        "g (float[4] x) => (float[4] y) { n = Constant <value = int64 {9223372036854775807}> ()"
        " c = Constant <value = bool {1}> () y = Loop (n, c, x) <body = b"
        " (int64 i, bool t, float[4] s) => (bool u, float[4] r) { u = Identity (t) r = Sin (s) }> }"
    )
    one_line(run(model, "--trust", "--timeout", 1.5), "not done after 1.5 s", "--timeout")


@posix
@needs_onnxruntime
def test_a_crash_of_onnxruntime(
    run: Run, save_text: Callable[[str], Path], fake: Callable[..., None]
) -> None:
    fake("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)")
    one_line(run(save_text(RELU)), "onnxruntime crashed: SIGSEGV")


def test_a_custom_operator_without_its_library(run: Run, save_text: Callable[[str], Path]) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra bench)")
    model = save_text("g (float[1] x) => (float[1] y) { y = com.acme.Foo (x) }")
    one_line(run(model, "--trust"), "com.acme:Foo", "is not a registered")
    one_line(run(model, "--trust", "--custom-ops", "no.so"), "no.so: no such library")


def test_the_audit_refuses_before_anything_runs(
    run: Run, save_text: Callable[[str], Path], fake: Callable[..., None]
) -> None:
    path = save_text(RELU)
    model = onnx.load(path)
    weight = model.graph.initializer.add(
        name="w", data_type=1, dims=[1], data_location=onnx.TensorProto.EXTERNAL
    )
    weight.external_data.add(key="location", value="../secret")
    onnx.save(model, path)
    fake("raise SystemExit('it ran')")
    one_line(run(path), "not run, the audit found ", " critical: ", "--trust runs it")
    one_line(run(path, "--trust"), "it ran")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--max-ratio", "1.05"], "--max-ratio and --within need --vs"),
        (["--within", "5"], "--max-ratio and --within need --vs"),
        (["--vs", OTHER, "--within", "5"], "--within, not --runs or --seconds"),
        (["--sessions", "2"], "more --sessions than --concurrency"),
        (["--dim", "batch"], "batch=1,8"),
        (["--dim", "batch=1,2", "--save-inputs", "x.npz"], "one size of each"),
        (["--memory-limit", "much"], "'much' is not a size"),
        (["--dim", "height=3"], "the model has no dimension height"),
    ],
)
def test_options_that_make_no_sense(
    run: Run, fixtures: Path, arguments: list[str], words: str
) -> None:
    one_line(run(fixtures / "cnn.onnx", *arguments), words)


def test_what_is_no_onnx_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "model.onnxtxt"
    path.write_text(HEAD + RELU, "utf-8")
    one_line(run(path), "runs .onnx files only")
    one_line(run(tmp_path / "none.onnx"), "no such file")


def test_a_child_does_not_outlive_its_parent() -> None:
    code = (
        "import sys, time; sys.modules['onnxruntime'] = None\n"
        "from graphcount.benchmarking import worker\n"
        "worker.apply = lambda limit: time.sleep(60)\nworker.main()"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE)
    assert child.stdin is not None
    child.stdin.write(json.dumps(JOB).encode() + b"\n")
    child.stdin.close()
    assert child.wait(30) == 3


@posix
def test_the_ends_of_a_child_have_names() -> None:
    assert _death(-signal.SIGFPE, "", None) == "onnxruntime crashed: SIGFPE"
    assert "probably out of memory (--memory-limit 1.00 GB)" in _death(-signal.SIGKILL, "", 10**9)
    assert "out of memory" in _death(-signal.SIGABRT, "std::bad_alloc", None)
    assert _death(3, "last words", None) == "onnxruntime ended with code 3: last words"


def test_the_error_crosses_processes() -> None:
    import pickle

    error = BenchError("why", "model.onnx")
    assert str(pickle.loads(pickle.dumps(error))) == "model.onnx: why"


def test_a_folder_of_modules_is_not_searched(tmp_path: Path) -> None:
    """A file called like a module beside the model must not be imported."""
    (tmp_path / "numpy.py").write_text("raise SystemExit('imported')", "utf-8")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "graphcount.benchmarking.worker"],
        input=b"{}\n",
        capture_output=True,
        cwd=tmp_path,
        check=False,
    )
    assert b"imported" not in done.stderr
