"""What a dimension encloses over a box of sizes, and how far it moves with each of them.

Exact integer arithmetic on intervals (Moore, Kearfott and Cloud, Introduction to Interval Analysis,
SIAM 2009), with finite differences in the place of derivatives: sizes are whole numbers, and floor,
max and min have a difference where they have no derivative.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from graphcount.symbolic import Atom, Dim, Expr, Factor, TooComplexError, symbol

SizeRange: TypeAlias = "tuple[int, int]"
"""The least and the most, both included."""

Ranges: TypeAlias = "Mapping[str, SizeRange]"
"""The sizes that each symbol may have: a box."""

STILL: SizeRange = (0, 0)


class Enclosure(NamedTuple):
    """What is known of a dimension over a box.

    Attributes:
        low: It is never below.
        high: It is never above.
        steps: How much it changes, at least and at most, when a symbol grows by 1; 0 for others.
    """

    low: int
    high: int
    steps: dict[str, SizeRange]


def enclose(dim: Dim, box: Ranges, atoms: dict[Atom, Enclosure]) -> Enclosure:
    """Return what encloses a dimension over a box.

    Args:
        dim: The dimension.
        box: A range for each of its symbols.
        atoms: What was enclosed over this box before; grows.
    """
    if isinstance(dim, int):
        return Enclosure(dim, dim, {})
    low = high = 0
    steps: dict[str, SizeRange] = {}
    for monomial, coefficient in dim.terms:
        product = Enclosure(coefficient, coefficient, {})
        for factor, power in monomial:
            product = _product(product, _power(_factor(factor, box, atoms), power))
        low, high = low + product.low, high + product.high
        for name, step in product.steps.items():
            before = steps.get(name, STILL)
            steps[name] = (before[0] + step[0], before[1] + step[1])
    return Enclosure(low, high, steps)


def times(a: SizeRange, b: SizeRange) -> SizeRange:
    """Return the interval of all products."""
    if a[0] >= 0 and b[0] >= 0:
        return a[0] * b[0], a[1] * b[1]
    products = (a[0] * b[0], a[0] * b[1], a[1] * b[0], a[1] * b[1])
    return min(products), max(products)


def _factor(factor: Factor, box: Ranges, atoms: dict[Atom, Enclosure]) -> Enclosure:
    if isinstance(factor, str):
        low, high = box[factor]
        return Enclosure(low, high, {factor: (1, 1)} if low < high else {})
    known = atoms.get(factor)
    if known is None:
        a, b = (enclose(operand, box, atoms) for operand in factor.args)
        known = atoms[factor] = _quotient(a, b) if factor.op == "//" else _either(factor.op, a, b)
    return known


def _product(a: Enclosure, b: Enclosure) -> Enclosure:
    """Return the product; it moves by a(x + 1) * (step of b) + b(x) * (step of a)."""
    u, v = (a.low, a.high), (b.low, b.high)
    low, high = times(u, v)
    steps = {name: times(v, step) for name, step in a.steps.items()}
    for name, step in b.steps.items():
        before, more = steps.get(name, STILL), times(u, step)
        steps[name] = (before[0] + more[0], before[1] + more[1])
    return Enclosure(low, high, steps)


def _power(base: Enclosure, power: int) -> Enclosure:
    """Return a power; it moves by the step times a sum of `power` products of power - 1 factors."""
    if power == 1:
        return base
    around: SizeRange = (1, 1)
    for _ in range(power - 1):
        around = times(around, (base.low, base.high))
    low, high = times(around, (base.low, base.high))
    if power % 2 == 0:
        low = 0 if base.low <= 0 <= base.high else min(base.low**power, base.high**power)
    steps = {
        name: times(step, (power * around[0], power * around[1]))
        for name, step in base.steps.items()
    }
    return Enclosure(low, high, steps)


def _quotient(a: Enclosure, b: Enclosure) -> Enclosure:
    """Return floor(a / b), where b is not 0."""
    if b.high < 0:
        a, b = _negative(a), _negative(b)
    if b.low <= 0:
        most = max(abs(a.low), abs(a.high))
        return Enclosure(-most, most, _free(a, b, 2 * most))
    low = min(a.low // b.low, a.low // b.high)
    high = max(a.high // b.low, a.high // b.high)
    steps = _free(a, b, high - low)
    for name in steps:
        least, most = a.steps.get(name, STILL)
        under = b.steps.get(name, STILL)
        if under == STILL:
            least = least // (b.low if least < 0 else b.high)
            most = -(-most // (b.low if most > 0 else b.high))
            steps[name] = (max(least, low - high), min(most, high - low))
        elif a.low >= 0 and least >= 0 and under[1] <= 0:
            steps[name] = (0, high - low)
        elif a.low >= 0 and most <= 0 and under[0] >= 0:
            steps[name] = (low - high, 0)
    return Enclosure(low, high, steps)


def _free(a: Enclosure, b: Enclosure, width: int) -> dict[str, SizeRange]:
    """Return steps of which nothing is known but the width of what encloses the result."""
    return dict.fromkeys((*a.steps, *b.steps), (-width, width))


def _negative(a: Enclosure) -> Enclosure:
    return Enclosure(-a.high, -a.low, {name: (-h, -low) for name, (low, h) in a.steps.items()})


def _either(op: str, a: Enclosure, b: Enclosure) -> Enclosure:
    """Return the max or min of two; one of them where the other is never it."""
    if a.low >= b.high:
        return a if op == "max" else b
    if b.low >= a.high:
        return b if op == "max" else a
    pick = max if op == "max" else min
    steps = {
        name: widest(a.steps.get(name, STILL), b.steps.get(name, STILL))
        for name in (*a.steps, *b.steps)
    }
    return Enclosure(pick(a.low, b.low), pick(a.high, b.high), steps)


def widest(a: SizeRange, b: SizeRange) -> SizeRange:
    """Return the interval that holds both."""
    return min(a[0], b[0]), max(a[1], b[1])


class Relaxed(NamedTuple):
    """A dimension with quotients floor(a / b) written as (a - r) / b, r from 0 to b - 1.

    What is both in a quotient and beside it cancels: n - 8 * floor(n / 8) is r, from 0 to 7.

    Attributes:
        dim: The dimension.
        scale: It is whole / scale.
        whole: What has no such quotient any more, but for those inside of max, min and quotients.
        rests: Each r as a symbol, and its b.
    """

    dim: Dim
    scale: int
    whole: Dim
    rests: tuple[tuple[str, Dim], ...]


MOST_RELAXED = 12
"""Quotients that are relaxed, one after the other."""


def relax(dim: Dim) -> Relaxed:
    """Return a dimension without its quotients, as far as they are factors of terms."""
    relaxed = Relaxed(dim, 1, dim, ())
    for number in range(MOST_RELAXED):
        try:
            further = _without_one(relaxed, f"rest {number} of a quotient")
        except TooComplexError:
            break
        if further is None:
            break
        relaxed = further
    return relaxed


def _without_one(relaxed: Relaxed, rest: str) -> Relaxed | None:
    """Return it without one quotient by a number, or by what all its terms are multiplied with."""
    if isinstance(relaxed.whole, int):
        return None
    powers: dict[Atom, int] = {}
    for monomial, _ in relaxed.whole.terms:
        for factor, power in monomial:
            if isinstance(factor, Atom) and factor.op == "//":
                powers[factor] = max(power, powers.get(factor, 0))
    for atom, power in powers.items():
        a, b = atom.args
        scale = b**power if isinstance(b, int) else 1
        try:
            whole = _replaced(relaxed.whole, atom, a - symbol(rest), power)
        except LookupError:
            continue
        rests = (*relaxed.rests, (rest, b))
        return Relaxed(relaxed.dim, relaxed.scale * scale, whole, rests)
    return None


def _replaced(whole: Expr, atom: Atom, by: Dim, most: int) -> Dim:
    """Return b^most times a sum of terms, b*floor(a / b) replaced; for symbols b, without b^most.

    Raises:
        LookupError: A term has the quotient without its b, which is no number.
    """
    b = atom.args[1]
    total: Dim = 0
    for monomial, coefficient in whole.terms:
        powers = dict(monomial)
        power = powers.pop(atom, 0)
        if isinstance(b, int):
            coefficient *= b ** (most - power)
        elif power:
            name = only_symbol(b)
            if powers.get(name, 0) < power:
                raise LookupError("the divisor is not beside the quotient")
            powers[name] -= power
        term: Dim = coefficient
        for factor, count in powers.items():
            for _ in range(count):
                term = term * Expr(((((factor, 1),), 1),))
        for _ in range(power):
            term = term * by
        total = total + term
    return total


def only_symbol(dim: Expr) -> str:
    """Return the name of a dimension that is one symbol; nothing for others."""
    names = dim.symbols()
    name = next(iter(names), "")
    return name if dim == symbol(name) else ""


def low_of(relaxed: Relaxed, ranges: Ranges) -> int | None:
    """Return what a relaxed dimension is never below; None where nothing was relaxed."""
    if not relaxed.rests:
        return None
    spans = dict(ranges)
    for rest, b in relaxed.rests:
        divisor = enclose(b, ranges, {})
        if divisor.low <= 0:
            return None
        spans[rest] = (0, divisor.high - 1)
    around = settled(relaxed.whole, spans)
    return -(-around.low // relaxed.scale)


def settled(dim: Dim, spans: dict[str, SizeRange]) -> Enclosure:
    """Return what encloses a dimension from below, symbols set to the end where it is lowest."""
    while True:
        around = enclose(dim, spans, {})
        ends = {
            name: (spans[name][0 if step[0] >= 0 else 1],) * 2
            for name, step in around.steps.items()
            if is_clear(step)
        }
        if not ends:
            return around
        spans.update(ends)


def is_clear(step: SizeRange) -> bool:
    """Return whether it never falls, or never grows."""
    return step[0] >= 0 or step[1] <= 0
