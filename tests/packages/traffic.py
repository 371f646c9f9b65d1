"""Bytes that nodes read and write, beside sums over the values that a run really made.

    python -m tests.packages.traffic FOLDER ...

Runs each model with onnxruntime, all optimizations off, every value as an output, and adds up
the bytes of what enters and leaves each node of the main graph: a value once a node, of what Gather
looks up and of what Slice, Split and Compress take the result's bytes, nothing for operators that
only rename. Models with bodies or local functions, and values that are no tensors, are left out.
A line a model that differs, then how many agree.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper

import graphcount
from tests.packages.truth import bodies, fed

RENAMES = {"Reshape", "Identity", "Squeeze", "Unsqueeze", "Flatten", "Constant"}
TAKES = {"Gather", "GatherElements", "GatherND", "Slice", "Split", "Compress"}
TAKES |= {"ArrayFeatureExtractor"}
SHAPES = {"Shape", "Size", "EyeLike", "RandomNormalLike", "RandomUniformLike"}
TABLES = {
    "EmbedLayerNormalization": ((0, 2), (0, 3), (1, 4)),
    "GatherBlockQuantized": ((1, 0), (1, 2), (1, 3)),  # along axis 0
}
"""Indices and the tables whose rows they are."""

MOST_NBYTES = 50_000_000

MEMORY = 6 * 2**30
"""Bytes that may be taken; what needs more is left out."""

Arrays = dict[str, NDArray[Any]]
Moved = tuple[int, int]


class LeftOutError(Exception):
    """A model that is not compared, and why."""


def values(model: onnx.ModelProto) -> Arrays:
    """Return every value of a run by name: inputs, stored tensors and results."""
    if model.functions or any(bodies(node) for node in model.graph.node):
        raise LeftOutError("bodies")
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    feeds = {name: value for name, value in fed(model).items() if name not in stored}
    names = [name for node in model.graph.node for name in node.output if name]
    del model.graph.output[:]
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    made = dict(zip(names, session.run(names, feeds), strict=True))
    every = {**stored, **feeds, **made}
    if not all(isinstance(value, np.ndarray) and value.dtype != object for value in every.values()):
        raise LeftOutError("values that are no tensors")
    return every


def width(value: NDArray[Any]) -> int:
    """Return the bytes of a value; numpy spreads types of 4 and 2 bits over whole bytes."""
    name = value.dtype.name
    bits = 4 if name.endswith("int4") else 2 if name.endswith("int2") else 8 * value.itemsize
    return -(-value.size * bits // 8)


def moved(node: onnx.NodeProto, every: Mapping[str, NDArray[Any]]) -> Moved:
    """Return the bytes that a node reads and writes."""
    if node.op_type in RENAMES:
        return 0, 0
    written = sum(width(every[name]) for name in node.output if name)
    inputs = list(dict.fromkeys(name for name in node.input if name))
    sizes = {name: width(every[name]) for name in inputs}
    if node.op_type in TAKES:
        sizes[node.input[0]] = written
    for indices, table in TABLES.get(node.op_type, ()):
        names = [*node.input, "", ""]
        if names[indices] and names[table]:
            rows = every[names[table]]
            sizes[names[table]] = every[names[indices]].size * rows[0].size * rows.itemsize
    if node.op_type in SHAPES:
        sizes[node.input[0]] = 0
    return sum(sizes.values()), written


def compared(path: Path) -> list[str]:
    """Return what differs, a line a node."""
    model = onnx.load(str(path))
    nodes = list(model.graph.node)
    every = values(model)
    shown = {key: value.shape for key, value in fed(onnx.load(str(path))).items()}
    report = graphcount.count(str(path), shapes={name: list(dims) for name, dims in shown.items()})
    lines = []
    rows = [row for row in report.nodes if row.op_type != "(graph output)"]
    for node, row in zip(nodes, rows, strict=True):
        ours, theirs = (row.read_nbytes, row.written_nbytes), moved(node, every)
        if ours != theirs and None not in ours:
            lines.append(f"    {row.op_type} {row.id}: graphcount {ours}, the run {theirs}")
    return lines


def main(folders: Sequence[str]) -> None:
    """Print what differs."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    models = equal = nodes = 0
    for path in sorted(path for folder in folders for path in Path(folder).rglob("*.onnx")):
        if path.stat().st_size > MOST_NBYTES:
            continue
        try:
            lines = compared(path)
        except Exception as error:
            print(f"{path.name[:60]:60} left out: {type(error).__name__}: {str(error)[:60]!r}")
            continue
        models += 1
        equal += not lines
        nodes += len(onnx.load(str(path), load_external_data=False).graph.node)
        if lines:
            print("\n".join([path.name, *lines[:5]]))
    print(f"{equal} of {models} models equal, {nodes:,} nodes")


if __name__ == "__main__":
    main(sys.argv[1:])
