"""Numbers for people, also those that only a damaged or hostile file has."""

from __future__ import annotations

from graphcount.units import count, exact, nbytes

ABSURD = 10**15
"""Counts from here on are written with an exponent."""


def short(number: int) -> str:
    """Write a number: `9,999`, `26.9k`, `4.7e+28`."""
    if number < 10_000:
        return exact(number)
    return count(number) if number < ABSURD else _exponent(number)


def size(number: int, binary: bool) -> str:
    """Write bytes: `1.50 MB`, `1.8e+29 B`."""
    return nbytes(number, binary) if number < ABSURD else f"{_exponent(number)} B"


def _exponent(number: int) -> str:
    digits = str(number)
    return f"{digits[0]}.{digits[1]}e+{len(digits) - 1}"
