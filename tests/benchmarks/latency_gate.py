"""Does `graphcount bench --vs` cry wolf, and does it see a model that became 5 % slower?

    python tests/benchmarks/latency_gate.py run trials.jsonl [--trials 500] [--disturb]
    python tests/benchmarks/latency_gate.py table trials.jsonl [more.jsonl ...]

`run` compares models with themselves, and with the same model made 5 % slower: by one layer more
than twenty equal ones, or by a busy wait of 5 % of each run in the child. One line of JSON a trial
is appended, so that a run that is cut counts and another continues it. `--disturb` burns a core on
and off beside it. `table` makes the tables of `docs/bench.md`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
LAYERS = 20
SLOWER = 0.05
WITHIN = 60.0
SHORT = 1e-4


class Trial(NamedTuple):
    """One kind of comparison.

    Attributes:
        name: The model.
        plant: Why the new one is slower: `none`, `layer` or `wait`.
        threads: Within an operator; None for onnxruntime's default.
        dims: Sizes of dynamic dimensions.
    """

    name: str
    plant: str = "none"
    threads: int | None = 1
    dims: dict[str, int] = {}  # noqa: RUF012 (never changed)


TEXT = {"batch": 1, "sequence": 128}
MODELS = (
    *(Trial("tiny"), Trial("MLP"), Trial("CNN"), Trial("fixture transformer", dims=TEXT)),
    *(Trial("transformer"), Trial("fixture CNN", dims={"batch": 1}), Trial("CNN", threads=None)),
    *(Trial("tiny"), Trial("MLP"), Trial("CNN"), Trial("large CNN")),
)
PLANTED = (
    *(Trial("MLP", "layer"), Trial("CNN", "layer"), Trial("transformer", "layer")),
    *(Trial("tiny", "wait"), Trial("fixture transformer", "wait", dims=TEXT)),
    *(
        Trial("MLP", "wait"),
        Trial("CNN", "layer", None),
        Trial("fixture CNN", "wait", dims={"batch": 1}),
    ),
    *(Trial("CNN", "layer"), Trial("large CNN", "layer")),
)


# ---------------------------------------------------------------------------------- the models


class Builder:
    """A chain of equal layers over one value."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; return its result."""
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def weight(self, *shape: int) -> str:
        """Add a tensor that keeps values about as large as they are."""
        name = f"w{len(self.weights)}"
        scale = np.float32(float(np.prod(shape[1:] or (1,))) ** -0.5)
        numbers = self.rng.standard_normal(shape, dtype=np.float32) * scale
        self.weights.append(numpy_helper.from_array(numbers, name))
        return name

    def dense(self, x: str, width: int) -> str:
        """A matrix product and a Relu."""
        return self.op("Relu", self.op("MatMul", x, self.weight(width, width)))

    def conv(self, x: str, channels: int) -> str:
        """A convolution of 3 x 3 and a Relu."""
        weight = self.weight(channels, channels, 3, 3)
        return self.op("Relu", self.op("Conv", x, weight, kernel_shape=[3, 3], pads=[1] * 4))

    def block(self, x: str, width: int) -> str:
        """Attention with one head, and two dense layers, with residuals (Vaswani et al., 2017)."""
        query, key, value = (self.op("MatMul", x, self.weight(width, width)) for _ in range(3))
        scores = self.op("MatMul", query, self.op("Transpose", key, perm=[0, 2, 1]))
        mixed = self.op("MatMul", self.op("Softmax", scores), value)
        y = self.op("LayerNormalization", self.op("Add", x, mixed), self.weight(width))
        return self.op(
            "LayerNormalization", self.op("Add", y, self.dense(y, width)), self.weight(width)
        )


CHAINS: dict[str, tuple[tuple[int, ...], Callable[[Builder, str], str]]] = {
    "tiny": ((1, 64), lambda net, x: net.dense(x, 64)),
    "MLP": ((32, 256), lambda net, x: net.dense(x, 256)),
    "CNN": ((1, 32, 28, 28), lambda net, x: net.conv(x, 32)),
    "large CNN": ((1, 64, 40, 40), lambda net, x: net.conv(x, 64)),
    "transformer": ((1, 64, 192), lambda net, x: net.block(x, 192)),
}
"""Shape of the input and output, and what a layer adds."""


