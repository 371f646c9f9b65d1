"""Quantities: what people write and what they read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphcount.units import count, exact, nbytes, parse, percent


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("30M", 30_000_000),
        ("30m", 30_000_000),
        ("1.5k", 1_500),
        ("1_000", 1_000),
        ("26,926", 26_926),
        ("7B", 7_000_000_000),
        ("5G", 5_000_000_000),
        ("100MB", 100_000_000),
        ("100 MB", 100_000_000),
        ("64MiB", 64 * 2**20),
        ("1.5 KiB", 1536),
        ("2GiB", 2**31),
        ("1TB", 10**12),
    ],
)
def test_parse_reads(text: str, number: int) -> None:
    assert parse(text) == number


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
