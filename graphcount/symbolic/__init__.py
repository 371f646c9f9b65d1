"""Dimensions as numbers or expressions: exact integer polynomials in a model's own dim_params.

A dimension is an `int` where it is known and an `Expr` where it is dynamic and has a name
(`batch`, `past + seq`). Both add, subtract, multiply and divide in the same way, so a formula is
written once. An expression that is a number is always an `int`, never an `Expr`.

    >>> batch, seq = symbol("batch"), symbol("seq")
    >>> str(12 * batch * seq + 768 * batch)
    '12*batch*seq + 768*batch'
    >>> evaluate(12 * batch * seq, {"batch": 2})
    Expr(24*seq)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from math import gcd
from typing import TypeAlias

from graphcount.symbolic.names import written

MAX_TERMS = 64
"""An expression with more terms is given up: nobody reads it, and products of such explode."""

MAX_DEPTH = 32
"""Operations inside operations (floor of a sum with a floor in it, …)."""

MAX_SIZE = 256
"""Terms inside an operation, those inside its operands included: depth alone allows 2^depth."""

MAX_DEGREE = 64
"""Highest power, summed over the factors of a term."""

LARGEST_NUMBER = 10**2000
"""Larger numbers than any file can ask for: 64 dimensions of 63 bits have 1,214 digits."""

LARGEST_DIVISOR = 2**63
"""Quotients of quotients are one below this; beyond, they are nested and soon given up."""


class TooComplexError(ValueError):
    """An expression grew beyond `MAX_TERMS` terms; the dimension is unknown."""


class Atom:
    """What cannot be multiplied out: floor division, max, min of expressions.

    Attributes:
        op: `//`, `max` or `min`.
        args: Two dimensions.
        depth: Atoms inside atoms.
        size: Terms of the operands and of the atoms in them.
    """

    __slots__ = ("_hash", "_text", "args", "depth", "op", "size")

    depth: int
    size: int

    def __init__(self, op: str, args: tuple[Dim, Dim]) -> None:
        self.op = op
        self.args = args
        terms = [term for arg in args if isinstance(arg, Expr) for term in arg.terms]
        inside = [
            factor for monomial, _ in terms for factor, _ in monomial if isinstance(factor, Atom)
        ]
        self.depth = 1 + max((atom.depth for atom in inside), default=0)
        self.size = 1 + len(terms) + sum(atom.size for atom in inside)
        if self.depth > MAX_DEPTH or self.size > MAX_SIZE:
            raise TooComplexError("operations are nested too deeply")
        self._hash = hash((op, args))
        self._text = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Atom) and (self.op, self.args) == (other.op, other.args)

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        """Return its text, made once: terms are sorted by it."""
        if not self._text:
            self._text = self._written()
        return self._text

    def _written(self) -> str:
        a, b = self.args
        if self.op == "//":
            if isinstance(b, int) and _number_in(a) == b - 1 > 0:
                return f"ceil({_in_quotient(a - (b - 1))}/{b})"
            return f"floor({_in_quotient(a)}/{_in_quotient(b)})"
        return f"{self.op}({a}, {b})"


Factor: TypeAlias = "str | Atom"
Monomial: TypeAlias = "tuple[tuple[Factor, int], ...]"


class Expr:
    """A polynomial with integer coefficients over symbols and atoms; immutable.

    Attributes:
        terms: (monomial, coefficient) pairs, highest degree first; no coefficient is 0.
    """

    __slots__ = ("_hash", "terms")

    def __init__(self, terms: tuple[tuple[Monomial, int], ...]) -> None:
        self.terms = terms
        self._hash = hash(terms)

    def __add__(self, other: Dim) -> Dim:
        sums = dict(self.terms)
        for monomial, coefficient in _terms(other):
            sums[monomial] = sums.get(monomial, 0) + coefficient
        return _make(sums)

    __radd__ = __add__

    def __neg__(self) -> Dim:
        return _make({monomial: -coefficient for monomial, coefficient in self.terms})

    def __sub__(self, other: Dim) -> Dim:
        return self + (-other)

    def __rsub__(self, other: int) -> Dim:
        return -self + other

    def __mul__(self, other: Dim) -> Dim:
        right = _terms(other)
        if len(self.terms) * len(right) > MAX_TERMS * MAX_TERMS:
            raise TooComplexError("a product has too many terms")
        sums: dict[Monomial, int] = {}
        for a, m in self.terms:
            for b, n in right:
                key = _times(a, b)
                sums[key] = sums.get(key, 0) + m * n
        return _make(sums)

    __rmul__ = __mul__

    def __floordiv__(self, other: Dim) -> Dim:
        return floordiv(self, other)

    def __rfloordiv__(self, other: int) -> Dim:
        return floordiv(other, self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expr) and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        text = ""
        for monomial, coefficient in self.terms:
            sign = "-" if coefficient < 0 else "+"
            factors = [_factor(factor, power) for factor, power in monomial]
            if abs(coefficient) != 1 or not factors:
                factors.insert(0, str(abs(coefficient)))
            part = "*".join(factors)
            text += f" {sign} {part}" if text else (f"-{part}" if sign == "-" else part)
        return text

    def __repr__(self) -> str:
        return f"Expr({self})"

    def symbols(self) -> frozenset[str]:
        """Return names it depends on."""
        return frozenset(_symbols(self))


Dim: TypeAlias = "int | Expr"


def symbol(name: str) -> Expr:
    """Return the dimension called `name`."""
    return Expr(((((name, 1),), 1),))


def floordiv(a: Dim, b: Dim) -> Dim:
    """Return floor(a / b); multiplied out where that is exact for every value of the symbols.

    Raises:
        ZeroDivisionError: b is 0.
    """
    if isinstance(a, int) and isinstance(b, int):
        return a // b
    if b == 1:
        return a
    if b == 0:
        raise ZeroDivisionError("division by zero")
    exact = _exact_quotient(a, b)
    if exact is not None:
        return exact
    if isinstance(b, Expr):
        common = gcd(content(a), content(b))
        return _atom("//", _divided(a, common), _divided(b, common))
    return _by_number(a, b) if b > 0 else _by_number(-a, -b)


def _by_number(a: Dim, b: int) -> Dim:
    """Return floor(a / b) in one form for what is equal, so that layers of a network add up.

    Whole multiples leave the quotient, floor((b*q + r) / b) = q + floor(r / b), until the number
    in it is at least 0 and below b; and a quotient of a quotient is one quotient,
    floor((floor(x / m) + c) / b) = floor((x + c*m) / (m*b)) for whole numbers (Graham, Knuth and
    Patashnik, Concrete Mathematics, 3.11).
    """
    whole: dict[Monomial, int] = {}
    rest: dict[Monomial, int] = {}
    for monomial, coefficient in _terms(a):
        quotient = -(-coefficient // b) if monomial and coefficient < 0 else coefficient // b
        whole[monomial] = quotient
        rest[monomial] = coefficient - quotient * b
    common = gcd(b, *(number for monomial, number in rest.items() if monomial))
    if common > 1:  # floor((g*x + r) / (g*b)) = floor((x + floor(r / g)) / b)
        rest = {monomial: number // common for monomial, number in rest.items()}
        b //= common
    left = _make(rest)
    if isinstance(left, int):
        return _make(whole) + left // b
    inner = _quotient_and_number(left)
    if inner is not None and inner[1] * b < LARGEST_DIVISOR:
        x, m, c = inner
        return _make(whole) + floordiv(x + c * m, m * b)
    return _make(whole) + _atom("//", left, b)


def _quotient_and_number(dim: Expr) -> tuple[Dim, int, int] | None:
    """Return x, m and c of floor(x / m) + c; None for what is not of that form."""
    numbers = [coefficient for monomial, coefficient in dim.terms if not monomial]
    others = [term for term in dim.terms if term[0]]
    if len(others) != 1 or others[0][1] != 1 or len(others[0][0]) != 1:
        return None
    factor, power = others[0][0][0]
    if not isinstance(factor, Atom) or factor.op != "//" or power != 1:
        return None
    x, m = factor.args
    return (x, m, sum(numbers)) if isinstance(m, int) and m > 0 else None


def ceildiv(a: Dim, b: Dim) -> Dim:
    """Return ceil(a / b)."""
    if isinstance(b, int) and b > 0:
        return floordiv(a + (b - 1), b)
    return -floordiv(-a, b)


def maximum(a: Dim, b: Dim) -> Dim:
    """Return the larger of two dimensions."""
    if isinstance(a, int) and isinstance(b, int):
        return max(a, b)
    return a if a == b else _atom("max", *_ordered(a, b))


def minimum(a: Dim, b: Dim) -> Dim:
    """Return the smaller of two dimensions."""
    if isinstance(a, int) and isinstance(b, int):
        return min(a, b)
    return a if a == b else _atom("min", *_ordered(a, b))


def _ordered(a: Dim, b: Dim) -> tuple[Dim, Dim]:
    """Return operands in one order, numbers last."""
    return (a, b) if isinstance(b, int) or (isinstance(a, Expr) and str(a) <= str(b)) else (b, a)


def evaluate(dim: Dim, values: Mapping[str, Dim]) -> Dim:
    """Put values (numbers or expressions) in the place of symbols; others stay."""
    if isinstance(dim, int):
        return dim
    total: Dim = 0
    for monomial, coefficient in dim.terms:
        part: Dim = coefficient
        for factor, power in monomial:
            value = _value(factor, values)
            for _ in range(power):
                part = part * value
        total = total + part
    return total


def content(dim: Dim) -> int:
    """Return the largest number that divides every term; 0 of nothing."""
    return gcd(*(coefficient for _, coefficient in _terms(dim)))


def largest_number(dim: Dim) -> int:
    """Return the number itself, or the largest coefficient, without its sign."""
    return max((abs(coefficient) for _, coefficient in _terms(dim)), default=0)


def _terms(dim: Dim) -> tuple[tuple[Monomial, int], ...]:
    if isinstance(dim, Expr):
        return dim.terms
    return (((), dim),) if dim else ()


def _divided(dim: Dim, number: int) -> Dim:
    """Return the quotient by a number that divides every term."""
    return _make({monomial: coefficient // number for monomial, coefficient in _terms(dim)})


@lru_cache(maxsize=4096)
def _order(monomial: Monomial) -> tuple[int, tuple[tuple[str, int], ...]]:
    """Return highest degree first, then by name."""
    return -sum(power for _, power in monomial), tuple((str(f), power) for f, power in monomial)


def _make(sums: dict[Monomial, int]) -> Dim:
    terms = [(monomial, coefficient) for monomial, coefficient in sums.items() if coefficient]
    if not terms:
        return 0
    if len(terms) == 1 and not terms[0][0]:
        return terms[0][1]
    if len(terms) > MAX_TERMS:
        raise TooComplexError(f"an expression has {len(terms)} terms")
    if len(terms) > 1:
        terms.sort(key=lambda term: _order(term[0]))
    return Expr(tuple(terms))


def _times(a: Monomial, b: Monomial) -> Monomial:
    if not a:
        return b
    if not b:
        return a
    powers = dict(a)
    for factor, power in b:
        powers[factor] = powers.get(factor, 0) + power
    if sum(powers.values()) > MAX_DEGREE:
        raise TooComplexError(f"a term has a degree above {MAX_DEGREE}")
    return tuple(sorted(powers.items(), key=lambda item: str(item[0])))


def _atom(op: str, a: Dim, b: Dim) -> Expr:
    return Expr(((((Atom(op, (a, b)), 1),), 1),))


def _factor(factor: Factor, power: int) -> str:
    name = written(factor) if isinstance(factor, str) else str(factor)
    return name if power == 1 else f"{name}^{power}"


def _number_in(dim: Dim) -> int:
    """Return the term without symbols."""
    return next((number for monomial, number in _terms(dim) if not monomial), 0)


def _in_quotient(dim: Dim) -> str:
    text = str(dim)
    return f"({text})" if isinstance(dim, Expr) and (len(dim.terms) > 1 or "*" in text) else text


def _exact_quotient(a: Dim, b: Dim) -> Dim | None:
    """Return the quotient of a and b when b is a single term that divides every term of a."""
    divisor = _terms(b)
    if len(divisor) != 1:
        return 1 if a == b else None
    by, number = divisor[0]
    quotient: dict[Monomial, int] = {}
    powers_by = dict(by)
    for monomial, coefficient in _terms(a):
        powers = dict(monomial)
        if coefficient % number or any(powers.get(f, 0) < p for f, p in powers_by.items()):
            return None
        for factor, power in powers_by.items():
            powers[factor] -= power
        key = tuple(sorted(((f, p) for f, p in powers.items() if p), key=lambda i: str(i[0])))
        quotient[key] = quotient.get(key, 0) + coefficient // number
    return _make(quotient)


def _value(factor: Factor, values: Mapping[str, Dim]) -> Dim:
    if isinstance(factor, str):
        value = values.get(factor)
        return symbol(factor) if value is None else value
    a, b = factor.args
    return _OPERATIONS[factor.op](evaluate(a, values), evaluate(b, values))


_OPERATIONS = {"//": floordiv, "max": maximum, "min": minimum}


def _symbols(expr: Expr) -> Iterator[str]:
    for monomial, _ in expr.terms:
        for factor, _ in monomial:
            if isinstance(factor, str):
                yield factor
            else:
                for arg in factor.args:
                    if isinstance(arg, Expr):
                        yield from _symbols(arg)
