"""Arithmetic on single values of small tensors: integers, symbols, fractions, None for unknown."""

from __future__ import annotations

from math import gcd

from graphcount.ops.call import Number, Ratio
from graphcount.ops.inference import at_least, larger, smaller
from graphcount.symbolic import Dim, ceildiv, floordiv, largest_number

LARGEST = 2**63
"""A size, or a coefficient of one, is below this; a chain of products would grow without an end."""

LARGEST_PART = 2**2200
"""The same for the parts of a fraction: a float64 has 1,074 bits below its point, a product two."""


def is_known(number: Number) -> bool:
    """Return whether a value of a tensor is known and has not overflowed."""
    if isinstance(number, int):
        return -LARGEST <= number < LARGEST
    if isinstance(number, Ratio):
        return max(map(largest_number, number)) < LARGEST_PART
    return number is not None and largest_number(number) < LARGEST


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
        (p, q), (r, s) = _parts(a), _parts(b)
        return ratio(p * r, q * s)
    return a * b


def quotient(a: Number, b: Number) -> Number:
    """Return a / b of floats."""
    if a is None or b is None or b == 0:
        return None
    (p, q), (r, s) = _parts(a), _parts(b)
    return ratio(p * s, q * r)


def whole_quotient(a: Number, b: Number) -> Number:
    """Return a / b of integers, which C++ rounds towards zero; of symbols without sign doubts."""
    if a is None or b is None or b == 0 or isinstance(a, Ratio) or isinstance(b, Ratio):
        return None
    if isinstance(a, int) and isinstance(b, int):
        return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return floordiv(a, b) if _not_negative(a) and _not_negative(b) else None


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
    return floordiv(a.over, a.under) if isinstance(a, Ratio) else a


def rounded_up(a: Number) -> Number:
    """Return ceil(a)."""
    return ceildiv(a.over, a.under) if isinstance(a, Ratio) else a


def truncated(a: Number) -> Number:
    """Return what a conversion to integers keeps: rounded towards zero."""
    if not isinstance(a, Ratio):
        return a
    if _not_negative(a.over) and _not_negative(a.under):
        return floordiv(a.over, a.under)
    if isinstance(a.over, int) and isinstance(a.under, int):
        return -(-a.over // a.under)
    return None


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
        order = at_most(a, b)
        return None if order is None else (b if order else a)
    return larger(a, b)


def minimum_of(a: Number, b: Number) -> Number:
    """Return min(a, b)."""
    if a is None or b is None:
        return None
    if isinstance(a, Ratio) or isinstance(b, Ratio):
        order = at_most(a, b)
        return None if order is None else (a if order else b)
    return smaller(a, b)
