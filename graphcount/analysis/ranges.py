"""The least and the most of each measure over ranges of sizes: `--dim batch=1:8`.

Formulas of a model are sums of products of sizes and quotients of these. What they are at most is
found exactly where they grow or fall, or by dividing the ranges (`graphcount.symbolic.extremes`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from graphcount.analysis.shapes import ShapeError, ValueShapes
from graphcount.analysis.shapes.sizes import no_such
from graphcount.report.rows import RangeRow, RangesRow
from graphcount.symbolic import Dim, evaluate
from graphcount.symbolic.extremes import most_of


def over_ranges(
    measures: Mapping[str, tuple[Dim | None, ...]],
    given: Mapping[str, tuple[int, int]],
    shapes: ValueShapes,
    assumed: Mapping[str, int],
    lacking: Collection[str] = (),
) -> RangesRow:
    """Return the extremes of measures.

    Args:
        measures: Formulas by measure, whose largest is the measure; None: not known.
        given: Least and most size by name of a dimension; `*` is every other one.
        shapes: Knows the dimensions.
        assumed: Sizes of dimensions without a range.
        lacking: Names that the model may lack.

    Raises:
        ShapeError: There is no such dimension.
    """
    for name in given:
        if name != "*" and name not in shapes.places and name not in lacking:
            raise ShapeError(no_such("dimension", name, list(shapes.places)))
    ranges = {name: given.get(name, given.get("*")) for name in shapes.places}
    spans = {name: ends for name, ends in ranges.items() if ends is not None}
    rest = {name: size for name, size in assumed.items() if name not in spans}
    rows = tuple(_row(name, dims, spans, rest) for name, dims in measures.items())
    lowest = {name: low for name, (low, _) in spans.items()}
    highest = {name: high for name, (_, high) in spans.items()}
    return RangesRow(lowest, highest, rest, rows)


def _row(
    name: str,
    dims: tuple[Dim | None, ...],
    spans: Mapping[str, tuple[int, int]],
    rest: Mapping[str, int],
) -> RangeRow:
    known = [evaluate(dim, rest) for dim in dims if dim is not None]
    symbols = {name for dim in known if not isinstance(dim, int) for name in dim.symbols()}
    if len(known) < len(dims) or not known or not symbols <= spans.keys():
        return RangeRow(name, None, None, {}, {}, False, False)
    ends = most_of(known, spans)
    least, most = ends.least, ends.most
    return RangeRow(name, least.value, most.value, least.at, most.at, least.exact, most.exact)
