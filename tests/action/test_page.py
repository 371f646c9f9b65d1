"""docs/ci.md on the action, the hooks and GitLab: made from their files, and of one release.

`python -m tests.action.test_page` writes the tables of the action.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from graphcount.cli.main import COMMANDS
from graphcount.version import __version__
from tests.action.runner import ACTION, ROOT

PAGE = ROOT / "docs" / "ci.md"
BLOCK = re.compile(r"(<!-- action -->\n).*?(<!-- end -->)", re.DOTALL)
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
LONG = 40
"""Characters of a default that a cell has room for; the description has the others in words."""


def tables() -> str:
    lines = ["| input | default | |", "|---|---|---|"]
    for name, row in ACTION["inputs"].items():
        default = str(row["default"])
        cell = f"`{default}`" if default and len(default) <= LONG else ""
        lines.append(f"| `{name}` | {cell} | {row['description']} |")
    lines += ["", "| output | |", "|---|---|"]
    lines += [f"| `{name}` | {row['description']} |" for name, row in ACTION["outputs"].items()]
    return "\n".join(lines) + "\n"


def test_the_tables_are_those_of_the_action() -> None:
    written = BLOCK.search(PAGE.read_text("utf-8"))
    assert written is not None
    assert written[0] == f"{written[1]}{tables()}{written[2]}"


def snippets() -> Iterator[Any]:
    for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        yield yaml.safe_load(text)


def test_the_snippets_fit_our_files() -> None:
    github, gitlab, hooks = snippets()
    job = github["jobs"]["budgets"]
    (step,) = [row for row in job["steps"] if row["uses"].startswith("graphcount/")]
    assert set(step["with"]) <= set(ACTION["inputs"])
    assert job["permissions"]["pull-requests"] == "write"
    (include,) = gitlab["include"]
    spec, _ = yaml.safe_load_all((ROOT / "templates" / "gitlab.yml").read_text("utf-8"))
    assert set(include["inputs"]) <= set(spec["spec"]["inputs"])
    assert (ROOT / include["remote"].partition(f"/v{__version__}/")[2]).is_file()
    (repo,) = hooks["repos"]
    assert {hook["id"] for hook in repo["hooks"]} <= {hook["id"] for hook in HOOKS}


NAMED = re.compile(
    r"graphcount/graphcount@([^\s`]+)|graphcount/graphcount\n +rev: (\S+)"
    r"|graphcount/graphcount/([^/\s]+)/templates|graphcount==([\w.]+)"
)
"""Where a page or a file names a release of ours."""


def releases(text: str) -> set[str]:
    return {next(filter(None, match)) for match in NAMED.findall(text)}


def test_every_page_names_the_release_of_this_version() -> None:
    """A release changes version.py, and this test then names what else."""
    paths = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "templates").iterdir()]
    named = {path.name: releases(path.read_text("utf-8")) for path in paths}
    named = {name: tags for name, tags in named.items() if tags}
    assert named.pop("gitlab.yml") == {__version__}
    assert {"ci.md", "tour.md"} <= set(named)
    assert {name: tags for name, tags in named.items() if tags != {f"v{__version__}"}} == {}


@pytest.mark.parametrize(
    "text",
    [
        "- uses: graphcount/graphcount@main\n",
        "  - repo: https://github.com/graphcount/graphcount\n    rev: main\n",
        "https://raw.githubusercontent.com/graphcount/graphcount/main/templates/gitlab.yml",
    ],
)
def test_another_release_is_seen(text: str) -> None:
    assert releases(text) == {"main"}


def test_the_hooks_run_a_command_of_ours() -> None:
    for hook in HOOKS:
        program, command = hook["entry"].split()
        assert program == "graphcount"
        assert command in COMMANDS
        assert hook["language"] == "python"
    assert re.search(HOOKS[0]["files"], "models/a.onnx")


if __name__ == "__main__":
    page = PAGE.read_text("utf-8")
    PAGE.write_text(BLOCK.sub(lambda match: f"{match[1]}{tables()}{match[2]}", page), "utf-8")
