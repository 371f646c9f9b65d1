"""What a shell completes, asked as bash asks, and once through bash itself."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from graphcount.cli.main import COMMANDS


def complete(line: str, folder: Path) -> list[str]:
    """Candidates for the last word of a line, as `type,value`."""
    words = shlex.split(line) + ([""] if line.endswith(" ") else [])
    environment = {
        **os.environ,
        "_GRAPHCOUNT_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-m", "graphcount"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd=folder,
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("graphcount au", ["plain,audit"]),
        ("graphcount audit --fail", ["plain,--fail-on"]),
        ("graphcount check m.onnx --format ju", ["plain,junit"]),
        ("graphcount m.onnx --format mark", ["plain,markdown"]),
        ("graphcount --form", ["plain,--format"]),
        ("graphcount --vers", ["plain,--version"]),
        ("graphcount --format js", ["plain,json", "plain,jsonl"]),
        ("graphcount rules EXT00", [f"plain,EXT00{n}" for n in range(1, 10)]),
        ("graphcount rules ext011", ["plain,EXT011"]),
        ("graphcount audit m.onnx --select EXT011", ["plain,EXT011"]),
        ("graphcount fixtures/c", ["file,fixtures/c"]),
        ("graphcount m.onnx ", ["file,"]),
        ("graphcount audit mo", ["file,mo"]),
        ("graphcount diff a.onnx mo", ["file,mo"]),
        ("graphcount check --config gr", ["file,gr"]),
    ],
)
def test_candidates(line: str, expected: list[str], tmp_path: Path) -> None:
    assert complete(line, tmp_path) == expected


def test_the_first_word_is_a_command_or_a_model(tmp_path: Path) -> None:
    for name in ("cnn.onnx", "check.txt", "other.onnx"):
        (tmp_path / name).touch()
    assert complete("graphcount c", tmp_path) == ["plain,count", "plain,check", "plain,cnn.onnx"]
    found = complete("graphcount ", tmp_path)
    assert found == [f"plain,{name}" for name in [*COMMANDS, "cnn.onnx", "other.onnx"]]


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("graphcount pa", ["page"]),
        ("graphcount audit --fail", ["--fail-on"]),
        ("graphcount rules EXT01", [f"EXT01{n}" for n in range(10)]),
        ("graphcount check m.onnx --format gitlab", ["gitlab", "gitlab-metrics"]),
        ("graphcount fix", []),  # compopt hands it to bash's own completion of files
    ],
)
def test_bash_completes(line: str, expected: list[str], tmp_path: Path) -> None:
    """The script is sourced as the README says, and its function is called as bash calls it."""
    program = tmp_path / "graphcount"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m graphcount "$@"\n')
    program.chmod(0o755)
    words = shlex.split(line)
    script = f"""
        compopt() {{ echo "compopt $*" >&2; }}
        eval "$(_GRAPHCOUNT_COMPLETE=bash_source graphcount)"
        complete -p graphcount >&2
        COMP_WORDS=({line}) COMP_CWORD={len(words) - 1}
        _graphcount_completion graphcount {words[-1]} {words[-2]}
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd=tmp_path,
    )
    assert done.stdout.split() == expected
    assert "-F _graphcount_completion graphcount" in done.stderr
    assert ("compopt -o default" in " ".join(done.stderr.split())) == (not expected)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_a_script(shell: str) -> None:
    environment = {
        **os.environ,
        "_GRAPHCOUNT_COMPLETE": f"{shell}_source",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-m", "graphcount"],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert f"_GRAPHCOUNT_COMPLETE={shell}_complete" in done.stdout


def test_completing_a_command_loads_none(tmp_path: Path) -> None:
    program = (
        "import os, sys\n"
        "os.environ.update(_GRAPHCOUNT_COMPLETE='bash_complete', COMP_WORDS='graphcount au',"
        " COMP_CWORD='1')\n"
        "from graphcount.cli.main import main\n"
        "try:\n    main([])\nexcept SystemExit:\n    pass\n"
        "print(*(name for name in sys.modules if name.startswith('graphcount.cli.')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=tmp_path,
    )
    assert done.stdout.split() == [
        "plain,audit", "graphcount.cli.command", "graphcount.cli.main"
    ]  # fmt: skip
