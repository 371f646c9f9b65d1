"""Measure scans: throughput a core, what a second worker brings, memory of the scanning process.

    python tests/benchmarks/scan.py FOLDER [--models 10000] [--rounds 3] [--memory 1000 100000]

FOLDER is made if it is missing and takes 15 kB a model. Rounds are interleaved, so that whatever
else the machine does meets all of them; a cell is the median with its range. The table it prints is
the one in docs/scan.md.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

from models import (  # type: ignore[import-not-found]
    Payload,
    Pieces,
    Shape,
    model,
    node,
    tensor,
    write,
)

LOOP = """
import sys, time, onnx
from pathlib import Path
paths = sorted(str(p) for p in Path(sys.argv[1]).rglob("*.onnx"))
began, cpu = time.perf_counter(), time.process_time()
for path in paths:
    onnx.load(path)
print(time.perf_counter() - began, time.process_time() - cpu)
"""
"""The bare loop; starting Python and importing onnx is not counted."""

ALONE = """
import sys, time, graphcount
from pathlib import Path
from graphcount.scanning.row import report_row
paths = sorted(str(p) for p in Path(sys.argv[1]).rglob("*.onnx"))
paths = paths[int(sys.argv[2]) :: int(sys.argv[3])]
report_row(graphcount.count(paths[0]), "high")
began, cpu = time.perf_counter(), time.process_time()
for report in graphcount.scan(paths):
    report_row(report, "high")
print(time.perf_counter() - began, time.process_time() - cpu)
"""
"""The work of one core: the library, rows made, no processes. Arguments: folder, first, step."""

OWN = """
import sys, time
from graphcount.cli.main import main
main(["scan", *sys.argv[1:], "--quiet"])
print(time.process_time())
"""
"""The program, and what its own process took."""

MEMORY = """
import resource, sys
from graphcount.cli.main import main
code = main(["scan", *sys.argv[1:], "--no-cost", "--quiet"])
unit = 1 if sys.platform == "darwin" else 1024
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)
"""


def make(folder: Path, count: int) -> None:
    """Make `count` multilayer perceptrons of 3 to 8 layers, 1,000 in a folder."""
    choose = random.Random(1)
    for number in range(count):
        path = folder / f"{number // 1000:03}" / f"{number % 1000:03}.onnx"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        widths = [choose.choice((8, 16, 24, 32, 48)) for _ in range(choose.randint(4, 9))]
        nodes, initializers, value = [], Pieces(), "input"
        for layer, (wide, narrow) in enumerate(pairwise(widths)):
            weight = Shape(f"layers.{layer}.weight", (wide, narrow))
            bias = Shape(f"layers.{layer}.bias", (narrow,))
            for part in (weight, bias):
                initializers += tensor(part, Payload(4 * part.size, number, dense=True))
            name = f"/layers.{layer}/Gemm"
            nodes.append(node("Gemm", name, [value, weight.name, bias.name], [f"{name}_output_0"]))
            value = f"/layers.{layer}/Relu_output_0"
            nodes.append(node("Relu", f"/layers.{layer}/Relu", [f"{name}_output_0"], [value]))
        write(path, model(nodes, initializers, (1, widths[0]), value, (1, widths[-1])))


def inside(program: str, *arguments: str) -> list[float]:
    """Run a program whose last line is its measurement."""
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.splitlines()[-1].split()]


def apart(folder: Path) -> list[float]:
    """Two processes that know nothing of each other, half of the models each: what is possible."""
    command = [sys.executable, "-c", ALONE, str(folder)]
    halves = [
        subprocess.Popen([*command, half, "2"], stdout=subprocess.PIPE, text=True)
        for half in ("0", "1")
    ]
    told = [process.communicate()[0].split() for process in halves]
    return [max(float(row[0]) for row in told), sum(float(row[1]) for row in told)]


def whole(*arguments: str) -> list[float]:
    """Wall clock of `graphcount scan`, and CPU of its own process."""
    began = time.perf_counter()
    (cpu,) = inside(OWN, *arguments)[-1:]
    return [time.perf_counter() - began, cpu]


def beyond(folder: Path, few: Path, *options: str) -> list[float]:
    """What a scan takes beyond a scan of one model."""
    every, one = whole(str(folder), *options), whole(str(few), *options)
    return [long - short for long, short in zip(every, one, strict=True)]


def spread(values: Sequence[float], unit: str = "", digits: int = 2) -> str:
    """Median and range."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f}{unit} ({low:.{digits}f}–{high:.{digits}f})"


def throughput(folder: Path, few: Path, rounds: int) -> None:
    """Print the table of throughput; starting up is measured with one model, and taken off."""
    count = sum(1 for _ in folder.rglob("*.onnx"))
    ways: dict[str, Callable[[], list[float]]] = {
        "onnx.load in a loop": lambda: inside(LOOP, str(folder)),
        "graphcount.scan, one process": lambda: inside(ALONE, str(folder), "0", "1"),
        "the same, two processes apart": lambda: apart(folder),
    }
    for jobs in (1, 2):
        for name, option in (("--jobs", f"{jobs}"), ("--cluster", f"local:{jobs}")):
            ways[f"graphcount scan {name} {option}"] = partial(beyond, folder, few, name, option)
    found: dict[str, list[list[float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            found[name].append(way())
            print(f"  {name}: {found[name][-1]}", file=sys.stderr)
    print(f"{count:,} models, {rounds} rounds, {os.cpu_count()} cores\n")
    print("| | ms a model, wall clock | CPU ms a model of the process that scans |\n|---|---|---|")
    for name, rows in found.items():
        cells = [spread([1000 * row[i] / count for row in rows]) for i in (0, 1)]
        print(f"| {name} | {cells[0]} | {cells[1]} |")
    bare = [row[1] for row in found["onnx.load in a loop"]]
    own = [row[1] for row in found["graphcount.scan, one process"]]
    print(f"\nCPU against onnx.load: {spread([a / b for a, b in zip(own, bare, strict=True)])} x")
    both = [row[0] for row in found["the same, two processes apart"]]
    alone = [row[0] for row in found["graphcount.scan, one process"]]
    possible = [a / b / 2 for a, b in zip(alone, both, strict=True)]
    print(f"two processes apart: {spread(possible)} of linear")
    for name, options in (("--jobs", ("1", "2")), ("--cluster", ("local:1", "local:2"))):
        one, two = (found[f"graphcount scan {name} {option}"] for option in options)
        gains = [a[0] / b[0] / 2 for a, b in zip(one, two, strict=True)]
        print(f"two workers, {name}: {spread(gains)} of linear")


def memory(folder: Path, counts: Sequence[int]) -> None:
    """Print the peak memory of the scanning process for so many targets."""
    print("\n| targets | peak memory of the scanning process |\n|---|---|")
    for count in counts:
        targets = []
        for number in range(-(-count // 1000)):
            link = folder.parent / f"{folder.name}-again" / f"{number:04}"
            link.parent.mkdir(exist_ok=True)
            if not link.exists():
                link.symlink_to(folder / "000", target_is_directory=True)
            targets.append(str(link))
        (nbytes,) = inside(MEMORY, *targets)[-1:]
        print(f"| {count:,} | {nbytes / 1e6:.1f} MB |", flush=True)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int, nargs="*", default=[1000, 10_000, 100_000])
    options = parser.parse_args()
    folder = options.folder.resolve()
    make(folder / "models", options.models)
    make(folder / "few", 1)
    if options.rounds:
        throughput(folder / "models", folder / "few", options.rounds)
    memory(folder / "models", options.memory)


if __name__ == "__main__":
    main()
