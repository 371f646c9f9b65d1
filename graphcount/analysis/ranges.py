"""The least and the most of each measure over ranges of sizes: `--dim batch=1:8`.

Formulas of a model are sums of products of sizes and quotients of these. What they are at most is
found exactly where they grow or fall, or by dividing the ranges (`graphcount.symbolic.extremes`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from graphcount.analysis.shapes import ShapeError, ValueShapes
from graphcount.analysis.shapes.declared import DimPlace
from graphcount.analysis.shapes.sizes import no_such
from graphcount.report.rows import RangeRow, RangesRow
from graphcount.symbolic import Dim, Expr, evaluate
from graphcount.symbolic.extremes import most_of
from graphcount.symbolic.intervals import enclose


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
    limits = _decided(spans, rest, shapes.places)
    rest = {name: size for name, size in rest.items() if name not in limits}
    rows = tuple(_row(name, dims, spans, rest, limits) for name, dims in measures.items())
    lowest = {name: low for name, (low, _) in spans.items()}
    highest = {name: high for name, (_, high) in spans.items()}
    return RangesRow(lowest, highest, rest, rows)


def _decided(
    spans: dict[str, tuple[int, int]], rest: Mapping[str, int], places: Mapping[str, DimPlace]
) -> dict[str, Dim]:
    """Give a range to each size that the data decide and an operator bounds; return the bounds."""
    limits: dict[str, Dim] = {}
    for name, place in places.items():
        if place.most is None or name in spans:
            continue
        most = evaluate(place.most, rest)
        if isinstance(most, int) or most.symbols() <= spans.keys():
            limits[name] = most
            spans[name] = 0, max(enclose(most, spans, {}).high, 0)
    return limits


def _row(
    name: str,
    dims: tuple[Dim | None, ...],
    spans: Mapping[str, tuple[int, int]],
    rest: Mapping[str, int],
    limits: Mapping[str, Dim],
) -> RangeRow:
    known = [evaluate(dim, rest) for dim in dims if dim is not None]
    symbols = {name for dim in known if not isinstance(dim, int) for name in dim.symbols()}
    if len(known) < len(dims) or not known or not symbols <= spans.keys():
        return RangeRow(name, None, None, {}, {}, False, False)
    ends = most_of(known, spans)
    least, most = ends.least, ends.most
    low, high = (_possible(end.at, limits, spans) for end in (least, most))
    occur = [end.exact and at is not None for end, at in ((least, low), (most, high))]
    return RangeRow(name, least.value, most.value, low or least.at, high or most.at, *occur)


def _possible(
    at: Mapping[str, int], limits: Mapping[str, Dim], spans: Mapping[str, tuple[int, int]]
) -> dict[str, int] | None:
    """Return sizes with those that leave room for what the data decide; None where none do."""
    sizes = dict(at)
    for name, limit in limits.items():
        if at.get(name, 0) and isinstance(limit, Expr):
            for other in limit.symbols():
                sizes.setdefault(other, spans[other][1])
    for name, limit in limits.items():
        room = evaluate(limit, sizes)
        if at.get(name, 0) and isinstance(room, int) and at[name] > room:
            return None
    return sizes
