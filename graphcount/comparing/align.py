"""Sequences: the longest run of pairs that keep their order, and alignment in the gaps between.

Small gaps get the best alignment, large ones a walk that looks ahead; both keep the order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence

MAX_CELLS = 40_000
"""Cells of the best alignment of one gap; a larger gap is walked."""

ALL_CELLS = 1_000_000
"""Cells of all best alignments of one diff."""

AHEAD = 24
"""Elements that a walk may skip on both sides together to find both in step again."""

IN_STEP = 3
"""Elements that have to go together before a walk believes it is in step."""

SAME_OPERATOR = 3
"""Score from which two nodes go together in a walk: their operators are equal."""

Pair = tuple[int, int]


def backbone(pairs: Sequence[Pair]) -> list[Pair]:
    """Return a longest subsequence of pairs, sorted by the first, in which the second grows.

    Patience sorting (Fredman 1975): O(n log n).
    """
    tails: list[int] = []
    ends: list[int] = []
    previous: list[int] = []
    for index, (_, second) in enumerate(pairs):
        place = bisect_left(tails, second)
        previous.append(ends[place - 1] if place else -1)
        if place == len(tails):
            tails.append(second)
            ends.append(index)
        else:
            tails[place] = second
            ends[place] = index
    chain = []
    index = ends[-1] if ends else -1
    while index >= 0:
        chain.append(pairs[index])
        index = previous[index]
    return chain[::-1]


def align(
    anchors: Sequence[Pair],
    left: Sequence[int | None],
    right: Sequence[int | None],
    score: Callable[[int, int], int],
) -> Iterator[Pair]:
    """Yield the best-scoring pairs of unpaired numbers between anchors, order kept.

    Args:
        anchors: Pairs that grow on both sides.
        left: What each number of the first side is paired with; None: nothing yet.
        right: The same for the second side.
        score: How well two go together; 0: not at all.
    """
    cells = 0
    start_a = start_b = 0
    for end_a, end_b in (*anchors, (len(left), len(right))):
        open_a = [i for i in range(start_a, end_a) if left[i] is None]
        open_b = [j for j in range(start_b, end_b) if right[j] is None]
        start_a, start_b = end_a + 1, end_b + 1
        size = len(open_a) * len(open_b)
        if 0 < size <= MAX_CELLS and cells + size <= ALL_CELLS:
            cells += size
            yield from _aligned(open_a, open_b, score)
        elif size:
            yield from _walked(open_a, open_b, score)


def _aligned(a: list[int], b: list[int], score: Callable[[int, int], int]) -> Iterator[Pair]:
    """Yield the best alignment of two short sequences (Needleman and Wunsch 1970)."""
    best = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(len(a) - 1, -1, -1):
        row, below = best[i], best[i + 1]
        for j in range(len(b) - 1, -1, -1):
            points = score(a[i], b[j])
            skip = max(below[j], row[j + 1])
            row[j] = max(skip, below[j + 1] + points) if points else skip
    i = j = 0
    while i < len(a) and j < len(b):
        points = score(a[i], b[j])
        if points and best[i][j] == best[i + 1][j + 1] + points:
            yield a[i], b[j]
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1


def _walked(a: list[int], b: list[int], score: Callable[[int, int], int]) -> Iterator[Pair]:
    """Yield pairs of two long sequences: in step while they match, else at the next match."""
    i = j = 0
    while i < len(a) and j < len(b):
        if score(a[i], b[j]) >= SAME_OPERATOR:
            yield a[i], b[j]
            i, j = i + 1, j + 1
            continue
        step = _nearest(a, i, b, j, score)
        if step is None:  # nothing fits here: neither has a partner
            i, j = i + 1, j + 1
        else:
            i, j = i + step[0], j + step[1]


def _nearest(
    a: list[int], i: int, b: list[int], j: int, score: Callable[[int, int], int]
) -> Pair | None:
    """Return the fewest elements to skip on both sides until some go together again."""
    last_a, last_b = len(a) - 1, len(b) - 1
    for skipped in range(1, AHEAD + 1):
        for on_a in range(max(0, skipped - (last_b - j)), min(skipped, last_a - i) + 1):
            x, y = i + on_a, j + skipped - on_a
            if score(a[x], b[y]) < SAME_OPERATOR:  # most often
                continue
            run = min(IN_STEP, len(a) - x, len(b) - y)
            if all(score(a[x + k], b[y + k]) >= SAME_OPERATOR for k in range(1, run)):
                return on_a, skipped - on_a
    return None