def chain(path: Path, name: str, layers: int) -> None:
    """Write a model of so many equal layers."""
    shape, layer = CHAINS[name]
    net, x = Builder(), "x"
    for _ in range(layers):
        x = layer(net, x)
    value = helper.make_tensor_value_info
    ends = value("x", TensorProto.FLOAT, shape), value(x, TensorProto.FLOAT, shape)
    graph = helper.make_graph(net.nodes, name, [ends[0]], [ends[1]], net.weights)
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)


def files(folder: Path, trial: Trial) -> tuple[Path, Path]:
    """Return the new and the old model of a trial."""
    if trial.name.startswith("fixture"):
        name = "cnn" if trial.name.endswith("CNN") else "transformer_block"
        return (FIXTURES / f"{name}.onnx",) * 2
    old, slower = (folder / f"{trial.name}{more}.onnx" for more in (0, 1))
    for more, path in enumerate((old, slower)):
        if not path.exists():
            chain(path, trial.name, LAYERS + more)
    return (slower if trial.plant == "layer" else old), old


# ------------------------------------------------------------------------------- comparisons


def waiting_child(job: Any, *others: Any) -> Any:
    """Run a job in a child like graphcount's, whose first model waits 5 % of each run."""
    done = subprocess.run(
        [sys.executable, __file__, "child"],
        input=json.dumps(job),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        start_new_session=True,
    )
    return json.loads(done.stdout)


def child() -> None:
    """Answer one job, as `graphcount.benchmarking.worker` does, and wait in runs of its first."""
    from graphcount.benchmarking import blocks, worker
    from graphcount.benchmarking.messages import read_job
    from graphcount.benchmarking.session import prepare

    def slower(model: Any, job: Any) -> Any:
        call, *rest = prepare(model, job)
        if model is not job.models[0]:
            return call, *rest
        start = time.perf_counter()
        for _ in range(10):
            call()
        short = time.perf_counter() - start < 10 * SHORT
        # processor time leaves out what other programs take, but asking for it takes a microsecond
        clock = time.perf_counter_ns if short else time.thread_time_ns

        def wait() -> None:
            start = clock()
            call()
            end = start + (clock() - start) * (1 + SLOWER)
            while clock() < end:
                pass

        return wait, *rest

    with mock.patch.object(blocks, "prepare", slower):
        print(json.dumps(worker.measure(read_job(sys.stdin.read()), lambda text: None)))


def compare(folder: Path, trial: Trial) -> dict[str, Any]:
    """Return what a comparison comes to, as a line of the record."""
    import graphcount
    from graphcount.benchmarking import measure
    from graphcount.benchmarking.process import run_child

    new, old = files(folder, trial)
    options = measure.BenchOptions(threads=trial.threads, profile=False, within=WITHIN)
    child = waiting_child if trial.plant == "wait" else run_child
    start = time.perf_counter()
    with mock.patch.object(measure, "run_child", child):
        benched = graphcount.benches(str(new), options, versus=str(old), dims=trial.dims)
    (result,) = benched.results
    versus = result.versus
    assert versus is not None
    return {
        **trial._asdict(),
        "exit_code": benched.exit_code,
        "ratio": versus.ratio,
        "interval": versus.interval,
        "blocks": versus.blocks,
        "fastest_s": versus.latency.min,
        "seconds": time.perf_counter() - start,
        "load": os.getloadavg()[0],
        "at": time.time(),
        "cpu": result.environment.cpu,
        "cores": result.environment.cores,
        "onnxruntime": result.environment.onnxruntime,
        "system": result.environment.system,
    }


def burn(seed: int) -> None:
    """Burn a core on and off, for two seconds each on average."""
    rng = random.Random(seed)
    while True:
        end = time.time() + rng.expovariate(0.5)
        while time.time() < end:
            pass
        time.sleep(rng.expovariate(0.5))


def plan(trials: int, planted: int) -> Iterator[Trial]:
    """Yield all trials, those with a plant spread evenly among the others."""
    done = 0
    for number in range(max(trials, planted)):
        if number < trials:
            yield MODELS[number % len(MODELS)]
        while done < planted and done * max(trials, 1) <= number * planted:
            yield PLANTED[done % len(PLANTED)]
            done += 1


def run(record: Path, trials: int, planted: int, disturb: bool) -> None:
    """Make the trials that the record does not have yet."""
    done = sum(row["disturbed"] == disturb for row in read(record)) if record.exists() else 0
    burner = subprocess.Popen([sys.executable, __file__, "burn"]) if disturb else None
    try:
        with tempfile.TemporaryDirectory() as folder, record.open("a", encoding="utf-8") as file:
            for number, trial in enumerate(plan(trials, planted)):
                if number >= done:
                    row = {**compare(Path(folder), trial), "disturbed": disturb}
                    file.write(json.dumps(row) + "\n")
                    file.flush()
    finally:
        if burner:
            burner.kill()


