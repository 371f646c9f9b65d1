"""A limit on the time of a block of Python code."""

from __future__ import annotations

import ctypes
import multiprocessing
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

GRACE_S = 10.0
"""CPU seconds beyond the limit after which a process ends that does not react (code in C)."""


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
    """Wall clock by SIGALRM; a process busy in C for longer is ended by SIGPROF."""
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
    """An exception set in this thread by another (workers of Dask run tasks in threads)."""
    ident = threading.get_ident()
    lock = threading.Lock()
    over = False

    def fire() -> None:
        with lock:
            if not over:
                kind = ctypes.py_object(OutOfTime)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), kind)

    timer = threading.Timer(seconds, fire)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            over = True
        timer.cancel()
