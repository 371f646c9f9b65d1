"""A dimension with a max or min in it as the larger or the smaller of two dimensions without.

    8*t*t - 8*t*max(t - s, 0)    where t is 0 or more    min(8*t*s, 8*t*t)

Multiplied out, what is taken away is a term of its own, and an interval of a sum of terms knows
nothing of what they share (the dependency problem: Moore, Kearfott and Cloud, Introduction to
Interval Analysis, SIAM 2009). In each case it cancels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from graphcount.symbolic import Atom, Dim, Expr, TooComplexError
from graphcount.symbolic.intervals import Ranges, Relaxed, enclose, low_of, relax, settled


class Cases(NamedTuple):
    """The larger or the smaller of two.

    Attributes:
        op: `max` or `min`.
        a: The first.
        b: The second.
    """

    op: str
    a: CaseTree
    b: CaseTree


CaseTree: TypeAlias = "Cases | Relaxed"


def in_cases(dim: Dim, box: Ranges, most: int) -> CaseTree:
    """Return a dimension in cases.

    Args:
        dim: The dimension.
        box: Where it is equal to them: a range for each of its symbols.
        most: How many cases there may be; a max or min that would make more stays as it is.
    """
    split = _split(dim, box) if most > 1 else None
    if split is None:
        return relax(dim)
    op, a, b = split
    first = in_cases(a, box, most - most // 2)
    return Cases(op, first, in_cases(b, box, most - number_of(first)))


def number_of(tree: CaseTree) -> int:
    """Return how many cases there are."""
    return number_of(tree.a) + number_of(tree.b) if isinstance(tree, Cases) else 1


def low_in_cases(tree: CaseTree, ranges: Ranges) -> int | None:
    """Return what a dimension is never below in a part of the box; None where it has no cases."""
    return _low(tree, ranges) if isinstance(tree, Cases) else low_of(tree, ranges)


def _low(tree: CaseTree, ranges: Ranges) -> int:
    if isinstance(tree, Cases):
        pick = max if tree.op == "max" else min
        return pick(_low(tree.a, ranges), _low(tree.b, ranges))
    low = settled(tree.dim, dict(ranges)).low
    relaxed = low_of(tree, ranges)
    return low if relaxed is None else max(low, relaxed)


def _split(dim: Dim, box: Ranges) -> tuple[str, Dim, Dim] | None:
    """Return a dimension as the max or min of two; None where it has none that is a factor."""
    for atom, coefficient in _coefficients(dim).items():
        if coefficient is None:
            continue
        around = enclose(coefficient, box, {})
        if around.low < 0 < around.high:
            continue
        op = atom.op if around.low >= 0 else {"max": "min", "min": "max"}[atom.op]
        try:
            rest = dim - coefficient * Expr(((((atom, 1),), 1),))
            a, b = (rest + coefficient * arg for arg in atom.args)
        except TooComplexError:
            continue
        return op, a, b
    return None


def _coefficients(dim: Dim) -> Mapping[Atom, Dim | None]:
    """Return what each max and min is multiplied with; None where it is a power."""
    coefficients: dict[Atom, Dim | None] = {}
    for monomial, number in dim.terms if isinstance(dim, Expr) else ():
        for factor, power in monomial:
            if isinstance(factor, Atom) and factor.op != "//":
                others = tuple(pair for pair in monomial if pair[0] != factor)
                before = coefficients.get(factor, 0)
                one = Expr(((others, number),)) if others else number
                coefficients[factor] = None if before is None or power > 1 else before + one
    return coefficients
