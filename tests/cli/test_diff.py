"""`graphcount diff` as a program: outputs and exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from graphcount.cli.main import main

SMALL, LARGE = "behavior_cloning_11.onnx", "behavior_cloning.onnx"
"""The larger one has 20 inputs more in its first layer of 64 units: 1,280 parameters."""


def run(*arguments: object) -> int:
    return main(["diff", *map(str, arguments)])


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ([], 0),
        (["--max-increase", "parameters=1280"], 0),
        (["--max-increase", "parameters=1279"], 1),
        (["--max-increase", "nbytes=42%", "--max-increase", "nodes=0"], 0),
        (["--max-increase", "nbytes=41%"], 1),
        (["--max-increase", "macs=0", "--dim", "batch=1"], 1),
        (["--fail-on-change"], 1),
        (["--max-increase", "nbites=1"], 2),
        (["--max-increase", "nbytes"], 2),
    ],
)
def test_exit_codes(options: list[str], code: int, fixtures: Path) -> None:
    assert run(fixtures / SMALL, fixtures / LARGE, *options) == code


def test_shrinking_is_within_every_limit(fixtures: Path) -> None:
    assert run(fixtures / LARGE, fixtures / SMALL, "--max-increase", "nbytes=0") == 0


def test_the_same_model_has_not_changed(fixtures: Path) -> None:
    assert run(fixtures / SMALL, fixtures / SMALL, "--fail-on-change", "--values") == 0


def test_by_subprocess(fixtures: Path, tmp_path: Path) -> None:
    """Exit code, one line on stderr, result on stdout."""
    command = [sys.executable, "-m", "graphcount", "diff", str(fixtures / SMALL)]
    environment = {**os.environ, "COLUMNS": "80"}

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *arguments], capture_output=True, text=True, check=False, env=environment
        )

    done = call(str(fixtures / LARGE), "--max-increase", "parameters=5")
    assert done.returncode == 1
    assert "parameters 4,392 is 1,275 over 3,117 (baseline 3,112 + 5)" in done.stdout
    assert done.stderr == ""
    done = call(str(tmp_path / "missing.onnx"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("missing.onnx: no such file\n")
    (tmp_path / "bad.onnx").write_bytes(b"PK\x03\x04 no model")
    assert call(str(tmp_path / "bad.onnx")).returncode == 2
    (tmp_path / "bad.json").write_text('{"schema": "graphcount.report/2"}')
    done = call(str(tmp_path / "bad.json"))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "bad.json" in done.stderr


def test_json_to_a_file_and_from_saved_reports(
    fixtures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = [tmp_path / f"{name}.json" for name in (SMALL, LARGE)]
    for name, path in zip((SMALL, LARGE), saved, strict=True):
        assert main([str(fixtures / name), "--format", "json", "-o", str(path)]) == 0
    out = tmp_path / "diff.json"
    assert run(*saved, "--format", "json", "-o", out) == 0
    data = json.loads(out.read_text())
    assert [data[side]["source"] for side in ("old", "new")] == ["report", "report"]
    parameters = next(row for row in data["totals"] if row["name"] == "parameters")
    assert parameters["delta"] == 1280
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["table", "csv", "markdown"])
@pytest.mark.parametrize("sort", ["nbytes", "parameters", "macs"])
def test_every_format_prints(
    name: str, sort: str, fixtures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--format", name, "--sort", sort, "--top", 2, "--by", "tensor"]
    assert run(fixtures / "cnn.onnx", fixtures / "cnn_int8.onnx", *arguments) == 0
    assert "classifier" in capsys.readouterr().out


def test_fingerprints_are_compared(fixtures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(fixtures / "cnn.onnx", fixtures / "cnn.onnx", "--hash") == 0
    out = capsys.readouterr().out
    assert "identical" in out
    assert "architecture: the same" in out
