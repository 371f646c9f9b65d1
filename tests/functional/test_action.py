"""The GitHub action and the pre-commit hooks: what they run is run here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from graphcount.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parent.parent.parent

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the steps are bash")


@pytest.fixture(scope="module")
def action() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
    return found


def check_step(action: dict[str, Any]) -> dict[str, Any]:
    (step,) = [step for step in action["runs"]["steps"] if step.get("id") == "check"]
    found: dict[str, Any] = step
    return found


def run_step(
    action: dict[str, Any], folder: Path, **inputs: str
) -> tuple[subprocess.CompletedProcess[str], str, str]:
    """Run the step that checks, as a runner does: inputs fill the environment, bash runs the text.

    Returns:
        The process, what it wrote to GITHUB_OUTPUT, and to GITHUB_STEP_SUMMARY.
    """
    step = check_step(action)
    values = {name: row.get("default", "") for name, row in action["inputs"].items()} | inputs
    env = {
        key: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda m: values[m[1]], text)
        for key, text in step["env"].items()
    }
    assert not any("${{" in text for text in env.values())
    temp = folder / "runner"
    (temp / "graphcount" / "bin").mkdir(parents=True)
    program = temp / "graphcount" / "bin" / "graphcount"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m graphcount "$@"\n')
    program.chmod(0o755)
    output, summary = folder / "output", folder / "summary"
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={
            **os.environ,
            **env,
            "PYTHONPATH": str(ROOT),
            "RUNNER_TEMP": str(temp),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_STEP_SUMMARY": str(summary),
        },
    )
    return done, output.read_text(), summary.read_text() if summary.exists() else ""


@pytest.fixture
def folder(tmp_path: Path, fixtures: Path) -> Path:
    (tmp_path / "cnn.onnx").write_bytes((fixtures / "cnn.onnx").read_bytes())
    (tmp_path / "my models").mkdir()
    config = "[[checks]]\nname = 'cnn'\npaths = ['*.onnx']\nmax = { parameters = '26k' }\n"
    (tmp_path / "budgets.toml").write_text(config)
    return tmp_path


def test_it_passes(action: dict[str, Any], folder: Path) -> None:
    done, output, summary = run_step(action, folder, models="cnn.onnx", args="--max nodes=11")
    assert done.returncode == 0, done.stderr
    assert output == "exit-code=0\n"
    assert "1 model, 1 limit: all kept" in done.stdout
    assert summary.startswith("<!-- graphcount:check -->")


def test_it_fails_with_an_annotation_and_a_comment(action: dict[str, Any], folder: Path) -> None:
    inputs = {"config": "budgets.toml", "comment-file": "comment.md", "marker": "edge"}
    done, output, _ = run_step(action, folder, **inputs)
    assert (done.returncode, output) == (1, "exit-code=1\n")
    assert done.stdout.startswith("::error file=budgets.toml,line=4,title=BUD001 over-budget::")
    assert (folder / "comment.md").read_text().startswith("<!-- graphcount:edge -->")


def test_what_cannot_be_checked_is_2(action: dict[str, Any], folder: Path) -> None:
    done, output, _ = run_step(action, folder, models="none.onnx", args="--max nodes=1")
    assert (done.returncode, output) == (2, "exit-code=2\n")
    assert "none.onnx: no such file" in done.stderr


def test_inputs_are_data_not_code(action: dict[str, Any], folder: Path) -> None:
    evil = '"; touch evil; $(touch evil) `touch evil` #'
    for name in ("models", "config", "args", "comment-file", "marker"):
        attempt = folder / name
        attempt.mkdir()
        done, _, _ = run_step(action, attempt, **{"models": "x.onnx", name: evil})
        assert done.returncode == 2
    assert not list(folder.rglob("evil"))


def test_no_step_puts_an_expression_into_a_script(action: dict[str, Any]) -> None:
    for step in action["runs"]["steps"]:
        assert "${{" not in step["run"]
        assert step["shell"] == "bash"


def test_the_hooks_run_a_command_of_ours() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    for hook in hooks:
        program, command = hook["entry"].split()
        assert program == "graphcount"
        assert command in COMMANDS
        assert hook["language"] == "python"
    assert re.search(hooks[0]["files"], "models/a.onnx")
