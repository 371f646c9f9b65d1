"""What is known of operators stands in `graphcount/ops`: elsewhere no table of their names.

A table of two names or more is a copy of knowledge that the next operator will be missing in. What
is policy (what a tool does with some operators) stands where it is used, says so, and is listed in
docs/design.md under "Operator names outside ops".
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from graphcount.ops import operators

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGE = ROOT / "graphcount"
NAMES = {op_type for _, op_type in operators()}
FILES = sorted(
    path.relative_to(PACKAGE).as_posix()
    for path in PACKAGE.rglob("*.py")
    if path.relative_to(PACKAGE).parts[0] != "ops"
)


def listed() -> dict[str, set[str]]:
    """Names of tables by file, from docs/design.md."""
    page = (ROOT / "docs/design.md").read_text("utf-8")
    section = page.partition("## Operator names outside ops")[2].partition("\n## ")[0]
    found: dict[str, set[str]] = {}
    for file, name in re.findall(r"^\| `([\w/]+\.py):(\w+)`", section, re.M):
        found.setdefault(file, set()).add(name)
    return found


def names_in(node: ast.AST) -> set[str]:
    """Operators that the strings below a node name, one word or several; not in f-strings."""
    found: set[str] = set()
    for one in ast.walk(node):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            words = one.value.split()
            named = NAMES.intersection(words)
            if words and len(named) == len(set(words)):
                found |= named
    return found


def is_table(node: ast.AST) -> bool:
    """Whether it is a collection, or a text that may be split, of two operator names or more."""
    collections = ast.Tuple | ast.List | ast.Set | ast.Dict
    if isinstance(node, ast.Dict):
        parts = [
            ast.List([key for key in node.keys if key], ast.Load()),
            ast.List(node.values, ast.Load()),
        ]
        return any(len(names_in(part)) > 1 for part in parts)
    if isinstance(node, collections):
        return len(names_in(node)) > 1
    return isinstance(node, ast.Constant) and len(names_in(node)) > 1


def tables(file: str) -> Iterator[tuple[int, str]]:
    """Line of each table of operator names, and the name it is assigned to; empty for none."""
    tree = ast.parse((PACKAGE / file).read_text("utf-8"))
    for statement in tree.body:
        name = ""
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
            name = target.id if isinstance(target, ast.Name) else ""
        for node in ast.walk(statement):
            if is_table(node):
                yield node.lineno, name  # type: ignore[attr-defined]
                if name:
                    break


@pytest.mark.parametrize("file", FILES)
def test_a_table_of_operator_names_is_policy_and_listed(file: str) -> None:
    allowed = listed().get(file, set())
    found = [f"{file}:{line} {name}" for line, name in tables(file) if name not in allowed]
    assert not found


def test_every_listed_table_is_one_and_says_that_it_is_policy() -> None:
    for file, names in listed().items():
        assert {name for _, name in tables(file)} >= names, file
        body = ast.parse((PACKAGE / file).read_text("utf-8")).body
        for before, after in pairwise(body):
            if isinstance(before, ast.Assign | ast.AnnAssign) and names_in(before):
                target = before.targets[0] if isinstance(before, ast.Assign) else before.target
                if isinstance(target, ast.Name) and target.id in names:
                    assert isinstance(after, ast.Expr), target.id
                    assert str(ast.literal_eval(after.value)).startswith("Policy: "), target.id


@pytest.mark.parametrize(
    "text",
    [
        'X = frozenset({"Conv", "Gemm"})',
        'X = ("Add", "Mul")',
        'X = "Conv Gemm MatMul".split()',
        'X = {"Conv": 1, "Gemm": 2}',
        'X = {"a": "Conv", "b": "Gemm"}',
        'X = {("Conv", 1): 1, ("Gemm", 1): 2}',
        'def f(op):\n    return op in ("Conv", "Gemm")',
        'def f(op):\n    return g({*("Conv", "Gemm")})',
    ],
)
def test_a_table_is_seen(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.py").write_text(text)
    monkeypatch.setattr("tests.ops.test_names.PACKAGE", tmp_path)
    assert list(tables("x.py"))


@pytest.mark.parametrize(
    "text",
    ['X = "Conv"', 'X = ("Conv", "of a tree")', '"""Conv or Gemm."""', 'X = {"Conv": "Conv"}'],
)
def test_what_is_no_table(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.py").write_text(text)
    monkeypatch.setattr("tests.ops.test_names.PACKAGE", tmp_path)
    assert not list(tables("x.py"))
