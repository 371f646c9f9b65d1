"""Alignment of gaps that are too large for the best one: what the walk has to find, by hand."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest

from graphcount.comparing.align import AHEAD, MAX_CELLS, SAME_OPERATOR, Pair, align

LONG = 300
"""Elements of a sequence; two of them are more than is aligned at its best."""


def walked(a: Sequence[object], b: Sequence[object]) -> list[Pair]:
    """Pairs of two sequences; equal elements score just enough to go together."""
    assert len(a) * len(b) > MAX_CELLS

    def score(i: int, j: int) -> int:
        return SAME_OPERATOR if a[i] == b[j] else SAME_OPERATOR - 1

    return list(align((), [None] * len(a), [None] * len(b), score))


@pytest.mark.parametrize("missing", [1, 5, AHEAD])
@pytest.mark.parametrize("at", [0, 100, LONG - AHEAD - 1])
def test_what_is_left_out_on_one_side_is_skipped(missing: int, at: int) -> None:
    whole = list(range(LONG))
    part = whole[:at] + whole[at + missing :]
    expected = [(i, i if i < at else i - missing) for i in whole if not at <= i < at + missing]
    assert walked(whole, part) == expected
    assert walked(part, whole) == [(j, i) for i, j in expected]


def test_more_than_the_walk_looks_ahead_is_not_found() -> None:
    whole = list(range(LONG))
    assert walked(whole, whole[AHEAD + 1 :]) == []


def test_one_element_alike_is_not_in_step() -> None:
    """After 100 equal elements both sides differ, but for every second element one place off."""
    same = list(range(100))
    a = [*same, *(f"a{i}" if i % 2 else f"both{i}" for i in range(200))]
    b = [*same, "b", *(f"b{i}" if i % 2 else f"both{i}" for i in range(200))]
    assert walked(a, b) == [(i, i) for i in range(100)]


def test_at_the_end_fewer_elements_suffice() -> None:
    same = list(range(LONG))
    assert walked([*same, "last"], [*same, "new", "last"])[-1] == (LONG, LONG + 1)
    assert walked([*same, "old", "last"], [*same, "last"])[-1] == (LONG + 1, LONG)


@pytest.mark.parametrize("seed", range(30))
def test_pairs_keep_their_order_and_are_alike(seed: int) -> None:
    chance = random.Random(seed)
    kinds = chance.choice([2, 5, 50])
    a, b = ([chance.randrange(kinds) for _ in range(chance.randint(210, 400))] for _ in "ab")
    pairs = walked(a, b)
    assert all(one[0] < two[0] and one[1] < two[1] for one, two in pairwise(pairs))
    assert all(a[i] == b[j] for i, j in pairs)


def test_long_sequences_with_nothing_alike_have_no_pairs() -> None:
    assert walked(range(LONG), range(1000, 1000 + 2 * LONG)) == []
    assert walked(range(2 * LONG), range(1000, 1000 + LONG)) == []
