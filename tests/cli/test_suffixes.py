"""The format of a file follows from its name; a contradiction is an error; `--also` writes more."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest

from graphcount.cli.main import COMMANDS, main
from graphcount.cli.output import SUFFIXES
from graphcount.formats import CHECK_FORMATS

Run = Callable[..., tuple[int, str, str]]

LINES: dict[str, tuple[str, ...]] = {
    "count": ("cnn.onnx",),
    "check": ("cnn.onnx", "--max", "parameters=1M"),
    "diff": ("cnn.onnx", "cnn.onnx"),
    "audit": ("cnn.onnx",),
    "bench": ("cnn.onnx", "--runs", "1", "--warmup", "0", "--dim", "batch=1"),
    "rules": ("EXT002",),
    "export": ("cnn.onnx",),
    "explain": ("cnn.onnx",),
    "plan": ("cnn.onnx",),
    "deploy": (".",),
}
"""A command line of each command that has formats of one result."""

WITHOUT = {
    "scan": "-o may be repeated, and its suffixes are those of inventories",
    "init": "a configuration has one place",
    "page": "a page is HTML",
}
"""Commands without --also, and why."""


@pytest.fixture
def run(
    tmp_path: Path,
    fixtures: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Run:
    (tmp_path / "cnn.onnx").write_bytes((fixtures / "cnn.onnx").read_bytes())
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return call


def formats(name: str) -> tuple[str, ...]:
    """Formats of a command."""
    options = import_module(COMMANDS[name][0]).command.params
    kinds = [option.type for option in options if option.name == "format_name"]
    assert all(isinstance(kind, click.Choice) for kind in kinds)
    return tuple(name for kind in kinds for name in kind.choices)


def test_every_format_has_its_row() -> None:
    used = {row for name in COMMANDS for row in formats(name)}
    assert used | {"html"} == set(SUFFIXES)


def test_every_command_with_formats_has_also() -> None:
    assert set(LINES) == set(COMMANDS) - set(WITHOUT)


@pytest.mark.parametrize("name", LINES)
def test_json_is_chosen_by_the_suffix_and_more_is_written(
    run: Run, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """What `-o x.json` and `--also` write is what `--format` prints, each in its place."""
    if name == "bench":
        pytest.importorskip("onnxruntime")
    first = formats(name)[0]
    chosen = next(row for row in SUFFIXES if ".json" in SUFFIXES[row] and row in formats(name))
    folder = tmp_path_factory.mktemp("results")
    more, asked = folder / "more.out", ("-o", folder / "x.json", "--also")
    assert run(name, *LINES[name], *asked, f"{first}={more}")[0] == 0
    content = json.loads((folder / "x.json").read_text("utf-8"))
    if name == "bench":  # times differ from run to run
        assert "runs" in more.read_text("utf-8")
        return
    printed = json.loads(run(name, *LINES[name], "--format", chosen)[1])
    if name == "count":  # the table beside it wants the timeline, at assumed sizes
        assert content["assumed"].pop("timeline") != printed["assumed"].pop("timeline")
    assert content == printed
    assert more.read_text("utf-8") == run(name, *LINES[name])[1]
    assert run(name, *LINES[name], "-o", folder / "x.txt")[0] == 0
    assert (folder / "x.txt").read_text("utf-8") == more.read_text("utf-8")


def test_each_suffix_chooses_its_format(run: Run) -> None:
    check = ("check", "cnn.onnx", "--max", "parameters=1")
    for file in ("x.sarif", "X.SARIF", "y.sarif.json"):
        assert run(*check, "-o", file)[0] == 1
        assert json.loads(Path(file).read_text("utf-8"))["version"] == "2.1.0"
    assert run(*check, "-o", "x.xml")[0] == 1
    assert ElementTree.parse("x.xml").getroot().tag == "testsuites"
    assert run(*check, "-o", "x.md")[0] == 1
    assert Path("x.md").read_text("utf-8").startswith("<!-- graphcount:check -->\n")
    assert run("count", "cnn.onnx", "-o", "bom.cdx.json")[0] == 0
    assert json.loads(Path("bom.cdx.json").read_text("utf-8"))["bomFormat"] == "CycloneDX"
    assert run("count", "cnn.onnx", "-o", "x.csv")[0] == 0
    with open("x.csv", newline="", encoding="utf-8") as file_of_rows:
        assert len(list(csv.reader(file_of_rows))) > 1
    assert run("export", "cnn.onnx", "-o", "x.graphml")[0] == 0
    assert ElementTree.parse("x.graphml").getroot().tag.endswith("graphml")
    assert run("export", "cnn.onnx", "-o", "x.mmd")[0] == 0
    assert Path("x.mmd").read_text("utf-8").split("---\n")[-1].startswith("flowchart")


def test_one_of_the_formats_of_a_suffix_may_be_named(run: Run) -> None:
    check = ("check", "cnn.onnx", "--max", "parameters=1M")
    for name in ("sarif", "gitlab", "json"):
        assert run(*check, "--format", name, "-o", "x.json")[0] == 0
    assert run(*check, "--format", "gitlab-metrics", "-o", "metrics.txt")[0] == 0


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("check cnn.onnx --format json -o x.sarif", "x.sarif: .sarif is for sarif, not for json"),
        ("check cnn.onnx --format table -o x.md", "x.md: .md is for markdown, not for table"),
        (
            "check cnn.onnx --format junit -o a/x.json",
            "a/x.json: .json is for json or sarif or gitlab, not for junit",
        ),
        ("check cnn.onnx --also junit=x.json", "x.json: .json is for json or sarif"),
        ("count cnn.onnx -o x.sarif", "x.sarif: .sarif is for sarif; formats here are table, json"),
        ("count cnn.onnx -o x.html", "x.html: .html is for html; formats here are table, json"),
        ("plan cnn.onnx -o x.csv", "x.csv: .csv is for csv; formats here are table, json"),
        ("rules --format text -o x.json", "x.json: .json is for json, not for text"),
        ("init cnn.onnx -o x.json", "x.json: .json is for json"),
    ],
)
def test_a_contradiction_is_an_error_before_anything_is_read(
    run: Run, line: str, complaint: str
) -> None:
    Path("cnn.onnx").unlink()
    code, out, err = run(*line.split())
    assert (code, out) == (2, "")
    assert err.startswith(f"graphcount: {complaint}"), err
    assert err.count("\n") == 1
    assert list(Path().iterdir()) == []


def test_more_formats_of_a_failure_are_written_too(run: Run) -> None:
    also = [f"--also={name}=out.{number}" for number, name in enumerate(CHECK_FORMATS)]
    assert run("check", "cnn.onnx", "--max", "parameters=1", *also)[0] == 1
    for number in range(len(CHECK_FORMATS)):
        text = Path(f"out.{number}").read_text("utf-8")
        assert "\x1b" not in text
        assert "parameters" in text


def test_also_asks_for_what_its_format_needs(run: Run) -> None:
    """A bill of materials has digests, whichever option asks for it."""
    assert run("count", "cnn.onnx", "--also", "cyclonedx=bom.json", "-o", "x.csv")[0] == 0
    assert run("count", "cnn.onnx", "--format", "cyclonedx", "-o", "same.json")[0] == 0
    texts = [Path(name).read_text("utf-8") for name in ("bom.json", "same.json")]
    assert all("SHA-256" in text for text in texts)
