"""Measure graphcount and its peers; print Markdown tables.

    python tests/benchmarks/models.py FOLDER
    python tests/benchmarks/run.py FOLDER [--rounds 5] [--models tiny] [--tools graphcount onnx]

Every measurement is a fresh process: CPU time (user and system) and peak resident memory as the
kernel accounts them. In a round each tool runs once, in turn, after `python -c "import onnx"`,
whose CPU time is the unit of that round (I). Needs nothing but the standard library, and Unix.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from threading import Event, Timer
from typing import Any, NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]
TIMEOUT = 240.0
MEMORY = 12 * 2**30
SLOW = 30.0
"""What takes more CPU seconds than this is measured once."""


class Tool(NamedTuple):
    """Something that is measured.

    Attributes:
        title: Heading of its column.
        package: Distribution that must be installed.
        arguments: What follows the interpreter; `MODEL` stands for the path.
        answers: The last word of its output is the number of parameters, which is compared.
        only: The models it is of interest for; empty: all.
    """

    title: str
    package: str
    arguments: tuple[str, ...]
    answers: bool = True
    only: tuple[str, ...] = ()


_SUM = "print(sum(math.prod(t.dims) for t in m.graph.initializer))"

TOOLS = {
    "graphcount": Tool("graphcount", "graphcount", ("-m", "graphcount", "MODEL"), answers=False),
    "graphcount-no-cost": Tool(
        "graphcount --no-cost", "graphcount", ("-m", "graphcount", "MODEL", "--no-cost"), False
    ),
    "graphcount-cost": Tool(
        "graphcount --cost", "graphcount", ("-m", "graphcount", "MODEL", "--cost"), False
    ),
    "onnx-shapes": Tool(
        "onnx.shape_inference",
        "onnx",
        (
            "-c",
            "import onnx, sys; onnx.shape_inference.infer_shapes(onnx.load(sys.argv[1]))",
            "MODEL",
        ),
        answers=False,
    ),
    "onnx": Tool(
        "onnx.load + sum",
        "onnx",
        ("-c", f"import math, onnx, sys; m = onnx.load(sys.argv[1]); {_SUM}", "MODEL"),
    ),
    "onnx-no-data": Tool(
        "onnx.load, weights not loaded, + sum",
        "onnx",
        (
            "-c",
            f"import math, onnx, sys; m = onnx.load(sys.argv[1], load_external_data=False); {_SUM}",
            "MODEL",
        ),
        only=("external-8GiB",),
    ),
    "onnx-tool": Tool(
        "onnx-tool",
        "onnx-tool",
        (
            "-c",
            "import math, onnx_tool, sys;"
            " g = onnx_tool.loadmodel(sys.argv[1], {'verbose': False}).graph;"
            " print(sum(math.prod(g.tensormap[n].shape) for n in g.initials))",
            "MODEL",
        ),
    ),
    "onnxslim": Tool(
        "onnxslim --inspect",
        "onnxslim",
        ("-c", "import onnxslim, sys; onnxslim.slim([sys.argv[1]], inspect=True)", "MODEL"),
        answers=False,
    ),
    "onnx-opcounter": Tool(
        "onnx_opcounter",
        "onnx-opcounter",
        ("-c", "from onnx_opcounter.cli import main; main()", "MODEL"),
    ),
    "onnx-ir": Tool(
        "onnx-ir",
        "onnx-ir",
        (
            "-c",
            "import onnx_ir, sys; m = onnx_ir.load(sys.argv[1]);"
            " print(sum(v.const_value.size for v in m.graph.initializers.values()))",
            "MODEL",
        ),
    ),
    "onnxsim": Tool(
        "onnxsim.model_info",
        "onnxsim",
        (
            "-c",
            "import sys; from onnxsim.model_info import ModelInfo, onnx;"
            " print(ModelInfo(onnx.load(sys.argv[1])).macs)",
            "MODEL",
        ),
        answers=False,
    ),
    "onnxsim-bounds": Tool(
        "onnxsim.shape_cost",
        "onnxsim",
        (
            "-c",
            "import sys; from onnxsim.shape_cost import bounds; print(bounds(sys.argv[1]).macs)",
            "MODEL",
        ),
        answers=False,
    ),
}
"""What is measured: each tool in its fastest mode that answers how large the model is.

