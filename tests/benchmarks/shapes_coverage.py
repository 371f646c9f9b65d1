"""Share of node outputs whose shape is resolved: graphcount, onnx and onnxruntime.

    python tests/benchmarks/shapes_coverage.py [FOLDER ...]

Counts the outputs of nodes in the main graph and its subgraphs. onnx.shape_inference runs with data
propagation, onnxruntime's symbolic_shape_infer with auto_merge; each file in a child process with
20 seconds and 2 GB (plus the libraries). A file that fails there counts as unresolved. Where two
have numbers, these must be equal; what differs is listed, as are the operators at which graphcount
loses shapes, and the time and memory graphcount takes for shapes and costs, in a child process too.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (ROOT.parent / "shared" / "corpus", ROOT.parent / "shared" / "truth" / "models")
TIMEOUT_S = 20
MEMORY_NBYTES = 2 * 10**9
WORDS = {"floor", "ceil", "ceiling", "Max", "Min", "Mod", "max", "min"}
"""Functions in the text of a dimension: no names of the file."""

Shape = list[Any]
Found = dict[str, Shape]


def by(tool: str, path: str) -> Found:
    """Every resolved value: `scope|name` → numbers and names, as another tool infers them.

    A name the tool makes up for a dimension it does not know (`unk__3`, `Reshape_7_o0__d0`) does
    not count; arithmetic over names of the file does.
    """
    import onnx

    model = onnx.load(path, load_external_data=False)
    own = model.SerializeToString()
    if tool == "onnx":
        inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    else:
        from onnxruntime.tools.symbolic_shape_infer import SymbolicShapeInference

        inferred = SymbolicShapeInference.infer_shapes(model, auto_merge=True)
    found: Found = {}
    stack = [("", inferred.graph)]
    while stack:
        scope, graph = stack.pop()
        infos = {info.name: info for info in (*graph.value_info, *graph.output, *graph.input)}
        for index, node in enumerate(graph.node):
            for name in node.output:
                shape = _onnx_shape(infos.get(name))
                if shape is None or not name:
                    continue
                if all(isinstance(dim, int) or _is_own(dim, own) for dim in shape):
                    found[f"{scope}|{name}"] = shape
            for attribute in node.attribute:
                for number, body in enumerate([attribute.g, *attribute.graphs]):
                    if body.node or body.output:
                        stack.append((f"{scope}/{index}.{attribute.name}.{number}", body))
    return found


def _is_own(dim: str, own: bytes) -> bool:
    """Whether all names in a dimension stand in the file."""
    if dim.encode() in own:
        return True
    names = set(re.findall(r"[A-Za-z_][\w.]*", dim)) - WORDS
    return bool(names) and all(name.encode() in own for name in names)


def _onnx_shape(info: Any) -> Shape | None:
    if info is None or not info.type.tensor_type.HasField("shape"):
        return None
    shape: Shape = []
    for dim in info.type.tensor_type.shape.dim:
        kind = dim.WhichOneof("value")
        if kind is None or (kind == "dim_value" and dim.dim_value < 0):
            return None
        shape.append(getattr(dim, kind))
    return shape


def child(tool: str, path: str) -> None:
    """Print what a tool finds (runs in a process of its own)."""
    if tool == "cost":
        import graphcount

        started = time.process_time()
        graphcount.count(path, cost=True, deep=False)
        seconds = time.process_time() - started
        started = time.process_time()
        graphcount.count(path, cost=False, deep=False)
        seconds -= time.process_time() - started
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"seconds": seconds, "MB": peak / 1e3}))
        return
    limit = MEMORY_NBYTES + 10**9  # libraries map address space they never touch
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # onnxruntime's tool leaves files behind where it runs
        print(json.dumps(by(tool, path)))


def run_child(tool: str, path: Path) -> dict[str, Any] | None:
    """What a child prints, or None when it fails or takes too long."""
    command = [sys.executable, __file__, f"--{tool}", str(path.resolve())]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=TIMEOUT_S, check=False, cwd=ROOT
        )
        lines = done.stdout.splitlines()
        return dict(json.loads(lines[-1])) if done.returncode == 0 and lines else None
    except (subprocess.TimeoutExpired, ValueError):
        return None


def we_find(path: Path) -> tuple[Found, list[str], list[str]]:
    """What graphcount resolves, all values there are, and op types that lose a shape."""
    from graphcount.analysis.counts import count
    from graphcount.analysis.shapes import infer_shapes
    from graphcount.analysis.values import Values
    from graphcount.api import load

    model = load(str(path))
    graph = model.model_graph
    values = Values(model.path, 64 * 2**20)
    rows = count(model.file, graph, values).rows
    result = infer_shapes(model.proto, graph, rows, values)
    values.close()
    shapes = {}
    for (node_id, name), shape in result.shapes.items():
        operator = graph.nodes[node_id]
        if operator.kind == "operator" and all(dim is not None for dim in shape):
            shapes[operator.record.offset, name] = [
                dim if isinstance(dim, int) else str(dim) for dim in shape
            ]
    found: Found = {}
    names = []
    stack = [("", model.proto.graph)]
    functions = {function.id for function in model.proto.functions}
    while stack:
        scope, body = stack.pop()
        for index, node in enumerate(body.nodes):
            for name in node.outputs:
                called = (node.domain, node.op_type, node.overload) in functions
                if name and not called:  # a call is no node of the graph, its body is
                    names.append(f"{scope}|{name}")
                    if (node.offset, name) in shapes:
                        found[names[-1]] = shapes[node.offset, name]
            for attribute in node.attributes:
                for number, inner in enumerate(attribute.graphs):
                    at = number if len(attribute.graphs) == 1 else number + 1
                    stack.append((f"{scope}/{index}.{attribute.name}.{at}", inner))
    lost = []
    for item in result.unresolved:
        place = graph.nodes.get(item.where)
        op_type = f"{place.domain}:{place.op_type or place.kind}" if place else "None"
        lost.append(f"{op_type.lstrip(':')} -- {item.why}")
    return found, names, lost


def disagreements(ours: Found, theirs: Found) -> list[str]:
    """Values whose shapes differ in rank or in a number that both know."""
    found = []
    for name in sorted(ours.keys() & theirs.keys()):
        a, b = ours[name], theirs[name]
        pairs = zip(a, b, strict=False)
        if len(a) != len(b) or any(
            isinstance(x, int) and isinstance(y, int) and x != y for x, y in pairs
        ):
            found.append(f"{name}: {a} and {b}")
    return found


TOOLS = ("onnx", "onnxruntime")


def main(folders: list[Path]) -> None:
    """Compare on every model below some folders."""
    from graphcount.errors import GraphcountError

    totals: Counter[str] = Counter()
    lost_at: Counter[str] = Counter()
    slowest: list[tuple[float, float, str]] = []
    for path in sorted(path for folder in folders for path in folder.rglob("*.onnx")):
        try:
            ours, names, lost = we_find(path)
        except GraphcountError:
            totals["not readable"] += 1
            continue
        totals.update(files=1, values=len(names), ours=len(ours))
        lost_at.update(lost)
        for tool in TOOLS:
            everything = run_child(tool, path)
            theirs = (
                {name: everything[name] for name in names if name in everything}
                if everything
                else {}
            )
            totals[tool] += len(theirs)
            totals[f"{tool} fails"] += everything is None
            totals[f"{tool} ahead"] += len(ours) < len(theirs)
            totals[f"{tool} behind"] += len(ours) > len(theirs)
            if len(ours) < len(theirs):
                print(f"{tool} ahead: {path}: {len(ours)} and {len(theirs)} of {len(names)}")
                missing = sorted(theirs.keys() - ours.keys())[:5]
                print(*(f"    {name} {theirs[name]}" for name in missing), sep="\n")
            for line in disagreements(ours, theirs):
                print(f"differs from {tool}: {path.name}: {line}")
        cost = run_child("cost", path)
        slowest.append((cost["seconds"], cost["MB"], path.name) if cost else (99, 0, path.name))
    print(json.dumps(totals))
    for side in ("ours", *TOOLS):
        print(f"{side}: {totals[side] / max(totals['values'], 1):.2%}")
    print("most CPU seconds for shapes and costs:", *sorted(slowest)[-3:])
    print("most memory:", *sorted(slowest, key=lambda row: row[1])[-3:])
    for what, count in lost_at.most_common(40):
        print(f"{count:5} {what}")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    if sys.argv[1:2] and sys.argv[1].startswith("--"):
        child(sys.argv[1][2:], sys.argv[2])
    else:
        main([Path(folder) for folder in sys.argv[1:]] or list(FOLDERS))
