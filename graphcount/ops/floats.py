"""Stored floats in the arithmetic of sizes: 0.7 stands for 7/10, and computes as if it were.

A size h times s, the float nearest to p/q, is rounded to a float again. Where h*p/q is a float, as
whole numbers are, the product is that number if s is off by at most half a unit in the last place
of numbers from 1 to 2, relative to it (2^-25 for float32): the error is then no more than half the
distance to the next float, and a tie goes to it. Elsewhere h*p/q is at least 1/q away from whole
numbers, which an error of two roundings does not reach while h*p is below 2^23 (2^52 for float64).
So floor, ceil and comparisons are those of p/q, for sizes below 2^23 / 128 = 65,536 at least.

A float beyond that is taken as it is. Times a number, it is rounded as a runtime rounds it; times a
symbol, it stays exact.
"""

from __future__ import annotations

import struct

from graphcount.ops.call import Number, Ratio
from graphcount.symbolic import Dim, Expr, content, floordiv

SHORT = 128
"""Both parts of a fraction that a float stands for are at most this."""

SINGLE, DOUBLE = 24, 53
"""Bits of a significand (IEEE 754)."""


def short(number: Dim | Ratio) -> Dim | Ratio:
    """Return the short fraction that a stored float stands for; what is none, as it is."""
    bits = _bits(number)
    if not bits or not isinstance(number, Ratio):
        return number
    return _short(number.over, number.under, bits) or number  # type: ignore[arg-type]


def as_float(number: Ratio) -> Ratio:
    """Return a fraction that is rounded down next, by a short one where that is the same.

    A float above p/q may be further off: its products do not fall below whole numbers.
    """
    over, under = number
    if not isinstance(over, Expr) or not isinstance(under, int):
        return number
    factor = content(over)
    scale = Ratio(factor, under)
    bits = _bits(scale)
    stands_for = _short(factor, under, bits, above=1) if bits else None
    if stands_for is None:
        return number
    return Ratio(floordiv(over, factor) * stands_for.over, stands_for.under)


def rounded_as(result: Number, a: Dim | Ratio, b: Dim | Ratio) -> Number:
    """Return a product or quotient as the floats that were its operands round it."""
    bits = max(_bits(a), _bits(b))
    if not bits or not isinstance(result, Ratio):
        return result
    over, under = result
    if not isinstance(over, int) or not isinstance(under, int):
        return result
    value = over / under
    if bits == SINGLE:
        (value,) = struct.unpack("f", struct.pack("f", value))
    over, under = value.as_integer_ratio()
    return over if under == 1 else Ratio(over, under)


def _bits(number: Dim | Ratio) -> int:
    """Return the bits of a stored float with more digits than a short fraction; 0 for others."""
    if not isinstance(number, Ratio):
        return 0
    over, under = number
    if not isinstance(over, int) or not isinstance(under, int):
        return 0
    if under <= SHORT or under & (under - 1) or abs(over) >= 1 << DOUBLE:
        return 0
    return SINGLE if abs(over) < 1 << SINGLE else DOUBLE


def _short(over: int, under: int, bits: int, above: int = 0) -> Ratio | None:
    """Return the short fraction that a float is within half a unit of, or one unit above."""
    if over <= 0:
        return None
    for q in range(1, SHORT + 1):
        p = (2 * over * q + under) // (2 * under)
        error = over * q - p * under  # of over / under - p / q, times q * under
        if 0 < p <= SHORT and abs(error) << (bits + 1) <= (p * under) << (
            above if error > 0 else 0
        ):
            return Ratio(p, q)
    return None