onnxsim tells bytes and MACs: `model_info` as numbers or formulas in the dimensions that are
dynamic, `shape_cost` as the range over all of them.
"""

PEERS = [
    key for key in TOOLS if key not in ("graphcount-no-cost", "graphcount-cost", "onnx-shapes")
]
"""What is measured by default; the others show what shapes and costs take."""

UNIT = ("-c", "import onnx")

TARGETS = {
    "tiny": "0.55 I",
    "resnet50": "as without weights",
    "single-1.9GB": "as without weights",
    "single-2.7GiB": "as without weights",
    "external-8GiB": "as without weights",
    "nodes-10000": "2.5 I, 60 MB",
    "nodes-100000": "9 I, 330 MB, linear",
}
"""What graphcount should stay within."""


class Measurement(NamedTuple):
    """One process.

    Attributes:
        seconds: CPU time, user and system.
        nbytes: Peak resident memory.
        output: Standard output.
        failure: What happened instead of success; empty when all went well.
    """

    seconds: float
    nbytes: int
    output: str
    failure: str


@dataclass
class Series:
    """All rounds of one tool on one model."""

    ratios: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    nbytes: int = 0
    failure: str = ""

    def add(self, result: Measurement, unit: float) -> None:
        """Add one round."""
        self.failure = result.failure
        self.ratios.append(result.seconds / unit)
        self.seconds.append(result.seconds)
        self.nbytes = max(self.nbytes, result.nbytes)

    def cell(self) -> str:
        """Show it: median (range) of the ratio, peak memory; or the failure."""
        peak = f"{self.nbytes / 1e6:,.0f} MB"
        if self.failure:
            return f"fails: {self.failure} (after {self.ratios[-1]:.2f} I, {peak})"
        if not self.ratios:
            return "–"
        low, high = min(self.ratios), max(self.ratios)
        if len(self.ratios) == 1:
            return f"**{low:.2f} I** (once), {peak}"
        return f"**{statistics.median(self.ratios):.2f} I** ({low:.2f}–{high:.2f}), {peak}"


# --------------------------------------------------------------------------------- measuring


def measure(command: Sequence[str], environment: dict[str, str]) -> Measurement:
    """Run one process to its end, or to the limits."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=REPOSITORY,
            env=environment,
            preexec_fn=_limit_memory,
        )
        expired = Event()
        timer = Timer(TIMEOUT, _kill, (process.pid, expired))
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        output, errors = _read(out), _read(err)
    failure = ""
    if expired.is_set():
        failure = f"not done after {TIMEOUT:.0f} s"
    elif process.returncode < 0:
        failure = f"killed by signal {-process.returncode}"
    elif process.returncode:
        failure = _last_line(errors, command[-1]) or f"exit code {process.returncode}"
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Measurement(usage.ru_utime + usage.ru_stime, peak, output, failure)


