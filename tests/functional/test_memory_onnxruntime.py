"""Activations beside what onnxruntime runs and plans; docs/cost.md says why they differ."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from graphcount.ops import operators

pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
if not hasattr(os, "fork"):
    pytest.skip("the comparison forks", allow_module_level=True)

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
SIZE = 4
CHAINS = ("cnn", "cnn_batchnorm", "behavior_cloning", "mlp_8_16_16_8")
AT_LOAD = ("cnn_int8",)
OTHER_OPSETS = ("BitCast", "Scatter", "TensorScatter")
"""Operators that opset 20 does not have."""
ATTENTION = ("transformer_block", "tied_language_model")


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    """`tests/benchmarks/memory.py`, which runs onnxruntime in a process of its own."""
    path = Path(__file__).resolve().parents[1] / "benchmarks" / "memory.py"
    spec = importlib.util.spec_from_file_location("benchmark_memory", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def planned(tool: ModuleType) -> dict[str, object]:
    paths = [str(FIXTURES / f"{name}.onnx") for name in (*CHAINS, *AT_LOAD, *ATTENTION)]
    found: dict[str, object] = tool.plans(paths, SIZE)
    assert set(found) == set(paths), "onnxruntime did not tell what it planned"
    return found


@pytest.mark.parametrize("name", [*CHAINS, *AT_LOAD, "transformer_block"])
def test_the_sum_of_activations_is_what_onnxruntime_makes(
    name: str, tool: ModuleType, planned: dict[str, object]
) -> None:
    path = str(FIXTURES / f"{name}.onnx")
    assert tool.ours(path, SIZE).activations == planned[path].results  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", CHAINS)
def test_the_planned_memory_lies_between_both_peaks(
    name: str, tool: ModuleType, planned: dict[str, object]
) -> None:
    """In onnxruntime's order, up to the rounding of each buffer, and gaps of 10 %."""
    path = str(FIXTURES / f"{name}.onnx")
    plan = planned[path]
    ours = tool.ours(path, SIZE, plan.order)  # type: ignore[attr-defined]
    theirs = plan.nbytes + ours.outputs  # type: ignore[attr-defined]
    rounding = tool.ALIGNMENT * (ours.alive + 1)
    assert ours.in_place <= theirs <= 1.1 * ours.ordered + rounding


@pytest.mark.parametrize("name", ATTENTION)
def test_gaps_make_attention_take_more_than_what_lives(
    name: str, tool: ModuleType, planned: dict[str, object]
) -> None:
    path = str(FIXTURES / f"{name}.onnx")
    plan = planned[path]
    ours = tool.ours(path, SIZE, plan.order)  # type: ignore[attr-defined]
    theirs = plan.nbytes + ours.outputs  # type: ignore[attr-defined]
    assert ours.ordered <= theirs < ours.activations


def test_operators_work_in_place_where_we_say_so_and_nowhere_else(
    tmp_path: Path, tool: ModuleType
) -> None:
    """Beside a buffer of 64 x 64 that stays: one more in place, else two."""
    known = {op_type: row for (_, op_type), row in operators("").items()}
    in_place = {
        op_type
        for op_type, row in known.items()
        if not row.traits.isdisjoint({"overwrites", "renames"}) and op_type not in OTHER_OPSETS
    }
    others = {
        op_type
        for op_type, row in known.items()
        if row.takes_one and row.family in ("elementwise", "softmax")
    }
    paths = []
    for op_type in sorted(in_place | others | {"LayerNormalization"}):
        paths.append(str(tmp_path / f"{op_type}.onnx"))
        onnx.save(_around(op_type), paths[-1])
    found = {Path(path).stem: plan for path, plan in tool.plans(paths, SIZE).items()}
    assert {name for name, plan in found.items() if plan.nbytes < 3 * 64 * 64 * 4} == in_place
    assert len(found) > 30


def _around(op_type: str) -> onnx.ModelProto:
    more: dict[str, Any] = {
        "ScatterElements": np.zeros((64, 64), np.int64),
        "LayerNormalization": np.ones(64, np.float32),
        "Reshape": np.array([32, 128]),
        "Unsqueeze": np.array([0]),
    }
    shape = [64, 64] if op_type != "Squeeze" else [1, 64, 64]
    tensors = [numpy_helper.from_array(np.ones((shape[-1], 64), np.float32), "W")]
    if op_type in more:
        tensors.append(numpy_helper.from_array(more[op_type], "more"))
    attributes: dict[str, Any] = {"to": 1} if op_type == "Cast" else {}
    inputs = ["a", "more"][: 1 + (op_type in more)]
    inputs += ["W"] if op_type == "ScatterElements" else []
    nodes = [
        helper.make_node("MatMul", ["x", "W"], ["stays"]),
        helper.make_node("MatMul", ["stays", "W"], ["a"]),
        helper.make_node(op_type, inputs, ["b"], **attributes),
        helper.make_node("ReduceSum", ["b"], ["c"], keepdims=0),
        helper.make_node("Mul", ["stays", "c"], ["d"]),
        helper.make_node("ReduceSum", ["d"], ["y"], keepdims=0),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "g", [info("x", 1, shape)], [info("y", 1, [])], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
