"""Mutants of a source file: mutmut's operators on every expression, functions and tables alike.

mutmut itself changes only the bodies of functions, through trampolines; much of what graphcount
knows lies in tables at module level, so its operators are applied to the tree directly. Three
operators of our own are added: a condition is negated, a statement that is a call is removed, a
value of a dictionary becomes None. Left out is what no test should see: annotations, type aliases,
`__all__`, docstrings, decorators, and prose (texts of several words beginning in lower case).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import libcst as cst  # type: ignore[import-not-found, unused-ignore]
from libcst.metadata import (  # type: ignore[import-not-found, unused-ignore]
    MetadataWrapper,
    PositionProvider,
)
from mutmut.mutation.mutators import (  # type: ignore[import-not-found, unused-ignore]
    mutation_operators,
)


class Mutant(NamedTuple):
    """One change of one file.

    Attributes:
        file: Path of the file, relative to the project.
        place: Line and column of what is changed, and its number among the changes there.
        lines: First and last line of the statement it is in.
        inside: Whether it is in a function; else it runs when the module is imported.
        before: What was written.
        after: What is written instead.
        source: Makes the whole changed file.
    """

    file: str
    place: tuple[int, int, int]
    lines: tuple[int, int]
    inside: bool
    before: str
    after: str
    source: Callable[[], str]

    @property
    def key(self) -> str:
        """`graphcount/units.py:12:4#0`."""
        return f"{self.file}:{self.place[0]}:{self.place[1]}#{self.place[2]}"


def mutants(root: Path, file: str) -> Iterator[Mutant]:
    """All mutants of a file, in the order of the text."""
    wrapper = MetadataWrapper(cst.parse_module((root / file).read_text("utf-8")))
    module, places = wrapper.module, wrapper.resolve(PositionProvider)
    counts: Counter[tuple[int, int]] = Counter()
    for node, lines, inside in _walk(module, places, (1, 1), False):
        line, column = places[node].start.line, places[node].start.column
        before = _code(module, node)
        for changed in _changes(node):
            source = partial(_replaced, module, node, changed)
            after = _code(module, changed)
            if after == before:
                continue
            place = (line, column, counts[line, column])
            counts[line, column] += 1
            yield Mutant(file, place, lines, inside, before, after, source)


def compiles(source: str) -> bool:
    """Whether a change made a program."""
    try:
        compile(source, "mutant", "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def _replaced(module: Any, node: Any, changed: Any) -> str:
    return str(module.deep_replace(node, changed).code)


def _changes(node: Any) -> Iterator[Any]:
    if isinstance(node, cst.SimpleString) and _prose(node.value):
        return
    for kind, operator in mutation_operators:
        if isinstance(node, kind):
            yield from operator(node)
    if isinstance(node, cst.If | cst.CompIf):
        yield node.with_changes(test=_negated(node.test))
    if isinstance(node, cst.Expr) and isinstance(node.value, cst.Call):
        yield cst.Pass()
    if isinstance(node, cst.DictElement) and not isinstance(node.value, cst.Name):
        yield node.with_changes(value=cst.Name("None"))


def _negated(test: Any) -> Any:
    space = cst.SimpleWhitespace(" ")
    left, right = [cst.LeftParen(), *test.lpar], [*test.rpar, cst.RightParen()]
    inner = test.with_changes(lpar=left, rpar=right)
    return cst.UnaryOperation(cst.Not(whitespace_after=space), inner)


def _prose(text: str) -> bool:
    words = text.strip("rbfu").strip("\"'").split()
    return len(words) > 1 and any(word[0].islower() for word in words)


def _walk(
    node: Any, places: Any, lines: tuple[int, int], inside: bool
) -> Iterator[tuple[Any, tuple[int, int], bool]]:
    """Every node that may be changed, with the lines of its statement."""
    if _left_alone(node, inside):
        return
    at = places.get(node)
    if isinstance(node, cst.SimpleStatementLine):
        lines = (at.start.line, at.end.line)
    elif isinstance(node, cst.BaseCompoundStatement):
        body = getattr(node, "body", None)  # a match has none
        lines = (at.start.line, at.end.line if body is None else places[body].start.line)
    if at is not None:
        yield node, lines, inside
    function = isinstance(node, cst.FunctionDef | cst.Lambda)
    for child in node.children:
        yield from _walk(child, places, lines, inside or (function and child is node.body))


def _left_alone(node: Any, inside: bool) -> bool:
    if isinstance(node, cst.Annotation | cst.Decorator | cst.Import | cst.ImportFrom):
        return True
    if isinstance(node, cst.Call) and isinstance(node.func, cst.Name):
        return node.func.value in ("isinstance", "len", "TypeVar")  # as mutmut does
    if isinstance(node, cst.If):
        return isinstance(node.test, cst.Name) and node.test.value == "TYPE_CHECKING"
    if isinstance(node, cst.AnnAssign):
        return isinstance(node.annotation.annotation, cst.Name) and (
            node.annotation.annotation.value == "TypeAlias"
        )
    if isinstance(node, cst.Assign) and not inside:
        target = node.targets[0].target
        return isinstance(node.value, cst.Subscript) or (
            isinstance(target, cst.Name) and target.value == "__all__"
        )
    return False


def _code(module: Any, node: Any) -> str:
    return str(module.code_for_node(node)).strip()
