"""Formulas on whole files: hand-computed cases, and exports whose framework's count is known.

Shapes come from onnx's own inference here, so only the formulas are under test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import onnx.inliner
import pytest
from onnx import numpy_helper

from graphcount.loading import read_source
from graphcount.loading.model import Graph, Node
from graphcount.loading.source import BytesSource
from graphcount.ops.call import Call, Shape
from graphcount.ops.cost import Cost, cost
from graphcount.symbolic import Dim
from graphcount.symbolic.text import parse

SHARED = Path(__file__).parents[3].parent / "shared"
pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(),
    reason="../shared is not here: third-party models are not part of the project",
)


class File:
    """A model with the shapes onnx infers; `costs` sums MACs and biases over what runs."""

    def __init__(self, path: Path, shapes: list[list[int]] | None = None) -> None:
        model = onnx.inliner.inline_local_functions(onnx.load(path, load_external_data=False))
        stored = {one.name for one in model.graph.initializer}
        fed = [one for one in model.graph.input if one.name not in stored]
        for value, shape in zip(fed, shapes or [], strict=False):
            del value.type.tensor_type.shape.dim[:]
            for size in shape:
                value.type.tensor_type.shape.dim.add().dim_value = size
        if shapes:
            del model.graph.value_info[:]
            for value in model.graph.output:
                value.type.tensor_type.ClearField("shape")
        model = onnx.shape_inference.infer_shapes(model, data_prop=True)
        self.numbers = {
            one.name: int(numpy_helper.to_array(one))
            for one in model.graph.initializer
            if not one.dims and one.data_type == onnx.TensorProto.INT64
        }
        self.graph = read_source(BytesSource(model.SerializeToString(), str(path))).proto.graph
        self.by_op: dict[str, Dim] = {}

    def costs(self) -> Cost:
        return self._sum(self.graph, {})

    def _sum(self, graph: Graph, outer: dict[str, Shape | None]) -> Cost:
        shapes = {**outer, **dict(_shapes(graph))}
        total = Cost(0, 0, 0)
        for node in graph.nodes:
            total = _add(total, self._one(node, shapes))
        return total

    def _one(self, node: Node, shapes: dict[str, Shape | None]) -> Cost:
        found = cost(
            Call(
                node,
                0,
                tuple(shapes.get(name) for name in node.inputs),
                outputs=tuple(shapes.get(name) for name in node.outputs),
            )
        )
        assert found is not None, node.op_type
        if found.macs != 0 and found.macs is not None:
            self.by_op[node.op_type] = self.by_op.get(node.op_type, 0) + found.macs
        bodies = [self._sum(one, shapes) for at in node.attributes for one in at.graphs]
        if node.op_type == "If":
            return max(bodies, key=lambda one: str(one.macs))
        for body in bodies:
            for _ in range(self.numbers.get(node.inputs[0], 1)):
                found = _add(found, body)
        return found


def _shapes(graph: Graph) -> Iterator[tuple[str, Shape | None]]:
    for value in (*graph.inputs, *graph.outputs, *graph.value_info):
        if value.shape is not None:
            yield value.name, tuple(_dim(one) for one in value.shape)
    for tensor in graph.initializers:
        yield tensor.name, tensor.dims
    for sparse in graph.sparse_initializers:
        yield sparse.values.name, sparse.dims


def _dim(stated: int | str | None) -> Dim | None:
    """A dimension; the names onnx invents say nothing."""
    if isinstance(stated, str):
        return None if stated.startswith("unk__") else parse(stated)
    return stated


def _add(a: Cost, b: Cost) -> Cost:
    sums = [None if x is None or y is None else x + y for x, y in zip(a, b, strict=True)]
    return Cost(*sums)


def cases() -> dict[str, Any]:
    path = SHARED / "cases" / "truth.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return found


@pytest.mark.parametrize("name", cases())
def test_hand_computed_case(name: str) -> None:
    truth = cases()[name]
    found = File(SHARED / "cases" / f"{name}.onnx").costs()
    if truth["macs"] is None:
        assert str(found.macs) == truth["macs_expression"]
        return
    assert found.macs == truth["macs"]
    if "macs_torchinfo" in truth:
        assert found.bias is not None
        assert found.macs + found.bias == truth["macs_torchinfo"]


def exports() -> list[dict[str, Any]]:
    """Exports with a stored file and an account of its MACs operator by operator."""
    path = SHARED / "truth" / "truth.jsonl"
    lines = path.read_text().splitlines() if path.is_file() else []
    records = [json.loads(line) for line in lines]
    return [one for one in records if one["onnx_macs"] and one["file"]]


@pytest.mark.skipif(not exports(), reason="../shared/truth is not here")
def test_exports_operator_by_operator() -> None:
    """Where onnx infers every shape, each operator's MACs are those on the real shapes."""
    checked, wrong = 0, []
    for record in exports():
        path = SHARED / "truth" / record["file"]
        if not path.is_file():
            continue
        one = File(path, [each["shape"] for each in record["inputs"]])
        found = one.costs()
        if not isinstance(found.macs, int):
            continue
        checked += 1
        if found.macs != record["onnx_macs"]["total"]:
            wrong.append((record["id"], one.by_op, record["onnx_macs"]["by_op"]))
    assert wrong == []
    assert checked > 250
