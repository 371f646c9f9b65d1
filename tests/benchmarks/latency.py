"""Does `graphcount bench` measure what a bare loop over onnxruntime measures?

    python tests/benchmarks/latency.py [--pairs 9] [--seconds 1.5] [--out latency.md]

For five models from tiny to ResNet-50, pairs of fresh processes take turns: one runs the loop below
(`BARE`, no code of ours), one runs `graphcount bench --no-profile`; the same inputs, one thread,
the same number of runs. Which one begins alternates. A row gives the median of the ratios of the
two p50, with their range, and what the operators of a profiled run sum to.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
WARMUP = 5
MAX_RUNS = 20_000

BARE = """
import json, sys, time
import numpy as np
import onnxruntime as ort
path, inputs, runs, warmup = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
options = ort.SessionOptions()
options.intra_op_num_threads = 1
session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
feeds = dict(np.load(inputs))
for _ in range(warmup + 1):
    session.run(None, feeds)
times = []
for _ in range(runs):
    start = time.perf_counter()
    session.run(None, feeds)
    times.append(time.perf_counter() - start)
found = {"p50": float(np.median(times)), "mean": float(np.mean(times)), "min": min(times)}
print(json.dumps(found))
"""


class Row(NamedTuple):
    """What one model gave: medians over the pairs, and the ratios of all."""

    name: str
    runs: int
    bare: float
    ours: float
    ratios: list[float]
    means: list[float]
    fastest: list[float]
    operators: float
    elapsed: float
    attributed: str


# ---------------------------------------------------------------------------------- the models


class Builder:
    """Nodes and weights of a convolutional network, batch normalisation folded in."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.names = (f"v{number}" for number in count())

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; return its result."""
        output = next(self.names)
        self.nodes.append(helper.make_node(kind, inputs, [output], output, **attributes))
        return output

    def weight(self, *shape: int) -> str:
        """Add a tensor of He-initialised numbers."""
        name = next(self.names)
        scale = (2 / max(1, int(np.prod(shape[1:])))) ** 0.5
        numbers = self.rng.standard_normal(shape, dtype=np.float32) * np.float32(scale)
        self.weights.append(numpy_helper.from_array(numbers, name))
        return name

    def conv(self, x: str, ins: int, outs: int, size: int, stride: int = 1) -> str:
        """A convolution with bias that keeps the image, but for its stride."""
        weights = self.weight(outs, ins, size, size), self.weight(outs)
        return self.op(
            "Conv", x, *weights, kernel_shape=[size] * 2, strides=[stride] * 2, pads=[size // 2] * 4
        )


def resnet(path: Path, blocks: tuple[int, ...], bottleneck: bool) -> None:
    """He et al., "Deep Residual Learning", 2015, table 1, for images of 224 x 224."""
    net = Builder()
    x = net.op("Relu", net.conv("x", 3, 64, 7, 2))
    x = net.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    ins = 64
    for stage, depth in enumerate(blocks):
        width = 64 << stage
        outs = width * 4 if bottleneck else width
        for block in range(depth):
            stride = 2 if stage and not block else 1
            if bottleneck:
                y = net.op("Relu", net.conv(x, ins, width, 1))
                y = net.op("Relu", net.conv(y, width, width, 3, stride))
                y = net.conv(y, width, outs, 1)
            else:
                y = net.op("Relu", net.conv(x, ins, width, 3, stride))
                y = net.conv(y, width, outs, 3)
            if stride > 1 or ins != outs:
                x = net.conv(x, ins, outs, 1, stride)
            x = net.op("Relu", net.op("Add", y, x))
            ins = outs
    x = net.op("Flatten", net.op("GlobalAveragePool", x))
    x = net.op("Gemm", x, net.weight(1000, ins), net.weight(1000), transB=1)
    net.nodes[-1].output[0] = "y"
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        net.nodes,
        "resnet",
        [value("x", TensorProto.FLOAT, ["batch", 3, 224, 224])],
        [value("y", TensorProto.FLOAT, ["batch", 1000])],
        net.weights,
    )
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)


def models(folder: Path) -> Iterator[tuple[str, Path, list[str]]]:
    """Name, file and sizes of every model."""
    yield "MLP 8-16-16-8", FIXTURES / "mlp_8_16_16_8.onnx", ["batch=1"]
    yield "CNN 32 x 32", FIXTURES / "cnn.onnx", ["batch=1"]
    sizes = ["batch=1", "sequence=128"]
    yield "transformer block", FIXTURES / "transformer_block.onnx", sizes
    for name, blocks, bottleneck in (
        ("ResNet-18", (2, 2, 2, 2), False),
        ("ResNet-50", (3, 4, 6, 3), True),
    ):
        path = folder / f"{name}.onnx"
        resnet(path, blocks, bottleneck)
        yield name, path, ["batch=1"]


# ------------------------------------------------------------------------------- measuring


def bare(path: Path, inputs: Path, runs: int) -> dict[str, Any]:
    """The loop that is no code of ours, in a process of its own."""
    command = [sys.executable, "-c", BARE, str(path), str(inputs), str(runs), str(WARMUP)]
    return run(command)


def ours(path: Path, runs: int, *more: str) -> dict[str, Any]:
    """`graphcount bench` on the same terms."""
    fixed = ("--threads", "1", "--warmup", str(WARMUP), "--runs", str(runs), "--format", "json")
    return run([sys.executable, "-m", "graphcount", "bench", str(path), *fixed, *more])


def run(command: list[str]) -> dict[str, Any]:
    """What a command prints as JSON.

    It gets a session of its own, as `graphcount bench` gives its child: Linux shares the processor
    between sessions first, so on a busy machine others would have less of it.
    """
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, start_new_session=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(name: str, path: Path, sizes: list[str], pairs: int, seconds: float) -> Row:
    """Pairs of processes on one model."""
    with tempfile.TemporaryDirectory() as folder:
        inputs = Path(folder) / "inputs.npz"
        dims = [word for size in sizes for word in ("--dim", size)]
        profiled = ours(path, 50, *dims, "--save-inputs", str(inputs))
        guess = bare(path, inputs, 20)["p50"]
        runs = max(15, min(MAX_RUNS, int(seconds / guess)))
        given = ("--no-profile", "--input", str(inputs))
        found: list[tuple[dict[str, Any], dict[str, Any]]] = []
        for number in range(pairs):
            if number % 2:
                theirs = bare(path, inputs, runs)
                found.append((theirs, ours(path, runs, *given)["latency"]))
            else:
                mine = ours(path, runs, *given)["latency"]
                found.append((bare(path, inputs, runs), mine))
            print(f"{name}: pair {number + 1} of {pairs}", file=sys.stderr)
    profile, nodes = profiled["profile"], profiled["nodes"]
    return Row(
        name,
        runs,
        statistics.median(theirs["p50"] for theirs, _ in found),
        statistics.median(mine["p50"] for _, mine in found),
        sorted(mine["p50"] / theirs["p50"] for theirs, mine in found),
        sorted(mine["mean"] / theirs["mean"] for theirs, mine in found),
        sorted(mine["min"] / theirs["min"] for theirs, mine in found),
        profile["operators_s"] / profile["run_s"],
        profile["elapsed_s"] / profile["graph_s"],
        f"{sum(bool(node['sources']) for node in nodes)} of {len(nodes)}",
    )


def table(rows: list[Row], pairs: int) -> str:
    """The record, in Markdown."""
    head = (
        f"onnxruntime {version('onnxruntime')}, Python {platform.python_version()},"
        f" {platform.system()}, {os.cpu_count()} cores; one thread, {pairs} pairs of processes.\n\n"
        "| model | runs | bare loop, p50 | graphcount bench, p50 | ratio of p50 | range |"
        " of means | of fastest runs | operators / profiled run | start to start / graph"
        " | attributed |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|\n"
    )
    lines = [
        f"| {row.name} | {row.runs:,} | {row.bare * 1e3:.4g} ms | {row.ours * 1e3:.4g} ms"
        f" | **{statistics.median(row.ratios):.3f}** | {row.ratios[0]:.3f}-{row.ratios[-1]:.3f}"
        f" | {statistics.median(row.means):.3f} | {statistics.median(row.fastest):.3f}"
        f" | {row.operators:.1%} | {row.elapsed:.1%} | {row.attributed} |\n"
        for row in rows
    ]
    return head + "".join(lines)


def main() -> None:
    """Measure all models and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=1.5, help="of timed runs a process")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(*model, options.pairs, options.seconds) for model in models(Path(folder))]
    text = table(rows, options.pairs)
    print(text)
    if options.out:
        options.out.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
