"""Assumed sizes that the operators of a model can take.

A hint says `a picture`, and that is 224; but a reader of lines of text takes pictures 48 high.
Where an operator cannot take the first guess, others of the same kind are tried, one dimension
after the other, as long as fewer operators refuse; so often at most as `TRIES` says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from graphcount.report.pass_rows import DimensionRow

OTHERS: Mapping[int, tuple[int, ...]] = {
    224: (640, 48, 32, 64, 256, 512),
    128: (1, 512, 64, 256, 3_000, 16_000),
    16_000: (3_000, 512, 48_000),
    1: (128, 2),
    0: (1, 128),
}
"""Sizes to try where a size cannot be taken; the first guess says of which kind a dimension is."""

ANY = (1,)
"""What is tried of other sizes, such as one that the data decide."""

TRIES = 40

SWEEPS = 2
"""What did not help alone may help once another dimension has its size."""

TAKEN = "of a size that the operators take"

NO_RANGE = 0, 1 << 62


def fitted(
    rows: Sequence[DimensionRow],
    refusals: Callable[[Mapping[str, int]], int],
    ranges: Mapping[str, tuple[int, int]],
) -> tuple[DimensionRow, ...]:
    """Return dimensions with sizes that fewer operators refuse, best none.

    Args:
        rows: Dimensions with a first guess each.
        refusals: How many operators cannot take some sizes.
        ranges: Least and most size by name; `*` is every other dimension.
    """
    sizes = {row.name: row.assumed for row in rows if row.assumed is not None}
    least, tries = refusals(sizes) if sizes else 0, 0
    guesses = [(row.name, other) for row in rows for other in _others(row, ranges)]
    for name, other in guesses * SWEEPS:
        if not least or tries >= TRIES:
            break
        if sizes[name] == other:
            continue
        tries += 1
        refused = refusals({**sizes, name: other})
        if refused < least:
            least, sizes[name] = refused, other
    return tuple(
        row if sizes.get(row.name) == row.assumed else _other(row, sizes[row.name]) for row in rows
    )


def _others(row: DimensionRow, ranges: Mapping[str, tuple[int, int]]) -> list[int]:
    """Return what else to try for a dimension."""
    if row.assumed is None:
        return []
    low, high = ranges.get(row.name, ranges.get("*", NO_RANGE))
    return [other for other in OTHERS.get(row.assumed, ANY) if low <= other <= high]


def _other(row: DimensionRow, size: int) -> DimensionRow:
    return row._replace(assumed=size, why=f"{row.why}, {TAKEN}")
