"""What onnxruntime allocates for results, beside what graphcount says it does.

    python -m tests.packages.runtime_memory FILE-or-FOLDER ... [--packages FOLDER [WORD ...]]

onnxruntime runs a copy of each model on the CPU, with its optimisation off and inputs of fixed
sizes (dynamic dimensions 4, or those of `packages.py`), so that its shape inference has what
graphcount has. It tells the bytes that it allocates for the results of each node
(`session.collect_node_memory_stats_to_file`), and its arena's log the block that it asks for in the
second run: the copy has a large value that lives from the first node to the last, so that no piece
of the first run holds the block, which is larger by that value. With `--declared` the copy declares
the shape of every value that graphcount derives: what differs without and not with it is due to
shapes that onnxruntime does not infer.

A line a model: nodes of equal bytes of how many, both blocks, and why it was left out if it was.
Then sums, and by operator where bytes differ.
"""

from __future__ import annotations

import argparse
import collections
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnx.inliner
from onnx import helper, numpy_helper

from graphcount.analysis.counts import count
from graphcount.analysis.runtime_plan import RuntimePlan, runtime_plan
from graphcount.analysis.shapes import ValueShapes, infer_shapes
from graphcount.analysis.values import Values
from graphcount.api import load
from tests.packages.packages import SUBJECTS, fetched
from tests.packages.truth import NotRun, bodies, fed, fixed

SIZE = 4
TIMEOUT_S = 120
BALLAST = 2**28
"""Bytes of the value that lives from the first node to the last."""

LARGEST = 2**31 - 2**24
"""Bytes of a model in one message."""

CASTS = "InsertedPrecisionFreeCast"
"""Of nodes that onnxruntime puts around operators that it has no float16 kernel for."""


class Ran(NamedTuple):
    """What onnxruntime allocated.

    Attributes:
        nodes: Bytes for the results of each node, the most of both runs.
        kernels: Bytes that kernels asked for besides, by node.
        block: The block of the main graph.
    """

    nodes: dict[str, int]
    kernels: dict[str, int]
    block: int


class Compared(NamedTuple):
    """One model.

    Attributes:
        name: Of the file.
        equal: Nodes of equal bytes.
        nodes: Nodes that both know.
        decomposed: Nodes that onnxruntime runs as several others.
        differ: op_type, our bytes and theirs, of the others.
        ours: Our block; None where a size is not known.
        theirs: onnxruntime's.
        kernels: Operators whose kernels ask for memory of their own.
        casts: onnxruntime runs float16 as float32.
    """

    name: str
    equal: int
    nodes: int
    decomposed: int
    differ: list[tuple[str, int | None, int]]
    ours: int | None
    theirs: int
    kernels: set[str]
    casts: bool


# -------------------------------------------------------------------------------------- the models


def named(graph: onnx.GraphProto, before: str = "") -> None:
    """Give every node a name of its own, in bodies too."""
    for place, node in enumerate(graph.node):
        node.name = f"{before}{node.op_type}.{place}"
        for number, body in enumerate(bodies(node)):
            named(body, f"{node.name}.{number}.")


def prepared(path: Path, feeds: Sequence[str], folder: Path) -> tuple[str, dict[str, Any]]:
    """Save a copy with fixed inputs and names, functions inlined; return it and what is fed."""
    model = onnx.load(str(path))
    if model.ByteSize() > LARGEST:
        raise NotRun("too large for one message")
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    arrays = fed(model, feeds, SIZE)
    model = fixed(model, arrays, strip=False)
    named(model.graph)
    copy = str(folder / "model.onnx")
    onnx.save(model, copy)
    return copy, arrays


def planned(path: str) -> tuple[RuntimePlan, dict[str, str], ValueShapes]:
    """Return our plan, and the name of each node by its id."""
    model = load(path)
    graph = model.model_graph
    values = Values(path, 1 << 26)
    rows = count(model.file, graph, values).rows
    shapes = infer_shapes(model.proto, graph, rows, values)
    values.close()
    return runtime_plan(graph, shapes), {n.id: n.name for n in graph.operators}, shapes


