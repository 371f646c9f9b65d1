"""The program as people call it: exit codes, one-line errors, streams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from graphcount.cli.main import COMMANDS, main

Save = Callable[..., str]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Run the program in this process: exit code, stdout, stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return call


def test_a_model_is_counted_without_naming_the_command(run: Run, fixtures: Path) -> None:
    code, out, err = run(fixtures / "cnn.onnx")
    assert (code, err) == (0, "")
    assert "26,926" in out
    assert run("count", fixtures / "cnn.onnx")[1] == out


def test_options_may_come_first(run: Run, fixtures: Path) -> None:
    code, out, _ = run("--format", "json", fixtures / "cnn.onnx")
    assert code == 0
    assert json.loads(out)["totals"]["parameters"] == 26_926


def test_no_argument_shows_help(run: Run) -> None:
    code, out, _ = run()
    assert code == 0
    assert all(name in out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(run: Run, name: str) -> None:
    code, out, _ = run(name, "--help")
    assert code == 0
    assert ("--format" in out) == (name != "page")  # a page has one form


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "empty file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
        (b"PK\x03\x04rest", "zip"),
        (b"<!DOCTYPE html><html></html>", "HTML"),
        (b"\x80\x04\x95", "pickle"),
        (b"just some words", "not an ONNX model"),
    ],
)
def test_what_is_not_onnx_is_named_in_one_line(
    run: Run, tmp_path: Path, content: bytes, word: str
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    code, out, err = run(path)
    assert (code, out) == (2, "")
    assert err.startswith(f"graphcount: {path}: ")
    assert err.count("\n") == 1
    assert word in err


def test_a_cut_file_names_the_byte(run: Run, fixtures: Path, tmp_path: Path) -> None:
    whole = (fixtures / "cnn.onnx").read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(whole[: len(whole) // 2])
    code, _, err = run(path)
    assert code == 2
    assert "byte" in err


def test_a_missing_file_is_one_line(run: Run, tmp_path: Path) -> None:
    code, out, err = run(tmp_path / "none.onnx")
    assert (code, out) == (2, "")
    assert err == f"graphcount: {tmp_path / 'none.onnx'}: no such file\n"


def test_one_bad_model_does_not_stop_the_others(run: Run, fixtures: Path, tmp_path: Path) -> None:
    code, out, err = run(
        "--format",
        "jsonl",
        fixtures / "cnn.onnx",
        tmp_path / "none.onnx",
        fixtures / "mlp_4_5_3.onnx",
    )
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 2
    assert [row["schema"] for row in rows] == [
        "graphcount.report/2",
        "graphcount.error/1",
        "graphcount.report/2",
    ]
    assert err.count("\n") == 1


def test_several_models_are_an_array(run: Run, fixtures: Path) -> None:
    _, out, _ = run("--format", "json", fixtures / "cnn.onnx", fixtures / "mlp_4_5_3.onnx")
    assert [row["totals"]["parameters"] for row in json.loads(out)] == [26_926, 43]


@pytest.mark.parametrize(("expected", "code"), [(26_926, 0), (26_925, 1), (0, 1)])
def test_expect_parameters(run: Run, fixtures: Path, expected: int, code: int) -> None:
    found, _, err = run(fixtures / "cnn.onnx", "--expect-parameters", expected)
    assert found == code
    assert (f"expected {expected:,}" in err) == bool(code)


def test_strict_fails_on_the_unknown(run: Run, save: Save) -> None:
    from onnx import helper

    node = helper.make_node("Relu", ["nowhere"], ["y"])
    path = save([node], outputs=["y"])
    assert run(path)[0] == 0
    code, _, err = run(path, "--strict")
    assert code == 1
    assert "nowhere" in err


def test_check_passes_and_fails(run: Run, fixtures: Path) -> None:
    model = fixtures / "cnn.onnx"
    code, out, _ = run("check", model, "--max", "parameters=30M", "--max", "nbytes=1MB")
    assert (code, out.count("pass ")) == (0, 1)
    assert "1 model, 2 limits: all kept" in out
    code, out, _ = run("check", model, "--max", "parameters=30M", "--max", "nbytes=100kB")
    assert code == 1
    assert "FAIL" in out
    assert "7,720 bytes" in out  # 107,704 + 16 - 100,000


def test_check_without_a_budget_checks_nothing(run: Run, fixtures: Path) -> None:
    code, out, err = run("check", fixtures / "cnn.onnx")
    assert (code, out) == (2, "")
    assert "nothing to check" in err


def test_check_of_an_unreadable_model_is_no_verdict(run: Run, tmp_path: Path) -> None:
    (tmp_path / "e.onnx").touch()
    assert run("check", tmp_path / "e.onnx", "--max", "parameters=1")[0] == 2


def test_check_counts_missing_data_as_not_exact(run: Run, tmp_path: Path, fixtures: Path) -> None:
    path = tmp_path / "mlp_external.onnx"
    path.write_bytes((fixtures / "mlp_external.onnx").read_bytes())
    code, out, _ = run("check", path, "--max", "parameters=1M")
    assert code == 1
    assert "missing" in out


@pytest.mark.parametrize(
    ("version", "code"), [(3, 0), (10, 0), (None, 1), (0, 1), (-1, 1), (9999, 1)]
)
def test_check_passes_no_model_of_an_ir_version_that_does_not_exist(
    run: Run, tmp_path: Path, fixtures: Path, version: int | None, code: int
) -> None:
    model = onnx.load(fixtures / "mlp_3_5_2.onnx")
    model.ClearField("ir_version")
    if version is not None:
        model.ir_version = version
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    found, out, _ = run("check", path, "--max", "parameters=1G")
    assert found == code
    assert ("IR version" in out) == bool(code)


@pytest.mark.parametrize(
    "dims", ["2x3x32x32", "2,3,32,32", "[2,3,32,32]", "[2, 3, 32, 32]", "2x?x32x32"]
)
def test_shapes_are_written_as_people_write_them(run: Run, fixtures: Path, dims: str) -> None:
    code, out, _ = run(fixtures / "cnn.onnx", "--format", "json", "--shape", f"x={dims}")
    assert code == 0
    assert json.loads(out)["model"]["inputs"][0]["shape"] == [2, 3, 32, 32]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--dim", "batch"], "batch=8"),
        (["--dim", "batch=x"], "write 8 or 1:8"),
        (["--dim", "batch=2", "--dim", "batch=3"], "two sizes"),
        (["--dim", "bach=2"], "no dimension bach"),
        (["--shape", "x=1x3"], "4 dimensions"),
        (["--shape", "x=axb"], "input=1x3x224x224"),
        (["--shape", "nope=1"], "no input nope"),
    ],
)
def test_bindings_that_make_no_sense_are_one_line(
    run: Run, fixtures: Path, arguments: list[str], words: str
) -> None:
    code, out, err = run(fixtures / "cnn.onnx", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err


def test_a_gate_on_compute(run: Run, fixtures: Path) -> None:
    model = fixtures / "cnn.onnx"
    assert run("check", model, "--dim", "batch=1", "--max", "macs=400k")[0] == 0
    code, out, _ = run("check", model, "--dim", "batch=1", "--max", "macs=300k")
    assert code == 1
    assert "373,856" in out
    code, out, _ = run("check", model, "--max", "macs=1G")  # a formula in batch is no number
    assert code == 1
    assert "373856*batch" in out


def test_bad_usage_is_exit_2_and_one_line(run: Run, fixtures: Path) -> None:
    for arguments in (["--by", "colour"], ["--no-such-option"], ["--top", "0"]):
        code, out, err = run(fixtures / "cnn.onnx", *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)


def test_a_bug_of_ours_is_exit_70(
    run: Run, fixtures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import graphcount.api

    def broken(*arguments: object, **options: object) -> None:
        raise RuntimeError("oh no")

    monkeypatch.setattr(graphcount.api, "counts", broken)
    code, out, err = run(fixtures / "cnn.onnx")
    assert (code, out) == (70, "")
    assert err.startswith("graphcount: internal error, please report: RuntimeError: oh no")
    assert err.count("\n") == 1


def test_output_is_written_whole_or_not_at_all(run: Run, fixtures: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    code, out, _ = run(fixtures / "cnn.onnx", "--format", "json", "-o", target)
    assert (code, out) == (0, "")
    assert json.loads(target.read_text())["totals"]["parameters"] == 26_926
    assert os.listdir(tmp_path) == ["report.json"]
    code, _, err = run(fixtures / "cnn.onnx", "-o", tmp_path / "no" / "folder")
    assert code == 2
    assert "cannot be written" in err


@pytest.mark.skipif(sys.platform == "win32", reason="FIFOs and links")
def test_output_goes_through_links_and_into_pipes(run: Run, fixtures: Path, tmp_path: Path) -> None:
    import stat
    from threading import Thread

    real, link, pipe = tmp_path / "real.json", tmp_path / "link.json", tmp_path / "pipe"
    real.write_text("old")
    link.symlink_to(real)
    assert run(fixtures / "mlp_4_5_3.onnx", "--format", "json", "-o", link, "--force")[0] == 0
    assert link.is_symlink()
    assert json.loads(real.read_text())["totals"]["parameters"] == 43
    os.mkfifo(pipe)
    read: list[str] = []
    reader = Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    assert run(fixtures / "mlp_4_5_3.onnx", "--format", "json", "-o", pipe)[0] == 0
    reader.join(10)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert read[0] == real.read_text()


def program(*arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "graphcount", *arguments]
    return subprocess.run(command, capture_output=True, check=False, **options)  # type: ignore[call-overload,no-any-return]


def test_standard_input_is_read(fixtures: Path) -> None:
    data = (fixtures / "cnn.onnx").read_bytes()
    done = program("-", "--format", "json", input=data, cwd=fixtures.parent)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["totals"]["parameters"] == 26_926


@pytest.mark.parametrize("encoding", ["ascii", "utf-8", "cp1252"])
def test_any_encoding_of_the_terminal_will_do(fixtures: Path, encoding: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = program("fixtures/cnn.onnx", env=environment, cwd=fixtures.parent)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"26,926" in done.stdout


def test_a_reader_that_leaves_causes_no_traceback(fixtures: Path) -> None:
    command = f"{sys.executable} -m graphcount fixtures/cnn.onnx --format json | head -c 10"
    done = subprocess.run(
        ["sh", "-c", command], capture_output=True, check=False, cwd=fixtures.parent
    )
    assert b"Traceback" not in done.stderr
    assert b"rror" not in done.stderr


def test_the_same_file_gives_the_same_bytes(fixtures: Path) -> None:
    outputs = set()
    for seed in ("0", "1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = program(
            "fixtures/transformer_block.onnx",
            "--format",
            "json",
            env=environment,
            cwd=fixtures.parent,
        )
        outputs.add(done.stdout)
    assert len(outputs) == 1


@pytest.mark.parametrize(("name", "code"), [("cnn.onnx", 0), ("none.onnx", 2)])
def test_what_waits_for_the_end_of_the_program_is_done(
    name: str, code: int, fixtures: Path
) -> None:
    """The process ends without freeing what it holds, and with all that it was to do and write."""
    program = (
        "import atexit, sys; atexit.register(print, 'the end');"
        "from graphcount.__main__ import run; run()"
    )
    command = [sys.executable, "-c", program, str(fixtures / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert ("26,926" in done.stdout) == (code == 0)
    assert done.stdout.endswith("the end\n")
