"""Logical numbers of packed tensors, by the sizes that their operators state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphcount

Save = Callable[..., str]
MS, ML = "com.microsoft", "ai.onnx.ml"
N: Any = helper.make_node


def elements(save: Save, node: onnx.NodeProto, tensors: dict[str, Any]) -> dict[str, int]:
    """Logical numbers of each stored tensor of a graph of one node."""
    values = [
        one if isinstance(one, TensorProto) else numpy_helper.from_array(one, name)
        for name, one in tensors.items()
    ]
    opsets = [("", 21), (MS, 1), (ML, 3)]
    path = save([node], values, inputs=["x"], outputs=[node.output[0]], opsets=opsets)
    return {row.name: row.elements for row in graphcount.count(path).tensors}


@pytest.mark.parametrize(("k", "block", "blocks"), [(64, 16, 4), (64, 64, 1), (70, 32, 3)])
def test_matmul_nbits(save: Save, k: int, block: int, blocks: int) -> None:
    """B stands for K x N numbers, however it is filled up; one zero point a block."""
    n, zeros = 6, np.zeros((6, (blocks + 1) // 2), np.uint8)
    tensors = {
        "B": np.zeros((n, blocks, block // 2), np.uint8),
        "s": np.ones(n * blocks, np.float32),
    }
    node = N("MatMulNBits", ["x", "B", "s", "z"], ["y"], domain=MS, K=k, N=n, block_size=block)
    found = elements(save, node, {**tensors, "z": zeros})
    assert found == {"B": k * n, "s": n * blocks, "z": n * blocks}
    floats = elements(save, node, {**tensors, "z": np.zeros((n, blocks + 1), np.float32)})
    assert floats["z"] == n * (blocks + 1)  # not packed: as it is
    for wrong in ({"K": 0, "N": n}, {"K": k, "N": -1}, {"N": n}, {"K": k}):
        bad = N("MatMulNBits", ["x", "B", "s", "z"], ["y"], domain=MS, block_size=block, **wrong)
        assert elements(save, bad, {**tensors, "z": zeros})["B"] == n * blocks * block // 2
    without = N("MatMulNBits", ["x", "B", "s", "z"], ["y"], domain=MS, K=k, N=n)
    assert elements(save, without, {**tensors, "z": zeros})["z"] == zeros.size


@pytest.mark.parametrize(
    ("op_type", "sizes", "numbers"),
    [
        ("MatMulNBits", {"K": 64, "N": 6, "block_size": 32}, 64 * 6),
        ("MatMulNBits", {"K": 1, "N": 1, "block_size": 16}, None),
        ("MatMulNBits", {"K": 2**40, "N": 2**40, "block_size": 32}, None),
        ("MatMulNBits", {"K": 64, "N": 6, "block_size": 32, "bits": 8}, None),
        ("MatMulNBits", {"K": 64, "N": 6}, None),
        ("MatMulBnb4", {"K": 64, "N": 6}, 64 * 6),
        ("MatMulBnb4", {"K": 1, "N": 1}, None),
    ],
)
def test_sizes_that_a_packed_weight_does_not_have_are_not_believed(
    op_type: str, sizes: dict[str, int], numbers: int | None, save: Save
) -> None:
    """Attributes alone could make a large weight pass a small budget: the bytes must fit them."""
    packed = numpy_helper.from_array(np.zeros((6, 2, 16), np.uint8), "B")
    node = N(op_type, ["x", "B", "s"], ["y"], domain=MS, **sizes)
    scales = numpy_helper.from_array(np.ones(12, np.float32), "s")
    path = save([node], [packed, scales], inputs=["x"], outputs=["y"], opsets=[("", 21), (MS, 1)])
    report = graphcount.count(path, cost=False)
    assert report.totals.parameters == (192 if numbers is None else numbers)
    assert report.totals.lower_bound == (numbers is None)
    assert [unknown.what for unknown in report.doubts] == ["packed data"] * (numbers is None)


def test_matmul_bnb4(save: Save) -> None:
    tensors = {"B": np.zeros(105, np.uint8), "m": np.ones(4, np.float32)}
    node = N("MatMulBnb4", ["x", "B", "m"], ["y"], domain=MS, K=30, N=7)
    assert elements(save, node, tensors) == {"B": 210, "m": 4}
    for sizes in ({}, {"K": 30}, {"N": 7}, {"K": 30, "N": 0}):
        unknown = N("MatMulBnb4", ["x", "B", "m"], ["y"], domain=MS, **sizes)
        assert elements(save, unknown, tensors)["B"] == 105


@pytest.mark.parametrize(("bits", "times"), [(None, 2), (4, 2), (2, 4), (1, 8), (8, 1), (3, 1)])
def test_bytes_that_hold_several_rows(save: Save, bits: int | None, times: int) -> None:
    stated = {} if bits is None else {"bits": bits}
    node = N("GatherBlockQuantized", ["d", "i", "s", "z"], ["y"], domain=MS, **stated)
    scales, index = np.ones((5, 1), np.float32), np.array([1])
    tensors = {"d": np.zeros((5, 8), np.uint8), "s": scales, "z": np.zeros((5, 3), np.uint8)}
    found = elements(save, node, {**tensors, "i": index})
    assert found == {"d": 40 * times, "s": 5, "z": 15 * times, "i": 1}
    fours = helper.make_tensor("d", TensorProto.UINT4, (5, 8), bytes(20), raw=True)
    assert elements(save, node, {**tensors, "d": fours, "i": index})["d"] == 40


@pytest.mark.parametrize(("bits", "times"), [(None, 2), (4, 2), (8, 1)])
def test_experts_of_few_bits(save: Save, bits: int | None, times: int) -> None:
    stated = {} if bits is None else {"expert_weight_bits": bits}
    names = [f"w{index}" for index in range(2, 14)]
    node = N("QMoE", ["x", "x", *names], ["y"], domain=MS, **stated)
    found = elements(save, node, {name: np.zeros((2, 3), np.uint8) for name in names})
    packed = {f"w{index}" for index in (2, 5, 8, 11, 12, 13)}
    assert found == {name: 6 * (times if name in packed else 1) for name in names}


@pytest.mark.parametrize("op_type", ["TreeEnsembleRegressor", "TreeEnsembleClassifier"])
def test_leaves_have_no_threshold(save: Save, op_type: str) -> None:
    modes = ["BRANCH_LEQ", "LEAF", "BRANCH_LT", "LEAF", "LEAF"]
    weights = "class_weights" if "Classifier" in op_type else "target_weights"
    attributes = {"nodes_modes": modes, "nodes_values": [0.5] * 5, weights: [1.0, 2.0, 3.0]}
    node = N(op_type, ["x"], ["y"], "trees", domain=ML, **attributes)
    found = elements(save, node, {})
    assert (found["trees.nodes_values"], found[f"trees.{weights}"]) == (2, 3)
    attributes.pop("nodes_values")
    as_tensor = numpy_helper.from_array(np.ones(5, np.float64), "values")
    double = N(
        op_type, ["x"], ["y"], "trees", domain=ML, nodes_values_as_tensor=as_tensor, **attributes
    )
    assert elements(save, double, {})["trees.nodes_values_as_tensor"] == 2
    lost = N(op_type, ["x"], ["y"], "trees", domain=ML, nodes_values=[0.5] * 5)
    assert elements(save, lost, {})["trees.nodes_values"] == 5


def test_another_domain_packs_nothing(save: Save) -> None:
    node = N("MatMulNBits", ["x", "B"], ["y"], domain="com.acme", K=64, N=32)
    assert elements(save, node, {"B": np.zeros((2, 3), np.uint8)}) == {"B": 6}


def test_thresholds_and_leaves_of_trees_are_learned(save: Save) -> None:
    modes = ["BRANCH_LEQ", "LEAF", "LEAF"]
    learned = {"nodes_values": [1e10, 0.5, 0.5], "target_weights": [1.0, 1e10]}  # no masks
    steering = {"nodes_modes": modes, "nodes_featureids": [0, 0, 0]}
    node = N("TreeEnsembleRegressor", ["x"], ["y"], "t", domain=ML, **learned, **steering)
    path = save([node], inputs=["x"], outputs=["y"], opsets=[("", 21), (ML, 3)])
    found = {row.name: (row.kind, row.role) for row in graphcount.count(path).tensors}
    assert found["t.nodes_values"] == ("parameter", "threshold")
    assert found["t.target_weights"] == ("parameter", "leaf value")
    assert {kind for name, (kind, _) in found.items() if name[2:] in steering} <= {"constant"}
