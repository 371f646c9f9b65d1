"""Percentiles, intervals, histograms: what a list of times says.

Sources: Hyndman and Fan, "Sample Quantiles in Statistical Packages", 1996 (percentiles, type 7);
Conover, "Practical Nonparametric Statistics", 3.2 (interval of the median by order statistics);
Tukey, "Exploratory Data Analysis" (outliers). For ratios that are looked at again and again: Ville,
"Étude critique de la notion de collectif", 1939; Robbins, "Statistical Methods Related to the Law
of the Iterated Logarithm", 1970 (mixtures); Howard and Ramdas, "Sequential Estimation of
Quantiles", 2022; Ramdas, Grünwald, Vovk and Shafer, "Game-Theoretic Statistics and Safe
Anytime-Valid Inference", 2023.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from graphcount.report.bench import Bin, Interval, Latency

EXACT_RUNS = 1000
"""Up to so many runs the binomial distribution is summed exactly; beyond, the normal one serves."""

BINS = 10

WRONG_ONE_IN = 1000
"""A bound of a ratio is wrong once in so many comparisons at most, whenever they were stopped."""


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Return a percentile of sorted numbers, linear between neighbours (type 7, as numpy)."""
    position = (len(ordered) - 1) * percent / 100
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def median_interval(ordered: Sequence[float]) -> Interval | None:
    """Return bounds that hold the median of what was sampled with 95 % confidence at least.

    The number of samples below the median is binomial(n, 1/2): the r-th smallest and the r-th
    largest number bound it with confidence 1 - 2 P(X < r). None when even r = 1 has less.
    """
    rank = median_rank(len(ordered))
    return Interval(ordered[rank - 1], ordered[-rank]) if rank else None


def median_rank(runs: int) -> int:
    """Return the largest r with P(X < r) <= 2.5 % for X ~ binomial(runs, 1/2), 0 if none."""
    if runs > EXACT_RUNS:
        return max(0, math.floor((runs - 1.959964 * math.sqrt(runs)) / 2))
    total, rank = 0, 0
    while rank < runs:
        total += math.comb(runs, rank)
        if total * 40 > 2**runs:
            break
        rank += 1
    return rank


def latency(times: Sequence[float]) -> Latency:
    """Return the summary of times in seconds, of which there is at least one."""
    ordered = sorted(times)
    count = len(ordered)
    mean = math.fsum(ordered) / count
    squares = math.fsum((time - mean) ** 2 for time in ordered)
    return Latency(
        min=ordered[0],
        p50=percentile(ordered, 50),
        p90=percentile(ordered, 90),
        p95=percentile(ordered, 95),
        p99=percentile(ordered, 99),
        mean=mean,
        stdev=math.sqrt(squares / (count - 1)) if count > 1 else 0.0,
        max=ordered[-1],
        ci95=median_interval(ordered),
    )


def outlier_share(times: Sequence[float]) -> float:
    """Return the share of times above Tukey's upper fence: Q3 + 1.5 (Q3 - Q1)."""
    ordered = sorted(times)
    low, high = percentile(ordered, 25), percentile(ordered, 75)
    fence = high + 1.5 * (high - low)
    return sum(time > fence for time in ordered) / len(ordered)


def histogram(times: Sequence[float], bins: int = BINS) -> tuple[Bin, ...]:
    """Return equal bins from the fastest to the 95th percentile, and one for what is slower."""
    ordered = sorted(times)
    low, high = ordered[0], percentile(ordered, 95)
    if low == high:
        bins = 1
    edges = [low + (high - low) * number / bins for number in range(bins)] + [high]
    counts = [0] * (bins + 1)
    for time in ordered:
        slot = int((time - low) / (high - low) * bins) if high > low else 0
        counts[bins if time > high else min(slot, bins - 1)] += 1
    bars = [Bin(edges[number], edges[number + 1], counts[number]) for number in range(bins)]
    if counts[bins]:
        bars.append(Bin(high, ordered[-1], counts[bins]))
    return tuple(bars)


def evidence(above: int, blocks: int) -> Fraction:
    """Return what a bet of 1 has become that more than half of all blocks lie above a number.

    It is a test martingale against "as many lie below at least": the likelihood of `above` in
    `blocks`, over that of a fair coin, averaged over a share p uniform between 1/2 and 1:

        2 * 2^n * integral of p^k (1 - p)^(n - k) dp = sum of C(n + 1, j) to k / ((n + 1) C(n, k))

    By Ville's inequality it ever reaches x with a probability of 1 / x at most, so one may look
    after every block and stop at will.
    """
    beyond = sum(math.comb(blocks + 1, number) for number in range(blocks - above + 1))
    return Fraction(2 ** (blocks + 1) - beyond, (blocks + 1) * math.comb(blocks, above))


def ratio_interval(ratios: Sequence[float]) -> Interval | None:
    """Return bounds of the median of all blocks, each wrong with probability 0.1 % at most.

    They are the blocks that `evidence` says it lies beyond: a confidence sequence. None with fewer
    than 13 blocks, which prove nothing.
    """
    count, rank = len(ratios), 0
    while rank < count and evidence(count - rank, count) >= WRONG_ONE_IN:
        rank += 1
    ordered = sorted(ratios)
    return Interval(ordered[rank - 1], ordered[-rank]) if rank else None


def verdict(interval: Interval | None, max_ratio: float | None) -> str | None:
    """Return whether a ratio is `kept` or `exceeded`: the whole interval lies on one side of it."""
    if max_ratio is None:
        return None
    if interval is None or interval.low <= max_ratio < interval.high:
        return "undecided"
    return "exceeded" if interval.low > max_ratio else "kept"
