"""Numbers as people read and write them.

Counts are 1000-based (k, M, B, T), bytes are 1000-based (kB, MB, GB) or, on request, 1024-based
(KiB, MiB, GiB). MB is 10^6 and MiB is 2^20, always.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from fractions import Fraction

Unit = Literal["count", "bytes", "time", "share", "ratio"]
"""What a number is one of; times are whole nanoseconds, shares and ratios whole millionths."""

COUNT_UNITS = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "k"))
BYTE_UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))
BINARY_UNITS = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))

_COUNTS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9, "t": 10**12}
_BYTES = {
    "": 1,
    "b": 1,
    "byte": 1,
    "bytes": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
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
_TIMES = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9}

_SHARES = {"%": 10**4}
_RATIOS = {"": 10**6, "%": 10**4}

FACTORS: dict[Unit, dict[str, int]] = {
    "count": _COUNTS,
    "bytes": _BYTES,
    "time": _TIMES,
    "share": _SHARES,
    "ratio": _RATIOS,
}
"""What a suffix multiplies by; letters count the same in both cases."""

_EXAMPLES: dict[Unit, str] = {
    "count": "a count like 30M, 1.5k or 26_926",
    "bytes": "a size like 100MB, 64 MiB or 4096",
    "time": "a time like 12ms, 800us or 1.5s",
    "share": "a share like 50% or 12.5%",
    "ratio": "a ratio like 1.05 or 105%",
}

_QUANTITY = re.compile(r"([0-9][0-9_,]*)(?:\.([0-9]+))?\s*([A-Za-zµ]*|%)\Z")


def count(number: int) -> str:
    """Return a count in three digits: 26,926 → `26.9k`; up to 9,999 exactly."""
    return f"{number:,}" if abs(number) < 10_000 else _scaled(number, COUNT_UNITS)


def nbytes(number: int, binary: bool = False) -> str:
    """Return a size in three digits: `107.70 kB`, or with `binary` `105.18 KiB`."""
    units = BINARY_UNITS if binary else BYTE_UNITS
    smallest = units[-1][0]
    if abs(number) < smallest:
        return f"{number} B"
    return _scaled(number, units, separator=" ", digits=2)


def exact(number: int) -> str:
    """Return all digits, grouped."""
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """Return `1 tensor`, `12 tensors`."""
    return f"{exact(number)} {noun}" if number == 1 else f"{exact(number)} {noun}s"


def percent(part: int, whole: int) -> str:
    """Return a share with one decimal; empty when there is no whole."""
    return f"{100 * part / whole:.1f}%" if whole else ""


def parse(text: str, unit: Unit = "count") -> int:
    """Read a quantity: counts `30M`, `1.5k`, `26,926`; `100MB`, `64 MiB`; times `12ms`; `50%`.

    Returns:
        A whole number of the unit; times in nanoseconds, shares and ratios in millionths.

    Raises:
        ValueError: Not a quantity of that unit, or not a whole number.
    """
    match = _QUANTITY.match(text.strip())
    factor = FACTORS[unit].get(match.group(3).lower()) if match else None
    if match is None or factor is None:
        raise ValueError(f"{text!r} is not {_EXAMPLES[unit]}")
    whole, fraction, _ = match.groups()
    digits = re.sub("[_,]", "", whole) + (fraction or "")
    scale: int = 10 ** len(fraction or "")
    value, rest = divmod(int(digits) * factor, scale)
    if rest:
        raise ValueError(f"{text!r} is not a whole number")
    return value


def share(text: str) -> Fraction:
    """Read a percentage exactly: `5%` is 1/20.

    Raises:
        ValueError: No percentage.
    """
    from fractions import Fraction

    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*%", text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a percentage like 5% or 0.5%")
    return Fraction(match.group(1)) / 100


def parse_size(text: str) -> int | None:
    """Read the size of one dimension; None when it is no number, or none that a file can hold."""
    size = int(text) if re.fullmatch(r"[0-9]{1,19}", text) else None
    return size if size is not None and size < 2**63 else None


def parse_range(text: str) -> int | tuple[int, int]:
    """Read the size of a dimension, or its least and its most: `8`, `1:8`.

    Raises:
        ValueError: With why it is neither.
    """
    ends = text.split(":")
    sizes = [size for size in map(parse_size, ends) if size is not None]
    for end in ends:
        if re.fullmatch(r"[0-9]+", end) and parse_size(end) is None:
            short = end if len(end) <= 40 else f"{end[:40]}..."
            raise ValueError(f"{short} is beyond the largest size, {2**63 - 1}")
    if len(sizes) < len(ends) or len(ends) > 2:
        raise ValueError(f"{text[:40]!r} is no size and no range; write 8 or 1:8")
    if sizes[0] > sizes[-1]:
        raise ValueError(f"{text!r}: the first size is the larger one")
    return sizes[0] if len(sizes) == 1 else (sizes[0], sizes[1])


def parse_number(text: str) -> int | float | None:
    """Read one element: an integer, a decimal number, true or false; None for anything else."""
    text = text.strip()
    if text.lower() in ("true", "false"):
        return int(text.lower() == "true")
    if re.fullmatch(r"[-+]?[0-9]{1,19}", text):
        return int(text)
    return float(text) if re.fullmatch(r"[-+]?[0-9]{1,19}\.[0-9]{0,19}", text) else None


def parse_shape(dims: str) -> tuple[int | None, ...] | None:
    """Read `1x3x224x224`, `1,3,224,224` or `[1,3,224,224]`; None when it is no shape."""
    inside = dims.strip().removeprefix("[").removesuffix("]").strip()
    parts = [part.strip() for part in re.split(r"[x,]", inside)] if inside else []
    sizes = [parse_size(part) for part in parts]
    if any(size is None and part != "?" for size, part in zip(sizes, parts, strict=True)):
        return None
    return tuple(sizes)


def spelled(number: int, unit: Unit) -> str:
    """Return all digits with the unit: `26,926`, `107,720 bytes`, `12.34 ms`, `50%`, `1.05`."""
    if unit == "share":
        return f"{_decimals(number, 10**4, 4)}%"
    if unit == "ratio":
        return _decimals(number, 10**6, 4)
    if unit == "time":
        name, factor = next((n, f) for n, f in _TIME_STEPS if abs(number) >= f or f == 1)
        return f"{_decimals(number, factor, 3)} {name}"
    if unit == "count":
        return exact(number)
    return f"{exact(number)} byte{'' if abs(number) == 1 else 's'}"


_TIME_STEPS = (("s", 10**9), ("ms", 10**6), ("us", 10**3), ("ns", 1))


def beside(number: int, unit: Unit, text: str) -> str:
    """Return the number in the unit of `text`: `7.72kB`; empty where it adds nothing.

    Below one of that suffix the digits say it better, and so does no suffix at all.
    """
    match = _QUANTITY.match(text.strip())
    suffix = match.group(3) if match else ""
    factor = FACTORS[unit].get(suffix.lower(), 1)
    if factor == 1 or abs(number) < factor or unit in ("time", "share", "ratio"):
        return ""
    space = " " if " " in text.strip() else ""
    return f"{_decimals(number, factor, 2)}{space}{suffix}"


def _decimals(number: int, factor: int, places: int) -> str:
    """Return a quotient rounded half up to so many decimals, without trailing zeros."""
    scaled = (2 * number * 10**places + factor) // (2 * factor)
    whole, rest = divmod(scaled, 10**places)
    return f"{whole:,}.{rest:0{places}d}".rstrip("0").rstrip(".")


def _scaled(
    number: int, units: tuple[tuple[int, str], ...], separator: str = "", digits: int = 1
) -> str:
    for position, (factor, unit) in enumerate(units):
        if abs(number) >= factor:
            text = (
                f"{number / factor:,.{digits}f}"
                if abs(number) < factor * 10**15
                else f"{number // factor:,}"
            )
            above, unit_above = units[position - 1]
            if position and text.lstrip("-").startswith(f"{above // factor:,}."):
                text, unit = f"{number / above:,.{digits}f}", unit_above  # rounding reached it
            return f"{text}{separator}{unit}"
    return str(number)
