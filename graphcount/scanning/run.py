"""The two ways to run a scan: a stream of outcomes, and an inventory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

from graphcount.errors import NotReadableError
from graphcount.loading.source import public_path
from graphcount.scanning.row import error_row
from graphcount.scanning.targets import Target
from graphcount.scanning.work import (
    Analysis,
    Done,
    Examine,
    Outcome,
    ProcessLost,
    Task,
    do,
    look_at,
)

WINDOW = 64
"""Outcomes for each process that may wait for an earlier one, when they are wanted in order."""


class Numbered(NamedTuple):
    """An outcome with the place of its target."""

    ordinal: int
    outcome: Outcome


def stream(
    targets: Iterable[Target], examine: Examine, analysis: Analysis, jobs: int, cluster: str | None
) -> Iterator[Outcome]:
    """Yield outcomes in the order of targets, each as soon as all before it are there."""
    tasks = (Task(ordinal, *target) for ordinal, target in enumerate(targets))
    call = partial(_outcome, examine=examine, analysis=analysis)
    outcomes: Iterable[Numbered]
    if cluster is not None:
        from graphcount.scanning.cluster import run as run_cluster

        outcomes = run_cluster(call, tasks, cluster, _lost_outcome)
    elif jobs > 1:
        from graphcount.scanning.local import run as run_local

        outcomes = run_local(call, tasks, jobs, _lost_outcome, WINDOW * jobs, (examine.__module__,))
    else:
        outcomes = map(call, tasks)
    early: dict[int, Outcome] = {}
    wanted = 0
    for ordinal, outcome in outcomes:
        early[ordinal] = outcome
        while wanted in early:
            yield early.pop(wanted)
            wanted += 1


def work(
    tasks: Iterable[Task], examine: Examine, analysis: Analysis, jobs: int, cluster: str | None
) -> Iterator[Done]:
    """Yield tasks of an inventory, as they are done."""
    call = partial(do, examine=examine, analysis=analysis)
    if cluster is not None:
        from graphcount.scanning.cluster import run as run_cluster

        return run_cluster(call, tasks, cluster, _lost)
    from graphcount.scanning.local import run as run_local

    return run_local(call, tasks, jobs, _lost, preload=(examine.__module__,))


def _outcome(task: Task, examine: Examine, analysis: Analysis) -> Numbered:
    if task.problem:
        return Numbered(task.ordinal, NotReadableError(task.problem, public_path(task.path)))
    return Numbered(task.ordinal, look_at(task.path, examine, analysis))


def _lost_error(task: Task) -> ProcessLost:
    return ProcessLost("the process that read it ended, twice", public_path(task.path))


def _lost_outcome(task: Task) -> Numbered:
    return Numbered(task.ordinal, _lost_error(task))


def _lost(task: Task) -> Done:
    return Done(task.ordinal, error_row(_lost_error(task)), "")
