"""Tasks in chunks: handing one out costs about a millisecond, and many models take no longer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Generic, NamedTuple, Protocol, TypeVar

GOAL_S = 0.2
"""Seconds a chunk should take."""
MOST = 64
"""Tasks in a chunk."""


class HasOrdinal(Protocol):
    """A task with its place in the order."""

    @property
    def ordinal(self) -> int:
        """The place of the target."""
        ...


T = TypeVar("T", bound=HasOrdinal)
R = TypeVar("R")


class Chunks(Generic[T]):
    """Takes tasks as they are needed, more at a time when they are quick."""

    def __init__(self, tasks: Iterable[T]) -> None:
        self._tasks = iter(tasks)
        self._size = 1
        self.waiting = self._take()

    def _take(self) -> tuple[T, ...]:
        return tuple(islice(self._tasks, self._size))

    def next(self) -> tuple[T, ...]:
        """Return the waiting chunk, and let the one behind it wait; empty at the end."""
        chunk = self.waiting
        self.waiting = self._take()
        return chunk

    def learn(self, seconds: float, count: int) -> None:
        """Fit the size to what a chunk of `count` tasks took; at most twice as large as before."""
        fits = int(GOAL_S * count / max(seconds, 1e-6))
        self._size = max(1, min(fits, 2 * self._size, MOST))


class Worked(NamedTuple, Generic[R]):
    """Results of a chunk, and the seconds it took."""

    seconds: float
    results: list[R]


def work(call: Callable[[T], R], chunk: tuple[T, ...]) -> Worked[R]:
    """Do a chunk, in the process that does it."""
    began = time.perf_counter()
    results = [call(task) for task in chunk]
    return Worked(time.perf_counter() - began, results)
