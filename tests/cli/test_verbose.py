"""`-q` and `-v` of every command: what is said on stderr, and nothing else changes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from graphcount.cli.main import COMMANDS, main
from graphcount.version import __version__

CONFIG = """
exclude = ["old*"]
uncovered = "ignore"
[[checks]]
paths = ["cnn.onnx"]
max = { parameters = "1M" }
"""


@pytest.fixture
def folder(tmp_path: Path, fixtures: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("cnn.onnx", "old.onnx", "other.onnx"):
        (tmp_path / name).write_bytes((fixtures / "cnn.onnx").read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> tuple[int, str, list[str]]:
    command = [sys.executable, "-m", "graphcount", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr.splitlines()


def test_verbose_says_what_was_read_and_what_was_not(folder: Path) -> None:
    (folder / "graphcount.toml").write_text(CONFIG)
    models = ("cnn.onnx", "old.onnx", "other.onnx")
    code, out, lines = run("check", *models, "-v")
    assert (code, out) == run("check", *models)[:2]
    assert all(line.startswith("graphcount: ") for line in lines)
    rows = [line.removeprefix("graphcount: ") for line in lines]
    nbytes = f"{(folder / 'cnn.onnx').stat().st_size:,}"
    assert rows[0].startswith(f"{__version__}, Python {sys.version.split()[0]}, ")
    assert rows[1] == f"configuration: {folder / 'graphcount.toml'}"
    assert rows[2].endswith(f"graphcount.toml: opened: {len(CONFIG)} bytes")
    assert rows[3] == "old.onnx: not checked: excluded by the configuration"
    assert rows[4] == "other.onnx: not checked: no check applies to it, which is ignored"
    assert rows[5] == f"cnn.onnx: opened: {nbytes} bytes"
    assert re.fullmatch(rf"cnn\.onnx: read as onnx in \d+\.\d{{3}} s: {nbytes} bytes", rows[6])
    assert re.fullmatch(r"cnn\.onnx: counted in \d+\.\d{3} s, without shapes and costs", rows[7])
    assert len(rows) == 8


def test_verbose_says_that_there_is_no_configuration(folder: Path) -> None:
    assert (
        "graphcount: configuration: none: --no-config"
        in run("cnn.onnx", "--verbose", "--no-config")[2]
    )
    lines = run("cnn.onnx", "-v")[2]
    assert any(line.startswith("graphcount: configuration: ") for line in lines)


def test_a_scan_names_what_it_leaves_out(folder: Path) -> None:
    (folder / "graphcount.toml").write_text(CONFIG)
    lines = run("scan", ".", "-v", "--jobs", "1", "--format", "csv")[2]
    assert "graphcount: old.onnx: not scanned: excluded by the configuration" in lines
    assert "graphcount: other.onnx: ok" in lines


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_both(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert "-q, --quiet" in text
    assert "-v, --verbose" in text


@pytest.mark.parametrize("options", [("-q", "-v"), ("--verbose", "--quiet")])
def test_both_at_once_are_refused(folder: Path, options: tuple[str, str]) -> None:
    refusal = ["graphcount: --quiet and --verbose exclude each other"]
    assert run("cnn.onnx", *options) == (2, "", refusal)


def test_quiet_is_short(folder: Path) -> None:
    assert run("page", "cnn.onnx", "-q", "-o", "x.html") == (0, "", [])


def test_listening_ends_with_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cnn.onnx", "-v"]) == 0
    assert "read as onnx" in capsys.readouterr().err
    assert main(["cnn.onnx"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("form", ["json", "jsonl", "junit", "sarif", "github", "markdown", "table"])
def test_a_check_that_held_nothing_says_so(folder: Path, form: str) -> None:
    """The configuration decided it, so it is no failure; silent it is not."""
    (folder / "graphcount.toml").write_text(CONFIG)
    code, out, lines = run("check", "old.onnx", "other.onnx", "--format", form)
    assert code == 0
    sentence = "0 models, 0 limits: nothing held; 1 uncovered, 1 excluded"
    assert sentence in out or f"graphcount: {sentence}" in lines


def test_a_page_is_html(folder: Path) -> None:
    code, out, (line,) = run("page", "cnn.onnx", "-o", "x.json")
    assert (code, out) == (2, "")
    assert line.startswith("graphcount: x.json: .json is for json or ")
    assert line.endswith("formats here are html")
    assert not (folder / "x.json").exists()
