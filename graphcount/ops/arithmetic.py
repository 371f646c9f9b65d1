"""Arithmetic on single values of small tensors: integers, symbols, fractions, None for unknown.

Quotients are exact fractions. A stored float is one, too, but stands for a shorter one most often,
0.7 for 7/10: `graphcount.ops.floats` says which of the two a runtime computes with.
"""

from __future__ import annotations

from collections.abc import Callable
from math import gcd

from graphcount.ops.call import Number, Ratio
from graphcount.ops.floats import as_float, rounded_as, short
from graphcount.ops.inference import at_least, larger, smaller
from graphcount.symbolic import Dim, ceildiv, floordiv


def ratio(over: Dim, under: Dim) -> Number:
    """Return a quotient in lowest terms; a whole number where it is one."""
    if under == 0:
        return None
    if isinstance(over, int) and isinstance(under, int):
        common = gcd(over, under) * (-1 if under < 0 else 1)
        over, under = over // common, under // common
        return over if under == 1 else Ratio(over, under)
    whole = floordiv(over, under)
    return whole if whole * under == over else Ratio(over, under)


def _parts(number: Dim | Ratio) -> tuple[Dim, Dim]:
    return (number.over, number.under) if isinstance(number, Ratio) else (number, 1)


def plus(a: Number, b: Number) -> Number:
    """Return a + b."""
    if a is None or b is None:
        return None
    if isinstance(a, Ratio) or isinstance(b, Ratio):
        (p, q), (r, s) = _parts(a), _parts(b)
        return ratio(p * s + r * q, q * s)
    return a + b


def minus(a: Number, b: Number) -> Number:
    """Return a - b."""
    return plus(a, multiplied(b, -1))


def multiplied(a: Number, b: Number) -> Number:
    """Return a * b; 0 whatever the other number is."""
    if a == 0 or b == 0:
        return 0
    if a is None or b is None:
        return None
    if isinstance(a, Ratio) or isinstance(b, Ratio):
        a, b = short(a), short(b)
        (p, q), (r, s) = _parts(a), _parts(b)
        return rounded_as(ratio(p * r, q * s), a, b)
    return a * b


def quotient(a: Number, b: Number) -> Number:
    """Return a / b of floats."""
    if a is None or b is None or b == 0:
        return None
    a, b = short(a), short(b)
    (p, q), (r, s) = _parts(a), _parts(b)
    return rounded_as(ratio(p * s, q * r), a, b)


def whole_quotient(a: Number, b: Number) -> Number:
    """Return a / b of integers, which C++ rounds towards zero; None for b of unknown sign."""
    if a is None or b is None or b == 0 or isinstance(a, Ratio) or isinstance(b, Ratio):
        return None
    if isinstance(a, int) and isinstance(b, int):
        return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    if _not_negative(-b):
        a, b = -a, -b
    return _towards_zero(a, b) if _not_negative(b) else None


def fmod(a: Number, b: Number) -> Number:
    """Return a mod b with the sign of a, as C's fmod."""
    return minus(a, multiplied(whole_quotient(a, b), b))


def remainder(a: Number, b: Number) -> Number:
    """Return a mod b with the sign of b."""
    if a is None or b is None or b == 0 or isinstance(a, Ratio) or isinstance(b, Ratio):
        return None
    return a - floordiv(a, b) * b


def power(a: Number, b: Number) -> Number:
    """Return a to a small power."""
    if not isinstance(b, int) or not 0 <= b <= 8 or a is None:
        return None
    result: Number = 1
    for _ in range(b):
        result = multiplied(result, a)
    return result


def rounded_down(a: Number) -> Number:
    """Return floor(a)."""
    if not isinstance(a, Ratio):
        return a
    over, under = as_float(a)
    return floordiv(over, under)


def rounded_up(a: Number) -> Number:
    """Return ceil(a)."""
    return ceildiv(a.over, a.under) if isinstance(a, Ratio) else a


