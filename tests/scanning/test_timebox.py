"""Limits of time: by a signal in the main thread, by one watching thread in all others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from graphcount.scanning import timebox as module
from graphcount.scanning.timebox import OutOfTime, timebox


def compute(seconds: float) -> None:
    """A loop of its own: Python 3.13.0 has no handler for the jump back of one inside `try`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def busy(seconds: float, limit: float | None) -> str:
    """Compute for a while under a limit."""
    try:
        with timebox(limit):
            compute(seconds)
    except OutOfTime:
        return "over"
    return "done"


def in_thread(call: Callable[[], str]) -> str:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


@pytest.mark.parametrize("run", [in_thread, lambda call: call()], ids=["thread", "main"])
@pytest.mark.parametrize(
    ("limit", "expected"), [(0.2, "over"), (60.0, "done"), (None, "done"), (0, "done")]
)
def test_what_takes_longer_is_ended(
    run: Callable[[Callable[[], str]], str], limit: float | None, expected: str
) -> None:
    assert run(lambda: busy(5.0 if expected == "over" else 0.1, limit)) == expected


def test_what_was_done_between_two_looks_is_over_too() -> None:
    assert in_thread(lambda: busy(0.002, 0.001)) == "over"


def test_each_thread_has_its_own_limit() -> None:
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(busy, (10.0, 0.5, 10.0), (0.2, 60.0, 0.3)))
    assert found == ["over", "done", "over"]


def test_nothing_is_raised_after_the_block() -> None:
    def call() -> str:
        with timebox(0.2):
            pass
        return busy(0.5, None)

    assert in_thread(call) == "done"


def test_one_thread_watches_and_ends_when_nobody_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.2)
    watch = module._Watch()
    seen = set()
    for _ in range(50):
        number = watch.begin(threading.get_ident(), time.monotonic() + 60)
        seen.add(watch._thread)
        watch.end(number)
    (thread,) = seen
    assert thread is not None
    thread.join(10)
    assert not thread.is_alive()
    watch.end(watch.begin(threading.get_ident(), time.monotonic() + 60))
    assert watch._thread is not None
    assert watch._thread.is_alive()  # it begins again
