"""Statistics against numpy, the standard library and sampling."""

from __future__ import annotations

import math
import statistics as standard
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphcount.benchmarking import statistics
from graphcount.report.bench import Interval

TIMES = st.lists(st.floats(1e-6, 10), min_size=1, max_size=80)


@given(TIMES)
def test_percentiles_are_those_of_numpy(times: list[float]) -> None:
    found = statistics.latency(times)
    for percent in (50, 90, 95, 99):
        expected = float(np.percentile(times, percent))
        assert getattr(found, f"p{percent}") == pytest.approx(expected, rel=1e-12)
    assert (found.min, found.max) == (min(times), max(times))


@given(st.lists(st.floats(1e-6, 10), min_size=2, max_size=80))
def test_mean_and_spread_are_those_of_the_standard_library(times: list[float]) -> None:
    found = statistics.latency(times)
    assert found.mean == pytest.approx(standard.fmean(times))
    assert found.stdev == pytest.approx(standard.stdev(times), abs=1e-12)


def test_one_run_has_no_spread_and_no_interval() -> None:
    found = statistics.latency([0.5])
    assert found.stdev == 0
    assert found.ci95 is None


# Conover, Table A3 / the sign test: ranks r for which 1 - 2 P(X < r) >= 95 %.
RANKS = {5: 0, 6: 1, 8: 1, 9: 2, 10: 2, 15: 4, 20: 6, 25: 8, 30: 10}


@pytest.mark.parametrize(("runs", "rank"), RANKS.items())
def test_rank_of_the_interval_of_the_median(runs: int, rank: int) -> None:
    assert statistics.median_rank(runs) == rank


def test_many_runs_take_the_normal_distribution_which_agrees() -> None:
    exact = statistics.median_rank(statistics.EXACT_RUNS)
    near = math.floor((1000 - 1.959964 * math.sqrt(1000)) / 2)
    assert abs(exact - near) <= 1
    assert statistics.median_rank(1_000_000) == 499_020


def test_the_interval_holds_the_median_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(400):
        interval = statistics.median_interval(sorted(rng.exponential(1.0, 40)))
        assert interval is not None
        held += interval.low <= math.log(2) <= interval.high
    assert held / 400 > 0.93  # 95 % or more is promised; 400 trials vary by 1 %


@given(TIMES)
def test_every_run_is_in_one_bar(times: list[float]) -> None:
    bars = statistics.histogram(times)
    assert sum(bar.runs for bar in bars) == len(times)
    assert bars[0].low == min(times)
    assert bars[-1].high == pytest.approx(max(times))
    assert all(a.high == b.low for a, b in pairwise(bars))


def test_bars_count_what_lies_in_them() -> None:
    bars = statistics.histogram([float(n) for n in range(1, 101)], bins=5)
    assert [bar.runs for bar in bars] == [19, 19, 19, 19, 19, 5]


def test_outliers_are_those_of_tukey() -> None:
    # Quartiles of 1..9 are 3 and 7: the fence is 7 + 1.5 x 4 = 13.
    assert statistics.outlier_share([1, 2, 3, 4, 5, 6, 7, 8, 13]) == 0
    assert statistics.outlier_share([1, 2, 3, 4, 5, 6, 7, 8, 13.1]) == pytest.approx(1 / 9)


@given(st.integers(1, 60), st.data())
def test_evidence_is_the_mixture_of_likelihood_ratios(blocks: int, data: st.DataObject) -> None:
    above = data.draw(st.integers(0, blocks))
    shares = np.linspace(0.5, 1, 20_001)
    middle = (shares[1:] + shares[:-1]) / 2  # the midpoint rule
    likelihoods = (2 * middle) ** above * (2 * (1 - middle)) ** (blocks - above)
    expected = pytest.approx(float(likelihoods.mean()), rel=1e-4)
    assert float(statistics.evidence(above, blocks)) == expected


@given(st.integers(0, 40))
def test_evidence_is_a_martingale(blocks: int) -> None:
    """Between two blocks that lie above and below as often, a bet is worth what it was."""
    for above in range(blocks + 1):
        won = statistics.evidence(above + 1, blocks + 1)
        lost = statistics.evidence(above, blocks + 1)
        assert won + lost == 2 * statistics.evidence(above, blocks)


