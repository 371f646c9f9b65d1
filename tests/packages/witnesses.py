"""The most over ranges, and the sizes that give it: run by onnxruntime at these sizes.

    python -m tests.packages.mobius_models small FOLDER    # by a Python that has mobius-onnx
    python -m tests.packages.witnesses FOLDER [WORD ...]

MACs are made of the shapes that the run shows (`macs.py`), the peak of the bytes of its arrays, by
the rules of docs/cost.md, without graphcount. At the sizes that are said to give the most they must
be that; at others of the ranges, drawn at random, not more. Weights that are not there are random.
"""

from __future__ import annotations

import collections
import random
import re
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import helper

import graphcount
from graphcount.report.records import Report
from tests.packages.mobius_runs import with_weights
from tests.packages.truth import Array, NotRun, Runner, drawn

Ranges = Mapping[str, tuple[int, int]]
TIMEOUT_S = 60
OTHERS = 3
"""Points beside the two that give the most."""


class Measured(NamedTuple):
    """What a run comes to: no peak of a graph with bodies, no MACs where a formula lacks."""

    macs: int | None
    peak: int | None


def measured(model: onnx.ModelProto, sizes: Mapping[str, int]) -> Measured:
    """Run a model at sizes of its dimensions.

    Raises:
        NotRun: onnxruntime does not.
    """
    runner = Runner(model)
    values, _ = runner.graph(model.graph, feeds(model, sizes), {})
    bodies = any(a.type == onnx.AttributeProto.GRAPH for n in model.graph.node for a in n.attribute)
    peak = None if bodies or model.functions else _peak(model.graph, values)
    return Measured(None if runner.counter.left else runner.counter.total, peak)


def feeds(model: onnx.ModelProto, sizes: Mapping[str, int]) -> dict[str, Array]:
    """Return what enters: masks of 1, else small random numbers."""
    numbers = np.random.default_rng(0)
    stored = {one.name for one in model.graph.initializer}
    made = {}
    for info in model.graph.input:
        if info.name not in stored:
            tensor = info.type.tensor_type
            shape = [
                _size(dim, f"{info.name}[{axis}]", sizes)
                for axis, dim in enumerate(tensor.shape.dim)
            ]
            dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
            ones = "mask" in info.name
            made[info.name] = np.ones(shape, dtype) if ones else drawn(numbers, dtype, shape)
    return made


def _size(dim: Any, axis: str, sizes: Mapping[str, int]) -> int:
    if dim.HasField("dim_value"):
        return int(dim.dim_value)
    name = dim.dim_param or axis
    if name in sizes:
        return sizes[name]
    text = re.sub(r"[A-Za-z_][A-Za-z0-9_.]*", lambda match: str(sizes.get(match[0], "?")), name)
    if not re.fullmatch(r"[0-9+*() -]+", text):
        raise NotRun(f"no size of {name}")
    return int(eval(text))  # digits and signs only


def _peak(graph: onnx.GraphProto, values: Mapping[str, Any]) -> int:
    """Return the most bytes of results that live at once, a node after the other.

    A result lives from its node to the last that reads it, an output of the graph to the end. What
    follows from stored tensors alone is none, nor what no output needs.
    """
    needed = {one.name for one in graph.output}
    for node in reversed(graph.node):
        if needed & {*node.output} - {""}:
            needed |= {*node.input}
    at_load = {one.name for one in graph.initializer} | {""}
    changes = [0] * (len(graph.node) + 1)
    for step, node in enumerate(graph.node):
        if not needed & {*node.output} - {""}:
            continue
        if at_load >= {*node.input}:
            at_load |= {*node.output}
            continue
        for name in filter(None, node.output):
            readers = [n for n, other in enumerate(graph.node) if name in other.input]
            alive = [n for n in readers if needed & {*graph.node[n].output}]
            last = max([step, *alive])
            if any(name == one.name for one in graph.output):
                last = len(graph.node) - 1
            changes[step] += values[name].nbytes
            changes[last + 1] -= values[name].nbytes
    return max(accumulate(changes), default=0)


def held(path: str, model: onnx.ModelProto, ranges: Ranges) -> Iterator[tuple[str, str]]:
    """Yield a word for each measure of the most, and what is wrong.

    Raises:
        GraphcountError: It cannot be counted over these ranges.
    """
    over = graphcount.count(path, ranges=ranges).ranges
    assert over is not None
    rows = {row.measure: row for row in over.measures}
    both = {"macs": rows["macs"], "peak": rows["peak_activation_nbytes"]}
    for measure, row in both.items():
        if row.most is None or not row.most_exact:
            yield f"{measure} {'not known' if row.most is None else 'bound'}", ""
            continue
        at = {name: row.most_at.get(name, low) for name, (low, _) in ranges.items()}
        try:
            number = getattr(measured(model, at), measure)
        except NotRun:
            yield f"{measure} not run", ""
            continue
        if number is None:
            yield f"{measure} without a truth", ""
        else:
            wrong = f"{measure} {row.most:,} at {at}, run: {number:,}"
            yield f"{measure} as run", "" if number == row.most else wrong
    numbers = random.Random(path)
    for _ in range(OTHERS):
        at = {name: numbers.randint(*ends) for name, ends in ranges.items()}
        try:
            point = measured(model, at)
        except NotRun:
            continue
        for measure, row in both.items():
            number = getattr(point, measure)
            if number is not None and row.most is not None:
                beyond = f"{measure} is {number:,} at {at}, more than {row.most:,}"
                yield "other sizes", beyond if number > row.most else ""


def spans(report: Report) -> dict[str, tuple[int, int]]:
    """Return small ranges by the names of dimensions."""
    hints = (("batch", (1, 2)), ("past", (0, 6)))
    return {
        row.name: next((ends for word, ends in hints if word in row.name), (1, 8))
        for row in report.dimensions
    }


def _late(_signal: int, _frame: object) -> None:
    raise NotRun(f"more than {TIMEOUT_S} s")


def main(arguments: Sequence[str]) -> int:
    """Print what is wrong, then sums."""
    folder, words = Path(arguments[0]), arguments[1:]
    signal.signal(signal.SIGALRM, _late)
    sums: collections.Counter[str] = collections.Counter()
    for path in sorted(folder.rglob("*.onnx")):
        if words and not any(word in str(path) for word in words):
            continue
        signal.alarm(TIMEOUT_S)
        try:
            report = graphcount.count(str(path))
            if report.dimensions:
                sums["models"] += 1
                for word, wrong in held(str(path), with_weights(path), spans(report)):
                    sums[word] += 1
                    if wrong:
                        sums["wrong"] += 1
                        print(f"WRONG {path.relative_to(folder)}: {wrong}", flush=True)
        except (NotRun, graphcount.GraphcountError) as error:
            sums["refused"] += 1
            print(f"refused {path.relative_to(folder)}: {error}"[:200], flush=True)
        finally:
            signal.alarm(0)
    print(dict(sums))
    return sums["wrong"]


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
