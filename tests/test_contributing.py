"""CONTRIBUTING.md and its neighbours: what they name and link to is there."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("CONTRIBUTING.md", "SECURITY.md", "README.md", "docs/design.md")


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file(page: str) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", text_of(page))
    files = [link for link in links if "://" not in link and "security/advisories" not in link]
    assert files or page == "SECURITY.md"
    assert [link for link in files if not ((ROOT / page).parent / link).exists()] == []


def test_every_file_that_is_named_exists() -> None:
    text = text_of("CONTRIBUTING.md")
    named = re.findall(r"`((?:graphcount|tests|docs)/[\w/.]*|[A-Z]+\.md)`", text)
    assert len(set(named)) > 25
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    ("module", "tables"),
    [
        ("graphcount.auditing.rules", "RULES"),
        ("graphcount.formats", "FORMATS AUDIT_FORMATS CHECK_FORMATS STYLES"),
        ("graphcount.gates.measures", "MEASURES FAMILIES NOT_IN_BASELINES"),
        ("graphcount.cli.main", "COMMANDS"),
    ],
)
def test_every_table_is_where_it_is_said_to_be(module: str, tables: str) -> None:
    text = text_of("CONTRIBUTING.md")
    for name in tables.split():
        assert f"`{name}`" in text
        assert getattr(import_module(module), name)


def test_the_commands_are_those_of_ci() -> None:
    text, script = text_of("CONTRIBUTING.md"), (ROOT / ".ci" / "run").read_text("utf-8")
    for command in ("ruff check .", "ruff format --check .", "mypy"):
        assert command in text
        assert re.search(rf"^{re.escape(command)}$", script, re.MULTILINE)