# ---------------------------------------------------------------------------------- the tables


def read(record: Path) -> list[dict[str, Any]]:
    """Return the trials of a record."""
    return [json.loads(line) for line in record.read_text("utf-8").splitlines()]


KINDS: tuple[tuple[str, Callable[[dict[str, Any]], bool], int], ...] = (
    ("beside itself", lambda row: row["plant"] == "none" and not row["disturbed"], 0),
    ("5 % slower", lambda row: row["plant"] != "none" and not row["disturbed"], 1),
    ("beside itself, core burnt", lambda row: row["plant"] == "none" and row["disturbed"], 0),
    ("5 % slower, core burnt", lambda row: row["plant"] != "none" and row["disturbed"], 1),
)
BANDS = (0.0, 13.0, 16.0, math.inf)
"""Loads between which trials are summed up."""

PLANTS = {"none": "itself", "layer": "one layer more", "wait": "5 % of waiting"}


def middle(numbers: Sequence[float]) -> str:
    """Return the median and the largest."""
    return f"{statistics.median(numbers):.1f} ({max(numbers):.1f})"


def table(rows: list[dict[str, Any]]) -> str:
    """Return the record, in Markdown: sums, then every kind of trial."""
    first = rows[0]
    loads = sorted(row["load"] for row in rows)
    cut = [loads[len(loads) * share // 100] for share in (5, 50, 95)]
    lines = [
        f"onnxruntime {first['onnxruntime']}, {first['cpu']}, {first['cores']} cores, shared with"
        f" other work: load {cut[0]:.0f} to {cut[2]:.0f} (5 % to 95 % of trials), median"
        f" {cut[1]:.0f}. Limit 1.025, within {WITHIN:g} s.",
        "",
        "| | trials | right | wrong | cannot say | seconds, median (most) |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, belongs, right in KINDS:
        own = [row for row in rows if belongs(row)]
        if own:
            lines.append(f"| {name} | {counted(own, right)} |")
        for low, high in pairwise(BANDS):
            part = [row for row in own if low <= row["load"] < high]
            if part and not own[0]["disturbed"]:
                band = f"{low:g} to {high:g}" if high < math.inf else f"beyond {low:g}"
                lines.append(f"| … at a load of {band} | {counted(part, right)} |")
    lines += [
        "",
        "| model | beside | threads | trials | right | wrong | cannot say | seconds, median (most)"
        " | ratio, least to most |",
        "|---|---|---|---:|---:|---:|---:|---:|---|",
    ]
    kinds = {(row["name"], row["plant"], row["threads"]): row for row in rows}
    for name, plant, threads in sorted(kinds, key=lambda kind: (kind[1] != "none", str(kind))):
        own = [r for r in rows if (r["name"], r["plant"], r["threads"]) == (name, plant, threads)]
        ratios = [row["ratio"] for row in own]
        lines.append(
            f"| {name} | {PLANTS[plant]} | {threads or 'default'} | {counted(own, plant != 'none')}"
            f" | {min(ratios):.3f} to {max(ratios):.3f} |"
        )
    return "\n".join(lines) + "\n"


def counted(rows: list[dict[str, Any]], right: int) -> str:
    """Return trials, right ones, wrong ones, undecided ones, and how long they took."""
    codes = [row["exit_code"] for row in rows]
    parts = [len(codes), codes.count(right), codes.count(1 - right), codes.count(2)]
    return " | ".join([*map(str, parts), middle([row["seconds"] for row in rows])])


def main() -> None:
    """Do what the first word says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("run", "table", "child", "burn"))
    parser.add_argument("records", type=Path, nargs="*")
    parser.add_argument("--trials", type=int, default=500, help="of models beside themselves")
    parser.add_argument("--planted", type=int, default=60, help="of models that became slower")
    parser.add_argument("--disturb", action="store_true")
    options = parser.parse_args()
    if options.what == "child":
        child()
    elif options.what == "burn":
        burn(0)
    elif options.what == "run":
        run(options.records[0], options.trials, options.planted, options.disturb)
    else:
        print(table([row for record in options.records for row in read(record)]))


if __name__ == "__main__":
    main()
