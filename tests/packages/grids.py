"""Ranges of real models, proven by counting anew at every point of a grid.

    python -m tests.packages.grids MODEL-OR-FOLDER ... [--points 60] [--seconds 60]

A model is counted over small ranges of all its dynamic dimensions, then with numbers at every point
of them: no symbol is left, so nothing of the formulas is used again. The least and the most of each
measure must be those of the points where they are said to be exact, and enclose them where they are
bounds. Points at which an operator cannot take the sizes are left out.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import NamedTuple

import graphcount
from graphcount.report.pass_rows import RangeRow
from graphcount.report.records import Report

MEASURES = {
    "macs": ("macs", "macs"),
    "elementwise": ("elementwise", "elementwise"),
    "input_nbytes": ("input_nbytes", ""),
    "output_nbytes": ("output_nbytes", ""),
    "activation_nbytes": ("activation_nbytes", "activation"),
    "peak_activation_nbytes": ("peak_activation_nbytes", "peak"),
}
"""Of each row of a range: the field of the totals, and what says that it lacks something."""

HINTS = (
    (("batch", "bs", "n"), (1, 3)),
    (("past", "cache", "memory"), (0, 4)),
    (("height", "width", "h", "w", "image", "imgsz"), (30, 40)),
    (("seq", "sequence", "length", "len", "tokens", "time", "frames", "t", "total"), (1, 9)),
    (("audio", "samples", "wave"), (1600, 1700)),
)
"""Ranges by words of a name, the first that fits."""

PICTURES = (30, 40)
OTHERS = (1, 6)

LARGER = (16, 400)
"""Ranges are moved so far up where a model takes none of their points."""

POINTS = 60
SECONDS = 60.0

Ranges = Mapping[str, tuple[int, int]]


class Outcome(NamedTuple):
    """What a model came to.

    Attributes:
        exact: Ends that are exact, of 12.
        bounds: Ends that are bounds.
        unknown: Ends that are not known.
        points: Points that were counted.
        seconds: What the count over ranges took.
        plain: What a count without took.
        faults: What is not as it is said.
    """

    exact: int
    bounds: int
    unknown: int
    points: int
    seconds: float
    plain: float
    faults: tuple[str, ...]


def small(report: Report, points: int = POINTS) -> dict[str, tuple[int, int]]:
    """Return small ranges of the dynamic dimensions of a model: `points` combinations at most."""
    of_pictures = pictures(report)
    ranges = {row.name: _span(row.name, of_pictures) for row in report.dimensions}
    while math.prod(high - low + 1 for low, high in ranges.values()) > points:
        name = max(ranges, key=lambda name: ranges[name][1] - ranges[name][0])
        low, high = ranges[name]
        if low == high:
            break
        ranges[name] = low, high - 1
    return ranges


def pictures(report: Report) -> frozenset[str]:
    """Return the dimensions that are the height or width of a picture."""
    return frozenset(
        size
        for value in report.model.inputs
        if value.shape is not None and len(value.shape) == 4
        for size in (value.shape[2:] if value.shape[1] in (1, 3) else value.shape[1:3])
        if isinstance(size, str)
    )


def _span(name: str, of_pictures: Iterable[str]) -> tuple[int, int]:
    words = name.lower().replace("-", "_").replace(".", "_").split("_")
    for hints, span in HINTS:
        if any(word in hints for word in words):
            return span
    return PICTURES if name in of_pictures else OTHERS


def held(path: str, ranges: Ranges, seconds: float = SECONDS) -> Outcome:
    """Count a model over ranges and at every point of them.

    Raises:
        GraphcountError: It cannot be counted over these ranges.
    """
    begun = time.perf_counter()
    graphcount.count(path)
    plain = time.perf_counter() - begun
    begun = time.perf_counter()
    report = graphcount.count(path, ranges=ranges)
    taken = time.perf_counter() - begun
    assert report.ranges is not None
    rows = {row.measure: row for row in report.ranges.measures}
    values: dict[str, list[int | None]] = {name: [] for name in rows}
    points, cut = 0, False
    for sizes in _grid(ranges):
        at = _at(path, sizes)
        if at is None:
            continue
        points += 1
        for name in rows:
            values[name].append(at[name])
        if time.perf_counter() - begun > seconds:
            cut = True
            break
    faults = [
        fault
        for name, row in rows.items()
        for fault in _faults(cut, path, ranges, row, values[name])
    ]
    ends = [
        (number, exact)
        for row in rows.values()
        for number, exact in ((row.least, row.least_exact), (row.most, row.most_exact))
    ]
    return Outcome(
        sum(exact for _, exact in ends),
        sum(number is not None and not exact for number, exact in ends),
        sum(number is None for number, _ in ends),
        points,
        taken,
        plain,
        tuple(faults),
    )


def _grid(ranges: Ranges) -> Iterator[dict[str, int]]:
    for point in product(*(range(low, high + 1) for low, high in ranges.values())):
        yield dict(zip(ranges, point, strict=True))


def _at(path: str, sizes: Mapping[str, int]) -> dict[str, int | None] | None:
    """Return the measures at a point, None where one lacks something; None: no such run."""
    try:
        report = graphcount.count(path, dims=sizes)
    except graphcount.GraphcountError:
        return None
    totals = report.totals
    whole = not any(row.affects == "cost" for row in report.unknown)  # weights may be missing
    return {
        name: None if lacks in totals.at_least and not whole else getattr(totals, field)
        for name, (field, lacks) in MEASURES.items()
    }


def _faults(
    cut: bool, path: str, ranges: Ranges, row: RangeRow, values: list[int | None]
) -> Iterator[str]:
    """Yield where a row says more than the points do; not all points were counted if `cut`."""
    known = [value for value in values if value is not None]
    for word, end, exact, at, pick in (
        ("least", row.least, row.least_exact, row.least_at, min),
        ("most", row.most, row.most_exact, row.most_at, max),
    ):
        if end is None or not values:
            continue
        if len(known) < len(values) and exact:
            yield f"{row.measure} {word} {end:,}: {len(values) - len(known)} points not known"
        if not known:
            continue
        truth = pick(known)
        if exact and end != truth and not cut:
            yield f"{row.measure} {word} {end:,} is said to be exact, counted {truth:,}"
        elif pick(end, truth) != end:
            yield f"{row.measure} {word} {end:,} is no bound, counted {truth:,}"
        at = {name: at.get(name, low) for name, (low, _) in ranges.items()}
        if exact and ((met := _at(path, at)) is None or met[row.measure] != end):
            yield f"{row.measure} {word} {end:,}: {at} gives {met and met[row.measure]}"


def models(arguments: Iterable[str]) -> Iterator[Path]:
    """Yield models of files and folders."""
    for argument in map(Path, arguments):
        yield from sorted(argument.rglob("*.onnx")) if argument.is_dir() else [argument]


def main() -> None:
    """Print a line a model that has dynamic dimensions, then the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--points", type=int, default=POINTS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    options = parser.parse_args()
    sums = [0, 0, 0]
    right = wrong = 0
    for path in models(options.models):
        try:
            report = graphcount.count(str(path))
            if not report.dimensions:
                continue
            ranges = small(report, options.points)
            made = held(str(path), ranges, options.seconds)
            for factor in LARGER:
                if made.points:
                    break
                ranges = {
                    name: (low * factor, low * factor + high - low)
                    for name, (low, high) in ranges.items()
                }
                made = held(str(path), ranges, options.seconds)
        except graphcount.GraphcountError as error:
            print(f"refused {path.name:40} {str(error)[:100]}", flush=True)
            continue
        for number, ends in enumerate(made[:3]):
            sums[number] += ends
        right, wrong = right + (not made.faults), wrong + bool(made.faults)
        print(
            f"{'WRONG' if made.faults else 'ok':6} {path.parent.name[:24] + '/' + path.name:60} "
            f"{made.exact:>2} exact {made.bounds:>2} bounds {made.unknown:>2} unknown "
            f"{made.points:>4} points {made.plain:6.2f} s plain {made.seconds:6.2f} s {ranges}",
            flush=True,
        )
        for fault in made.faults:
            print(f"          {fault}", flush=True)
    print(
        f"{right} right, {wrong} wrong; ends: {sums[0]} exact, {sums[1]} bounds, {sums[2]} unknown"
    )


if __name__ == "__main__":
    main()