def rounded(a: Number) -> Number:
    """Return the nearest whole number, the even one of two.

    floor(x + 1/2), which goes up at 1/2, 3/2, …; or half of that from every other step, where ties
    exist: floor((x + 1/2) / 2) goes up at 3/2 and ceil((x - 1/2) / 2) behind 1/2.
    """
    if not isinstance(a, Ratio):
        return a
    twice, under = 2 * a.over, a.under
    whole = floordiv(a.over, under)
    rest = twice - 2 * whole * under
    if isinstance(rest, int) and isinstance(under, int) and rest != under:
        return whole + (rest > under)
    if isinstance(under, int) and under % 2:
        return floordiv(twice + under, 2 * under)
    return floordiv(twice + under, 4 * under) + ceildiv(twice - under, 4 * under)


def truncated(a: Number) -> Number:
    """Return what a conversion to integers keeps: rounded towards zero; None for unknown signs."""
    if not isinstance(a, Ratio):
        return a
    over, under = as_float(a)
    return _towards_zero(over, under) if _not_negative(under) else None


def _towards_zero(a: Dim, b: Dim) -> Dim:
    """Return a / b of a positive b rounded towards zero."""
    if _not_negative(a):
        return floordiv(a, b)
    if _not_negative(-a):
        return ceildiv(a, b)
    return larger(floordiv(a, b), 0) + smaller(ceildiv(a, b), 0)


def scaled(size: Dim | None, scale: Number) -> Dim | None:
    """Return floor(size * scale), as Resize computes it."""
    length = rounded_down(multiplied(size, scale))
    return None if isinstance(length, Ratio) else length


def _not_negative(dim: Dim) -> bool:
    low = at_least(dim)
    return low is not None and low >= 0


def _difference_at_least(a: Number, b: Number) -> int | None:
    if a is None or b is None:
        return None
    (p, q), (r, s) = _parts(a), _parts(b)
    low = at_least(p * s - r * q)
    return low if _not_negative(q) and _not_negative(s) else None


def at_most(a: Number, b: Number) -> Number:
    """Return 1 when a <= b for all sizes, 0 when never, else None."""
    low = _difference_at_least(b, a)
    if low is not None and low >= 0:
        return 1
    low = _difference_at_least(a, b)
    return 0 if low is not None and low > 0 else None


def below(a: Number, b: Number) -> Number:
    """Return 1 when a < b for all sizes, 0 when never, else None."""
    return negated(at_most(b, a))


def equal(a: Number, b: Number) -> Number:
    """Return 1 when a = b for all sizes, 0 when never, else None."""
    if a is None or b is None:
        return None
    if a == b:
        return 1
    if isinstance(a, int) and isinstance(b, int):
        return 0
    apart = [_difference_at_least(a, b), _difference_at_least(b, a)]
    return 0 if any(low is not None and low > 0 for low in apart) else None


def negated(a: Number) -> Number:
    """Return not a."""
    return int(a == 0) if isinstance(a, int) else None


def both(a: Number, b: Number) -> Number:
    """Return a and b."""
    if a == 0 or b == 0:
        return 0
    return 1 if isinstance(a, int) and isinstance(b, int) else None


def either(a: Number, b: Number) -> Number:
    """Return a or b."""
    if (isinstance(a, int) and a) or (isinstance(b, int) and b):
        return 1
    return 0 if a == 0 and b == 0 else None


def maximum_of(a: Number, b: Number) -> Number:
    """Return max(a, b)."""
    if a is None or b is None:
        return None
    if isinstance(a, Ratio) or isinstance(b, Ratio):
        return _picked(larger, a, b)
    return larger(a, b)


def minimum_of(a: Number, b: Number) -> Number:
    """Return min(a, b)."""
    if a is None or b is None:
        return None
    if isinstance(a, Ratio) or isinstance(b, Ratio):
        return _picked(smaller, a, b)
    return smaller(a, b)


def _picked(pick: Callable[[Dim, Dim], Dim], a: Dim | Ratio, b: Dim | Ratio) -> Number:
    """Return one of two fractions, over their common denominator."""
    (p, q), (r, s) = _parts(a), _parts(b)
    return ratio(pick(p * s, r * q), q * s) if _not_negative(q) and _not_negative(s) else None
