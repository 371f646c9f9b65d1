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


def test_the_ratio_of_pairs_ignores_what_disturbs_both() -> None:
    rng = np.random.default_rng(2)
    weather = np.repeat([1.0, 3.0], 100)  # the second half of the pairs is three times as slow
    ours = 1.10 * weather * rng.normal(1, 0.01, 200)
    others = weather * rng.normal(1, 0.01, 200)
    interval = statistics.ratio_interval(list(ours), list(others), seed=0)
    assert interval.low <= 1.10 <= interval.high
    assert interval.high - interval.low < 0.05
    assert interval == statistics.ratio_interval(list(ours), list(others), seed=0)


@pytest.mark.parametrize(
    ("low", "high", "limit", "expected"),
    [
        (1.0, 1.1, None, None),
        (1.0, 1.05, 1.05, "kept"),
        (1.0, 1.1, 1.05, "undecided"),
        (1.05, 1.1, 1.05, "undecided"),
        (1.06, 1.1, 1.05, "exceeded"),
    ],
)
def test_a_budget_is_exceeded_by_the_whole_interval(
    low: float, high: float, limit: float | None, expected: str | None
) -> None:
    assert statistics.verdict(Interval(low, high), limit) == expected
