"""One name means one thing: no two classes or aliases of types share theirs."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "graphcount"

SEVERAL = {
    "Dim": "a size as a file has it in records of a file and of a report (which do not know each "
    "other), and as an expression in what is worked out from it",
}
"""Names with more than one meaning, and why."""


def defined(tree: ast.Module) -> Iterator[str]:
    """Yield the classes and the aliases of types that a file defines; type variables are local."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name
    for statement in tree.body:
        value: ast.expr | None = None
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            target, value = statement.targets[0], statement.value
        elif isinstance(statement, ast.AnnAssign):
            target, value = statement.target, statement.value
        if value is None or isinstance(value, ast.Call) or not isinstance(target, ast.Name):
            continue
        if target.id[0].isupper() and not target.id.isupper():
            yield target.id


def test_no_two_classes_have_the_same_name() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for name in defined(ast.parse(path.read_text("utf-8"))):
            homes[name].append(str(path.relative_to(PACKAGE)))
    several = {name: files for name, files in homes.items() if len(files) > 1}
    assert several.keys() - SEVERAL.keys() == set(), several


SCHEMA_ID = re.compile(r"graphcount\.\w+/\d+")


def test_the_id_of_a_schema_is_stated_once() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            value = node.value if isinstance(node, ast.Constant) else None
            if isinstance(value, str) and SCHEMA_ID.fullmatch(value):
                homes[value].append(str(path.relative_to(PACKAGE)))
    names = {id.removeprefix("graphcount.").partition("/")[0] for id in homes}
    assert names == {
        *("report", "error", "diff", "bench", "history", "plan", "baseline", "explain"),
        "deployment",
    }
    assert {id: files for id, files in homes.items() if len(files) > 1} == {}


EMPTY = {"found", "told", "said", "shown"}
"""Names that say how a value was had, not what it is."""


def named(tree: ast.Module) -> Iterator[str]:
    """Yield the names of variables, parameters, attributes, functions and classes of a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.alias):
            yield node.asname or node.name


def test_a_name_tells_what_it_holds() -> None:
    empty = {
        str(path.relative_to(PACKAGE)): names
        for path in sorted(PACKAGE.rglob("*.py"))
        for tree in [ast.parse(path.read_text("utf-8"))]
        if (names := EMPTY.intersection(name.strip("_") for name in named(tree)))
    }
    assert empty == {}


def test_all_kinds_of_names_are_read() -> None:
    text = "import a as b\nclass C:\n    async def d(self, e):\n        self.f = e\n        g = h"
    assert {*"bCdefgh"} <= set(named(ast.parse(text)))
