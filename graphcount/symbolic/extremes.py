"""The least and the most of a dimension over ranges of sizes, and the sizes at which they occur.

    >>> extremes(symbol("batch") * symbol("seq"), {"batch": (1, 8), "seq": (1, 2048)}).most
    Extreme(value=16384, exact=True, at={'batch': 8, 'seq': 2048})

What grows or falls with a symbol throughout is decided at an end of its range: costs of models
almost always do, with all. For the rest, the box of sizes is halved where it can be lowest, until
the lowest part is known or a fixed number of parts was looked at (branch and bound: Land and Doig,
An automatic method of solving discrete programming problems, Econometrica 28, 1960). Then the
answer is a bound and says so. No time is measured: the same question has the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from heapq import heapify, heappop, heappush
from itertools import product

from graphcount.symbolic import Atom, Dim, Expr, TooComplexError, evaluate
from graphcount.symbolic.cases import in_cases, low_in_cases, number_of
from graphcount.symbolic.intervals import (
    STILL,
    Enclosure,
    Ranges,
    SizeRange,
    enclose,
    is_clear,
    widest,
)

MAX_PARTS = 2_000
"""Parts of a box that are looked at for one bound, fewer of long expressions."""

MAX_WORK = 50_000
"""Terms, over all parts, that are looked at for one bound."""

MIN_PARTS = 16
"""Parts that are looked at, however long the expressions are."""

SMALL = 24
"""A part with so many points or fewer is tried point by point."""

MAX_CASES = 32
"""Cases in which the dimensions of one search are looked at, all together."""

MAX_PERIODS = 8
"""Divisors around whose multiples points are tried."""

MAX_ROUNDS = 4
"""How often all symbols are moved to better points at the start."""


class NoRangeError(ValueError):
    """A symbol has no range, or an empty one."""


@dataclass(frozen=True, slots=True)
class Extreme:
    """The least or the most of a dimension.

    Attributes:
        value: No size in the ranges gives less (or more).
        exact: Whether `at` gives it; else `at` gives the best that was met.
        at: A size for each symbol; empty where the dimension is defined nowhere.
    """

    value: int
    exact: bool
    at: dict[str, int]


@dataclass(frozen=True, slots=True)
class Extremes:
    """The least and the most."""

    least: Extreme
    most: Extreme


def extremes(dim: Dim, ranges: Mapping[str, SizeRange]) -> Extremes:
    """Return the least and the most of a dimension over ranges, ends included.

    Raises:
        NoRangeError: A symbol of it has no range, or the first end is above the second.
    """
    return most_of([dim], ranges)


def most_of(dims: Sequence[Dim], ranges: Mapping[str, SizeRange], work: int = MAX_WORK) -> Extremes:
    """Return the least and the most of the largest of several dimensions, as a peak is.

    Args:
        dims: They.
        ranges: Least and most size by symbol.
        work: Terms that are looked at for one bound.

    Raises:
        NoRangeError: A symbol has no range, or the first end is above the second.
        ValueError: There is no dimension.
    """
    if not dims:
        raise ValueError("the largest of no dimensions")
    box = _box(dims, ranges)
    different = list(dict.fromkeys(dims))
    return Extremes(_Search(different, box, work).least(), _most(different, box, work))


def _box(dims: Sequence[Dim], ranges: Mapping[str, SizeRange]) -> dict[str, SizeRange]:
    names = sorted({name for dim in dims if isinstance(dim, Expr) for name in dim.symbols()})
    missing = [name for name in names if name not in ranges]
    if missing:
        raise NoRangeError(f"no range for {', '.join(missing)}")
    box = {name: ranges[name] for name in names}
    for name, (low, high) in box.items():
        if low > high:
            raise NoRangeError(f"the range of {name} is empty: {low} to {high}")
    return box


def _most(dims: Sequence[Dim], box: Ranges, work: int) -> Extreme:
    """Return the most of the largest: that of each, the highest first, until none can be above.

    Cases take longer than an interval and bring most down: they are looked at where it is too high.
    """
    atoms: dict[Atom, Enclosure] = {}
    highs = [(-enclose(dim, box, atoms).high, number) for number, dim in enumerate(dims)]
    heapify(highs)
    searches: dict[int, _Search] = {}
    value: int | None = None
    best: tuple[int, dict[str, int]] | None = None
    while highs:
        low, number = heappop(highs)
        if best is not None and -best[0] <= low:
            break
        if number not in searches:
            searches[number] = search = _Search([-dims[number]], box, work)
            heappush(highs, (search.bound(low, box, search.dims), number))
            continue
        if work <= 0:  # of those that are left none is above this
            value = max(-low, -low if value is None else value)
            break
        search = searches[number]
        search.most = _parts(work, search.work)
        least = search.least()
        work -= search.work * search.parts
        value = max(-least.value, -least.value if value is None else value)
        met = _at(dims[number], least.at)
        if met is not None and (best is None or met > best[0]):
            best = met, {name: low for name, (low, _) in box.items()} | least.at
    return _bound(value or 0, best)


def _parts(work: int, each: int) -> int:
    """Return how many parts may be looked at, of so many terms each."""
    return max(MIN_PARTS, min(MAX_PARTS, work // each))


def _bound(value: int, best: tuple[int, dict[str, int]] | None) -> Extreme:
    if best is None:
        return Extreme(value, False, {})
    return Extreme(value, best[0] == value, best[1])


def _at(dim: Dim, sizes: dict[str, int]) -> int | None:
    """Return the value at sizes; None where it divides by zero."""
    try:
        value = evaluate(dim, sizes)
    except (ZeroDivisionError, TooComplexError):
        return None
    return value if isinstance(value, int) else None


@dataclass(frozen=True, slots=True, order=True)
class _Part:
    """A part of the box: a bound of it, its number, and what is in it (not compared).

    Attributes:
        low: Nothing in it is below.
        number: Parts are taken in order among those of one bound.
        ranges: Its sizes.
        dims: The dimensions that may be the largest in it.
        split: The symbol by which it is halved.
    """

    low: int
    number: int
    ranges: dict[str, SizeRange] = field(compare=False)
    dims: list[Dim] = field(compare=False)
    split: str = field(compare=False)


class _Search:
    """The least of the largest of several dimensions.

    Args:
        dims: They.
        box: A range for each symbol.
        work: Terms that may be looked at, `MIN_PARTS` parts at least.

    Attributes:
        best: The least value that was met, and its sizes.
        low: A bound where a point is not defined, or of what was not looked at; None while all was.
        work: Terms that are looked at for each part.
        parts: How many were looked at.
        most: How many may be.
    """

    def __init__(self, dims: list[Dim], box: Ranges, work: int = MAX_WORK) -> None:
        self.dims, self.box = dims, box
        self.cases = {dim: in_cases(dim, box, MAX_CASES // len(dims)) for dim in dims}
        self.divisors = list(dict.fromkeys(b for dim in dims for b in _divisors(dim)))
        self.best: tuple[int, dict[str, int]] | None = None
        self.low: int | None = None
        self.work = sum(_work(dim) * number_of(self.cases[dim]) for dim in dims)
        self.parts = 0
        self.most = _parts(work, self.work)

    def bound(self, low: int, ranges: Ranges, dims: Iterable[Dim]) -> int:
        """Return what nothing in a part is below: so much as is known, or more by its cases."""
        lows = (low_in_cases(self.cases[dim], ranges) for dim in dims)
        return max((low, *(low for low in lows if low is not None)))

    def least(self) -> Extreme:
        heap: list[_Part] = []
        self.look(dict(self.box), self.dims, heap)
        if heap:
            self.climb(heap[0].ranges)
        while heap:
            part = heappop(heap)
            if self.best is not None and part.low >= self.best[0]:
                break
            if self.parts >= self.most:
                self.give_up(part.low)
                break
            low, high = part.ranges[part.split]
            middle = (low + high) // 2
            for half in ((low, middle), (middle + 1, high)):
                self.look({**part.ranges, part.split: half}, part.dims, heap)
        lows = [low for low in (self.low, self.best and self.best[0]) if low is not None]
        return _bound(min(lows, default=0), self.best)

    def give_up(self, low: int) -> None:
        self.low = low if self.low is None else min(low, self.low)

    def look(self, ranges: dict[str, SizeRange], dims: list[Dim], heap: list[_Part]) -> None:
        """Try the ends of a part, and keep it where something lower may be inside."""
        self.parts += 1
        low, steps, dims = self.settle(ranges, dims)
        points = 1
        for least, most in ranges.values():
            points *= most - least + 1
        if points <= SMALL:
            names = list(ranges)
            for sizes in product(*(range(a, b + 1) for a, b in ranges.values())):
                if self.meet(dict(zip(names, sizes, strict=True))) is None:
                    self.give_up(low)
            return
        for end, worst in ((0, min), (1, max)):
            value = self.meet({name: span[end] for name, span in ranges.items()})
            if value is not None:
                away = (
                    worst(0, step[end]) * (ranges[name][1] - ranges[name][0])
                    for name, step in steps.items()
                )
                low = max(low, value + sum(away) * (1 - 2 * end))
        if self.best is not None and low >= self.best[0]:
            return
        width = {
            name: (most - least) * max(abs(steps[name][0]), abs(steps[name][1]))
            for name, (least, most) in ranges.items()
            if least < most
        }
        heappush(heap, _Part(low, self.parts, ranges, dims, max(width, key=lambda n: width[n])))

    def settle(
        self, ranges: dict[str, SizeRange], dims: list[Dim]
    ) -> tuple[int, dict[str, SizeRange], list[Dim]]:
        """Set symbols to the end of their range at which all is lowest, as far as that is clear.

        Returns:
            What nothing in the part is below, the steps, and the dimensions that may be largest.
        """
        while True:
            atoms: dict[Atom, Enclosure] = {}
            around = [(dim, enclose(dim, ranges, atoms)) for dim in dims]
            low = max(enclosure.low for _, enclosure in around)
            around = [pair for pair in around if pair[1].high >= low]
            dims = [dim for dim, _ in around]
            steps: dict[str, SizeRange] = {}
            for name, (least, most) in ranges.items():
                if least < most:
                    first, *others = (pair[1].steps.get(name, STILL) for pair in around)
                    steps[name] = reduce(widest, others, first)
            ends = {
                name: 0 if step[0] >= 0 else 1 for name, step in steps.items() if is_clear(step)
            }
            if not ends:
                return self.bound(low, ranges, dims), steps, dims
            for name, end in ends.items():
                ranges[name] = (ranges[name][end],) * 2

    def meet(self, sizes: dict[str, int]) -> int | None:
        """Try a point; return its value, None where it divides by zero."""
        values = [_at(dim, sizes) for dim in self.dims]
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return None
        value = max(known)
        if self.best is None or value < self.best[0]:
            self.best = value, sizes
        return value

    def climb(self, ranges: dict[str, SizeRange]) -> None:
        """Go down from the best point, a symbol at a time, by where quotients jump."""
        for _ in range(MAX_ROUNDS):
            before = self.best
            for name, span in ranges.items():
                if self.best is None:
                    return
                at = self.best[1]
                periods = {_at(divisor, at) or 1 for divisor in self.divisors[:MAX_PERIODS]}
                for size in sorted(set(_jumps(span, at[name], {1, *map(abs, periods)}))):
                    self.meet({**at, name: size})
            if self.best is before:
                return


def _jumps(span: SizeRange, here: int, periods: Iterable[int]) -> Iterator[int]:
    """Yield sizes at which a quotient by one of the periods may jump, near the ends and here."""
    low, high = span
    for base in (low, high, here, (low + high) // 2):
        for period in periods:
            start = base - base % period
            for size in (start - 1, start, start + 1, start + period - 1, start + period):
                if low <= size <= high:
                    yield size


def _divisors(dim: Dim) -> Iterator[Dim]:
    """Yield what quotients in a dimension divide by."""
    for monomial, _ in dim.terms if isinstance(dim, Expr) else ():
        for factor, _ in monomial:
            if isinstance(factor, Atom):
                for operand in factor.args:
                    yield from _divisors(operand)
                if factor.op == "//":
                    yield factor.args[1]


def _work(dim: Dim) -> int:
    """Return how many terms it has, with those inside of operations."""
    if isinstance(dim, int):
        return 1
    factors = [factor for monomial, _ in dim.terms for factor, _ in monomial]
    return len(factors) + sum(factor.size for factor in factors if isinstance(factor, Atom))