def declared(path: str, shapes: ValueShapes) -> None:
    """Declare in a file the shape of every value of the main graph that is known in numbers."""
    model = onnx.load(path)
    stated = {info.name for info in (*model.graph.input, *model.graph.output)}
    del model.graph.value_info[:]
    for value, dims in shapes.shapes.items():
        code, name = shapes.dtypes.get(value, 0), value[1]
        numbers = [dim for dim in dims if isinstance(dim, int)]
        if name in stated or not code or len(numbers) < len(dims):
            continue
        stated.add(name)
        model.graph.value_info.append(helper.make_tensor_value_info(name, code, numbers))
    onnx.save(model, path)


def weighted(path: str) -> None:
    """Add a value of `BALLAST` bytes to a file: onnxruntime makes it first and reads it last.

    It goes from the last result without a reader back, depth first; nodes keep their places.
    """
    model = onnx.load(path)
    graph = model.graph
    if {opset.domain: opset.version for opset in model.opset_import}.get("", 0) < 9:
        raise NotRun("no ConstantOfShape before opset 9")
    size = numpy_helper.from_array(np.array([BALLAST // 4]), "ballast size")
    graph.initializer.append(size)
    graph.node.append(helper.make_node("ConstantOfShape", [size.name], ["ballast"], "ballast.0"))
    for place, name in ((len(graph.node), "ballast first"), (0, "ballast last")):
        node = helper.make_node("Shape", ["ballast"], [name], name)
        graph.node.insert(place, node)
        graph.output.append(helper.make_tensor_value_info(name, onnx.TensorProto.INT64, [1]))
    onnx.save(model, path)


# ------------------------------------------------------------------------------------- onnxruntime


def ran(path: str, arrays: dict[str, Any], folder: Path) -> Ran:
    """Run a model in a process of its own."""
    np.savez(folder / "feeds.npz", **{f"f{i}": array for i, array in enumerate(arrays.values())})
    (folder / "names.json").write_text(json.dumps(list(arrays)))
    command = [sys.executable, "-m", __spec__.name, "--child", path, str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise NotRun("too slow") from None
    stats = folder / "stats.csv"
    if done.returncode or not stats.is_file():
        lines = [line for line in done.stderr.splitlines() if "rror" in line] or ["?"]
        raise NotRun(lines[-1][-120:])
    nodes, kernels = {}, {}
    for line in stats.read_text().splitlines()[1:]:
        name, _, _, dynamic, asked = line.rsplit(",", 4)
        name = name.rpartition("_")[0]
        nodes[name], kernels[name] = int(dynamic), int(asked)
    block = re.search(r"num_bytes: (\d+)", done.stderr.partition("AGAIN")[2])
    nbytes = int(block[1]) if block else 0
    return Ran(nodes, kernels, max(nbytes - BALLAST, 0))


def child(path: str, folder: str) -> None:
    """Run a model twice: from the second run on the block is asked for."""
    import onnxruntime as ort

    ort.set_default_logger_severity(1)
    arena = {"max_mem": 0, "arena_extend_strategy": 1}
    arena |= {"initial_chunk_size_bytes": -1, "max_dead_bytes_per_chunk": -1}
    kind = ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    where = ort.OrtMemoryInfo("Cpu", kind, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(where, ort.OrtArenaCfg(arena))
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
    stats = str(Path(folder) / "stats.csv")
    options.add_session_config_entry("session.collect_node_memory_stats_to_file", stats)
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = json.loads((Path(folder) / "names.json").read_text())
    arrays = np.load(Path(folder) / "feeds.npz", allow_pickle=True)
    feeds = {name: arrays[f"f{place}"] for place, name in enumerate(names)}
    session.run(None, feeds)
    print("AGAIN", file=sys.stderr, flush=True)
    session.run(None, feeds)
    del session


# --------------------------------------------------------------------------------------- the table


def compared(path: Path, feeds: Sequence[str], with_shapes: bool) -> Compared:
    """Compare one model.

    Raises:
        NotRun: onnxruntime does not run it, or it cannot be prepared.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            copy, arrays = prepared(path, feeds, folder)
        except NotRun:
            raise
        except Exception as error:
            raise NotRun(f"{type(error).__name__}: {error}"[:120]) from None
        ours, names, shapes = planned(copy)
        if with_shapes:
            declared(copy, shapes)
        weighted(copy)
        theirs = ran(copy, arrays, folder)
    called = {names[id]: nbytes for id, nbytes in ours.nodes.items()}
    both = [name for name in called if name in theirs.nodes]
    differ = [
        (name.rpartition(".")[0].rpartition(".")[2], called[name], theirs.nodes[name])
        for name in both
        if called[name] != theirs.nodes[name]
    ]
    return Compared(
        name=path.name,
        equal=len(both) - len(differ),
        nodes=len(both),
        decomposed=len(called) - len(both),
        differ=differ,
        ours=ours.blocks[""],
        theirs=theirs.block,
        kernels={name.rpartition(".")[0] for name, n in theirs.kernels.items() if n},
        casts=any(name.startswith(CASTS) for name in theirs.nodes),
    )


def subjects(options: argparse.Namespace) -> Iterator[tuple[Path, Sequence[str]]]:
    """Yield files, each with what is fed."""
    for place in map(Path, options.places):
        for path in [place] if place.is_file() else sorted(place.rglob("*.onnx")):
            yield path, ()
    if options.packages:
        folder, *words = options.packages
        for subject in SUBJECTS:
            if not words or any(word in f"{subject.package} {subject.file}" for word in words):
                below = sorted(fetched(subject.package, Path(folder)).rglob("*.onnx"))
                for path in [path for path in below if str(path).endswith(subject.file)][:1]:
                    yield path, subject.feeds


def main(arguments: Sequence[str]) -> None:
    """Print the lines and the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("places", nargs="*")
    parser.add_argument("--packages", nargs="+")
    parser.add_argument("--declared", action="store_true")
    options = parser.parse_args(arguments)
    sums: collections.Counter[str] = collections.Counter()
    by_operator: collections.Counter[str] = collections.Counter()
    kernels: collections.Counter[str] = collections.Counter()
    for path, feeds in subjects(options):
        try:
            one = compared(path, feeds, options.declared)
        except NotRun as error:
            sums["models not run"] += 1
            print(f"not run  {path.name[:48]:48} {error}", flush=True)
            continue
        except Exception as error:
            sums["models not counted"] += 1
            print(f"ERROR    {path.name[:48]:48} {type(error).__name__}: {error}", flush=True)
            continue
        group = "with casts that onnxruntime adds" if one.casts else ""
        sums[f"models {group}"] += 1
        sums[f"nodes {group}"] += one.nodes
        sums[f"nodes equal {group}"] += one.equal
        sums["nodes run as several"] += one.decomposed
        if one.ours is None:
            sums[f"blocks not known {group}"] += 1
        elif one.ours:
            sums[f"blocks {group}"] += 1
            sums[f"blocks equal {group}"] += one.ours == one.theirs
        if not group:
            by_operator.update(op_type for op_type, _, _ in one.differ)
            kernels.update(one.kernels)
        same = one.ours == one.theirs or not one.ours
        word = "ok" if same and one.equal == one.nodes else "nodes" if same else "BLOCK"
        theirs = one.theirs if one.ours else 0
        nodes = f"{one.equal:5}/{one.nodes:<5} {one.ours!s:>12} {theirs!s:>12} {group}"
        print(f"{word:8} {one.name[:48]:48} {nodes}", flush=True)
        for row in one.differ[:3]:
            print(f"           {row}")
    for name in sorted(sums):
        print(f"{name}: {sums[name]:,}")
    print(f"bytes differ at: {dict(by_operator.most_common())}")
    print(f"kernels ask for memory at: {dict(kernels.most_common())}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(*sys.argv[2:])
    else:
        main(sys.argv[1:])
