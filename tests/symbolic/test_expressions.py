"""Dimensions as expressions: arithmetic agrees with integers, text reads back."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcount.symbolic import (
    MAX_TERMS,
    Dim,
    Expr,
    TooComplexError,
    ceildiv,
    evaluate,
    floordiv,
    maximum,
    minimum,
    symbol,
)
from graphcount.symbolic.text import formula, parse

A, B, C = symbol("a"), symbol("b"), symbol("c")

OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": floordiv,
    "ceil": ceildiv,
    "max": maximum,
    "min": minimum,
}
"""The operations under test; for two integers each must be what Python says."""

PYTHON: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "ceil": lambda x, y: -(-x // y),
    "max": max,
    "min": min,
}

leaves: st.SearchStrategy[Any] = st.one_of(st.integers(-20, 20), st.sampled_from(["a", "b", "c"]))
trees = st.recursive(
    leaves, lambda t: st.tuples(st.sampled_from(sorted(OPERATIONS)), t, t), max_leaves=8
)
sizes = st.fixed_dictionaries({name: st.integers(1, 50) for name in "abc"})


def symbolic(tree: Any) -> Dim:
    if isinstance(tree, tuple):
        return OPERATIONS[tree[0]](symbolic(tree[1]), symbolic(tree[2]))  # type: ignore[no-any-return]
    return symbol(tree) if isinstance(tree, str) else int(tree)


def numeric(tree: Any, values: dict[str, int]) -> int:
    if isinstance(tree, tuple):
        return PYTHON[tree[0]](numeric(tree[1], values), numeric(tree[2], values))
    return values[tree] if isinstance(tree, str) else int(tree)


@settings(max_examples=400, deadline=None)
@given(trees, sizes)
def test_an_expression_evaluates_to_what_the_numbers_give(
    tree: Any, values: dict[str, int]
) -> None:
    try:
        expected = numeric(tree, values)
        found = symbolic(tree)
        value = evaluate(found, values)
    except (ZeroDivisionError, TooComplexError):
        return
    assert value == expected


@settings(max_examples=300, deadline=None)
@given(trees)
def test_text_reads_back(tree: Any) -> None:
    try:
        found = symbolic(tree)
        again = parse(str(found))
    except (ZeroDivisionError, TooComplexError):
        return
    values = {"a": 7, "b": 11, "c": 13}
    assert again is not None
    try:
        assert evaluate(again, values) == evaluate(found, values)
    except ZeroDivisionError:
        return


@pytest.mark.parametrize(
    ("dim", "text"),
    [
        (12 * A * B + 768 * A - 5, "12*a*b + 768*a - 5"),
        (A - A, "0"),
        (A * A * 3, "3*a^2"),
        (-A, "-a"),
        (5 - A, "-a + 5"),
        (floordiv(A + 2, 3), "ceil(a/3)"),
        (floordiv(A + 3, 2), "ceil(a/2) + 1"),
        (floordiv(A - 1, 2) + 1, "ceil(a/2)"),  # a window of 1 by steps of 2
        (floordiv(floordiv(A - 1, 2), 2) + 1, "ceil(a/4)"),  # and another
        (floordiv(floordiv(A, 2) - 2, 3), "floor((a + 2)/6) - 1"),
        (floordiv(5 * A + 1, 2), "2*a + ceil(a/2)"),
        (ceildiv(A, 2), "ceil(a/2)"),
        (floordiv(A + 1, B), "floor((a + 1)/b)"),
        (floordiv(4 * A * B + 6, 4), "a*b + 1"),
        (floordiv(A * B, B), "a"),
        (floordiv(6 * A, 3), "2*a"),
        (maximum(A, 3) * 2, "2*max(a, 3)"),
        ((A + 1) * (A - 1), "a^2 - 1"),
    ],
)
def test_text(dim: Dim, text: str) -> None:
    assert str(dim) == text


def test_an_expression_that_is_a_number_is_an_int() -> None:
    assert type(A - A + 3) is int
    assert type(evaluate(A * 2, {"a": 4})) is int
    assert evaluate(A * B, {"a": 2}) == 2 * B


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("past + seq", {"past": 3, "seq": 4}, 7),
        ("2*(n - 1)", {"n": 5}, 8),
        ("h//2", {"h": 7}, 3),
        ("floor((h - 1)/2) + 1", {"h": 7}, 4),
        ("ceil(h/2)", {"h": 7}, 4),
        ("ceil((h + 4)/6)*2 + h/2", {"h": 3}, 5),
        ("ceil(floor(h/2)/2)", {"h": 7}, 2),
        ("max(a, b)", {"a": 2, "b": 9}, 9),
        ("a^2*b", {"a": 3, "b": 2}, 18),
        ("-a + 5", {"a": 3}, 2),
    ],
)
def test_arithmetic_in_dim_params(text: str, values: dict[str, int], expected: int) -> None:
    found = parse(text)
    assert found is not None
    assert evaluate(found, values) == expected


@pytest.mark.parametrize(
    "text", ["a +", "a b", "(a", "1e5", "a[0]", "Ünïcode dim", "x" * 500, "()"]
)
def test_what_is_no_arithmetic_is_one_symbol(text: str) -> None:
    found = parse(text)
    assert isinstance(found, Expr)
    assert found.symbols() == {text}


def test_nothing_is_nothing() -> None:
    assert parse("  ") is None


def test_growth_is_bounded() -> None:
    def terms() -> Dim:
        many: Dim = 0
        for index in range(MAX_TERMS + 1):
            many = many + symbol(f"d{index}")
        return many

    def nested(by: Dim) -> Dim:
        deep: Dim = A
        for _ in range(10_000):
            deep = floordiv(deep + 1, by)
        return deep

    with pytest.raises(TooComplexError):
        terms()
    for by in (B, 3):  # a chain of divisions by numbers is one, until that becomes too large
        with pytest.raises(TooComplexError):
            nested(by)


@pytest.mark.parametrize(
    "text", ["(" * 150, "a" + "//b" * 60, "a^99", "^".join("ab") * 40, "-" * 150]
)
def test_hostile_text_is_harmless(text: str) -> None:
    assert parse(text) is not None


@pytest.mark.parametrize(
    "text", ["((((9^32)^32)^32)^32)^32", "((((9*n)^9*9^19)^3*9^19)^2*9^19)", "3*9^19*9^19*9^19*n"]
)
def test_numbers_larger_than_any_size_are_a_name(text: str) -> None:
    """Powers of powers double their digits at each step; nobody has a dimension of 10^19."""
    assert parse(text) == symbol(text)
    assert formula(text) is None


def test_division_by_zero_is_an_error_as_for_numbers() -> None:
    with pytest.raises(ZeroDivisionError):
        floordiv(A, 0)


def test_a_formula_is_read_back_however_long() -> None:
    """What `str` writes, `formula` reads; `parse` takes long texts for one name."""
    n, m = symbol("batch"), symbol("画像_1")
    dimension: Dim = 0
    for power in range(1, 20):
        dimension = dimension + floordiv(n + power, power + 1) * (m + 2 * power) * 1_000_003
    text = str(dimension)
    assert len(text) > 200
    assert formula(text) == dimension
    assert parse(text) == symbol(text)
    assert formula("batch size") is None
    assert formula("1" * 30_000) is None
