"""The screens of README and transcripts are what the program prints; CI runs README's command."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import graphcount
from graphcount.cli.main import main
from graphcount.formats.sentences import framework_sentence

ROOT = Path(__file__).resolve().parent.parent
README, TOUR = ROOT / "README.md", ROOT / "docs" / "tour.md"
PAGES = (README, TOUR, ROOT / "docs" / "cost.md", *sorted((ROOT / "docs").glob("day-*.md")))
WIDTH = 80

BLOCK = re.compile(
    r"<!-- (?P<kind>screen|sentence|run|file): (?P<command>.+?) -->\n"
    r"```(?P<language>\w+)\n(?P<body>.*?)```",
    re.DOTALL,
)
"""A block with what makes it: a screen or a sentence of a model, a command as it was typed and what
it printed, or a file that the commands below it use."""


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


def run(command: str, folder: Path) -> str:
    """What a terminal shows of a command typed in a folder: both streams, and a code that is not 0.

    The program runs in this process; everything else (`cp`, `python`) is run by a shell.
    """
    name, _, rest = command.partition(" ")
    if name == "graphcount":
        out, arguments = io.StringIO(), shlex.split(rest)
        with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
            patch.setenv("COLUMNS", str(WIDTH))
            patch.delenv("GITHUB_STEP_SUMMARY", raising=False)
            patch.chdir(folder)
            with contextlib.redirect_stderr(out):
                code = main(arguments)
        text = out.getvalue()
    else:
        quoted = shlex.quote(sys.executable)
        line = f"{quoted} {rest}" if name == "python" else command
        done = subprocess.run(
            line, shell=True, cwd=folder, capture_output=True, text=True, check=True
        )
        text, code = done.stdout + done.stderr, 0
    lines = [f"$ {command}", *text.rstrip("\n").split("\n")] if text else [f"$ {command}"]
    return "\n".join([*lines, *(["$ echo $?", str(code)] if code else [])])


def expected(text: str) -> str:
    """A page with every generated block made anew, one after the other in a folder of their own."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "fixtures", folder / "fixtures")

        def fill(match: re.Match[str]) -> str:
            kind, command, language, body = match.groups()
            if kind == "file":
                (folder / command).write_text(body, "utf-8")
                return match.group()
            makers = {"screen": screen, "sentence": sentence}
            made = run(command, folder) if kind == "run" else makers[kind](command)
            return f"<!-- {kind}: {command} -->\n```{language}\n{made}\n```"

        return BLOCK.sub(fill, text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_screens_are_current(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python tests/test_readme.py` writes them anew."""
    monkeypatch.chdir(ROOT)
    text = page.read_text("utf-8")
    assert len(BLOCK.findall(text)) >= (1 if page.name in ("cost.md", "README.md") else 5)
    assert expected(text) == text


def test_there_is_a_transcript_for_each_kind_of_reader() -> None:
    assert {page.name for page in PAGES} >= {"day-auditor.md", "day-ci.md", "day-engineer.md"}


def test_the_example_in_python_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"```python\n(.*?)```", TOUR.read_text("utf-8"), re.DOTALL)
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


def test_every_command_has_an_example() -> None:
    from graphcount.cli.main import COMMANDS

    text = README.read_text("utf-8") + TOUR.read_text("utf-8")
    words = {*re.findall(r"\$ graphcount ([a-z]+)(?=\s)", text), "count"}
    assert words == set(COMMANDS)


def test_the_readme_is_two_screens() -> None:
    assert len(README.read_text("utf-8").splitlines()) <= 100


if __name__ == "__main__":
    os.chdir(ROOT)
    for written in PAGES:
        written.write_text(expected(written.read_text("utf-8")), "utf-8")
