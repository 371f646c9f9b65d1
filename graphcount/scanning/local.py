"""Processes of this machine: each looks at one model at a time, and may die doing so."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from graphcount.errors import UsageError
from graphcount.scanning.chunks import Chunks, HasOrdinal, Worked, work

AHEAD = 2
"""Chunks given out for each process: one it does, and one that waits."""


ALONE = 2
"""Times a task is run alone before it is given up."""
PRELOAD = (
    *("graphcount.scanning.work", "graphcount.graph", "graphcount.analysis.summary"),
    *("graphcount.analysis.forward", "graphcount.analysis.values"),
)
"""Modules that each process needs: imported once by the server that forks them."""


T = TypeVar("T", bound=HasOrdinal)
R = TypeVar("R")


def run(
    call: Callable[[T], R],
    tasks: Iterable[T],
    jobs: int,
    lost: Callable[[T], R],
    window: int | None = None,
    preload: Sequence[str] = (),
) -> Iterator[R]:
    """Run tasks in processes and yield results as they come.

    A process that dies takes the pool with it. The tasks that were out then are run again one by
    one, so that the one at fault is known: it becomes `lost(task)`. No other is lost or done twice.

    Args:
        call: What to do; can be pickled, and never raises.
        tasks: Taken as they are needed.
        jobs: Processes.
        lost: The result of a task whose process died twice when it was alone.
        window: No result is so many places ahead of one that is missing; None for no limit.
        preload: Modules that `call` needs beside `PRELOAD`.

    Raises:
        UsageError: Processes cannot start at all.
    """
    chunks = Chunks(tasks)
    out: dict[Future[Worked[R]], tuple[T, ...]] = {}
    suspects: list[T] = []
    broken = False
    pool = _pool(jobs, preload)
    try:
        if chunks.waiting:
            _check(pool)
        while chunks.waiting or out:
            try:
                while not broken and len(out) < AHEAD * jobs and _next(chunks.waiting, out, window):
                    with _interrupts_later():
                        out[pool.submit(work, call, chunks.waiting)] = chunks.waiting
                    chunks.next()
            except BrokenProcessPool:
                broken = True  # those that are out say so too
            until = ALL_COMPLETED if broken else FIRST_COMPLETED
            for future in wait(out, return_when=until).done:
                chunk = out.pop(future)
                try:
                    worked = future.result()
                except BrokenProcessPool:
                    broken = True
                    suspects += chunk
                    continue
                chunks.learn(worked.seconds, len(chunk))
                yield from worked.results
            if broken and not out:
                _end(pool)
                yield from _one_by_one(call, sorted(suspects, key=_ordinal), lost)
                pool, broken, suspects = _pool(jobs, preload), False, []
    finally:
        _end(pool)


def _check(pool: ProcessPoolExecutor) -> None:
    """Make sure that processes can start: what fails later is then the fault of a model."""
    try:
        with _interrupts_later():
            started = pool.submit(os.getpid)
        started.result()
    except BrokenProcessPool:
        why = "processes cannot start; a script needs `if __name__ == '__main__':` around its code"
        raise UsageError(why) from None


def _next(
    chunk: tuple[T, ...], out: dict[Future[Worked[R]], tuple[T, ...]], window: int | None
) -> bool:
    """Return whether a chunk is to be given out now."""
    if not chunk or window is None or not out:
        return bool(chunk)
    return chunk[-1].ordinal - min(tasks[0].ordinal for tasks in out.values()) < window


def _ordinal(task: HasOrdinal) -> int:
    return task.ordinal


def _one_by_one(call: Callable[[T], R], tasks: list[T], lost: Callable[[T], R]) -> Iterator[R]:
    pool = _pool(1)
    try:
        for task in tasks:
            result = None
            for _ in range(ALONE):
                try:
                    with _interrupts_later():
                        future = pool.submit(call, task)
                    result = future.result()
                    break
                except BrokenProcessPool:
                    _end(pool)
                    pool = _pool(1)
            yield lost(task) if result is None else result
    finally:
        _end(pool)


def _pool(jobs: int, preload: Sequence[str] = ()) -> ProcessPoolExecutor:
    """Return fresh processes, without threads or open files of this one."""
    has_server = "forkserver" in multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if has_server else "spawn")
    if has_server:
        context.set_forkserver_preload([*PRELOAD, *preload])
        _start_server()
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin)


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Delay Ctrl-C while a pool starts a process, which it must know to end it."""
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if came:
            signal.raise_signal(signal.SIGINT)


def _start_server() -> None:
    """Start what forks the processes. Ctrl-C is never for it, not even while it imports."""
    from multiprocessing import forkserver, resource_tracker

    resource_tracker.ensure_running()  # before the mask is set, for it sets one of its own
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # a child inherits it
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    """Leave Ctrl-C to the parent process, and end when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def watch() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()


PATIENCE_S = 5
"""Seconds for a process to end when it is asked to, and for the threads of a pool after that."""


def _end(pool: ProcessPoolExecutor) -> None:
    """Stop a pool without waiting for what it does.

    Its threads are waited for: one that still gives semaphores back while Python ends leaves them.
    """
    processes = list((getattr(pool, "_processes", None) or {}).values())
    for process in processes:
        if process.is_alive():
            process.terminate()
    for process in processes:
        process.join(PATIENCE_S)
    last = threading.Thread(target=pool.shutdown, kwargs={"cancel_futures": True}, daemon=True)
    last.start()
    last.join(PATIENCE_S)
