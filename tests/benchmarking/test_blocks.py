"""Comparisons that are decided: exit codes of the command, and blocks that nothing biases."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import parser

from graphcount.benchmarking.messages import Job
from tests.benchmarking.jobs import JOB

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra bench)")

from graphcount.benchmarking import blocks

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `one.onnx` and `two.onnx`, which has twice the nodes."""
    folder = tmp_path_factory.mktemp("models")
    for name, count in (("one", 10), ("two", 20)):
        chain = " ".join(f"v{n + 1} = Sin (v{n})" for n in range(count))
        text = f"g (float[20000] v0) => (float[20000] v{count}) {{ {chain} }}"
        model = parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]>{text}')
        onnx.save(model, folder / f"{name}.onnx")
    return folder


@pytest.fixture
def command(folder: Path) -> Command:
    def run(*words: object) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "graphcount", *map(str, words)]
        return subprocess.run(line, capture_output=True, text=True, cwd=folder)

    return run


QUICK = ("--no-profile", "--threads", "1")


def test_slower_fails(command: Command) -> None:
    done = command("bench", "two.onnx", "--vs", "one.onnx", *QUICK, "--max-ratio", "1.3")
    assert done.returncode == 1, done
    assert "at most 1.3 allowed: SLOWER" in done.stdout


def test_not_slower_passes_and_its_file_keeps_the_same_limit(command: Command) -> None:
    words = ("one.onnx", "--vs", "two.onnx", *QUICK, "--format", "json", "-o", "bench.json")
    done = command("bench", *words, "--within", "60")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    file = ("check", "one.onnx", "--bench", "bench.json", "--max")
    done = command(*file, "latency_ratio=1.025")
    assert (done.returncode, done.stderr) == (0, "")
    done = command(*file, "latency_ratio=0.01")
    assert done.returncode == 1
    assert "BUD001" in done.stdout
    done = command("check", "two.onnx", "--bench", "bench.json", "--max", "latency_ratio=9")
    assert done.returncode == 1  # of that model the file says nothing
    assert "latency_ratio is not known: no comparison" in " ".join(done.stdout.split())


def test_what_cannot_be_decided_is_no_pass(command: Command, folder: Path) -> None:
    words = ("bench", "two.onnx", "--vs", "one.onnx", *QUICK, "--within", "0.01")
    done = command(*words, "--format", "json", "-o", "short.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "graphcount: two.onnx: cannot say within 0.01 s (1 block(s), 13 at least are needed):"
        " give it more time (--within)\n"
    )
    result = json.loads((folder / "short.json").read_text("utf-8"))
    assert (result["versus"]["verdict"], result["versus"]["max_ratio"]) == ("undecided", 1.025)
    done = command("check", "two.onnx", "--bench", "short.json", "--max", "latency_ratio=9")
    assert done.returncode == 1
    assert "BUD002" in done.stdout


# --------------------------------------------------------------------------------- in a process


class Weather:
    """A machine that one can look into: what is made and run, and a clock of waiting."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.ready = 0

    def prepare(self, model: Any, job: Job) -> tuple[Any, Any, Any]:
        """Make a session of `a` or `b`."""
        name = model["path"]
        self.events.append(f"make {name}")
        row = {"session_create_s": 0, "first_run_s": 0, "io_binding": False, "providers": []}
        return lambda: self.events.append(name), row, {}

    def waited(self) -> int:
        """Return nanoseconds without a processor: a millisecond in every run."""
        self.ready += 500_000
        return self.ready


@pytest.fixture
def weather(monkeypatch: pytest.MonkeyPatch) -> Weather:
    weather = Weather()
    monkeypatch.setattr(blocks, "prepare", weather.prepare)
    return weather


def job(**changes: Any) -> Job:
    models = [{"path": name, "inputs": ()} for name in "ab"]
    return JOB._replace(models=models, options=JOB.options._replace(**changes))  # type: ignore[arg-type]


def test_a_block_makes_both_sessions_anew_and_takes_turns(weather: Weather) -> None:
    limited = job(runs=4, warmup=0)
    for _ in range(20):
        weather.events.clear()
        models, ratios = blocks.compare(limited, lambda text: None)
        made = [event[-1] for event in weather.events if event.startswith("make")]
        first, second = made
        ran = [event for event in weather.events if not event.startswith("make")]
        assert ran == [first, second, second, first, first, second, second, first]
        assert len(ratios) == 1
        assert [len(row["times"]) for row in models] == [4, 4]


def test_a_coin_says_which_is_first(weather: Weather) -> None:
    _, ratios = blocks.compare(job(runs=64_000, warmup=0), lambda text: None)
    made = [event[-1] for event in weather.events if event.startswith("make")]
    assert len(ratios) >= 64  # of a thousand runs at most
    assert len(made) == 2 * len(ratios)
    firsts = made[::2]
    assert 0 < firsts.count("a") < len(firsts)  # always the same: once in 2^63 times


def test_waiting_for_a_processor_does_not_count() -> None:
    ready = iter(range(0, 10**12, 10**9))  # a second passes for others in every run
    calls = [lambda: None, lambda: None]
    walls, nets = blocks._in_turns(calls, 3, lambda: next(ready))
    for wall, net in zip(walls, nets, strict=True):
        rest = [long - short for long, short in zip(wall, net, strict=True)]
        assert rest == [pytest.approx(1)] * 3


def test_the_clock_of_waiting_runs_or_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    assert blocks._waited()() >= 0
    monkeypatch.setattr(blocks, "SCHEDSTAT", "/nowhere/schedstat")
    assert blocks._waited()() == 0