def needed(blocks: int) -> int:
    """Return how many of so many blocks must lie on one side of a limit to decide."""
    enough = (k for k in range(blocks + 1) if statistics.evidence(k, blocks) >= 1000)
    return next(enough, blocks + 1)


def test_bounds_are_the_blocks_that_the_evidence_leaves() -> None:
    assert [needed(blocks) for blocks in (12, 13, 14, 20)] == [13, 13, 14, 19]
    assert statistics.ratio_interval([1.0] * 12) is None
    assert statistics.ratio_interval([2.0, *range(3, 15)]) == Interval(2.0, 14)
    for blocks in (13, 30, 77):
        rank = blocks + 1 - needed(blocks)
        values = [float(number) for number in range(blocks, 0, -1)]
        assert statistics.ratio_interval(values) == Interval(rank, blocks + 1 - rank)


def test_looking_after_every_block_is_wrong_once_in_a_thousand_at_most() -> None:
    """At the limit itself, where it is hardest: 20,000 comparisons of up to 300 blocks."""
    rng = np.random.default_rng(3)
    limits = np.array([needed(blocks) for blocks in range(1, 301)])
    wrong = 0
    for _ in range(20):
        above = rng.integers(0, 2, (1000, 300)).cumsum(axis=1)
        wrong += int((above >= limits).any(axis=1).sum())
    assert 0 < wrong <= 20  # of them 20 are promised


def blocks_of(rng: np.random.Generator, ratio: float, count: int) -> list[float]:
    """Return ratios of blocks as a busy machine gives them.

    Runs are autocorrelated, a session is faster or slower for its life, and now and then something
    takes the processor for a while.
    """
    rows = []
    for _ in range(count):
        session = np.exp(rng.normal(0, 0.015, 2))
        weather = np.exp(0.05 * np.cumsum(rng.normal(0, 1, 20)) / 4)
        busy = np.where(rng.random((2, 20)) < 0.2, rng.exponential(4, (2, 20)), 0)
        runs = session[:, None] * weather * (1 + np.abs(rng.normal(0, 0.02, (2, 20))) + busy)
        rows.append(ratio * float(np.median(runs[0]) / np.median(runs[1])))
    return rows


def decided(ratios: list[float], limit: float) -> tuple[str | None, int]:
    """Return the verdict, and the blocks it took, of a comparison that looks after every block."""
    for count in range(1, len(ratios) + 1):
        verdict = statistics.verdict(statistics.ratio_interval(ratios[:count]), limit)
        if verdict != "undecided":
            return verdict, count
    return "undecided", len(ratios)


def test_equal_models_are_not_slower_and_slower_ones_are_seen() -> None:
    rng = np.random.default_rng(4)
    for ratio, expected in ((1.0, "kept"), (1.05, "exceeded")):
        ends = [decided(blocks_of(rng, ratio, 120), 1.025) for _ in range(100)]
        assert sum(verdict == expected for verdict, _ in ends) >= 98
        assert all(verdict in (expected, "undecided") for verdict, _ in ends)
        assert np.median([count for _, count in ends]) < 50


def test_what_lies_at_the_limit_cannot_be_decided() -> None:
    rng = np.random.default_rng(5)
    ends = [decided(blocks_of(rng, 1.025, 60), 1.025) for _ in range(100)]
    assert sum(verdict == "undecided" for verdict, _ in ends) >= 98


@pytest.mark.parametrize(
    ("low", "high", "limit", "expected"),
    [
        (1.0, 1.1, None, None),
        (1.0, 1.05, 1.05, "kept"),
        (1.05, 1.05, 1.05, "kept"),
        (1.0, 1.1, 1.05, "undecided"),
        (1.05, 1.1, 1.05, "undecided"),
        (1.06, 1.1, 1.05, "exceeded"),
    ],
)
def test_a_budget_is_exceeded_by_the_whole_interval(
    low: float, high: float, limit: float | None, expected: str | None
) -> None:
    assert statistics.verdict(Interval(low, high), limit) == expected


def test_without_bounds_nothing_is_decided() -> None:
    assert statistics.verdict(None, 1.05) == "undecided"
    assert statistics.verdict(None, None) is None
