"""The child process that owns onnxruntime: started with limits, ended in time, heard line by line.

What it does wrong (a crash, a hang, too much memory) becomes a `BenchError`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, cast

from graphcount.benchmarking.messages import Failed, Finished, Job, Measured, Message
from graphcount.errors import GraphcountError
from graphcount.units import nbytes

NOT_INHERITED = frozenset({"ORT_LOAD_CONFIG_FROM_MODEL"})
"""Variables that would let a model choose how it is run."""


KEPT_STDERR = 4096
"""Bytes of the child's last words that are kept."""

DEFAULT_SHARE = 0.8
"""Share of the memory available now that a child may hold by default."""


class BenchError(GraphcountError):
    """The model could not be run, or not as asked."""

    slug = "bench"


def run_child(job: Job, path: str, folder: str, progress: Callable[[str], None]) -> Measured:
    """Run one job in a child process and return its result.

    Args:
        job: See `graphcount.benchmarking.worker`; with `timeout` and `memory_limit_nbytes`.
        path: The model, as errors name it.
        folder: Working directory of the child; it writes there only.
        progress: Called with what the child is doing.

    Raises:
        BenchError: Anything that kept the child from a result.
    """
    child = subprocess.Popen(
        [sys.executable, "-P", "-m", "graphcount.benchmarking.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=_environment(),
        start_new_session=True,
    )
    expired = threading.Event()
    timer = threading.Timer(job.options.timeout, _expire, (child, expired))
    timer.daemon = True
    timer.start()
    try:
        result, words = _converse(child, job, progress)
    finally:
        timer.cancel()
        _end(child)
    if expired.is_set():
        why = f"not done after {job.options.timeout:g} s, so it was ended (--timeout)"
        raise BenchError(why, path)
    if result is None or child.returncode != 0:
        raise BenchError(_death(child.returncode, words, job.options.memory_limit_nbytes), path)
    if result["event"] == "result":
        return result["measured"]
    raise _refusal(result, path, job.options.memory_limit_nbytes)


def _converse(
    child: subprocess.Popen[bytes], job: Job, progress: Callable[[str], None]
) -> tuple[Failed | Finished | None, str]:
    """Hand over the job and listen to the end: the result, if there was one, and the last words."""
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    last = _Tail(child.stderr)
    result: Failed | Finished | None = None
    try:
        try:
            child.stdin.write(json.dumps(job).encode() + b"\n")
            child.stdin.flush()  # it stays open: when this process dies, the child hears it
        except OSError:
            pass  # it is gone already; its end says why
        for message in _messages(child.stdout):
            if message["event"] == "progress":
                progress(message["text"])
            else:
                result = message
        child.wait()
    finally:
        _end(child)
        last.join()
        child.stdout.close()
        _close(child.stdin)
    return result, last.text()


def available_memory() -> int | None:
    """Return bytes that a new process may use: free memory of the system or its control group."""
    sizes = [
        _first_number("/proc/meminfo", "MemAvailable:", 1024),
        _first_number("/sys/fs/cgroup/memory.max", "", 1),
    ]
    known = [size for size in sizes if size]
    if not known and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        known = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    return min(known, default=None)


def _first_number(path: str, label: str, unit: int) -> int | None:
    try:
        for line in Path(path).read_text("ascii", "replace").splitlines():
            if line.startswith(label):
                word = line.removeprefix(label).split()[0]
                return int(word) * unit if word.isdecimal() else None
    except (OSError, IndexError):
        pass
    return None


def _environment() -> dict[str, str]:
    """Return the caller's environment, with this package importable."""
    root = str(Path(__file__).resolve().parents[2])
    before = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([before, root] if before else [root])
    kept = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    return {**kept, "PYTHONPATH": path}


def _messages(stream: IO[bytes]) -> Iterator[Message]:
    for line in stream:
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if isinstance(message, dict) and message.get("event") in ("progress", "error", "result"):
            yield cast(Message, message)


def _expire(child: subprocess.Popen[bytes], expired: threading.Event) -> None:
    expired.set()
    _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child and everything it started."""
    if child.poll() is not None:
        return
    try:
        if hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        else:
            child.kill()
    except (ProcessLookupError, PermissionError):
        pass
    child.wait()


def _close(stream: IO[bytes]) -> None:
    try:
        stream.close()
    except OSError:
        pass  # what was not written was for a child that is gone


class _Tail:
    """Reads a stream to its end and keeps the last bytes."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._kept = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._stream as stream:
            while chunk := stream.read1(KEPT_STDERR):  # type: ignore[attr-defined]
                self._kept = (self._kept + chunk)[-KEPT_STDERR:]

    def join(self) -> None:
        """Wait until the stream ended."""
        self._thread.join(5)

    def text(self) -> str:
        """Return the last line."""
        lines = self._kept.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""


def _death(code: int, words: str, limit: int | None) -> str:
    """Return why a child left without a result."""
    allowed = f" (--memory-limit {nbytes(limit)})" if limit else ""
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        if name == "SIGKILL" or "bad_alloc" in words:
            return f"onnxruntime was ended by {name}: probably out of memory{allowed}"
        return f"onnxruntime crashed: {name}"
    if "MemoryError" in words or "bad_alloc" in words:
        return f"onnxruntime ran out of memory{allowed}"
    return f"onnxruntime ended with code {code}" + (f": {words}" if words else "")


def _refusal(failed: Failed, path: str, limit: int | None) -> Exception:
    """Return the error of what a child reported."""
    kind, message = failed["kind"], failed["message"]
    if kind == "bug":
        return RuntimeError(f"in the child process: {message}")
    if kind == "memory":
        allowed = f" (--memory-limit {nbytes(limit)})" if limit else ""
        return BenchError(f"onnxruntime ran out of memory{allowed}: {message}", path)
    return BenchError(message, None if kind == "setup" else path)
