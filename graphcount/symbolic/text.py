"""Dimensions and formulas as text: what a file calls its dimensions, and what a report wrote."""

from __future__ import annotations

import re

from graphcount.symbolic import (
    MAX_DEPTH,
    Dim,
    TooComplexError,
    ceildiv,
    floordiv,
    largest_number,
    maximum,
    minimum,
    symbol,
)

LONGEST_FORMULA = 20_000
"""Characters of a formula that is read back; `MAX_TERMS` terms take fewer."""

LARGEST = 2**63
"""Products with larger numbers are of no size: powers of powers would grow without an end."""


def parse(text: str) -> Dim | None:
    """Read a dim_param: a name, or arithmetic over names (`past + seq`, `2*(n - 1)`, `h//2`).

    Returns:
        The dimension; the whole text as one symbol when it is no arithmetic; None when empty.
    """
    text = text.strip()
    if not text:
        return None
    if len(text) > 200 or _PATH.search(text):
        return symbol(text)
    try:
        parser = _Parser(text)
        total = parser.sum(0)
        if parser.done():
            return total
    except (_SyntaxError, TooComplexError, ZeroDivisionError):
        pass
    return symbol(text)


def formula(text: str) -> Dim | None:
    """Read back what `str` of a dimension wrote, however long.

    Returns:
        The dimension; None when the names in it do not let it be read.
    """
    if len(text) > LONGEST_FORMULA:
        return None
    try:
        parser = _Parser(text)
        total = parser.sum(0)
        return total if parser.done() else None
    except (_SyntaxError, TooComplexError, ZeroDivisionError):
        return None


_PATH = re.compile(r"^[\w.]*[A-Za-z_][\w.]*/[A-Za-z_]")
"""Names of tensors in the place of a dimension: `Unsqueeze/decoder/rnn/Unsqueeze_output_0_dim_1`
is no chain of divisions."""


class _SyntaxError(ValueError):
    """The text is no arithmetic."""


class _Parser:
    """Recursive descent over `+ - * / // ^ ( ) floor() ceil() max() min()`, names and numbers.

    A quotient is rounded down, directly inside `ceil` up.
    """

    TOKEN = re.compile(r"\s*(//|[-+*/(),^]|\d{1,18}|[^\W\d]\w*(?:\.\w+)*)")

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        position = 0
        while position < len(text):
            match = self.TOKEN.match(text, position)
            if match is None:
                raise _SyntaxError(text)
            self.tokens.append(match[1])
            position = match.end()
        self.at = 0
        self.divide = floordiv

    def done(self) -> bool:
        return self.at == len(self.tokens)

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, token: str = "") -> str:
        current = self.peek()
        if not current or (token and current != token):
            raise _SyntaxError(current)
        self.at += 1
        return current

    def sum(self, depth: int) -> Dim:
        if depth > MAX_DEPTH:
            raise _SyntaxError("too deep")
        total = self.product(depth)
        while self.peek() in ("+", "-"):
            sign = self.take()
            part = self.product(depth)
            total = total + part if sign == "+" else total - part
        return total

    def product(self, depth: int) -> Dim:
        total = self.power(depth)
        while self.peek() in ("*", "/", "//"):
            operator = self.take()
            part = self.power(depth)
            total = _times(total, part) if operator == "*" else self.divide(total, part)
        return total

    def power(self, depth: int) -> Dim:
        if self.peek() == "-":  # binds closer than a quotient: floor(-1/a) is floor((-1)/a)
            self.take()
            if depth > MAX_DEPTH:
                raise _SyntaxError("too deep")
            return -self.power(depth + 1)
        base = total = self.primary(depth)
        if self.peek() == "^":
            self.take()
            exponent = self.take()
            if not exponent.isdigit() or not 0 < int(exponent) <= MAX_DEPTH:
                raise _SyntaxError(exponent)
            for _ in range(int(exponent) - 1):
                total = _times(total, base)
        return total

    def primary(self, depth: int) -> Dim:
        token = self.take()
        if token == "(":
            inside = self.sum(depth + 1)
            self.take(")")
            return inside
        if token.isdigit():
            return int(token)
        if not (token[0].isalpha() or token[0] == "_"):
            raise _SyntaxError(token)
        if self.peek() == "(" and token.lower() in ("floor", "ceil", "max", "min"):
            self.take("(")
            around, self.divide = self.divide, ceildiv if token.lower() == "ceil" else floordiv
            first = self.sum(depth + 1)
            self.divide = around
            if token.lower() in ("floor", "ceil"):
                self.take(")")
                return first
            self.take(",")
            second = self.sum(depth + 1)
            self.take(")")
            return maximum(first, second) if token.lower() == "max" else minimum(first, second)
        return symbol(token)


def _times(a: Dim, b: Dim) -> Dim:
    """Return the product of two sizes.

    Raises:
        TooComplexError: It has a number beyond `LARGEST`.
    """
    product = a * b
    if largest_number(product) >= LARGEST:
        raise TooComplexError("a number is larger than any size")
    return product
