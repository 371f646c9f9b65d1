"""Formulas as nested lists: they evaluate to what the dimensions do, after a trip through JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphcount.symbolic import (
    Dim,
    TooComplexError,
    ceildiv,
    evaluate,
    floordiv,
    maximum,
    minimum,
    symbol,
)
from graphcount.symbolic.tree import FormulaTree, tree

A, B, C = symbol("a"), symbol("batch size"), symbol('"c"\n[0]')

dims = st.recursive(
    st.one_of(st.integers(-(2**60), 2**60), st.integers(-9, 9), st.sampled_from([A, B, C])),
    lambda t: st.one_of(
        st.builds(lambda a, b: a + b, t, t),
        st.builds(lambda a, b: a - b, t, t),
        st.builds(lambda a, b: a * b, t, t),
        st.builds(lambda a: a * a * a, t),
        st.builds(floordiv, t, st.integers(1, 9)),
        st.builds(ceildiv, t, st.sampled_from([A, B])),
        st.builds(maximum, t, t),
        st.builds(minimum, t, t),
    ),
    max_leaves=8,
)


def value(node: Any, sizes: Mapping[str, int]) -> int:
    """The grammar of the docstring, and nothing else."""
    if isinstance(node, int):
        return node
    op, *operands = node
    if op == "i":
        (digits,) = operands
        assert abs(int(digits)) > 2**53 - 1
        return int(digits)
    if op == "n":
        (name,) = operands
        return sizes[name]
    if op == "^":
        base, power = operands
        assert power >= 2
        return int(value(base, sizes) ** power)
    numbers = [value(operand, sizes) for operand in operands]
    assert len(numbers) >= 2
    if op in "+*":
        return sum(numbers) if op == "+" else prod(numbers)
    a, b = numbers
    return {"//": lambda: a // b, "max": lambda: max(a, b), "min": lambda: min(a, b)}[op]()


@settings(max_examples=400, deadline=None)
@given(dims, *(st.integers(1, 99) for _ in range(3)))
def test_a_tree_has_the_value_of_its_dimension(dim: Dim, a: int, b: int, c: int) -> None:
    sizes = {"a": a, "batch size": b, '"c"\n[0]': c}
    try:
        expected = evaluate(dim, sizes)
    except TooComplexError:
        return
    assert value(json.loads(json.dumps(tree(dim))), sizes) == expected


@pytest.mark.parametrize(
    ("dim", "expected"),
    [
        (3, 3),
        (A, ["n", "a"]),
        (-A, ["*", -1, ["n", "a"]]),
        (A + 2, ["+", ["n", "a"], 2]),
        (3 * A * A * B, ["*", 3, ["^", ["n", "a"], 2], ["n", "batch size"]]),
        (ceildiv(A, 2), ["//", ["+", ["n", "a"], 1], 2]),
        (maximum(A, 4), ["max", ["n", "a"], 4]),
        (minimum(A, B), ["min", ["n", "batch size"], ["n", "a"]]),
        (2**53 - 1, 2**53 - 1),
        (-(2**53), ["i", "-9007199254740992"]),
    ],
)
def test_forms(dim: Dim, expected: FormulaTree) -> None:
    assert tree(dim) == expected
