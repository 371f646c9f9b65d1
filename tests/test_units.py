"""Quantities: what people write and what they read."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphcount.units import (
    Unit,
    beside,
    count,
    exact,
    nbytes,
    parse,
    percent,
    share,
    spelled,
)


@pytest.mark.parametrize(
    ("text", "unit", "number"),
    [
        ("0", "count", 0),
        ("30M", "count", 30_000_000),
        ("30m", "count", 30_000_000),
        ("1.5k", "count", 1_500),
        ("1_000", "count", 1_000),
        ("26,926", "count", 26_926),
        ("7B", "count", 7_000_000_000),
        ("5G", "count", 5_000_000_000),
        ("7B", "bytes", 7),
        ("100MB", "bytes", 100_000_000),
        ("100M", "bytes", 100_000_000),
        ("100 MB", "bytes", 100_000_000),
        ("64MiB", "bytes", 64 * 2**20),
        ("1.5 KiB", "bytes", 1536),
        ("2GiB", "bytes", 2**31),
        ("1TB", "bytes", 10**12),
        ("12ms", "time", 12_000_000),
        ("1.5s", "time", 1_500_000_000),
        ("800us", "time", 800_000),
        ("800µs", "time", 800_000),
    ],
)
def test_parse_reads(text: str, unit: Unit, number: int) -> None:
    assert parse(text, unit) == number


@pytest.mark.parametrize(
    ("text", "unit"),
    [("3MB", "count"), ("3ms", "count"), ("3ms", "bytes"), ("3", "time"), ("3M", "time")],
)
def test_units_are_not_mixed_up(text: str, unit: Unit) -> None:
    with pytest.raises(ValueError, match="is not a"):
        parse(text, unit)


@pytest.mark.parametrize(
    ("number", "unit", "text", "expected"),
    [
        (26_926, "count", "26k", "26.93k"),
        (926, "count", "26k", ""),
        (26_926, "count", "26000", ""),
        (107_720, "bytes", "100 kB", "107.72 kB"),
        (107_720, "bytes", "100KiB", "105.2KiB"),
        (30_000_000, "count", "30M", "30M"),
    ],
)
def test_a_number_in_the_unit_of_a_text(number: int, unit: Unit, text: str, expected: str) -> None:
    assert beside(number, unit, text) == expected


@pytest.mark.parametrize(
    ("number", "unit", "expected"),
    [
        (26_926, "count", "26,926"),
        (1, "bytes", "1 byte"),
        (107_720, "bytes", "107,720 bytes"),
        (12_345_678, "time", "12.346 ms"),
        (1_500_000_000, "time", "1.5 s"),
        (0, "time", "0 ns"),
    ],
)
def test_numbers_are_spelled_with_their_unit(number: int, unit: Unit, expected: str) -> None:
    assert spelled(number, unit) == expected


@pytest.mark.parametrize("text", ["5", "%", "-1%", "5 percent", "1e2%"])
def test_a_share_is_a_percentage(text: str) -> None:
    assert share("2.5%") == Fraction(1, 40)
    with pytest.raises(ValueError):
        share(text)


@pytest.mark.parametrize("text", ["", "M", "-1", "1e6", "1.2.3", "30X", "0.5", "1.0001k", "٣"])
def test_parse_refuses(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "10.0k"),
        (26_926, "26.9k"),
        (999_999, "1.0M"),
        (124_439_808, "124.4M"),
        (7 * 10**9, "7.0B"),
        (10**12, "1.0T"),
    ],
)
def test_count(number: int, text: str) -> None:
    assert count(number) == text


@pytest.mark.parametrize(
    ("number", "decimal", "binary"),
    [
        (0, "0 B", "0 B"),
        (999, "999 B", "999 B"),
        (1_000, "1.00 kB", "1000 B"),
        (1_024, "1.02 kB", "1.00 KiB"),
        (107_704, "107.70 kB", "105.18 KiB"),
        (10**6, "1.00 MB", "976.56 KiB"),
        (2**20, "1.05 MB", "1.00 MiB"),
        (2**30, "1.07 GB", "1.00 GiB"),
    ],
)
def test_nbytes(number: int, decimal: str, binary: str) -> None:
    assert nbytes(number) == decimal
    assert nbytes(number, binary=True) == binary


def test_numbers_beyond_floats_are_still_shown() -> None:
    assert exact(10**30).count(",") == 10
    assert count(10**30).endswith("T")
    assert nbytes(10**400).endswith("TB")


def test_percent() -> None:
    assert percent(1, 3) == "33.3%"
    assert percent(0, 0) == ""


@given(st.integers(min_value=0, max_value=10**40))
def test_exact_numbers_parse_back(number: int) -> None:
    assert parse(exact(number)) == number
    assert parse(str(number)) == number


@pytest.mark.parametrize(
    ("number", "binary", "text"),
    [
        (999 * 2**10, True, "999.00 KiB"),
        (1000 * 2**10, True, "1,000.00 KiB"),
        (2**20 - 1, True, "1.00 MiB"),
        (999_999, False, "1.00 MB"),
        (-999_999, False, "-1.00 MB"),
        (-(2**20) + 1, True, "-1.00 MiB"),
    ],
)
def test_rounding_reaches_the_next_unit_and_not_before(
    number: int, binary: bool, text: str
) -> None:
    assert nbytes(number, binary) == text


@pytest.mark.parametrize("sign", [1, -1])
def test_numbers_beyond_floats_are_written_out(sign: int) -> None:
    """A difference of two models may be as large as a model's largest product of dimensions."""
    assert count(sign * 10**400) == f"{sign * 10**388:,}T"
