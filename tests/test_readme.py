"""The README's screens are what the program prints, and its commands are those that CI runs."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
from pathlib import Path

import pytest

import graphcount
from graphcount.cli.main import main
from graphcount.formats.sentences import framework_sentence

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
WIDTH = 80


def screen(command: str) -> str:
    """What a terminal of 80 columns shows, without colour."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.setenv("COLUMNS", str(WIDTH))
        assert main(shlex.split(command)) in (0, 1)  # a check may fail, that is its work
    return out.getvalue().rstrip("\n")


def sentence(fixture: str) -> str:
    """The sentence about the framework's count."""
    return framework_sentence(graphcount.count(fixture))


def expected(text: str) -> str:
    """The README with every generated block made anew."""
    makers = {"screen": screen, "sentence": sentence}

    def fill(match: re.Match[str]) -> str:
        kind, command = match.group("kind"), match.group("command")
        return f"<!-- {kind}: {command} -->\n```text\n{makers[kind](command)}\n```"

    pattern = r"<!-- (?P<kind>screen|sentence): (?P<command>[^>]+) -->\n```text\n.*?```"
    return re.sub(pattern, fill, text, flags=re.DOTALL)


def test_the_screens_are_current(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python tests/test_readme.py` writes them anew."""
    monkeypatch.chdir(ROOT)
    text = README.read_text("utf-8")
    assert text.count("<!-- screen:") >= 1
    assert expected(text) == text


def test_the_example_in_python_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    names: dict[str, object] = {}
    exec("\n".join(blocks), names)
    report = names["report"]
    assert isinstance(report, graphcount.Report)
    assert report.totals.parameters == 26_926


def test_ci_runs_the_readmes_test_command() -> None:
    text = README.read_text("utf-8")
    commands = re.findall(r"^\$ (pip install .*\[test\].*)$", text, re.MULTILINE)
    assert len(commands) == 1
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert "README.md" in script
    assert r"\[test\]" in script


def test_every_command_of_the_readme_exists() -> None:
    from graphcount.cli.main import COMMANDS

    verbs = "check|count|diff|audit|bench|report|plan|scan|rules|explain|init"
    used = re.findall(rf"\$ graphcount ({verbs})\b", README.read_text("utf-8"))
    assert used
    assert set(used) <= set(COMMANDS)


if __name__ == "__main__":
    os.chdir(ROOT)
    README.write_text(expected(README.read_text("utf-8")), "utf-8")
