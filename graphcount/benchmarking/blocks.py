"""Two models in blocks; a block makes both sessions anew and comes to one ratio. Runs in the child.

Runs in one process are not independent, and where a session's memory lies makes it faster or slower
for its whole life. So what is compared are blocks: in each a coin decides which session is made
first and which model begins, the two take turns, and the median of the one is divided by the median
of the other. Of a run counts what it took without the time in which its thread was ready and had no
processor, where the system tells it (Linux, /proc/thread-self/schedstat): what other programs took.
"""

from __future__ import annotations

import gc
import os
import random
import time
from collections.abc import Callable, Sequence

from graphcount.benchmarking.messages import Job, ModelTimes
from graphcount.benchmarking.session import MIN_RUNS, ModelRun, Tell, guarded, prepare, save
from graphcount.benchmarking.statistics import percentile, ratio_interval, verdict

BLOCK_RUNS, BLOCK_SECONDS = 1000, 0.15
"""Pairs of runs in a block, and how long they take: what is reached first, but ten pairs."""

SCHEDSTAT = "/proc/thread-self/schedstat"
"""Nanoseconds on a processor, nanoseconds ready without one, turns (proc_pid_schedstat(5))."""

Clock = Callable[[], int]


def compare(job: Job, tell: Tell) -> tuple[list[ModelTimes], list[float]]:
    """Return how both models ran in all blocks, and the ratio of each block.

    Blocks end when the budget is decided or the time for it is over; without one, when the runs or
    seconds that were asked for are done.
    """
    start = time.perf_counter()
    coin = random.Random()  # not seeded: two comparisons toss coins of their own
    waited = _waited()
    models: list[ModelTimes] = []
    ratios: list[float] = []
    runs: list[list[float]] = [[], []]
    longest = 0.0
    while not ratios or not _ended(job, ratios, len(runs[0]), time.perf_counter() - start, longest):
        began = time.perf_counter()
        tell(f"block {len(ratios) + 1}")
        order = coin.sample((0, 1), 2)
        made = {number: prepare(job.models[number], job) for number in order}
        if not ratios and job.save_inputs:
            save(made[0][2], job.save_inputs)
        models = models or [made[0][1], made[1][1]]
        calls = [made[number][0] for number in order]
        for call in calls:
            for _ in range(job.options.warmup):
                guarded(call)
        left = BLOCK_RUNS if job.options.runs is None else job.options.runs - len(runs[0])
        walls, nets = guarded(_in_turns, calls, min(left, BLOCK_RUNS), waited)
        del made, calls, call  # and with them the sessions
        for number in order:
            runs[number] += walls[order.index(number)]
        medians = [percentile(sorted(net), 50) for net in nets]
        ratios.append(medians[order.index(0)] / medians[order.index(1)])
        longest = max(longest, time.perf_counter() - began)
    for row, times in zip(models, runs, strict=True):
        row["times"] = times
    return models, ratios


def _ended(job: Job, ratios: list[float], runs: int, elapsed: float, longest: float) -> bool:
    options = job.options
    if options.within is not None:
        decided = verdict(ratio_interval(ratios), job.max_ratio) != "undecided"
        return decided or elapsed + longest > options.within
    return runs >= (options.runs or runs + 1) or elapsed >= (options.seconds or elapsed + 1)


def _in_turns(
    calls: Sequence[ModelRun], wanted: int, waited: Clock
) -> tuple[list[list[float]], list[list[float]]]:
    """Return seconds of the runs of each call, A B, B A, A B, and the same without waiting."""
    clock = time.perf_counter_ns
    walls: list[list[float]] = [[] for _ in calls]
    nets: list[list[float]] = [[] for _ in calls]
    order = list(enumerate(calls))
    end = clock() + int(BLOCK_SECONDS * 1e9)
    gc.disable()
    try:
        for done in range(wanted):
            if done >= MIN_RUNS and clock() > end:
                break
            for position, call in order:
                before = waited()
                start = clock()
                call()
                wall = clock() - start
                walls[position].append(wall / 1e9)
                nets[position].append((wall - (waited() - before)) / 1e9)
            order.reverse()
    finally:
        gc.enable()
    return walls, nets


def _waited() -> Clock:
    """Return what tells how long this thread was ready without a processor; 0 where nobody does."""
    try:
        file = os.open(SCHEDSTAT, os.O_RDONLY)
        int(os.pread(file, 64, 0).split()[1])
    except (OSError, AttributeError, IndexError, ValueError):
        return lambda: 0
    return lambda: int(os.pread(file, 64, 0).split()[1])
