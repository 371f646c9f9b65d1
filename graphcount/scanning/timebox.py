"""A limit on the time of a block of Python code."""

from __future__ import annotations

import ctypes
import multiprocessing
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import FrameType
from typing import NamedTuple, NoReturn

GRACE_S = 10.0
"""CPU seconds beyond the limit after which a process ends that does not react (code in C)."""


TICK_S = 0.05
"""Seconds between two looks at the limits of threads."""
IDLE_S = 5.0
"""Seconds without a limit after which nobody looks."""


class OutOfTime(BaseException):
    """The time is over. No `Exception`, so that code which survives errors does not survive it."""


@contextmanager
def timebox(seconds: float | None) -> Iterator[None]:
    """Raise `OutOfTime` in the block when it takes longer; None for no limit."""
    if not seconds:
        yield
    elif hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread():
        with _by_signal(seconds):
            yield
    else:
        with _by_thread(seconds):
            yield


@contextmanager
def _by_signal(seconds: float) -> Iterator[None]:
    """Limit wall-clock time by SIGALRM; SIGPROF ends a process that stays in C code."""
    before = signal.signal(signal.SIGALRM, _over)
    if multiprocessing.parent_process() is not None:  # a worker may end, a caller may not
        signal.setitimer(signal.ITIMER_PROF, seconds + GRACE_S)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGALRM, before)


def _over(number: int, frame: FrameType | None) -> NoReturn:
    raise OutOfTime


@contextmanager
def _by_thread(seconds: float) -> Iterator[None]:
    """Raise an exception from another thread (workers of Dask run tasks in threads)."""
    watch = _watch()
    over_at = time.monotonic() + seconds
    limit = watch.begin(threading.get_ident(), over_at)
    try:
        yield
    finally:
        watch.end(limit)
    if time.monotonic() >= over_at:  # it was done between two looks
        raise OutOfTime


class _Limit(NamedTuple):
    """A thread, and when its time is over by `time.monotonic`."""

    thread: int
    over_at: float


class _Watch:
    """One thread that looks at every limit of the process, as a process has one SIGALRM.

    A thread for each model took a quarter of a small model's time. This one ends when it has
    nothing to watch for a while.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._limits: dict[int, _Limit] = {}
        self._begun = 0
        self._thread: threading.Thread | None = None

    def begin(self, thread: int, over_at: float) -> int:
        """Return watch a thread until a time; returns the number of the limit."""
        with self._lock:
            self._begun += 1
            self._limits[self._begun] = _Limit(thread, over_at)
            if self._thread is None or not self._thread.is_alive():  # a fork has no threads
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()
            return self._begun

    def end(self, number: int) -> None:
        """Stop watching; nothing is raised after this."""
        with self._lock:
            self._limits.pop(number, None)

    def _run(self) -> None:
        last_seen = time.monotonic()
        while True:
            time.sleep(TICK_S)
            now = time.monotonic()
            with self._lock:
                for number, limit in list(self._limits.items()):
                    last_seen = now
                    if now >= limit.over_at:
                        del self._limits[number]
                        _raise_in(limit.thread)
                if now - last_seen > IDLE_S:
                    self._thread = None
                    return


@cache
def _watch() -> _Watch:
    """Return the watch of this process."""
    return _Watch()


def _raise_in(thread: int) -> None:
    kind = ctypes.py_object(OutOfTime)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), kind)
