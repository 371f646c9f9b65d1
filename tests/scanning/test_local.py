"""Processes that die: nothing is lost, nothing comes twice, the one at fault is named."""

from __future__ import annotations

import importlib
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from graphcount.scanning.chunks import MOST
from graphcount.scanning.local import run

HELPER = """
import os, signal, time
from typing import NamedTuple

class Job(NamedTuple):
    ordinal: int
    fate: str
    folder: str

def call(job):
    mark = os.path.join(job.folder, str(job.ordinal))
    with open(mark, "a") as file:
        file.write("x")
    if job.fate == "dies" or job.fate == "dies once" and os.path.getsize(mark) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if job.fate == "sleeps":
        time.sleep(0.5)
    return job.ordinal, "done"

def lost(job):
    return job.ordinal, "lost"
"""


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module that the processes can import."""
    name = f"scan_helper_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(HELPER)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module(name)


def test_a_process_that_dies_takes_nothing_with_it(helper: Any, tmp_path: Path) -> None:
    fates = {7: "dies", 20: "dies once", 21: "dies once", 33: "dies"}
    jobs = [helper.Job(i, fates.get(i, ""), str(tmp_path)) for i in range(40)]
    found = Counter(run(helper.call, jobs, 2, helper.lost))
    assert found == Counter((i, "lost" if fates.get(i) == "dies" else "done") for i in range(40))
    assert (tmp_path / "7").read_text() in ("xx", "xxx")  # twice alone before it is given up


def test_tasks_are_taken_as_they_are_needed(helper: Any, tmp_path: Path) -> None:
    taken = 0

    def feed() -> Any:
        nonlocal taken
        for i in range(10**6):
            taken += 1
            yield helper.Job(i, "", str(tmp_path))

    results = run(helper.call, feed(), 2, helper.lost)
    for _ in range(20):
        next(results)
    results.close()  # type: ignore[attr-defined]
    assert taken <= 20 + (2 * 2 + 2) * MOST


def test_a_window_waits_for_the_slowest(helper: Any, tmp_path: Path) -> None:
    jobs = [helper.Job(i, "sleeps" if i == 0 else "", str(tmp_path)) for i in range(50)]
    order = [ordinal for ordinal, _ in run(helper.call, jobs, 2, helper.lost, window=5)]
    assert order.index(0) <= 5
    assert sorted(order) == list(range(50))


def test_processes_that_cannot_start_are_said(models: Any) -> None:
    program = (
        f"import graphcount\nprint(len(list(graphcount.scan([{str(models(3))!r}], jobs=2))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-"], input=program, capture_output=True, text=True, check=False
    )
    assert "UsageError: processes cannot start" in done.stderr


@pytest.mark.parametrize("fate", ["", "dies", "sleeps"])
def test_no_thread_is_left(helper: Any, tmp_path: Path, fate: str) -> None:
    """One that still ran at the end of Python would leave semaphores, which is said on stderr."""
    before = threading.active_count()
    jobs = [helper.Job(i, fate if i == 2 else "", str(tmp_path)) for i in range(5)]
    results = run(helper.call, jobs, 2, helper.lost)
    next(results)
    if fate == "sleeps":
        results.close()  # type: ignore[attr-defined]
    assert fate == "sleeps" or len(list(results)) == 4
    assert threading.active_count() == before


def test_no_tasks() -> None:
    assert list(run(print, [], 2, print)) == []
