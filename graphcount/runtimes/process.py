"""Questions to the child process, which is started when it is needed and again when it ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import TracebackType

from graphcount.loading.limits import Limits
from graphcount.loading.source import is_nameless
from graphcount.report.loading import Answer, Ask
from graphcount.runtimes.tables import target

SECONDS = 120.0
"""A model that takes longer is not decided."""


class Runtimes:
    """Asks whether runtimes load models; a context manager that ends its child process.

    Args:
        limits: What a file may ask of us.
        seconds: How long a question may take.
    """

    def __init__(self, limits: Limits, seconds: float = SECONDS) -> None:
        self._limits = asdict(limits)
        self._seconds = seconds
        self._child: subprocess.Popen[str] | None = None

    def __enter__(self) -> Runtimes:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the child process."""
        if self._child is not None:
            self._end(self._child)

    def about(self, path: str) -> Ask:
        """Return what says of the model at a path whether a runtime loads it."""
        return partial(self.answer, path=path)

    def answer(self, name: str, path: str) -> Answer:
        """Return whether a runtime (`onnxruntime:1.32/cpu`) loads the model at a path.

        Raises:
            UsageError: There is no such runtime.
        """
        asked = target(name)
        if is_nameless(path):
            why = "standard input and memory cannot be read by another process; name a file"
            return Answer("not known", asked.text, "file", "", why)
        if os.path.isdir(path):
            why = "a deployment is several models; check each"
            return Answer("not known", asked.text, "file", "", why)
        child = self._child = self._child or self._started()
        question = {"path": path, "runtime": list(asked), "limits": self._limits}
        late = threading.Event()
        timer = threading.Timer(self._seconds, _expire, (child, late))
        timer.start()
        try:
            line = _converse(child, json.dumps(question))
        finally:
            timer.cancel()
        if line.endswith("\n"):
            return Answer(*json.loads(line))
        self._end(child)
        why = f"inference of its shapes ended with code {child.returncode}"
        if late.is_set():
            why = f"not decided within {self._seconds:g} s"
        return Answer("not known", asked.text, "limit", "", why)

    def _started(self) -> subprocess.Popen[str]:
        root = str(Path(__file__).resolve().parents[2])
        before = os.environ.get("PYTHONPATH")
        path = os.pathsep.join([before, root] if before else [root])
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "graphcount.runtimes.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
            text=True,
        )

    def _end(self, child: subprocess.Popen[str]) -> None:
        self._child = None
        child.kill()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    pass  # what was not written was for a child that is gone
        child.wait()


def _converse(child: subprocess.Popen[str], question: str) -> str:
    """Return the line that answers a question; without its end where the child died."""
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(f"{question}\n")
        child.stdin.flush()
        return child.stdout.readline()
    except OSError:
        return ""


def _expire(child: subprocess.Popen[str], late: threading.Event) -> None:
    late.set()
    child.kill()
