"""Ranges of real models, wide ones: how many ends are exact, and what they cost.

    python -m tests.packages.extents FOLDER [--every N]

Ranges end where the model takes the sizes. A line a model whose most MACs or most bytes of the
peak are not exact, with why; then shares, times and the slowest. `SPANS` says which range a
dimension has, by its name.
"""

from __future__ import annotations

import argparse
import collections
import time

import graphcount
from graphcount.report.pass_rows import RangeRow
from graphcount.report.records import Report
from tests.packages.grids import models, pictures

SPANS = (
    ("past cache memory", (0, 4096)),
    ("batch bs n", (1, 8)),
    ("seq sequence length len tokens total", (1, 2048)),
    ("height width h w image imgsz", (32, 1024)),
)
"""Ranges by words of a name, the first that fits."""

OTHERS = (1, 64)

MEASURES = ("macs", "peak_activation_nbytes")


def wide(report: Report) -> dict[str, tuple[int, int]]:
    """Return wide ranges of the dynamic dimensions of a model."""
    of_pictures = pictures(report)
    return {row.name: span(row.name, row.name in of_pictures) for row in report.dimensions}


def span(name: str, picture: bool) -> tuple[int, int]:
    """Return the range of a dimension."""
    words = set(name.lower().replace("-", "_").replace(".", "_").split("_"))
    for hints, ends in SPANS:
        if words & set(hints.split()):
            return ends
    return (32, 1024) if picture else OTHERS


def fitted(path: str, ranges: dict[str, tuple[int, int]]) -> dict[str, tuple[int, int]]:
    """Return ranges whose ends a model takes: the first is doubled, the last is halved until then.

    One dimension alone where that is enough, else all of them.
    """
    for end in (0, 1):
        names = [name for name in ranges if not takes(path, ranges, end, name)]
        while names and not takes(path, ranges, end):
            before = dict(ranges)
            for name in names:
                low, high = ranges[name]
                middle = (max(1, low * 2), high) if end == 0 else (low, high // 2)
                ranges[name] = middle if middle[0] <= middle[1] else ranges[name]
            if ranges == before:
                break
    return ranges


def takes(path: str, ranges: dict[str, tuple[int, int]], end: int, alone: str = "") -> bool:
    """Return whether a model takes the ends of ranges, or one with the other ends of the rest."""
    sides = {name: end if alone in ("", name) else 1 - end for name in ranges}
    try:
        graphcount.count(path, dims={name: ranges[name][side] for name, side in sides.items()})
    except graphcount.GraphcountError:
        return False
    return True


def word(row: RangeRow) -> str:
    """Return what the most of a measure is."""
    if row.most is None:
        return "not known"
    return "exact" if row.most_exact else "bound"


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    words: dict[str, collections.Counter[str]] = {name: collections.Counter() for name in MEASURES}
    times: list[tuple[float, float, str]] = []
    for path in list(models([options.folder]))[:: options.every]:
        name = str(path.relative_to(options.folder))
        try:
            begun = time.perf_counter()
            report = graphcount.count(str(path))
            plain = time.perf_counter() - begun
            if not report.dimensions:
                continue
            ranges = fitted(str(path), wide(report))
            begun = time.perf_counter()
            made = graphcount.count(str(path), ranges=ranges).ranges
            times.append((time.perf_counter() - begun, plain, name))
        except graphcount.GraphcountError as error:
            print(f"refused {name}: {error}", flush=True)
            continue
        assert made is not None
        rows = {row.measure: word(row) for row in made.measures if row.measure in MEASURES}
        for measure, text in rows.items():
            words[measure][text] += 1
        if set(rows.values()) != {"exact"}:
            print(f"{name}: {rows} {cause(report)}", flush=True)
    for measure, counted in words.items():
        print(measure, dict(counted))
    print(f"{sum(plain for _, plain, _ in times):.1f} s plain, {sum(t for t, _, _ in times):.1f} s")
    for taken, plain, name in sorted(times, reverse=True)[:8]:
        print(f"{taken:6.2f} s, {plain:6.2f} s plain: {name}")


def cause(report: Report) -> str:
    """Return the first things that are not known."""
    costs = [f"{row.where}: {row.why}"[:90] for row in report.unknown if row.affects == "cost"]
    return f"{len(report.dimensions)} dimensions; {'; '.join(costs[:2])}"


if __name__ == "__main__":
    main()
