"""Machines of a Dask cluster: the same work, run by workers that can reach the same paths.

Dask runs the tasks of a lost worker on another one, and gives a task up when it has lost several
(`distributed.scheduler.allowed-failures`). Nothing of that is done here.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from graphcount.errors import GraphcountError, NotReadableError, UsageError
from graphcount.scanning.chunks import Chunks, HasOrdinal, Worked, work
from graphcount.version import __version__

AHEAD = 4
"""Tasks given out for each thread of the workers."""
CONNECT_S = 10
"""Seconds to reach a scheduler."""
SURVEY = 200
"""Results between two looks at how many workers there are."""

T = TypeVar("T", bound=HasOrdinal)
R = TypeVar("R")


def run(
    call: Callable[[T], R], tasks: Iterable[T], address: str, lost: Callable[[T], R]
) -> Iterator[R]:
    """Run tasks on a cluster and yield results as they come.

    Args:
        call: What to do; can be pickled, and never raises.
        tasks: Taken as they are needed: a few for each worker are out at a time.
        address: `tcp://host:port` of a scheduler, or `local:N` for N processes here.
        lost: The result of a task that Dask gave up because it lost its workers.

    Raises:
        NotReadableError: Dask is not installed, the cluster is not reached or lost.
        UsageError: It has no workers, or another version of graphcount.
    """
    try:
        import distributed
    except ImportError:
        why = "a cluster needs Dask, which is not installed: pip install 'graphcount[cluster]'"
        raise NotReadableError(why) from None
    with _client(distributed, address) as client:
        _check(client)
        try:
            yield from _stream(distributed, client, call, tasks, lost)
        except _lost_errors() as error:
            raise _gone(address, error) from None


def _stream(
    distributed: Any,
    client: Any,
    call: Callable[[T], R],
    tasks: Iterable[T],
    lost: Callable[[T], R],
) -> Iterator[R]:
    chunks = Chunks(tasks)
    name = f"graphcount-{uuid.uuid4().hex[:12]}"
    out: dict[Any, tuple[T, ...]] = {}
    results = distributed.as_completed(loop=client.loop, raise_errors=False)

    def give(most: int) -> None:
        while len(out) < most and (chunk := chunks.next()):
            key = f"{name}-{chunk[0].ordinal}"
            future = client.submit(work, call, chunk, key=key, pure=False)
            out[future] = chunk
            results.add(future)

    threads = _threads(client)
    give(AHEAD * threads)
    for seen, future in enumerate(results, 1):
        chunk = out.pop(future)
        if future.status == "finished":
            worked: Worked[R] = future.result()
            chunks.learn(worked.seconds, len(chunk))
            yield from worked.results
        else:
            yield from _again(client, call, chunk, _failure(future), lost, name)
        future.release()
        del future
        if seen % SURVEY == 0:
            threads = _threads(client) or threads
        give(AHEAD * threads)


def _again(
    client: Any,
    call: Callable[[T], R],
    chunk: tuple[T, ...],
    failure: str,
    lost: Callable[[T], R],
    name: str,
) -> Iterator[R]:
    """Run a chunk that Dask gave up task by task, so that only the one at fault is lost."""
    for task in chunk:
        if len(chunk) > 1:
            future = client.submit(call, task, key=f"{name}-{task.ordinal}-alone", pure=False)
            try:
                yield future.result()
                continue
            except Exception:
                failure = _failure(future)
        if failure != "KilledWorker":
            raise NotReadableError(f"the cluster lost a task ({failure}); --resume goes on")
        yield lost(task)


def _failure(future: Any) -> str:
    """Return why there is no result."""
    error = future.exception() if future.status == "error" else None
    return type(error).__name__


@contextmanager
def _client(distributed: Any, address: str) -> Iterator[Any]:
    """Yield a client of an existing cluster, or of one that lives as long as it does."""
    kind, _, count = address.partition(":")
    if kind == "local" and count.isdecimal() and int(count) > 0:
        import dask

        with (
            dask.config.set({"distributed.worker.profile.enabled": False}),
            distributed.LocalCluster(
                n_workers=int(count),
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                dashboard_address=None,
                silence_logs="CRITICAL",
            ) as cluster,
            distributed.Client(cluster, set_as_default=False) as client,
        ):
            yield client
        return
    if "://" not in address:
        raise UsageError(f"--cluster {address!r}: write it as tcp://host:port or local:N")
    try:
        client = distributed.Client(address, set_as_default=False, timeout=CONNECT_S)
    except (OSError, ValueError, TimeoutError) as error:
        raise _gone(address, error) from None
    try:
        yield client
    finally:
        client.close()


def _check(client: Any) -> None:
    """Refuse a cluster whose answers would not be ours."""
    try:
        versions = client.run(_version)
    except ImportError:
        raise UsageError("the workers of the cluster do not have graphcount installed") from None
    if not versions:
        raise UsageError("the cluster has no workers")
    for worker, version in versions.items():
        if version != __version__:
            raise UsageError(f"worker {worker} has graphcount {version}, here it is {__version__}")


def _version() -> str:
    return __version__


def _threads(client: Any) -> int:
    return sum(client.nthreads().values())


def _lost_errors() -> tuple[type[BaseException], ...]:
    """Return what Dask raises when the scheduler is gone."""
    from distributed.client import FutureCancelledError
    from distributed.comm.core import CommClosedError

    return CommClosedError, FutureCancelledError


def _gone(address: str, error: BaseException) -> GraphcountError:
    return NotReadableError(f"the cluster {address} is not reached ({type(error).__name__})")
