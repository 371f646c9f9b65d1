"""Variables of the environment, by the program itself: what each does, and what wins over it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]
ESCAPE = "\x1b["


@pytest.fixture
def run(tmp_path: Path, fixtures: Path) -> Run:
    """Run the program in a folder with a model; words like `A=b` before it are its environment."""
    (tmp_path / "cnn.onnx").write_bytes((fixtures / "cnn.onnx").read_bytes())

    def call(line: str) -> tuple[int, str, str]:
        words = line.split()
        first = words.index("graphcount")
        given = dict(word.split("=", 1) for word in words[:first])
        done = subprocess.run(
            [sys.executable, "-m", *words[first:]],
            cwd=tmp_path,
            env={**os.environ, **given},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return call


@pytest.mark.parametrize(
    ("line", "colored"),
    [
        ("graphcount cnn.onnx", False),
        ("FORCE_COLOR=1 graphcount cnn.onnx", True),
        ("FORCE_COLOR=1 graphcount cnn.onnx -o -", True),
        ("FORCE_COLOR=0 graphcount cnn.onnx", True),  # force-color.org: whatever its value
        ("FORCE_COLOR= graphcount cnn.onnx", False),
        ("CLICOLOR_FORCE=1 graphcount cnn.onnx", True),
        ("CLICOLOR_FORCE=0 graphcount cnn.onnx", False),
        ("CLICOLOR_FORCE= graphcount cnn.onnx", False),
        ("NO_COLOR=1 FORCE_COLOR=1 CLICOLOR_FORCE=1 graphcount cnn.onnx", False),
        ("NO_COLOR= FORCE_COLOR=1 graphcount cnn.onnx", True),
        ("FORCE_COLOR=1 graphcount cnn.onnx --no-color", False),
        ("FORCE_COLOR=1 graphcount cnn.onnx --format json", False),
        ("FORCE_COLOR=1 graphcount check cnn.onnx --max parameters=1M", True),
        ("FORCE_COLOR=1 graphcount diff cnn.onnx cnn.onnx", True),
    ],
)
def test_colours(run: Run, line: str, colored: bool) -> None:
    code, out, err = run(line)
    assert (code, err) == (0, "")
    assert (ESCAPE in out) == colored


def test_a_file_has_no_colours(run: Run, tmp_path: Path) -> None:
    assert run("FORCE_COLOR=1 graphcount cnn.onnx -o x.txt --also table=y.txt") == (0, "", "")
    for name in ("x.txt", "y.txt"):
        assert ESCAPE not in (tmp_path / name).read_text("utf-8")


def test_the_format_of_the_environment_is_the_default(run: Run, tmp_path: Path) -> None:
    text = run("graphcount cnn.onnx --format json")[1]
    table = run("graphcount cnn.onnx")[1]
    assert run("GRAPHCOUNT_FORMAT=json graphcount cnn.onnx")[1] == text
    assert run("GRAPHCOUNT_FORMAT=json graphcount cnn.onnx -o x.txt") == (0, "", "")
    assert (tmp_path / "x.txt").read_text("utf-8") == text
    assert run("GRAPHCOUNT_FORMAT= graphcount cnn.onnx")[1] == table
    # an option wins, a suffix wins
    assert run("GRAPHCOUNT_FORMAT=csv graphcount cnn.onnx --format json")[1] == text
    assert run("GRAPHCOUNT_FORMAT=csv graphcount cnn.onnx -o x.json") == (0, "", "")
    assert json.loads((tmp_path / "x.json").read_text("utf-8"))
    # what a command does not have is for others
    assert run("GRAPHCOUNT_FORMAT=sarif graphcount cnn.onnx")[1] == table
    sarif = run("GRAPHCOUNT_FORMAT=sarif graphcount check cnn.onnx --max parameters=1")
    assert sarif[0] == 1
    assert json.loads(sarif[1])["version"] == "2.1.0"


def test_a_format_that_nothing_has_is_an_error(run: Run) -> None:
    assert run("GRAPHCOUNT_FORMAT=jsno graphcount cnn.onnx") == (
        2,
        "",
        "graphcount: GRAPHCOUNT_FORMAT: 'jsno' is no format; did you mean json?\n",
    )


def test_the_configuration_of_the_environment(run: Run, tmp_path: Path) -> None:
    kept, broken = (f'[[checks]]\nname="{n}"\nmax={{parameters="{n}"}}\n' for n in ("1M", "1"))
    (tmp_path / "graphcount.toml").write_text(kept)
    (tmp_path / "other.toml").write_text(broken)
    assert run("graphcount check cnn.onnx")[0] == 0
    assert run("GRAPHCOUNT_CONFIG=other.toml graphcount check cnn.onnx")[0] == 1
    assert run("GRAPHCOUNT_CONFIG= graphcount check cnn.onnx")[0] == 0
    # options win
    line = "GRAPHCOUNT_CONFIG=other.toml graphcount check cnn.onnx"
    assert run(f"{line} --config graphcount.toml")[0] == 0
    assert run(f"{line} --no-config --max parameters=1M")[0] == 0
    code, out, err = run("GRAPHCOUNT_CONFIG=gone.toml graphcount check cnn.onnx")
    assert (code, out) == (2, "")
    assert err.startswith("graphcount: gone.toml: ")
    assert err.count("\n") == 1


def test_the_help_names_them(run: Run) -> None:
    text = run("graphcount --help")[1]
    for name in ("CONFIG", "FORMAT"):
        assert f"GRAPHCOUNT_{name}" in text
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
        assert name in text
