"""One run of the program for each row of the table of exit codes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

MODEL = "cnn.onnx"


@pytest.fixture(scope="module")
def folder(fixtures: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("exit")
    data = (fixtures / MODEL).read_bytes()
    (path / MODEL).write_bytes(data)
    (path / "cut.onnx").write_bytes(data[: len(data) // 2])
    (path / "no.txt").write_text("not a model")
    (path / "bad.toml").write_text("[[checks]]\nmax = { paramters = 1 }\n")
    (path / "empty.toml").write_text("")
    (path / "glob.toml").write_text("[[checks]]\npaths = ['z*']\nmax = { nodes = 1 }\n")
    (path / "mild.toml").write_text("[[checks]]\nseverity = 'low'\nmax = { nodes = 1 }\n")
    return path  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (0, f"{MODEL}"),
        (0, f"check {MODEL} --max parameters=26926"),
        (0, f"check {MODEL} --config mild.toml"),
        (1, f"check {MODEL} --max parameters=26925"),
        (1, f"check {MODEL} --config mild.toml --fail-on low"),
        (1, f"check {MODEL} --max macs=1T"),
        (1, f"{MODEL} --expect-parameters 1"),
        (2, f"check {MODEL}"),
        (2, f"check {MODEL} --max parameters=lots"),
        (2, "check cut.onnx --max parameters=1G"),
        (2, "check no.txt --max parameters=1G"),
        (2, "check none.onnx --max parameters=1G"),
        (2, f"check {MODEL} --config bad.toml"),
        (2, f"check {MODEL} --config empty.toml"),
        (2, "check --config glob.toml"),
        (2, f"check {MODEL} --no-such-option"),
        (2, f"check {MODEL} cut.onnx --max parameters=1"),
    ],
)
def test_each_row_by_a_process(folder: Path, code: int, arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "graphcount", *arguments.split()],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    if code == 2:
        assert done.stderr.startswith("graphcount: ")


def test_a_bug_is_70_and_never_a_verdict(folder: Path) -> None:
    program = (
        "import sys, graphcount.gates.examine as room\n"
        "def broken(*_, **__): raise ZeroDivisionError('oops')\n"
        "room.examine = broken\n"
        "from graphcount.cli.main import run\n"
        f"sys.argv = ['graphcount', 'check', '{MODEL}', '--max', 'nodes=1']\n"
        "run()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=folder
    )
    assert (done.returncode, done.stdout) == (70, "")
    assert "internal error, please report: ZeroDivisionError: oops" in done.stderr
    assert "Traceback" not in done.stderr
