"""Share of node outputs whose shape is resolved: graphcount against onnx.shape_inference.

    python tests/benchmarks/shapes_coverage.py [FOLDER ...]

Counts the outputs of nodes in the main graph and its subgraphs. onnx runs with data propagation in
a child process with a time limit. Where both have numbers, these must be equal; what differs is
listed, as are the operators at which graphcount loses shapes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (ROOT.parent / "shared" / "corpus", ROOT.parent / "shared" / "truth" / "models")
TIMEOUT_S = 10

Shape = list[Any]
Found = dict[str, Shape]


def by_onnx(path: str) -> Found:
    """Every resolved value: `scope|name` → numbers and names, as onnx infers them.

    `unk__N`, which onnx makes up for every dimension it does not know, does not count.
    """
    import onnx

    model = onnx.load(path, load_external_data=False)
    own = model.SerializeToString()
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
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
                if not any(isinstance(dim, str) and dim.encode() not in own for dim in shape):
                    found[f"{scope}|{name}"] = shape
            for attribute in node.attribute:
                for number, body in enumerate([attribute.g, *attribute.graphs]):
                    if body.node or body.output:
                        stack.append((f"{scope}/{index}.{attribute.name}.{number}", body))
    return found


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


def child(path: str) -> None:
    """Print what onnx finds (runs in a process of its own)."""
    print(json.dumps(by_onnx(path)))


def onnx_finds(path: Path) -> Found | None:
    """What onnx finds, or None when it fails or takes too long."""
    command = [sys.executable, __file__, "--onnx", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)
        return dict(json.loads(done.stdout)) if done.returncode == 0 else None
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
    rows, _ = count(model.file, graph, values)
    result = infer_shapes(model.proto, graph, rows, values)
    shapes = {}
    for (node_id, name), shape in result.shapes.items():
        data = graph.tables.nodes[node_id]
        if data["kind"] == "operator" and all(dim is not None for dim in shape):
            shapes[data["node"].offset, name] = [
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
                    place = number if len(attribute.graphs) == 1 else number + 1
                    stack.append((f"{scope}/{index}.{attribute.name}.{place}", inner))
    lost = []
    for item in result.unresolved:
        data = graph.tables.nodes.get(item.where, {})
        op_type = f"{data.get('domain', '')}:{data.get('op_type', data.get('kind'))}"
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


def main(folders: list[Path]) -> None:
    """Compare on every model below some folders."""
    from graphcount.errors import GraphcountError

    totals: Counter[str] = Counter()
    lost_at: Counter[str] = Counter()
    for path in sorted(path for folder in folders for path in folder.rglob("*.onnx")):
        try:
            ours, names, lost = we_find(path)
        except GraphcountError:
            totals["not readable"] += 1
            continue
        theirs = onnx_finds(path)
        names_set = set(names)
        theirs_here = {name: shape for name, shape in (theirs or {}).items() if name in names_set}
        totals.update(files=1, values=len(names), ours=len(ours), onnx=len(theirs_here))
        totals["onnx fails"] += theirs is None
        totals["ours ahead"] += len(ours) > len(theirs_here)
        totals["onnx ahead"] += len(ours) < len(theirs_here)
        lost_at.update(lost)
        if len(ours) < len(theirs_here):
            print(f"onnx ahead: {path}: {len(ours)} and {len(theirs_here)} of {len(names)}")
            missing = sorted(theirs_here.keys() - ours.keys())[:5]
            print(*(f"    {name} {theirs_here[name]}" for name in missing), sep="\n")
        for line in disagreements(ours, theirs_here):
            print(f"differs: {path.name}: {line}")
    print(json.dumps(totals))
    for side in ("ours", "onnx"):
        print(f"{side}: {totals[side] / max(totals['values'], 1):.2%}")
    for what, count in lost_at.most_common(40):
        print(f"{count:5} {what}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--onnx"]:
        child(sys.argv[2])
    else:
        sys.path.insert(0, str(ROOT))
        main([Path(folder) for folder in sys.argv[1:]] or list(FOLDERS))
