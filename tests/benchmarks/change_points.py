"""How well does a method find where latencies changed? Precision and recall, with seeds.

    python tests/benchmarks/change_points.py [--series 200] [--out change_points.md]

Series of 60 measurements, as a history on a shared machine looks: noise of 1 or 2 % that hangs
together from one to the next (autocorrelation 0.3), a drift of 1 %, one measurement of twenty up to
some tens of per cent slower, and one step of 0 to 10 %, up or down. A change is right when it is
within three measurements of the step. The constants of `graphcount.benchmarking.changes` were
chosen on other seeds. otava is left out when it is not installed: it wants one version of numpy and
no other, so it needs an environment of its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from graphcount.benchmarking.changes import change_points

LENGTH = 60
NEAR = 3
STEPS = (0.0, 0.02, 0.03, 0.05, 0.10)
NOISE = (0.01, 0.02)
Finder = Callable[[Sequence[float]], Sequence[int]]


class Series(NamedTuple):
    """Latencies, and where they changed; -1: nowhere."""

    values: list[float]
    change: int


def series(rng: np.random.Generator, step: float, noise: float) -> Series:
    """Return a series with one step."""
    shocks = rng.normal(0, noise * (1 - 0.3**2) ** 0.5, LENGTH)
    logs = np.zeros(LENGTH)
    for number in range(1, LENGTH):
        logs[number] = 0.3 * logs[number - 1] + shocks[number]
    logs += 0.01 * rng.choice((-1, 1)) * np.linspace(0, 1, LENGTH)
    logs += np.where(rng.random(LENGTH) < 0.05, rng.exponential(0.15, LENGTH), 0)
    change = int(rng.integers(15, 46)) if step else -1
    if step:
        logs[change:] += rng.choice((-1, 1)) * np.log1p(step)
    return Series([float(number) for number in 0.01 * np.exp(logs)], change)


def threshold(share: float) -> Finder:
    """Return a plain rule: so much beside the median of the ten before."""

    def find(values: Sequence[float]) -> list[int]:
        beyond = [
            number
            for number in range(10, len(values))
            if abs(values[number] / float(np.median(values[number - 10 : number])) - 1) > share
        ]
        return [number for number in beyond if number - 1 not in beyond]

    return find


def finders() -> Iterator[tuple[str, Finder]]:
    """Yield every method with its name."""
    yield "graphcount (ruptures)", change_points
    yield "5 % beside the median of ten", threshold(0.05)
    yield "10 % beside the median of ten", threshold(0.10)
    try:
        from otava.analysis import compute_change_points  # type: ignore[import-not-found]
    except ImportError:
        return
    for pvalue in (0.001, 0.01):

        def otava(values: Sequence[float], pvalue: float = pvalue) -> list[int]:
            points, _ = compute_change_points(
                list(values), window_len=50, max_pvalue=pvalue, min_magnitude=0.0
            )
            return [point.index for point in points]

        yield f"otava, p {pvalue:g}", otava


def table(number: int) -> str:
    """Return the record, in Markdown."""
    heads = [f"{step:.0%}" for step in STEPS[1:]]
    lines = [
        f"| noise | method | {' | '.join(f'recall, {head}' for head in heads)} | precision"
        " | false changes a series without one |",
        f"|---|---|{'---|' * (len(heads) + 2)}",
    ]
    for noise in NOISE:
        for name, find in finders():
            recalls, right, reported, false = [], 0, 0, 0.0
            for step in STEPS:
                rng = np.random.default_rng([1, int(step * 1000), int(noise * 1000)])
                hits = 0
                for _ in range(number):
                    values, change = series(rng, step, noise)
                    points = find(values)
                    near = [point for point in points if abs(point - change) <= NEAR and step]
                    hits += bool(near)
                    right += bool(near)
                    reported += len(points)
                    false += len(points) / number if not step else 0
                recalls.append(hits / number)
            cells = " | ".join(f"{recall:.0%}" for recall in recalls[1:])
            precision = f"{right / reported:.0%}" if reported else "none"
            lines.append(f"| {noise:.0%} | {name} | {cells} | {precision} | {false:.2f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--series", type=int, default=200, help="of each kind")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    text = table(options.series)
    print(text)
    if options.out:
        options.out.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
