"""The least and the most of each measure over ranges of sizes: `--dim batch=1:8`.

Formulas of a model are sums of products of sizes and quotients of these. What they are at most is
found exactly where they grow or fall, or by dividing the ranges (`graphcount.symbolic.extremes`).

Formulas take sizes to be 1 or more, so ranges from 0 are taken apart: 0, and the rest. And what
they come to is never believed: where a formula is least or most the model is counted anew, with
numbers. An end is exact only if that gives it. Where formulas do not answer, and points are few,
each of them is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import product
from math import prod
from typing import NamedTuple, TypeAlias

from graphcount.analysis.ranging import AtSizes, Candidates, Pass, Ranging, Sums
from graphcount.analysis.shapes.declared import DimPlace
from graphcount.report.pass_rows import DimensionRow, RangeRow, RangesRow
from graphcount.symbolic import Dim, Expr, TooComplexError, evaluate
from graphcount.symbolic.extremes import Extreme, Extremes, extremes, most_of
from graphcount.symbolic.intervals import SizeRange, enclose

MAX_ZEROS = 3
"""Ranges that begin with 0: each doubles the parts that are looked at."""

MAX_CHECKS = 8
"""Points at which formulas are checked by counting anew."""

WORK = 20_000
"""Terms that are looked at for one end of a measure, in all parts together."""

MAX_POINTS = 16
"""Ranges with more points are not counted point by point."""

MAX_NODES = 20_000
"""Nodes, over all points, that are counted point by point."""


class _Region(NamedTuple):
    """A part of all sizes.

    Attributes:
        fixed: Dimensions that have one size in it.
        box: Ranges of the others.
        sums: The measures.
    """

    fixed: dict[str, int]
    box: dict[str, SizeRange]
    sums: Sums


def over_ranges(dimensions: Iterable[DimensionRow], ranging: Ranging, first: Pass) -> RangesRow:
    """Return the extremes of measures.

    Args:
        dimensions: Those without a size; what is assumed of those without a range stands for them.
        ranging: Works out passes.
        first: The pass at no sizes but those that are given.

    Raises:
        ShapeError: There is no such dimension, or it has a size.
    """
    spans = ranging.spans(first[0])
    known = {row.name: row.assumed for row in dimensions if row.name not in spans}
    assumed = {name: size for name, size in known.items() if size is not None}
    limits = _decided(spans, assumed, first[0].places)
    parts = _parts(spans, assumed, ranging, first)
    names = ranging.sums(first).least
    both = {name: _ends(name, parts) for name in names}
    ends = {(name, most): both[name][most] for name in names for most in (False, True)}
    checked = _checked(ends, spans, assumed, ranging, parts)
    if not all(end is not None and end.exact for end in checked.values()):
        given = {name: span for name, span in spans.items() if name not in limits}
        checked |= _counted(given, assumed, ranging)
    checked = {key: _possible(end, limits, spans, assumed) for key, end in checked.items()}
    rows = tuple(_row(name, checked[name, False], checked[name, True]) for name in names)
    lowest = {name: low for name, (low, _) in spans.items()}
    highest = {name: high for name, (_, high) in spans.items()}
    return RangesRow(lowest, highest, dict(assumed), rows)


def _decided(
    spans: dict[str, SizeRange], assumed: dict[str, int], places: Mapping[str, DimPlace]
) -> dict[str, Dim]:
    """Give a range to each size that the data decide and an operator bounds; return the bounds."""
    limits: dict[str, Dim] = {}
    for name, place in places.items():
        if place.most is None or name in spans:
            continue
        most = evaluate(place.most, assumed)
        if isinstance(most, int) or most.symbols() <= spans.keys():
            limits[name] = most
            spans[name] = 0, max(enclose(most, spans, {}).high, 0)
            assumed.pop(name, None)
    return limits


def _possible(
    end: Extreme | None,
    limits: Mapping[str, Dim],
    spans: Mapping[str, SizeRange],
    assumed: AtSizes,
) -> Extreme | None:
    """Return an end with sizes that leave room for what the data decide; a bound where none do."""
    decided = [name for name in limits if end is not None and end.at.get(name)]
    if end is None or not decided:
        return end
    at = dict(end.at)
    for name in decided:
        limit = limits[name]
        for other in limit.symbols() if isinstance(limit, Expr) else ():
            at.setdefault(other, spans[other][1])
    rooms = [(name, evaluate(limits[name], {**assumed, **at})) for name in decided]
    fits = all(isinstance(room, int) and at[name] <= room for name, room in rooms)
    return replace(end, at=at if fits else end.at, exact=end.exact and fits)


def _row(name: str, least: Extreme | None, most: Extreme | None) -> RangeRow:
    return RangeRow(
        name,
        least.value if least else None,
        most.value if most else None,
        least.at if least else {},
        most.at if most else {},
        least is not None and least.exact,
        most is not None and most.exact,
    )


# ------------------------------------------------------------------------------------- formulas


def _parts(
    spans: Mapping[str, SizeRange], assumed: AtSizes, ranging: Ranging, first: Pass
) -> list[_Region]:
    """Return parts in which every symbol is 1 or more; none where they are too many."""
    zeros = [name for name, (low, high) in spans.items() if low == 0 < high]
    if len(zeros) > MAX_ZEROS:
        return []
    single = {name: low for name, (low, high) in spans.items() if low == high}
    made: list[_Region] = []
    for refuse in (True, False):
        for at_zero in product((False, True), repeat=len(zeros)):
            none = {name: 0 for name, zero in zip(zeros, at_zero, strict=True) if zero}
            fixed = {**single, **none}
            box = {n: (max(low, 1), high) for n, (low, high) in spans.items() if n not in fixed}
            sizes = {**assumed, **fixed}
            worked = ranging.again(sizes, refuse) if sizes else first
            if worked is not None:
                made.append(_Region(fixed, box, ranging.sums(worked)))
        if made:
            break
    return made


def _ends(name: str, parts: list[_Region]) -> tuple[Extreme | None, Extreme | None]:
    """Return the least and the most of a measure in all parts; None where it is not known."""
    named = {size for part in parts for size in part.fixed if all(size in p.fixed for p in parts)}
    made = [_ends_in(name, part, WORK // len(parts)) for part in parts]
    dims = [dim for part in parts for dims in _dims(name, part) for dim in dims or ()]
    named |= {symbol for dim in dims if isinstance(dim, Expr) for symbol in dim.symbols()}
    ends: list[Extreme | None] = []
    for most, pick in ((False, min), (True, max)):
        known = [both[most] for both in made]
        best = None
        if known and None not in known:
            best = pick(
                (end for end in known if end is not None),
                key=lambda end: (end.value, end.exact == most),
            )
            best = replace(best, at={size: best.at[size] for size in best.at if size in named})
        ends.append(best)
    return ends[0], ends[1]


def _dims(name: str, part: _Region) -> tuple[Candidates, Candidates]:
    return part.sums.least[name], part.sums.most[name]


def _ends_in(name: str, part: _Region, work: int) -> tuple[Extreme | None, Extreme | None]:
    """Return the least and the most of a measure in a part: no measure is below 0."""
    least, most = _dims(name, part)
    if name in COSTS and len(least or ()) == 1 and _undecided(part):
        return None, None
    low = _extremes(least, part, work)
    high = low if most == least else _extremes(most, part, work)
    whole = name in part.sums.whole
    return (
        _kept(low.least, part, whole) if low is not None else None,
        _kept(high.most, part, whole) if high is not None else None,
    )


def _kept(end: Extreme, part: _Region, whole: bool) -> Extreme:
    """Return an end with the sizes of its part; no measure is below 0."""
    at = {**part.fixed, **end.at}
    return Extreme(max(end.value, 0), end.exact and whole, at)


def _extremes(dims: Candidates, part: _Region, work: int) -> Extremes | None:
    """Return both ends of the largest of dimensions; None where one has no range."""
    if dims is None:
        return None
    if not all(dim.symbols() <= part.box.keys() for dim in dims if isinstance(dim, Expr)):
        return None
    return most_of(dims, part.box, work)


COSTS = frozenset({"macs", "elementwise"})


def _undecided(part: _Region) -> bool:
    """Return whether another branch of an If may cost more than the one that is counted."""
    for chosen, other, _ in part.sums.rivals:
        try:
            more = chosen - other
            if extremes(more, part.box).least.value < 0:
                return True
        except (TooComplexError, ValueError):
            return True
    return False


# ---------------------------------------------------------------------------------------- counts

Ends: TypeAlias = "dict[tuple[str, bool], Extreme | None]"
"""By measure, and whether it is the most."""


def _checked(
    ends: Ends,
    spans: Mapping[str, SizeRange],
    assumed: AtSizes,
    ranging: Ranging,
    parts: list[_Region],
) -> Ends:
    """Return ends that stay exact only where a count at their sizes gives them."""
    if all(low == high for low, high in spans.values()):
        return ends
    counted: dict[tuple[int, ...], Sums | None] = {}
    decided = False
    for end in ends.values():
        if end is not None and end.exact:
            sizes = _complete(end.at, spans)
            point = tuple(sizes.values())
            if point not in counted and len(counted) < MAX_CHECKS:
                counted[point] = sums = ranging.at({**assumed, **sizes})
                decided |= sums is not None and all(sums.dead != part.sums.dead for part in parts)
    return {
        (name, most): _confirmed(name, most, end, spans, counted, decided)
        for (name, most), end in ends.items()
    }


def _complete(at: AtSizes, spans: Mapping[str, SizeRange]) -> dict[str, int]:
    """Return a size for each dimension that has a range."""
    return {name: at.get(name, low) for name, (low, _) in spans.items()}


def _confirmed(
    name: str,
    most: bool,
    end: Extreme | None,
    spans: Mapping[str, SizeRange],
    counted: Mapping[tuple[int, ...], Sums | None],
    decided: bool,
) -> Extreme | None:
    """Return an end, exact if its point gives it; None where a count shows that it is no bound."""
    if decided and not most and name != "input_nbytes":  # formulas have what is never taken, too
        return None
    if end is None:
        return None
    for sums in counted.values():
        number = _number(sums, name)
        if number is not None and (number > end.value if most else number < end.value):
            return None
    sums = counted.get(tuple(_complete(end.at, spans).values()))
    return replace(end, exact=end.exact and _number(sums, name) == end.value)


def _number(sums: Sums | None, name: str) -> int | None:
    """Return a measure as a number; None where it lacks something."""
    if sums is None or name not in sums.whole:
        return None
    dims = sums.least[name]
    values = [dim for dim in dims or () if isinstance(dim, int)]
    return max(values, default=0) if dims is not None and len(values) == len(dims) else None


def _counted(spans: Mapping[str, SizeRange], assumed: AtSizes, ranging: Ranging) -> Ends:
    """Return the ends of measures that are known at all points, where these are few."""
    points = prod(high - low + 1 for low, high in spans.values())
    if points > MAX_POINTS or points * len(ranging.graph.order) > MAX_NODES:
        return {}
    met = [
        (sizes, sums)
        for sizes in _grid(spans)
        if (sums := ranging.at({**assumed, **sizes})) is not None
    ]
    ends: Ends = {}
    for name in met[0][1].least if met else ():
        values = [(_number(sums, name), sizes) for sizes, sums in met]
        known = [(number, sizes) for number, sizes in values if number is not None]
        if len(known) == len(values):
            for most, pick in ((False, min), (True, max)):
                number, at = pick(known, key=lambda pair: pair[0])
                ends[name, most] = Extreme(number, True, at)
    return ends


def _grid(spans: Mapping[str, SizeRange]) -> Iterator[dict[str, int]]:
    for point in product(*(range(low, high + 1) for low, high in spans.values())):
        yield dict(zip(spans, point, strict=True))
