"""Compare peaks of activations with the memory onnxruntime plans for the same graphs.

    python tests/benchmarks/memory.py [--size 4] [FILE or FOLDER ...]

onnxruntime runs each model twice on the CPU without optimisation. In the first run it records when
buffers are needed, in the second it asks its arena for one block that holds them all (its memory
pattern, without the graph's outputs); the log of the arena tells how large that block is. The
profile tells the order in which nodes ran and the bytes of each result.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT.parent / "shared" / "corpus"
TIMEOUT_S = 60
ALIGNMENT = 256
"""Bytes to which onnxruntime rounds each buffer."""


class Planned(NamedTuple):
    """What onnxruntime did.

    Attributes:
        nbytes: The block it planned for all activations but the graph's outputs.
        results: Bytes of all results, as its profile tells them.
        order: Names of nodes in the order in which they ran.
    """

    nbytes: int
    results: int
    order: tuple[str, ...]


def plans(paths: Iterable[str], size: int) -> dict[str, Planned]:
    """What onnxruntime plans for models whose dynamic dimensions all have one size.

    Models that it cannot run, or that need no planned block, are missing.
    """
    files = [str(path) for path in paths]
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--child", folder, str(size), *files]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=TIMEOUT_S, errors="replace"
            )
        except subprocess.TimeoutExpired:
            return {}
        found = {}
        for part in re.split(r"^MODEL ", done.stderr, flags=re.MULTILINE)[1:]:
            number, _, log = part.partition("\n")
            asked = [int(n) for n in re.findall(r"num_bytes: (\d+)", log.partition("AGAIN")[2])]
            profile = Path(folder, f"{number}.json")
            if asked and profile.is_file():
                found[files[int(number)]] = Planned(asked[0], *_profile(profile))
    return found


def _profile(path: Path) -> tuple[int, tuple[str, ...]]:
    events = json.loads(path.read_text())
    kernels = [event for event in events if event["name"].endswith("_kernel_time")]
    first = kernels[: len(kernels) // 2]
    nbytes = sum(int(event["args"]["output_size"]) for event in first)
    return nbytes, tuple(event["name"].removesuffix("_kernel_time") for event in first)


def child(folder: str, size: int, paths: list[str]) -> None:
    """Run each model in a fork: an arena that has served one model would not ask for the next."""
    import onnxruntime as ort

    for number, path in enumerate(paths):
        print(f"MODEL {number}", file=sys.stderr, flush=True)
        process = os.fork()
        if process:
            os.waitpid(process, 0)
            continue
        try:
            profile = run(ort, path, folder, size)
            os.replace(profile, os.path.join(folder, f"{number}.json"))
        finally:
            os._exit(0)


def run(ort: Any, path: str, folder: str, size: int) -> str:
    """Run one model twice; the arena's log on stderr says what it asked for."""
    ort.set_default_logger_severity(1)
    arena = {"max_mem": 0, "arena_extend_strategy": 1}
    arena |= {"initial_chunk_size_bytes": -1, "max_dead_bytes_per_chunk": -1}
    kind = ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    where = ort.OrtMemoryInfo("Cpu", kind, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(where, ort.OrtArenaCfg(arena))
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.intra_op_num_threads = 1
    options.enable_profiling = True
    options.profile_file_prefix = os.path.join(folder, "run")
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {value.name: _zeros(value, size) for value in session.get_inputs()}
    session.run(None, feed)
    print("AGAIN", file=sys.stderr, flush=True)
    session.run(None, feed)
    profile: str = session.end_profiling()
    return profile


def _zeros(value: Any, size: int) -> Any:
    import numpy as np

    kinds = {"tensor(float)": "f4", "tensor(double)": "f8", "tensor(float16)": "f2"}
    kind = kinds.get(value.type, value.type.removeprefix("tensor(").removesuffix(")"))
    return np.zeros([dim if isinstance(dim, int) else size for dim in value.shape], kind)


class Ours(NamedTuple):
    """What graphcount says, in the order of the file and in another one.

    Attributes:
        activations: Bytes of all results, also of those that are made at load: without its
            optimisation onnxruntime makes them in each run.
        outputs: Bytes of the graph's outputs.
        peak: In the order of the file.
        ordered: In the other order.
        in_place: In the other order, in place.
        alive: Values alive at the peak.
    """

    activations: int
    outputs: int
    peak: int
    ordered: int
    in_place: int
    alive: int


def ours(path: str, size: int, order: Iterable[str] = ()) -> Ours | None:
    """Peaks with every dynamic dimension of one size; None when they are not known."""
    from graphcount.analysis.counts import count
    from graphcount.analysis.memory import memory
    from graphcount.analysis.shapes import Bindings, infer_shapes
    from graphcount.analysis.values import Values
    from graphcount.api import load

    model = load(path)
    graph = model.model_graph
    values = Values(path, 1 << 26)
    rows = count(model.file, graph, values).rows
    free = infer_shapes(model.proto, graph, rows, values)
    names = {
        name
        for key, shape in free.shapes.items()
        if key[0].startswith("input:")
        for dim in shape
        if dim is not None and not isinstance(dim, int)
        for name in dim.symbols()
    }
    shapes = infer_shapes(model.proto, graph, rows, values, Bindings(dict.fromkeys(names, size)))
    values.close()
    wanted = reordered(graph.order, tuple(order))
    plain = memory(graph, shapes)
    other = memory(graph, shapes, order=wanted)
    best = memory(graph, shapes, order=wanted, in_place=True)
    if not plain.peak or not other.peak or not best.peak:
        return None
    if not isinstance(plain.activations, int) or not isinstance(plain.outputs, int):
        return None
    if not isinstance(plain.load, int):
        return None
    return Ours(
        plain.activations + plain.load,
        plain.outputs,
        plain.peak.nbytes,
        other.peak.nbytes,
        best.peak.nbytes,
        len(other.peak.values),
    )


def reordered(order: Sequence[str], ran: tuple[str, ...]) -> Sequence[str]:
    """The order of a file with the nodes that ran in the order in which they did."""
    at = {node: place for place, node in enumerate(ran) if node in set(order)}
    slots = [place for place, node in enumerate(order) if node in at]
    if not slots:
        return order
    first = [node for node in order[: slots[-1] + 1] if node not in at]
    return [*first, *sorted(at, key=at.__getitem__), *order[slots[-1] + 1 :]]


def main(places: list[Path], size: int) -> None:
    """Print a table of all models that onnxruntime runs and plans."""
    files = [
        file
        for place in places
        for file in ([place] if place.is_file() else sorted(place.rglob("*.onnx")))
    ]
    print("| model | results | in place | planned + outputs | not in place | file order |")
    print("|---|---|---|---|---|---|")
    inside = total = 0
    for file in files:
        plan = plans([str(file)], size).get(str(file))
        if plan is None:
            continue
        try:
            mine = ours(str(file), size, plan.order)
        except Exception as error:  # one model of many
            print(f"{file}: {error}", file=sys.stderr)
            continue
        if mine is None:
            continue
        theirs = plan.nbytes + mine.outputs
        total += 1
        inside += mine.in_place <= theirs <= mine.ordered + ALIGNMENT * (mine.alive + 1)
        equal = "equal" if plan.results == mine.activations else f"{plan.results:,}"
        print(
            f"| {file.name} | {mine.activations:,} ({equal}) | {mine.in_place:,} | {theirs:,} |"
            f" {mine.ordered:,} | {mine.peak:,} |",
            flush=True,
        )
    print(f"{inside} of {total} lie between in place and not in place (+ {ALIGNMENT} a value)")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    arguments = sys.argv[1:]
    if arguments[:1] == ["--child"]:
        child(arguments[1], int(arguments[2]), arguments[3:])
    else:
        size = 4
        if arguments[:1] == ["--size"]:
            size, arguments = int(arguments[1]), arguments[2:]
        main([Path(argument) for argument in arguments] or [ROOT / "fixtures", CORPUS], size)
