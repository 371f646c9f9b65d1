"""Dimensions and formulas as text: what a file calls its dimensions, and what a report wrote.

The grammar is that of sympy and of torch's symbolic shapes, which exporters write into dim_params:
`+ - * / // % ** ^`, numbers, names and the functions of `FUNCTIONS`. A quotient is exact until
something rounds it (`floor`, `ceiling`, `//`, `%`, …): `floor(h/2 - 1/2) + 1` is 160 for 320, and
`2*(h/2)` is h. What is left at the end is rounded down: `h/2 + w/2` is floor((h + w)/2).

A name stands by itself (`past.0`, `images:0[2]`); names of several words stand in parentheses,
`(batch size)`, and all others in quotes, `"pixel-values[2]"`. `str` of a dimension writes them so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import gcd, lcm
from typing import NamedTuple, TypeAlias

from graphcount.symbolic import (
    MAX_DEGREE,
    MAX_DEPTH,
    Dim,
    Expr,
    TooComplexError,
    ceildiv,
    content,
    floordiv,
    largest_number,
    maximum,
    minimum,
    symbol,
)
from graphcount.symbolic.names import NAME, WORDS

LONGEST_NAME = 200
"""Characters of a dim_param that is read; longer ones are names of dimensions."""

LONGEST_FORMULA = 20_000
"""Characters of a formula that is read back; `MAX_TERMS` terms take fewer."""

LARGEST = 2**63
"""Products with larger numbers are of no size: powers of powers would grow without an end."""

MAX_WORK = 100_000
"""Terms multiplied while one text is read; a text of 20,000 characters could ask for millions."""


def parse(text: str) -> Dim | None:
    """Read a dim_param: a name, or arithmetic over names (`past + seq`, `2*(n - 1)`, `h//2`).

    Returns:
        The dimension; the whole text as one symbol when it is no arithmetic; None when empty.
    """
    text = text.strip()
    if not text:
        return None
    if len(text) > LONGEST_NAME or _PATH.fullmatch(text) or _HYPHENATED.fullmatch(text):
        return symbol(text)
    dim = _read(text)
    return symbol(text) if dim is None else dim


def formula(text: str) -> Dim | None:
    """Read back what `str` of a dimension wrote, however long.

    Returns:
        The dimension; None for what is no formula.
    """
    return _read(text) if len(text) <= LONGEST_FORMULA else None


_PATH = re.compile(r"[\w.:]*[A-Za-z_][\w.:]*(/[A-Za-z_][\w.:-]*)+")
"""Names of tensors in the place of a dimension: `Unsqueeze/decoder/rnn/Unsqueeze_output_0_dim_1`
is no chain of divisions."""

_HYPHENATED = re.compile(r"[A-Za-z_]\w*(-[A-Za-z_]\w*)+")
"""Names of words: `batch-size` is no difference, for which exporters write ` - `."""


def _read(text: str) -> Dim | None:
    try:
        parser = _Parser(text)
        total = parser.sum(0)
        return _floor(total) if parser.done() else None
    except (_SyntaxError, TooComplexError, ZeroDivisionError):
        return None


class _SyntaxError(ValueError):
    """The text is no arithmetic."""


# ----------------------------------------------------------------------------------- quotients


class Quotient(NamedTuple):
    """An exact quotient while a text is read; a number below is positive and in lowest terms."""

    over: Dim
    under: Dim


def _quotient(over: Dim, under: Dim) -> Quotient:
    """Return over / under in one form.

    Raises:
        ZeroDivisionError: It is a division by zero.
        TooComplexError: It has a number beyond `LARGEST`.
    """
    if under == 0:
        raise ZeroDivisionError("division by zero")
    if max(largest_number(over), largest_number(under)) >= LARGEST:
        raise TooComplexError("a number is larger than any size")
    if isinstance(under, Expr):
        whole = floordiv(over, under)
        return Quotient(whole, 1) if whole * under == over else Quotient(over, under)
    common = gcd(content(over), under) * (-1 if under < 0 else 1)
    return Quotient(floordiv(over, common), under // common)


def _together(a: Quotient, b: Quotient) -> tuple[Dim, Dim, Dim]:
    """Return both numerators over one denominator, and that."""
    if a.under == b.under:
        return a.over, b.over, a.under
    if isinstance(a.under, int) and isinstance(b.under, int):
        under = lcm(a.under, b.under)
        return a.over * (under // a.under), b.over * (under // b.under), under
    return a.over * b.under, b.over * a.under, a.under * b.under


def _plus(a: Quotient, b: Quotient) -> Quotient:
    over, other, under = _together(a, b)
    return _quotient(over + other, under)


def _negative(a: Quotient) -> Quotient:
    return Quotient(-a.over, a.under)


def _times(a: Quotient, b: Quotient) -> Quotient:
    return _quotient(a.over * b.over, a.under * b.under)


def _over(a: Quotient, b: Quotient) -> Quotient:
    return _quotient(a.over * b.under, a.under * b.over)


def _floor(a: Quotient) -> Dim:
    return floordiv(a.over, a.under)


def _ceil(a: Quotient) -> Dim:
    return ceildiv(a.over, a.under)


def _trunc(a: Quotient) -> Dim:
    """Return it rounded towards zero."""
    if _is_positive(a.over) and _is_positive(a.under):
        return _floor(a)
    return maximum(_floor(a), 0) + minimum(_ceil(a), 0)


def _whole_quotient(a: Quotient, b: Quotient) -> Quotient:
    return Quotient(_floor(_over(a, b)), 1)


def _remainder(a: Quotient, b: Quotient) -> Quotient:
    """Return a - b * floor(a / b): it has the sign of b, in Python and in sympy."""
    return _plus(a, _negative(_times(b, _whole_quotient(a, b))))


def _is_positive(dim: Dim) -> bool:
    """Return whether it is clearly above 0 where all symbols are; False where it is not clear."""
    if isinstance(dim, int):
        return dim > 0
    return all(
        number > 0 and all(isinstance(factor, str) for factor, _ in monomial)
        for monomial, number in dim.terms
    )


def _picked(operation: Callable[[Dim, Dim], Dim]) -> Operation:
    """Return Max or Min of any number of quotients."""

    def pick(first: Quotient, *rest: Quotient) -> Quotient:
        for other in rest:
            a, b, under = _together(first, other)
            if not _is_positive(under):
                raise _SyntaxError("the sign of a denominator is not known")
            first = _quotient(operation(a, b), under)
        return first

    return pick


def _rounded(operation: Callable[[Quotient], Dim]) -> Operation:
    return lambda a: Quotient(operation(a), 1)


def _same(a: Quotient) -> Quotient:
    return a


def _modular(a: Quotient, divisor: Quotient, modulus: Quotient) -> Quotient:
    return _remainder(_whole_quotient(a, divisor), modulus)


Operation: TypeAlias = "Callable[..., Quotient]"

MANY = 64
"""Operands of Max and Min."""

FUNCTIONS: dict[str, tuple[int, int, Operation]] = {
    "floor": (1, 1, _rounded(_floor)),
    "floortoint": (1, 1, _rounded(_floor)),
    "ceil": (1, 1, _rounded(_ceil)),
    "ceiling": (1, 1, _rounded(_ceil)),
    "ceiltoint": (1, 1, _rounded(_ceil)),
    "trunc": (1, 1, _rounded(_trunc)),
    "trunctoint": (1, 1, _rounded(_trunc)),
    "trunctofloat": (1, 1, _rounded(_trunc)),
    "int": (1, 1, _rounded(_trunc)),
    "identity": (1, 1, _same),
    "tofloat": (1, 1, _same),
    "abs": (1, 1, lambda a: _picked(maximum)(a, _negative(a))),
    "max": (1, MANY, _picked(maximum)),
    "min": (1, MANY, _picked(minimum)),
    "mod": (2, 2, _remainder),
    "pythonmod": (2, 2, _remainder),
    "floordiv": (2, 2, _whole_quotient),
    "cleandiv": (2, 2, _whole_quotient),
    "inttruediv": (2, 2, _over),
    "floattruediv": (2, 2, _over),
    "modularindexing": (3, 3, _modular),
}
"""Functions by their name in small letters: the least and the most operands, and the operation.
Those of sympy (floor, ceiling, Mod, Min, Max, Abs) and of torch.utils._sympy.functions."""

OPERATORS: dict[str, Operation] = {
    "*": _times,
    "/": _over,
    "//": _whole_quotient,
    "%": _remainder,
}


# -------------------------------------------------------------------------------------- reading


class _Parser:
    """Recursive descent; operators bind as in Python, and `^` is `**`."""

    TOKEN = re.compile(
        r"\s*(?:"
        rf"(?P<name>{NAME.pattern}|\((?:{WORDS.pattern})\)|\"(?:[^\"\\]|\\.)*\")"
        r"|(?P<number>[0-9]{1,19}(?:\.[0-9]{1,19}(?:[eE][-+]?[0-9]{1,2})?)?)"
        r"|(?P<sign>//|\*\*|[-+*/%(),^])"
        r")"
    )

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str | None, str]] = []
        position = 0
        while position < len(text):
            match = self.TOKEN.match(text, position)
            if match is None:
                raise _SyntaxError(text)
            self.tokens.append((match.lastgroup, match[match.lastgroup or 0]))
            position = match.end()
        self.at = 0
        self.work = 0

    def done(self) -> bool:
        return self.at == len(self.tokens)

    def peek(self) -> str:
        """Return the next operator or sign; nothing where a name or a number is next."""
        kind, text = self.tokens[self.at] if self.at < len(self.tokens) else (None, "")
        return text if kind == "sign" else ""

    def take(self, sign: str) -> None:
        if self.peek() != sign:
            raise _SyntaxError(sign)
        self.at += 1

    def sum(self, depth: int) -> Quotient:
        total = self.product(depth)
        while (sign := self.peek()) in ("+", "-"):
            self.at += 1
            part = self.product(depth)
            total = _plus(total, part if sign == "+" else _negative(part))
        return total

    def product(self, depth: int) -> Quotient:
        total = self.signed(depth)
        while (sign := self.peek()) in OPERATORS:
            self.at += 1
            total = self.apply(OPERATORS[sign], total, self.signed(depth))
        return total

    def apply(self, operation: Operation, *operands: Quotient) -> Quotient:
        """Return the result of an operation, within `MAX_WORK`."""
        work = 1
        for operand in operands:
            work *= _length(operand.over) * _length(operand.under)
        self.work += work
        if self.work > MAX_WORK:
            raise TooComplexError("too much is multiplied")
        return operation(*operands)

    def signed(self, depth: int) -> Quotient:
        if depth > 2 * MAX_DEPTH + 1:  # an operation and the parentheses of its operand
            raise _SyntaxError("too deep")
        sign = self.peek()
        if sign not in ("+", "-"):
            return self.power(depth)
        self.at += 1
        part = self.signed(depth + 1)
        return _negative(part) if sign == "-" else part

    def power(self, depth: int) -> Quotient:
        base = self.primary(depth)
        if self.peek() not in ("^", "**"):
            return base
        self.at += 1
        exponent, under = self.signed(depth + 1)
        if not isinstance(exponent, int) or under != 1 or abs(exponent) > MAX_DEGREE:
            raise _SyntaxError("an exponent is no small number")
        if exponent < 0:
            base = _over(Quotient(1, 1), base)
        total = Quotient(1, 1)
        for _ in range(abs(exponent)):
            total = self.apply(_times, total, base)
        return total

    def primary(self, depth: int) -> Quotient:
        if self.peek():
            self.take("(")
            inside = self.sum(depth + 1)
            self.take(")")
            return inside
        if self.done():
            raise _SyntaxError("the end")
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return _number(text)
        if self.peek() == "(":
            return self.call(text, depth)
        return Quotient(symbol(_name(text)), 1)

    def call(self, name: str, depth: int) -> Quotient:
        least, most, operation = FUNCTIONS.get(name.lower(), (1, 0, _same))
        operands: list[Quotient] = []
        while not operands or self.peek() == ",":
            self.at += 1  # the parenthesis, or the comma
            operands.append(self.sum(depth + 1))
        self.take(")")
        if not least <= len(operands) <= most:
            raise _SyntaxError(name)
        return self.apply(operation, *operands)


def _length(dim: Dim) -> int:
    return len(dim.terms) if isinstance(dim, Expr) else 1


def _number(text: str) -> Quotient:
    """Return a number as it is written: 1.5 is 3/2."""
    digits, _, exponent = text.lower().partition("e")
    whole, _, decimals = digits.partition(".")
    power = int(exponent or 0) - len(decimals)
    return _quotient(int(whole + decimals) * 10 ** max(power, 0), 10 ** max(-power, 0))


def _name(token: str) -> str:
    if token[0] == "(":
        return token[1:-1]
    return re.sub(r"\\(.)", r"\1", token[1:-1]) if token[0] == '"' else token
