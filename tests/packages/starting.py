"""`graphcount init`, then `check`, on real exports with dynamic dimensions; and on grown ones.

    python -m tests.packages.starting FOLDER ...

All models below the folders that have dynamic dimensions are copied to a folder of their own, the
same content once. A configuration made of them must be kept (exit 0, nothing uncovered); then each
is made to grow with onnx, by more of its most expensive node, or by a tensor where none has MACs,
and must break it (exit 1), alone. A line a model: exporter, what grew, the verdict; then sums.
"""

from __future__ import annotations

import collections
import hashlib
import math
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import graphcount
from graphcount.report.records import Report

GROWTH = 0.2
"""Share of today's number that is added; a configuration leaves 10% headroom."""


def dynamic(folders: Sequence[str]) -> Iterator[tuple[Path, Report]]:
    """Yield models with dynamic dimensions and their report at assumed sizes, each content once."""
    seen = set()
    for path in sorted(path for folder in folders for path in Path(folder).rglob("*.onnx")):
        digest = hashlib.sha256(path.read_bytes()).digest()
        if digest in seen:
            continue
        seen.add(digest)
        try:
            report = graphcount.count(str(path), assume=True)
        except graphcount.GraphcountError as error:
            print(f"not read: {path}: {error}")
            continue
        if report.assumed is not None and not report.model.side_files:
            yield path, report


def grow(path: Path, report: Report) -> str:
    """Write a model that has more of its most expensive node, or a tensor; return which measure."""
    model = onnx.load(path)
    assert report.assumed is not None
    costs = {
        row.id: cost.macs or 0
        for row, cost in zip(report.nodes, report.assumed.nodes, strict=True)
        if not row.scope
    }
    makers = {name: node for node in model.graph.node for name in node.output}
    most = max(costs, key=lambda name: costs[name], default="")
    outputs = next(
        (row.outputs for row in graphcount.load(str(path)).model_graph.operators if row.id == most),
        (),
    )
    node = next((makers[name] for name in outputs if name in makers), None)
    if node is None or not costs[most]:
        _add_tensor(model, path.stat().st_size)
        onnx.save(model, path)
        return "nbytes"
    for number in range(math.ceil((report.assumed.totals.macs or 0) * GROWTH / costs[most])):
        more = onnx.NodeProto()
        more.CopyFrom(node)
        more.name = f"{node.name}/more/{number}"
        del more.output[:]
        more.output.extend(f"{name}/more/{number}" if name else "" for name in node.output)
        model.graph.node.append(more)
        value = helper.make_tensor_value_info(more.output[0], TensorProto.FLOAT, None)
        model.graph.output.append(value)
    onnx.save(model, path)
    return "macs"


def _add_tensor(model: onnx.ModelProto, nbytes: int) -> None:
    """Add a weight that an output is made of."""
    numbers = np.arange(max(1, math.ceil(nbytes * GROWTH / 4)), dtype=np.float32)
    model.graph.initializer.append(numpy_helper.from_array(numbers, "more"))
    model.graph.node.append(helper.make_node("Neg", ["more"], ["more/output"]))
    model.graph.output.append(helper.make_tensor_value_info("more/output", TensorProto.FLOAT, None))


def program(folder: Path, *arguments: str) -> tuple[int, str]:
    """Return exit code and output of graphcount."""
    command = [sys.executable, "-m", "graphcount", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    return done.returncode, done.stdout + done.stderr


def main(folders: Sequence[str]) -> int:
    """Print the lines; return how much is not as it should be."""
    with tempfile.TemporaryDirectory() as scratch:
        return _held(folders, Path(scratch))


def _held(folders: Sequence[str], scratch: Path) -> int:
    copies = {}
    for number, (path, report) in enumerate(dynamic(folders)):
        name = f"{number:03}-{path.name}"
        (scratch / "models").mkdir(exist_ok=True)
        shutil.copyfile(path, scratch / "models" / name)
        copies[name] = report
    wrong = 0
    for arguments in (("init", "models"), ("check",), ("check", "models", "--hide-passed")):
        code, text = program(scratch, *arguments)
        print(f"{' '.join(arguments)}: exit {code}: {text.splitlines()[-1]}")
        wrong += code != 0 or "uncovered" in text
    words = (scratch / "graphcount.toml").read_text().splitlines()
    print(f"sizes assumed in {sum('assumed: change' in line for line in words)} checks")
    print(*(line for line in words if line.startswith("# no ")), sep="\n")
    exporters: collections.Counter[str] = collections.Counter()
    for name, report in copies.items():
        measure = grow(scratch / "models" / name, report)
        code, text = program(scratch, "check", f"models/{name}")
        named = next((line for line in text.splitlines() if f"- {measure} " in line), "").strip()
        right = code == 1 and bool(named)
        wrong += not right
        exporters[(report.model.producer.split() or ["?"])[0]] += 1
        print(f"{'ok' if right else 'WRONG':6} {name:44} exit {code}  {named[:120]}")
    code, text = program(scratch, "check")
    print(f"check: exit {code}: {text.splitlines()[-1]}")
    print(f"{len(copies)} models, {wrong} wrong; by exporter: {dict(exporters)}")
    return wrong + (code != 1)


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
