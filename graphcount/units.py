"""Numbers as people read and write them.

Counts are 1000-based (k, M, B, T), bytes are 1000-based (kB, MB, GB) or, on request, 1024-based
(KiB, MiB, GiB). MB is 10^6 and MiB is 2^20, always.
"""

from __future__ import annotations

import re

COUNT_UNITS = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))
BYTE_UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
BINARY_UNITS = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))

FACTORS = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "b": 10**9,
    "t": 10**12,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
"""What a suffix multiplies by; letters count the same in both cases."""

_QUANTITY = re.compile(r"([0-9][0-9_,]*)(?:\.([0-9]+))?\s*([A-Za-z]*)\Z")


def count(number: int) -> str:
    """A count in three digits: 26,926 → `26.9k`; up to 9,999 exactly."""
    return f"{number:,}" if abs(number) < 10_000 else _scaled(number, COUNT_UNITS)


def nbytes(number: int, binary: bool = False) -> str:
    """A size in three digits: `107.70 kB`, or with `binary` `105.18 KiB`."""
    units = BINARY_UNITS if binary else BYTE_UNITS
    smallest = units[-1][0]
    if abs(number) < smallest:
        return f"{number} B"
    return _scaled(number, units, separator=" ", digits=2)


def exact(number: int) -> str:
    """All digits, grouped."""
    return f"{number:,}"


def percent(part: int, whole: int) -> str:
    """A share with one decimal; empty when there is no whole."""
    return f"{100 * part / whole:.1f}%" if whole else ""


def parse(text: str) -> int:
    """Read a quantity: `30M`, `1.5k`, `100MB`, `64 MiB`, `1_000`, `26,926`.

    Raises:
        ValueError: Not a quantity, or not a whole number of units.
    """
    match = _QUANTITY.match(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a quantity like 30M, 1.5k, 100MB or 64MiB")
    whole, fraction, suffix = match.groups()
    factor = FACTORS.get(suffix.lower())
    if factor is None:
        known = "k, M, G, T, B, kB, MB, GB, TB, KiB, MiB, GiB, TiB"
        raise ValueError(f"{text!r}: unit {suffix!r} is not one of {known}")
    digits = re.sub("[_,]", "", whole) + (fraction or "")
    scale: int = 10 ** len(fraction or "")
    value, rest = divmod(int(digits) * factor, scale)
    if rest:
        raise ValueError(f"{text!r} is not a whole number")
    return value


def _scaled(
    number: int, units: tuple[tuple[int, str], ...], separator: str = "", digits: int = 1
) -> str:
    for position, (factor, unit) in enumerate(units):
        if abs(number) >= factor:
            text = (
                f"{number / factor:,.{digits}f}"
                if number < factor * 10**15
                else f"{number // factor:,}"
            )
            if position and text.startswith("1,000"):  # rounding reached the next unit
                factor, unit = units[position - 1]
                text = f"{number / factor:,.{digits}f}"
            return f"{text}{separator}{unit}"
    return str(number)
