"""How long files and functions may be, and which functions are longer for a reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.test_imports import FILES, PACKAGE

FILE_LINES = 400
FUNCTION_LINES = 40

LONG_FUNCTIONS = {
    "analysis/summary.py:_totals": "names every field of one record",
    "benchmarking/measure.py:_result": "names every field of one record",
    "api/checking.py:check": "its signature has a word for each option of the command",
    "loading/decode_graphs.py:attribute": "the usual fields in place: half the time of decoding",
    "loading/decode_graphs.py:node": "the usual fields in place: half the time of decoding",
    "loading/window.py:message": "one walk over one message, its cuts in file order",
    "scanning/local.py:run": "one loop over a pool that may break at each step",
}


def functions() -> Iterator[tuple[str, int]]:
    """Yield each function of the package with its lines, without its docstring."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            first, last = node.body[0], node.end_lineno or node.lineno
            lines = last - node.lineno + 1
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                lines -= (first.end_lineno or first.lineno) - first.lineno + 1
            yield f"{path.relative_to(PACKAGE).as_posix()}:{node.name}", lines


def test_functions_are_short_or_have_a_reason() -> None:
    assert {name for name, lines in functions() if lines > FUNCTION_LINES} == set(LONG_FUNCTIONS)


def test_files_are_short() -> None:
    lines = {path: len(path.read_text("utf-8").splitlines()) for path in FILES}
    assert {path for path in FILES if lines[path] > FILE_LINES} == set()
