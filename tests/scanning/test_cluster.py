"""The same scan on a Dask cluster of processes, also when a worker is killed."""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import graphcount
from graphcount.cli.main import main
from graphcount.errors import GraphcountError
from graphcount.scanning.cluster import run

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # of Dask, about its own threads and files
    pytest.mark.skipif(
        importlib.util.find_spec("distributed") is None,
        reason="Dask is not installed: pip install 'graphcount[cluster]'",
    ),
]

HELPER = """
import os, time
from typing import NamedTuple

class Job(NamedTuple):
    ordinal: int
    folder: str

def call(job):
    with open(os.path.join(job.folder, f"pid{os.getpid()}"), "w"):
        time.sleep(0.02)
    return job.ordinal, "done"

def lost(job):
    return job.ordinal, "lost"
"""


@pytest.fixture(scope="module")
def helper_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a module that workers can import."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "cluster_helper.py").write_text(HELPER)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
        yield folder


@pytest.fixture(scope="module")
def address(helper_folder: Path) -> Iterator[str]:
    """A cluster of two processes, each with a nanny that starts it anew."""
    distributed: Any = importlib.import_module("distributed")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield cluster.scheduler_address


def test_a_killed_worker_loses_and_doubles_nothing(address: str, helper_folder: Path) -> None:
    helper: Any = importlib.import_module("cluster_helper")
    jobs = (helper.Job(i, str(helper_folder)) for i in range(120))
    found = []
    for number, result in enumerate(run(helper.call, jobs, address, helper.lost)):
        found.append(result)
        if number == 20:
            pids = [int(path.name[3:]) for path in helper_folder.glob("pid*")]
            os.kill(max(pids), signal.SIGKILL)
    assert Counter(found) == Counter((i, "done") for i in range(120))


def test_few_tasks_are_out_at_a_time(address: str, helper_folder: Path) -> None:
    helper: Any = importlib.import_module("cluster_helper")
    taken = 0

    def feed() -> Iterator[Any]:
        nonlocal taken
        for i in range(10**6):
            taken += 1
            yield helper.Job(i, str(helper_folder))

    results = run(helper.call, feed(), address, helper.lost)
    for _ in range(10):
        next(results)
    results.close()  # type: ignore[attr-defined]
    assert taken <= 10 + (2 * 4 + 2) * 10  # 20 ms each: ten fit a chunk


def test_the_same_inventory_as_without(
    address: str, models: Callable[[int], Path], tmp_path: Path, capsys: Any
) -> None:
    folder = models(12)
    (folder / "part2" / "broken.onnx").write_bytes(b"")
    options = ["scan", str(folder), "--format", "jsonl", "--timeout", "100"]
    assert main([*options, "--cluster", address]) == 2
    far = capsys.readouterr().out
    assert main([*options, "--jobs", "1"]) == 2
    assert capsys.readouterr().out == far
    assert far.count("\n") == 13


def test_a_model_that_takes_too_long_is_a_row_there_too(
    address: str, fixtures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from graphcount.scanning.work import Analysis

    analysis = Analysis(timeout_s=1e-4)
    path = str(fixtures / "transformer_block.onnx")
    (outcome,) = graphcount.scan([path], cluster=address, analysis=analysis)
    assert isinstance(outcome, GraphcountError)
    assert outcome.slug == "resources"


def test_what_is_no_cluster_has_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphcount.scanning.cluster.CONNECT_S", 1)
    for wrong, words in (("nowhere", "write it as"), ("local:0", "write it as")):
        with pytest.raises(GraphcountError, match=words):
            list(graphcount.scan(["m.onnx"], cluster=wrong))
    with pytest.raises(GraphcountError, match="is not reached"):
        list(graphcount.scan(["m.onnx"], cluster="tcp://127.0.0.1:9"))
