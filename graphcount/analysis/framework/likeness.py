"""Whether a quantized matrix holds the numbers of another one, as far as a sample tells.

Within a row, and within a block of it, integers and the numbers they were made of lie on a line,
which falls where the scale is negative. Rows of other matrices do not.
"""

from __future__ import annotations

from math import sqrt

from graphcount.analysis.counts import Row
from graphcount.analysis.framework.evidence import Evidence

ROWS, COLUMNS = 16, 16
"""Policy: cells that are looked at, the first columns of rows all over a table."""

ALIKE = 0.9
"""Policy: the least mean correlation of rows that were made of each other; 4-bit ones have 0.98."""

FEWEST = 4
"""Rows and columns without which nothing is said."""

Cells = list[list[float]]


def is_alike(table: Row, row: Row, evidence: Evidence) -> bool:
    """Return whether a matrix most likely holds a table's numbers, transposed or not.

    That it does not is no proof: scales may differ from column to column.
    """
    shape = table.stored.shape
    if len(shape) != 2 or min(shape) < FEWEST:
        return False
    step = max(1, shape[0] // ROWS)
    rows = range(0, shape[0], step)[:ROWS]
    columns = min(shape[1], COLUMNS)
    own = _lines(table, rows, columns, evidence, turned=False)
    for turned in (True, False) if own is not None else ():
        other = _lines(row, rows, columns, evidence, turned=turned, shape=shape)
        if own is not None and other is not None and _mean_correlation(own, other) >= ALIKE:
            return True
    return False


def _lines(
    row: Row,
    rows: range,
    columns: int,
    evidence: Evidence,
    *,
    turned: bool,
    shape: tuple[int, ...] | None = None,
) -> Cells | None:
    """Return cells of some rows, or of columns where a matrix lies turned; None when unread."""
    stored = row.stored
    asked = shape if shape is not None else stored.shape
    if stored.shape == (asked[::-1] if turned else asked) and row.elements == stored.elements:
        width = stored.shape[1]
        places = [
            [c * width + r if turned else r * width + c for c in range(columns)] for r in rows
        ]
        return evidence.values.cells(stored, places)
    if turned or stored.dtype != "uint8" or row.elements != 2 * stored.elements:
        return None
    per_row = stored.elements // asked[0]  # two numbers in a byte, the first in its lower half
    places = [[r * per_row + c // 2 for c in range(columns)] for r in rows]
    packed = evidence.values.cells(stored, places)
    return packed and [[_half(b, c) for c, b in enumerate(line)] for line in packed]


def _half(byte: float, column: int) -> float:
    return float(int(byte) >> 4 if column % 2 else int(byte) & 15)


def _mean_correlation(lines: Cells, others: Cells) -> float:
    """Return the mean correlation of rows that vary, without its sign; 0 when they are too few."""
    each = [_correlation(one, other) for one, other in zip(lines, others, strict=True)]
    known = [number for number in each if number is not None]
    return sum(known) / len(known) if len(known) >= FEWEST else 0.0


def _correlation(one: list[float], other: list[float]) -> float | None:
    mean, other_mean = sum(one) / len(one), sum(other) / len(other)
    pairs = [(a - mean, b - other_mean) for a, b in zip(one, other, strict=True)]
    spread = sqrt(sum(a * a for a, _ in pairs)) * sqrt(sum(b * b for _, b in pairs))
    product = sum(a * b for a, b in pairs)
    return abs(product) / spread if 0 < spread < float("inf") else None
