"""A user's cost of a custom operator: expressions over the shapes and attributes of a node.

    {"com.acme::Foo": {"macs": "inputs[0][1] * prod(outputs[0]) // attributes['groups']"}}

The language is a small part of Python's, read by `ast` and never evaluated as Python:

| expression | is |
|---|---|
| `inputs[0]`, `outputs[-1]`, `inputs[0][2:]` | the shape of an input or output, a part of it |
| `inputs[0][1]` | one of its dimensions |
| `attributes["groups"]`, `attributes.get("groups", 1)` | an integer attribute, with a default |
| `attributes["pads"][0]` | one integer of a list attribute |
| `len(inputs)`, `len(inputs[0])` | how many inputs, how many dimensions |
| `prod(shape)`, `max(...)`, `min(...)`, `+ - * //`, integers, brackets | arithmetic |

Dimensions may be numbers or symbols; the formula is worked out over both.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import TypeAlias

from graphcount.domains import canonical
from graphcount.errors import UsageError
from graphcount.ops.call import Call, size
from graphcount.ops.formulas import (
    MAX_DIM,
    CostRule,
    Formula,
    UnknownDimError,
    evaluate,
    input_shape,
    integers,
    nothing,
    number,
    output_shape,
)
from graphcount.ops.operator import Key
from graphcount.symbolic import Dim, floordiv, maximum, minimum

MAX_LENGTH = 1_000
"""Characters of an expression."""

MAX_DEPTH = 30
"""Operations inside operations."""

MEASURES = ("macs", "elementwise")
"""What a formula can be given for; what is left out is zero."""

DimsOf: TypeAlias = "Callable[[Call], tuple[Dim, ...]]"

ARITHMETIC: dict[type[ast.operator], Callable[[Dim, Dim], Dim]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: floordiv,
}
"""Operators between two numbers."""

FOLDS = {"max": maximum, "min": minimum}
"""Functions of numbers, or of the dimensions of a shape."""


def user_rules(
    operators: Mapping[str, Mapping[str, str]], is_known: Callable[[Key], bool]
) -> dict[Key, CostRule]:
    """Return rules from a user's formulas.

    Args:
        operators: `domain::op_type` (`op_type` alone in the default domain) → measure → expression.
        is_known: Whether the program knows the cost of an operator.

    Raises:
        UsageError: An operator is known, a key is none, or an expression is not in the language.
    """
    rules: dict[Key, CostRule] = {}
    for name, formulas in operators.items():
        domain, _, op_type = name.rpartition("::")
        key = canonical(domain), op_type
        if not op_type:
            raise UsageError(f"operators: {name!r}: write it as domain::op_type")
        if is_known(key):
            raise UsageError(
                f"operators: {name}: its cost is known; formulas are for operators that are not"
            )
        if key in rules:
            raise UsageError(f"operators: {name}: given twice")
        rules[key] = _rule(name, formulas)
    return rules


def _rule(name: str, formulas: Mapping[str, str]) -> CostRule:
    if not isinstance(formulas, Mapping) or not formulas:
        raise UsageError(f"operators: {name}: give a formula for {' or '.join(MEASURES)}")
    for measure in formulas:
        if measure not in MEASURES:
            expected = " and ".join(MEASURES)
            raise UsageError(f"operators: {name}: {measure!r} is no measure; there are {expected}")
    texts = {measure: str(text) for measure, text in formulas.items()}
    made = {
        measure: parse(text, f"operators: {name}: {measure}") for measure, text in texts.items()
    }

    def spelled(call: Call) -> str:
        parts = []
        for measure, text in texts.items():
            value = evaluate(made[measure], call)
            result = "not known: a shape or an attribute is missing"
            parts.append(f"{measure} = {text} = {result if value is None else number(value)}")
        return "by the user's formula: " + "; ".join(parts)

    words = "by the user's formula"
    macs, elementwise = (made.get(measure, nothing) for measure in MEASURES)
    return CostRule(words, macs, elementwise, text=spelled)


def parse(text: str, where: str = "expression") -> Formula:
    """Return an expression as a formula.

    Raises:
        UsageError: It is not in the language; the message names the column.
    """
    if len(text) > MAX_LENGTH:
        raise UsageError(f"{where}: {len(text):,} characters, at most {MAX_LENGTH:,} are read")
    if "\\" in text:
        raise UsageError(f"{where}: column {text.index(chr(92)) + 1}: no backslash is known")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        column = f"column {error.offset}: " if error.offset else ""
        raise UsageError(f"{where}: {column}{error.msg}") from None
    except (ValueError, RecursionError, MemoryError):
        raise UsageError(f"{where}: not an expression") from None
    return _Reader(where).number(tree.body, 0)


class _Reader:
    """Turns a syntax tree into functions of a call; what is not listed here is refused."""

    def __init__(self, where: str) -> None:
        self.where = where

    def error(self, node: ast.AST, why: str) -> UsageError:
        """Return what to raise at the place of a node."""
        column = getattr(node, "col_offset", 0) + 1
        return UsageError(f"{self.where}: column {column}: {why}")

    def deeper(self, node: ast.AST, depth: int) -> int:
        if depth >= MAX_DEPTH:
            raise self.error(node, f"more than {MAX_DEPTH} operations inside each other")
        return depth + 1

    # ------------------------------------------------------------------------------- numbers

    def number(self, node: ast.expr, depth: int) -> Formula:
        """Return an expression that is one number."""
        depth = self.deeper(node, depth)
        if isinstance(node, ast.Constant):
            value = self.integer(node)
            return lambda call: value
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            inner = self.number(node.operand, depth)
            return lambda call: -inner(call)
        if isinstance(node, ast.BinOp):
            operation = ARITHMETIC.get(type(node.op))
            if operation is None:
                raise self.error(node, "only + - * // are known")
            left, right = self.number(node.left, depth), self.number(node.right, depth)
            return lambda call: operation(left(call), right(call))
        if isinstance(node, ast.Call):
            return self.call(node, depth)
        if isinstance(node, ast.Subscript):
            return self.element(node, depth)
        raise self.error(
            node, "not a number; write inputs[i][j], attributes['name'], prod(...), ..."
        )

    def integer(self, node: ast.expr) -> int:
        """Return a literal integer, maybe with a minus."""
        sign = 1
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            sign, node = -1, node.operand
        if not isinstance(node, ast.Constant) or type(node.value) is not int:
            raise self.error(node, "an integer is expected")
        if node.value > MAX_DIM:
            raise self.error(node, "the number is too large")
        return sign * node.value

    def call(self, node: ast.Call, depth: int) -> Formula:
        """Return `prod`, `len`, `max`, `min` or `attributes.get`."""
        if node.keywords:
            raise self.error(node, "named arguments are not known")
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if isinstance(node.func, ast.Attribute) and _is_name(node.func.value, "attributes"):
            return self.with_default(node, node.func)
        if name in ("prod", "len") and len(node.args) == 1:
            return self.measured(name, node.args[0], depth)
        if name in FOLDS and len(node.args) == 1:
            dims = self.dims(node.args[0], depth)
            return lambda call: _folded(FOLDS[name], dims(call))
        if name in FOLDS and node.args:
            parts = [self.number(argument, depth) for argument in node.args]
            return lambda call: _folded(FOLDS[name], tuple(part(call) for part in parts))
        raise self.error(node, "the functions are prod(shape), len(shape), max(...) and min(...)")

    def measured(self, name: str, node: ast.expr, depth: int) -> Formula:
        if name == "len" and _is_name(node, "inputs"):
            return lambda call: len(call.node.inputs)
        if name == "len" and _is_name(node, "outputs"):
            return lambda call: len(call.node.outputs)
        dims = self.dims(node, depth)
        return (lambda call: size(dims(call))) if name == "prod" else (lambda call: len(dims(call)))

    def with_default(self, node: ast.Call, function: ast.Attribute) -> Formula:
        if function.attr != "get" or len(node.args) != 2:
            raise self.error(node, "write attributes.get('name', default)")
        name, default = self.text(node.args[0]), self.integer(node.args[1])

        def value(call: Call) -> Dim:
            return default if call.node.attribute(name) is None else _attribute(call, name)

        return value

    def element(self, node: ast.Subscript, depth: int) -> Formula:
        """Return one dimension of a shape, one integer of an attribute, or an integer attribute."""
        if _is_name(node.value, "attributes"):
            name = self.text(node.slice)

            return lambda call: _attribute(call, name)
        if isinstance(node.slice, ast.Slice) or isinstance(node.value, ast.Name):
            raise self.error(node, "this is a shape; take one dimension of it, or prod(...)")
        dims, index = self.dims(node.value, depth), self.integer(node.slice)

        def one(call: Call) -> Dim:
            known = dims(call)
            if not -len(known) <= index < len(known):
                raise UnknownDimError
            return known[index]

        return one

    # -------------------------------------------------------------------------------- shapes

    def dims(self, node: ast.expr, depth: int) -> DimsOf:
        """Return an expression that is a shape, or a list of integers."""
        depth = self.deeper(node, depth)
        if not isinstance(node, ast.Subscript):
            raise self.error(node, "a shape is expected: inputs[i], outputs[i], or a part of one")
        if isinstance(node.slice, ast.Slice):
            return self.part(node.value, node.slice, depth)
        if _is_name(node.value, "attributes"):
            name = self.text(node.slice)
            return lambda call: integers(call, name)
        for name, read in (("inputs", input_shape), ("outputs", output_shape)):
            if _is_name(node.value, name):
                return _at(read, self.integer(node.slice), name)
        raise self.error(node, "a shape is expected: inputs[i], outputs[i], or a part of one")

    def part(self, node: ast.expr, of: ast.Slice, depth: int) -> DimsOf:
        if of.step is not None:
            raise self.error(of.step, "a part of a shape has no step")
        lower = self.integer(of.lower) if of.lower is not None else None
        upper = self.integer(of.upper) if of.upper is not None else None
        dims = self.dims(node, depth)
        return lambda call: dims(call)[lower:upper]

    def text(self, node: ast.expr) -> str:
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            raise self.error(node, "the name of an attribute is expected, in quotes")
        return node.value


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _attribute(call: Call, name: str) -> int:
    """Return the value of an integer attribute, which has to be there."""
    given = call.node.attribute(name)
    numbers = given.numbers if given is not None else None
    if numbers is None or numbers.kind != "int" or len(numbers.values) != 1:
        raise UnknownDimError
    return int(numbers.values[0])


def _at(read: Callable[[Call, int], tuple[Dim, ...]], index: int, name: str) -> DimsOf:
    """Return the shape of an input or output, counted from the end when `index` is negative."""

    def dims(call: Call) -> tuple[Dim, ...]:
        count = len(call.node.inputs if name == "inputs" else call.node.outputs)
        if not -count <= index < count:
            raise UnknownDimError
        return read(call, index % count)

    return dims


def _folded(fold: Callable[[Dim, Dim], Dim], dims: tuple[Dim, ...]) -> Dim:
    if not dims:
        raise UnknownDimError
    result = dims[0]
    for dim in dims[1:]:
        result = fold(result, dim)
    return result