def clean_environment(bytecode: str) -> dict[str, str]:
    """Return this environment with compiled modules kept in a folder of their own.

    So no tool compiles itself in every process, whether it is installed or run from a checkout.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return {**kept, "PYTHONPYCACHEPREFIX": bytecode}


def _kill(pid: int, expired: Event) -> None:
    expired.set()
    os.kill(pid, signal.SIGKILL)  # not Popen.kill: it may reap the process before wait4 does


def _limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _read(file: Any) -> str:
    file.seek(0)
    data: bytes = file.read()
    return data.decode(errors="replace")


def _last_line(errors: str, path: str) -> str:
    """Shorten what a process complained about to one cell."""
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    if not lines:
        return ""
    line = lines[-1].replace(path, "MODEL").replace("|", "/")
    line = re.sub(r"^(\w+\.)+(?=\w+:)", "", line)  # the module of an exception
    return line if len(line) <= 70 else line[:69] + "…"


def run_tool(
    tool: Tool, python: str, row: dict[str, Any], folder: Path, environment: dict[str, str]
) -> Measurement:
    """Run a tool on a model and look at its answer."""
    path = str(folder / row["file"])
    arguments = [path if argument == "MODEL" else argument for argument in tool.arguments]
    result = measure([python, *arguments], environment)
    if result.failure or not tool.answers:
        return result
    answer = (result.output.split() or ["nothing"])[-1]
    if answer != str(row["parameters"]):
        return result._replace(failure=f"wrong answer, {answer}")
    return result


class Benchmark:
    """The rounds over all models.

    Attributes:
        units: CPU seconds of every `import onnx`.
    """

    def __init__(
        self,
        folder: Path,
        models: dict[str, dict[str, Any]],
        tools: dict[str, str],
        rounds: int,
        environment: dict[str, str],
    ) -> None:
        """Take what is to be measured.

        Args:
            folder: Where the models are.
            models: Rows of `models.json` by name.
            tools: Interpreter by name of the tool.
            rounds: How often; zero means 5, and 3 for models beyond 1 GB.
            environment: Of every process.
        """
        self.folder = folder
        self.models = models
        self.tools = tools
        self.rounds = rounds
        self.environment = environment
        self.units: list[float] = []
        self.series: dict[tuple[str, str], Series] = {}

    def of_interest(self, name: str) -> Iterator[tuple[str, Tool, str]]:
        """Yield the tools for a model: name, tool, interpreter."""
        for key, python in self.tools.items():
            tool = TOOLS[key]
            if not tool.only or name in tool.only:
                yield key, tool, python

    def run(self) -> None:
        """Measure everything."""
        name, row = next(iter(self.models.items()))
        measure([sys.executable, *UNIT], self.environment)  # compiles, fills caches; not counted
        for _, tool, python in self.of_interest(name):
            run_tool(tool, python, row, self.folder, self.environment)
        for name, row in self.models.items():
            for number in range(1, self.rounds_of(row) + 1):
                self.round(name, row, number)

    def rounds_of(self, row: dict[str, Any]) -> int:
        """How many rounds for a model."""
        return self.rounds or (3 if row["parameters"] > 250_000_000 else 5)

    def round(self, name: str, row: dict[str, Any], number: int) -> None:
        """Run the unit and then each tool once; not again what failed or is slow."""
        unit = measure([sys.executable, *UNIT], self.environment).seconds
        self.units.append(unit)
        for key, tool, python in self.of_interest(name):
            series = self.series.setdefault((name, key), Series())
            if series.failure or max(series.seconds, default=0.0) > SLOW:
                continue
            result = run_tool(tool, python, row, self.folder, self.environment)
            series.add(result, unit)
            print(f"{name}, round {number}, {tool.title}: {series.cell()}", file=sys.stderr)

    # -------------------------------------------------------------------------------- report

    def report(self) -> str:
        """Write the tables."""
        unit = statistics.median(self.units)
        cells = [["model", "target for graphcount", *(TOOLS[key].title for key in self.tools)]]
        for name, row in self.models.items():
            series = [self.series.get((name, key), Series()) for key in self.tools]
            shown = [one.cell() for one in series]
            cells.append([row["label"], TARGETS.get(name, "–"), *shown])
        lines = [
            f"I = {unit:.3f} s of CPU (median of {len(self.units)}; {min(self.units):.3f}–"
            f"{max(self.units):.3f}). {_machine()}",
            "",
            *_table([list(column) for column in zip(*cells, strict=True)]),
            "",
            *self.growth(),
        ]
        return "\n".join(lines) + "\n"

    def growth(self) -> list[str]:
        """Show how CPU time grows with the number of nodes."""
        names = [name for name in self.models if name.startswith("nodes-")]
        tools = [key for key in self.tools if not TOOLS[key].only]
        cells = [["from … to … nodes", *(TOOLS[key].title for key in tools)]]
        for low, high in pairwise(names):
            nodes = [self.models[name]["nodes"] for name in (low, high)]
            row = [f"{nodes[0]:,} to {nodes[1]:,}"]
            for key in tools:
                pair = [self.series.get((name, key), Series()) for name in (low, high)]
                if any(one.failure or not one.ratios for one in pair):
                    row.append("–")
                    continue
                a, b = (statistics.median(one.seconds) for one in pair)
                row.append(f"{(b - a) / (nodes[1] - nodes[0]) * 1e6:.0f} µs")
            cells.append(row)
        if len(cells) == 1:
            return []
        return ["CPU time a further node costs:", "", *_table(cells)]


def _table(cells: list[list[str]]) -> list[str]:
    """Lay cells out as a Markdown table; the first row is the heading."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rows = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return [rows[0], rule, *rows[1:]]


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores, {platform.system()}, Python {platform.python_version()}."


def installed(tool: Tool, python: str) -> str:
    """Ask an interpreter for the version of a tool; empty: not installed."""
    if tool.package == "graphcount":
        code = "import graphcount; print(graphcount.__version__)"
    else:
        code = f"from importlib.metadata import version; print(version({tool.package!r}))"
    done = subprocess.run(
        [python, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description="Measure graphcount and its peers.")
    parser.add_argument("folder", type=Path, help="where models.py wrote the models")
    parser.add_argument("--rounds", type=int, default=0, help="default: 5; 3 beyond 1 GB")
    parser.add_argument("--models", nargs="+", help="names in models.json; default: all")
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=PEERS)
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="TOOL=PYTHON",
        help="another interpreter for a tool that needs an environment of its own",
    )
    parser.add_argument("--out", type=Path, help="write the tables here too")
    options = parser.parse_args()
    listing = options.folder / "models.json"
    if not listing.exists():
        parser.error(f"no {listing}; run models.py first")
    rows: dict[str, dict[str, Any]] = json.loads(listing.read_text())
    wanted: list[str] = options.models or list(rows)
    if missing := [name for name in wanted if name not in rows]:
        parser.error(f"not in {listing}: {', '.join(missing)}")
    pythons = dict(pair.split("=", 1) for pair in options.python)
    tools, notes = {}, []
    for key in options.tools:
        python = pythons.get(key, sys.executable)
        found = installed(TOOLS[key], python)
        if found:
            tools[key] = python
            notes.append(f"{TOOLS[key].package} {found}")
        else:
            notes.append(f"{TOOLS[key].package}: not installed, left out")
    models = {name: rows[name] for name in wanted}
    with tempfile.TemporaryDirectory() as bytecode:
        environment = clean_environment(bytecode)
        folder = options.folder.resolve()
        benchmark = Benchmark(folder, models, tools, options.rounds, environment)
        benchmark.run()
    text = benchmark.report() + "\n" + "; ".join(dict.fromkeys(notes)) + ".\n"
    print(text, end="")
    if options.out:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
