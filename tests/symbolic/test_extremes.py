"""Extremes over ranges: equal to trying all sizes where they are exact, else on the safe side."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from itertools import product

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
from graphcount.symbolic.cases import Cases, in_cases, low_in_cases, number_of
from graphcount.symbolic.extremes import Extreme, Extremes, NoRangeError, extremes, most_of
from graphcount.symbolic.intervals import enclose, low_of, relax

A, B, C = symbol("a"), symbol("b"), symbol("c")

leaves = st.one_of(st.integers(-6, 9), st.sampled_from([A, B, C]))
dims = st.recursive(
    leaves,
    lambda t: st.one_of(
        st.builds(lambda a, b: a + b, t, t),
        st.builds(lambda a, b: a - b, t, t),
        st.builds(lambda a, b: a * b, t, t),
        st.builds(floordiv, t, st.integers(2, 9)),
        st.builds(ceildiv, t, st.integers(2, 9)),
        st.builds(floordiv, t, st.sampled_from([A, B + 1])),
        st.builds(maximum, t, t),
        st.builds(minimum, t, t),
        st.builds(lambda a, m: a - floordiv(a, m) * m, t, st.integers(2, 9)),
    ),
    max_leaves=8,
)
spans = st.tuples(st.integers(1, 12), st.integers(0, 11)).map(lambda t: (t[0], t[0] + t[1]))
boxes = st.fixed_dictionaries(dict.fromkeys("abc", spans))


def values(several: list[Dim], box: Mapping[str, tuple[int, int]]) -> list[int]:
    """The largest at every point of a box."""
    found = []
    for sizes in product(*(range(low, high + 1) for low, high in box.values())):
        at = dict(zip(box, sizes, strict=True))
        found.append(max(number(evaluate(dim, at)) for dim in several))
    return found


def number(dim: Dim) -> int:
    assert isinstance(dim, int)
    return dim


def agree(found: Extremes, several: list[Dim], box: Mapping[str, tuple[int, int]]) -> int:
    """Hold both bounds to every point; return how many are exact."""
    truth = values(several, box)
    for bound, extreme, sign in ((found.least, min(truth), 1), (found.most, max(truth), -1)):
        met = max(number(evaluate(dim, {**dict.fromkeys(box, 1), **bound.at})) for dim in several)
        assert all(box[name][0] <= size <= box[name][1] for name, size in bound.at.items())
        assert sign * bound.value <= sign * extreme <= sign * met
        assert bound.exact == (bound.value == met)
        assert not bound.exact or bound.value == extreme
    return found.least.exact + found.most.exact


@settings(max_examples=300, deadline=None)
@given(dims, boxes)
def test_extremes_are_those_of_all_sizes(dim: Dim, box: dict[str, tuple[int, int]]) -> None:
    try:
        agree(extremes(dim, box), [dim], box)
    except TooComplexError:
        return


@settings(max_examples=100, deadline=None)
@given(st.lists(dims, min_size=1, max_size=5), boxes)
def test_the_largest_of_several(several: list[Dim], box: dict[str, tuple[int, int]]) -> None:
    agree(most_of(several, box), several, box)


def test_almost_all_are_exact() -> None:
    """Of both ends of 300 random expressions over boxes of up to 1,728 points."""
    exact: list[int] = []

    @settings(max_examples=300, deadline=None, database=None, derandomize=True)
    @given(dims, boxes)
    def count(dim: Dim, box: dict[str, tuple[int, int]]) -> None:
        exact.append(agree(extremes(dim, box), [dim], box))

    count()
    assert sum(exact) >= 2 * len(exact) * 0.99


FAR = 2**31
WIDE = {"a": (1, FAR), "b": (1, 2**20), "c": (1, 4096)}


@pytest.mark.parametrize(
    ("dim", "least", "most"),
    [
        (12 * A * B * C + 7 * A * A, 19, 12 * FAR * 2**20 * 4096 + 7 * FAR * FAR),
        (A * B - 9 * B, -8 * 2**20, (FAR - 9) * 2**20),
        (minimum(A + B, 1024) - minimum(A, 1024), 0, 1023),
        (A - 8 * floordiv(A, 8), 0, 7),
        ((A - 8 * floordiv(A, 8)) * (B - 5 * floordiv(B, 5)), 0, 28),
        (32 * ceildiv(C, 32) * 32 * ceildiv(B, 32) - C * B, 0, 4096 * 31 + 2**20 * 31 - 31 * 31),
        ((B - 1000) * (C - 77), -(2**20 - 1000) * 76, (2**20 - 1000) * (4096 - 77)),
        ((B - 1000) * (B - 1000) + (C - 77) * (C - 77), 0, (2**20 - 1000) ** 2 + 4019**2),
        (floordiv(B, A), 0, 2**20),
        (floordiv(A + 1, 4) + floordiv(A + 2, 4) - floordiv(A, 2), 0, 1),
        (maximum(A * 8, B * 4) - minimum(C, A), 8 - 1, 8 * FAR - 1),
    ],
    ids=str,
)
def test_wide_ranges(dim: Dim, least: int, most: int) -> None:
    """Closed forms where all points are far too many."""
    found = extremes(dim, WIDE)
    assert (found.least.value, found.most.value) == (least, most)
    assert found.least.exact
    assert found.most.exact
    assert evaluate(dim, {**dict.fromkeys("abc", 1), **found.least.at}) == least
    assert evaluate(dim, {**dict.fromkeys("abc", 1), **found.most.at}) == most


def test_what_grows_with_all_is_decided_at_the_ends() -> None:
    found = extremes(108 * ceildiv(A, 2) * ceildiv(B, 2) + 5 * minimum(C, 7), WIDE)
    assert found.least.at == {"a": 1, "b": 1, "c": 1}
    assert found.most.at == {"a": FAR, "b": 2**20, "c": 7} | {"c": found.most.at["c"]}


def test_a_number_has_no_sizes() -> None:
    assert extremes(7, {}) == Extremes(Extreme(7, True, {}), Extreme(7, True, {}))


def test_symbols_without_a_range_are_named() -> None:
    with pytest.raises(NoRangeError, match="no range for b, c"):
        extremes(A * B + C, {"a": (1, 2), "z": (1, 1)})
    with pytest.raises(NoRangeError, match="the range of a is empty: 3 to 2"):
        extremes(A, {"a": (3, 2)})
    with pytest.raises(ValueError, match="no dimensions"):
        most_of([], {})


def test_where_it_divides_by_zero_it_is_not_defined() -> None:
    found = extremes(floordiv(A, B - 2), {"a": (1, 9), "b": (1, 4)})
    assert found.least.value <= -9
    assert found.most.value >= 9
    nowhere = extremes(floordiv(A, B - 2), {"a": (1, 9), "b": (2, 2)})
    assert (nowhere.least.exact, nowhere.least.at) == (False, {})


def test_what_is_not_decided_says_so_and_ends_soon() -> None:
    """Twenty products of six symbols with random signs: no end decides them."""
    numbers = random.Random(1)
    symbols = [symbol(f"s{number}") for number in range(6)]
    dim: Dim = 0
    for _ in range(20):
        term: Dim = numbers.randint(-(9**5), 9**5)
        for _ in range(3):
            chosen = numbers.choice(symbols)
            term = term * numbers.choice([chosen, floordiv(chosen, 2), ceildiv(chosen + 3, 4)])
        dim = dim + term
    box = {f"s{number}": (1, FAR) for number in range(6)}
    start = time.process_time()
    found = extremes(dim, box)
    assert time.process_time() - start < 10
    assert not found.most.exact
    for _ in range(100):
        at = {name: numbers.randint(1, FAR) for name in box}
        assert found.least.value <= number(evaluate(dim, at)) <= found.most.value
    assert number(evaluate(dim, found.most.at)) <= found.most.value
    assert extremes(dim, box) == found


def test_a_peak_over_many_steps() -> None:
    """The largest of steps of which one leads for short sequences, another for long ones."""
    steps = [1000 * A + number for number in range(300)] + [A * A, 50 * A * B]
    found = most_of(steps, {"a": (1, 5000), "b": (1, 10)})
    assert found.most == Extreme(5000 * 5000, True, {"a": 5000, "b": 1})
    assert found.least == Extreme(1299, True, {"a": 1, "b": 1})


def test_a_peak_of_many_that_no_end_decides_ends_soon() -> None:
    several = [
        (A - 7 * number) * (B - number) * (floordiv(C, 3) - 9) - A * minimum(B, C * number)
        for number in range(1, 300)
    ]
    box = {"a": (1, 4096), "b": (1, 2**20), "c": (1, 4096)}
    start = time.process_time()
    found = most_of(several, box)
    assert time.process_time() - start < 20
    numbers = random.Random(1)
    for _ in range(100):
        at = {name: numbers.randint(*span) for name, span in box.items()}
        value = max(number(evaluate(dim, at)) for dim in several)
        assert found.least.value <= value <= found.most.value


def sizes_in(box: Mapping[str, tuple[int, int]]) -> st.SearchStrategy[dict[str, int]]:
    return st.fixed_dictionaries({name: st.integers(*span) for name, span in box.items()})


@settings(max_examples=200, deadline=None)
@given(dims, boxes, st.data())
def test_steps_and_relaxations_enclose(
    dim: Dim, box: dict[str, tuple[int, int]], data: st.DataObject
) -> None:
    around = enclose(dim, box, {})
    at = data.draw(sizes_in(box))
    value = number(evaluate(dim, at))
    assert around.low <= value <= around.high
    for low in (low_of(relax(dim), box), low_in_cases(in_cases(dim, box, 8), box)):
        assert low is None or low <= value
    for name, size in at.items():
        if size < box[name][1]:
            step = number(evaluate(dim, {**at, name: size + 1})) - value
            least, most = around.steps.get(name, (0, 0))
            assert least <= step <= most


def slice_of_last(size: Dim, taken: Dim) -> Dim:
    """How many elements `x[-taken:]` has of `size`, as Slice has it: a start below 0 is counted
    from the end, once."""
    from_end = minimum(maximum(taken - size, 0), 1)
    return size - maximum(minimum(size - taken + from_end * size, size), 0)


def test_what_is_taken_away_is_looked_at_in_cases() -> None:
    """Of b * (a + c) * (a + c), multiplied out, without what a slice leaves of the last axis.

    The slice is min(taken, size) long up to twice the size: b * t * d at most, where t is at most.
    """
    size = A + B
    dim = 8 * C * size * slice_of_last(size, symbol("d"))
    box = {"a": (1, 2048), "b": (1, 4096), "c": (1, 8), "d": (1, 2048)}
    found = extremes(dim, box)
    assert found.most == Extreme(
        8 * 8 * 6144 * 2048, True, {"a": 2048, "b": 4096, "c": 8, "d": 2048}
    )
    small = {"a": (1, 5), "b": (1, 3), "c": (1, 2), "d": (1, 17)}
    assert agree(extremes(dim, small), [dim], small) == 2


def test_cases_are_not_more_than_asked_for() -> None:
    dim: Dim = 0
    for number in range(1, 9):
        dim = dim + maximum(A - number, B) * C
    assert [number_of(in_cases(dim, WIDE, most)) for most in (0, 1, 2, 5, 32)] == [1, 1, 2, 5, 32]
    tree = in_cases(C - maximum(A, B), WIDE, 2)  # what is taken away is the smaller one then
    assert isinstance(tree, Cases)
    assert tree.op == "min"
