"""The help of every command: one name and one meaning for each option, examples that parse."""

from __future__ import annotations

import re
import shlex
from importlib import import_module

import click
import pytest

from graphcount.cli.command import GROUPS, Command
from graphcount.cli.main import COMMANDS, EXAMPLES, main

EVERYWHERE = {"--format", "--output", "--quiet", "--no-color"}
"""What every command takes; a page has one format."""

DIFFER = {
    "--audit": "a scan audits when asked, a page always unless told not to",
    "--deep": "an audit reads more than a count, and for other reasons",
    "--depth": "a table shows modules to a depth, a graph folds below it",
    "--dim": "bench takes several sizes and runs each",
    "--format": "every command has its own formats; some say more about one",
    "--hash": "what is done with digests: shown, compared, or used to see what changed",
    "--history": "bench writes it, a page reads it",
    "--output": "init has a default, scan writes several inventories",
    "--sort": "a count has rows to sort, a difference has changes",
}
"""Options whose text differs between commands, and why it must."""

Parameters = list[tuple[str, click.Option]]


def command(name: str) -> Command:
    found = import_module(COMMANDS[name][0]).command
    assert isinstance(found, Command)
    return found


def options() -> Parameters:
    """Every option of every command, with the command's name."""
    return [
        (name, parameter)
        for name in COMMANDS
        for parameter in command(name).params
        if isinstance(parameter, click.Option)
    ]


def long_name(option: click.Option) -> str:
    return max(option.opts, key=len)


def meaning(option: click.Option) -> tuple[object, ...]:
    """What people read about an option, without its default."""
    text = re.sub(r"\s*\[default.*?\]", "", option.help or "")
    return tuple(option.opts), tuple(option.secondary_opts), option.metavar, option.multiple, text


def test_only_what_can_fail_stands_under_what_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code 1 is for limits: a page or an export has none."""
    without = {"rules", "init", "page", "export", "explain", "plan", "deploy"}
    for name in COMMANDS:
        assert main([name, "--help"]) == 0
        heads = capsys.readouterr().out.splitlines()
        assert ("What fails (exit 1):" in heads) == (name not in without)


def test_an_option_means_the_same_everywhere() -> None:
    seen: dict[str, set[tuple[object, ...]]] = {}
    for _, option in options():
        seen.setdefault(long_name(option), set()).add(meaning(option))
    several = {name for name, texts in seen.items() if len(texts) > 1}
    assert several == set(DIFFER)


@pytest.mark.parametrize("name", COMMANDS)
def test_what_every_command_takes(name: str) -> None:
    missing = EVERYWHERE - {long_name(option) for owner, option in options() if owner == name}
    assert missing == ({"--format"} if name == "page" else set())


def test_every_option_is_documented_in_a_sentence() -> None:
    for name, option in options():
        text = re.sub(r"\s*\[default.*?\]$", "", option.help or "")
        assert re.match(r"[A-Z]|\w+:", text), (name, option.opts, text)
        assert text.endswith("."), (name, option.opts, text)


def test_a_value_has_a_name_that_is_no_type_of_python() -> None:
    for name, option in options():
        if not option.is_flag and not isinstance(option.type, click.Choice):
            assert option.metavar, (name, option.opts)


def test_every_grouped_option_exists() -> None:
    known = {long_name(option) for _, option in options()} | {"--help"}
    grouped = [option for _, names in GROUPS for option in names]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) <= known


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_accepted(name: str) -> None:
    """Every example parses, and is one of this command."""
    found = command(name)
    assert 2 <= len(found.examples) <= 3
    for example in found.examples:
        words = shlex.split(example, comments=True)
        if name == "count":
            words = ["count", *words]
        assert words[0] == name
        arguments = words[1 : words.index(">>")] if ">>" in words else words[1:]
        found.make_context(name, arguments)


def test_examples_of_the_program_are_accepted() -> None:
    for example in EXAMPLES:
        words = example.split()
        name = words.pop(0) if words[0] in COMMANDS else "count"
        command(name).make_context(name, words)


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_80_columns(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main([*([name] if name else []), "--help"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "\nExamples:\n  graphcount " in text
    summary = text.splitlines()[2]
    assert summary.startswith("  ")
    for option in (option for owner, option in options() if owner == name):
        assert long_name(option) in text
