"""Between loading and report all has a type: `Any` stands for JSON and for other packages."""

from __future__ import annotations

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent / "graphcount"

ROOMS = (
    *("loading", "graph", "ops", "analysis", "auditing", "benchmarking", "comparing"),
    *("planning", "gates", "report"),
)

ALLOWED = {
    "auditing/elements.py": "arrays of numpy, of any type and shape",
    "auditing/hidden.py": "arrays of numpy, of any type and shape",
    "auditing/rearranged.py": "arrays of numpy, of any type and shape",
    "gates/baseline.py": "JSON of a baseline: what is not as it should be is an error, caught once",
    "loading/packed_lists.py": "fields of a message before they become a record, each of its type",
    "loading/http.py": "a file system of fsspec and its answers, which have no types",
    "loading/remote.py": "a file system of fsspec",
    "loading/store.py": "a file system of fsspec and its answers",
    "loading/zeros.py": "arrays of numpy, of any type and shape",
    "loading/transfer.py": "a file system of fsspec and its coroutines",
    "report/bench.py": "JSON of a result",
    "report/diff.py": "JSON of a diff",
    "report/history.py": "JSON of a line: what is not as it should be is an error that names it",
    "report/printable.py": "JSON of a result",
    "report/serial.py": "JSON of a report, written and read",
}
"""Files that may say `Any`, and why."""


def says_any(text: str) -> bool:
    """Whether code names `Any`, in annotations written as strings too."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name) and node.id == "Any":
            return True
        if isinstance(node, ast.Attribute) and node.attr == "Any":
            return True
        if isinstance(node, ast.ImportFrom) and any(item.name == "Any" for item in node.names):
            return True
    return False


def test_any_is_said_in_few_places_and_each_has_a_reason() -> None:
    files = {
        path.relative_to(PACKAGE).as_posix(): path
        for room in ROOMS
        for path in sorted((PACKAGE / room).rglob("*.py"))
    }
    assert len(files) > 200
    found = {name for name, path in files.items() if says_any(path.read_text("utf-8"))}
    assert found == set(ALLOWED)


def test_any_is_seen_wherever_it_is_said() -> None:
    assert says_any("def f(x: dict[str, Any]) -> None: ...")
    assert says_any("from typing import Any\nx: 'list[Any]' = []")
    assert says_any("import typing\nRow = tuple[typing.Any, ...]")
    assert not says_any("def f(x: dict[str, object]) -> bool:\n    return any(x)")
