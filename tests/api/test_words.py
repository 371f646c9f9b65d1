"""What an option says, a keyword of the API says: command by command."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

import click
import pytest

import graphcount
from graphcount.api.auditing import AuditWords
from graphcount.api.benchmarking import BenchWords
from graphcount.api.model import Counting, SizeOptions
from graphcount.cli.main import COMMANDS
from tests.test_readme import TOUR

SHOWN = frozenset(
    [
        "format_name", "file", "quiet", "no_color", "binary", "list_measures", "also", "marker",
        "by", "depth", "top", "all", "sort", "order", "style", "bars", "by_node", "fail_on_change",
        "columns", "force", "hide_passed", "schema", "verbose",
    ]
)  # fmt: skip
"""Options about what is printed and where; and two that only say when to stop."""

OTHERWISE = {
    "maxima": {"max", "maxima"},
    "minima": {"min", "minima"},
    "increases": {"max_increase"},
    "config_file": {"config", "operators", "limits"},
    "no_config": {"config", "operators", "limits"},
    "lists": {"targets"},
    "past": {"history"},
    "no_profile": {"profile"},
    "memory_limit": {"memory_limit_nbytes"},
    "timeout": {"timeout", "timeout_s"},
}
"""Options that are another word in Python, or two words that exclude each other."""

FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[type, ...]]] = {
    "count": (graphcount.counts, (Counting,)),
    "check": (graphcount.check, (Counting,)),
    "diff": (graphcount.diff, (Counting,)),
    "audit": (graphcount.audits, (AuditWords,)),
    "bench": (graphcount.benches, (BenchWords, graphcount.BenchOptions)),
    "scan": (graphcount.inventory, (graphcount.Analysis,)),
    "rules": (graphcount.rules, ()),
    "init": (graphcount.init, (Counting,)),
    "page": (graphcount.page, (Counting,)),
    "export": (graphcount.export, (Counting,)),
    "explain": (graphcount.explain, (Counting,)),
    "plan": (graphcount.plan, (SizeOptions,)),
    "deploy": (graphcount.deployment, (Counting,)),
}
"""The function a command calls, and the records of its options."""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_a_keyword(name: str) -> None:
    function, records = FUNCTIONS[name]
    words = set(inspect.signature(function).parameters)
    for record in records:
        words |= set(record.__annotations__)  # of typed dictionaries, inherited ones too
    command: click.Command = import_module(COMMANDS[name][0]).command
    options = {str(item.name) for item in command.params if isinstance(item, click.Option)}
    missing = {item for item in options - SHOWN if not OTHERWISE.get(item, {item}) & words}
    assert missing == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_takes_few_arguments(name: str) -> None:
    """Options that belong together travel as one record; see `cli/options.py:gathered`."""
    command: click.Command = import_module(COMMANDS[name][0]).command
    assert command.callback is not None
    assert len(inspect.signature(inspect.unwrap(command.callback)).parameters) <= 8


def test_the_table_of_the_tour_is_whole() -> None:
    text = TOUR.read_text("utf-8").partition("with the same words:")[2].partition("\n\nA ")[0]
    rows = [row.split("|")[1:3] for row in text.splitlines() if row.startswith("| `")]
    commands = [name for row in rows for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(commands) == sorted(COMMANDS)
    functions = {name for row in rows for name in re.findall(r"`(\w+)`", row[1])}
    assert functions >= {function.__name__ for function, _ in FUNCTIONS.values()}
    assert functions <= set(graphcount.__all__)
