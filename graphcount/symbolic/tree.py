"""A dimension as nested lists, for readers without a parser: a page evaluates it in a few lines.

    >>> tree(12 * symbol("batch") * symbol("seq") + floordiv(symbol("seq"), 2) - 1)
    ['+', ['*', 12, ['n', 'batch'], ['n', 'seq']], ['//', ['n', 'seq'], 2], -1]

The grammar, in JSON:

    tree  = number | big | name | sum | product | power | floor | max | min
    number = an integer from -(2^53 - 1) to 2^53 - 1, which every reader of JSON keeps
    big    = ["i", digits]          a larger one, as text: "-9007199254740992"
    name   = ["n", text]            the dimension of that name, whatever characters it has
    sum    = ["+", tree, tree, …]   two or more
    product = ["*", tree, tree, …]  two or more
    power  = ["^", tree, number]    a whole exponent from 2 on
    floor  = ["//", tree, tree]     rounded down, to minus infinity: floor(-1/2) is -1
    max    = ["max", tree, tree]
    min    = ["min", tree, tree]

A difference is a sum with a product by -1, ceil(a/b) is ["//", a + b - 1, b], and the remainder of
a by b is a - b*floor(a/b): none has a form of its own. Integers of any size are meant throughout;
with doubles, values are exact below 2^53. Division by zero gives no value.
"""

from __future__ import annotations

from typing import TypeAlias

from graphcount.symbolic import Dim, Factor

FormulaTree: TypeAlias = "int | str | list[FormulaTree]"
"""A text is the first of a list, the name of a dimension or the digits of a number."""

LARGEST_EXACT = 2**53 - 1
"""What a double holds with all integers below it (Number.MAX_SAFE_INTEGER of ECMAScript)."""


def tree(dim: Dim) -> FormulaTree:
    """Return a dimension as nested lists of the grammar above."""
    if isinstance(dim, int):
        return _number(dim)
    terms: list[FormulaTree] = []
    for monomial, coefficient in dim.terms:
        factors: list[FormulaTree] = [_factor(*pair) for pair in monomial]
        if coefficient != 1 or not factors:
            factors.insert(0, _number(coefficient))
        terms.append(factors[0] if len(factors) == 1 else ["*", *factors])
    return ["+", *terms] if len(terms) > 1 else terms[0]


def _number(number: int) -> FormulaTree:
    return number if abs(number) <= LARGEST_EXACT else ["i", str(number)]


def _factor(factor: Factor, power: int) -> FormulaTree:
    base: FormulaTree
    if isinstance(factor, str):
        base = ["n", factor]
    else:
        base = [factor.op, *(tree(operand) for operand in factor.args)]
    return base if power == 1 else ["^", base, power]
