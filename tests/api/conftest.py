"""For tests that hold what Python says against what the command line says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from graphcount.cli.main import main


class Done(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str


Command = Callable[..., Done]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command line in this process."""

    def run(*words: object) -> Done:
        capsys.readouterr()
        code = main([str(word) for word in words])
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def folder(fixtures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with two models and a damaged one below `bad`."""
    for name in ("cnn.onnx", "mlp_3_5_2.onnx"):
        shutil.copy(fixtures / name, tmp_path)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "cut.onnx").write_bytes((fixtures / "cnn.onnx").read_bytes()[:5000])
    monkeypatch.chdir(tmp_path)
    return tmp_path
