"""Numbers that the graph makes without inputs, counted by their definition (Operators.md)."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphcount

Save = Callable[..., str]
N = helper.make_node


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def made(save: Save, node: onnx.NodeProto, tensors: dict[str, Any]) -> tuple[int, list[str]]:
    """Numbers made, without the help of inferred shapes, and what is not known."""
    values = [numpy_helper.from_array(np.asarray(one), name) for name, one in tensors.items()]
    nodes = [node, N("Size", [node.output[0]], ["n"]), N("Add", ["i", "n"], ["y"])]
    inputs = [helper.make_tensor_value_info("i", TensorProto.INT64, [])]
    report = graphcount.count(save(nodes, values, inputs=inputs, outputs=["y"]), cost=False)
    return report.totals.generated, [unknown.what for unknown in report.unknown]


@pytest.mark.parametrize(
    ("node", "tensors", "count"),
    [
        (N("ConstantOfShape", ["s"], ["t"]), {"s": ints(3, 5)}, 15),
        (N("ConstantOfShape", ["s"], ["t"]), {"s": ints()}, 1),
        (N("ConstantOfShape", ["s"], ["t"]), {"s": ints(3, 0)}, 0),
        (N("ConstantOfShape", ["s"], ["t"]), {"s": ints(3, -2)}, 0),
        (N("Expand", ["v", "s"], ["t"]), {"v": np.ones((1, 4)), "s": ints(3, 4)}, 12),
        (N("Expand", ["v", "s"], ["t"]), {"v": np.ones((3, 4)), "s": ints(3, 4)}, 0),
        (N("Expand", ["v", "s"], ["t"]), {"v": np.ones((3, 4)), "s": ints(1, 4)}, 0),
        (N("Tile", ["v", "s"], ["t"]), {"v": np.ones((3, 4)), "s": ints(2, 5)}, 120),
        (N("Tile", ["v", "s"], ["t"]), {"v": np.ones((3, 4)), "s": ints(2, 0)}, 0),
        (N("RandomNormal", [], ["t"], shape=[3, 7]), {}, 21),
        (N("RandomUniform", [], ["t"], shape=[2]), {}, 2),
        (N("RandomUniform", [], ["t"], shape=[2, -5]), {}, 0),
    ],
)
def test_numbers_made(
    save: Save, node: onnx.NodeProto, tensors: dict[str, Any], count: int
) -> None:
    assert made(save, node, tensors) == (count, [])


@pytest.mark.parametrize(
    ("start", "limit", "delta"),
    [(0, 10, 1), (0, 10, 3), (10, 0, -3), (0, 10, -1), (5, 5, 1), (0.0, 1.0, 0.3), (1, 2, 5)],
)
def test_a_range_is_what_python_makes(save: Save, start: Any, limit: Any, delta: Any) -> None:
    bounds = {"a": np.array(start), "b": np.array(limit), "c": np.array(delta)}
    expected = max(0, ceil((limit - start) / delta))
    assert made(save, N("Range", ["a", "b", "c"], ["t"]), bounds) == (expected, [])


def test_a_range_of_large_integers_is_exact(save: Save) -> None:
    bounds = {"a": np.array(-(2**62)), "b": np.array(2**62 + 1), "c": np.array(2)}
    assert made(save, N("Range", ["a", "b", "c"], ["t"]), bounds) == (2**62 + 1, [])


@pytest.mark.parametrize(
    ("node", "tensors"),
    [
        (N("Range", ["a", "b", "c"], ["t"]), {"a": ints(0)[0], "b": ints(9)[0], "c": ints(0)[0]}),
        (N("Range", ["a", "b", "c"], ["t"]), {"a": ints(0), "b": ints(9), "c": ints(1, 2)}),
        (N("Range", ["a", "b", "c"], ["t"]), {"a": 0.0, "b": np.inf, "c": 1.0}),
        (N("Range", ["a", "b", "c"], ["t"]), {"a": 0.0, "b": -np.inf, "c": 1.0}),
        (N("Range", ["a", "b", "c"], ["t"]), {"a": np.nan, "b": 1.0, "c": 1.0}),
        (N("Range", ["a", "b", "c"], ["t"]), {"a": -1e308, "b": 1e308, "c": 1.0}),
        (N("Range", ["a", "b", "c"], ["t"]), {"a": 0.0, "b": 1e308, "c": 1e-300}),
        (N("ConstantOfShape", ["s"], ["t"]), {"s": np.ones(4097, np.int64)}),
        (N("ConstantOfShape", ["s"], ["t"]), {"s": np.full(65, 2**62)}),
        (N("ConstantOfShape", ["s"], ["t"]), {"s": np.array([np.nan])}),
        (N("Expand", ["v", "s"], ["t"]), {"v": np.ones(3), "s": np.array([np.inf])}),
        (N("Tile", ["v", "s"], ["t"]), {"v": np.ones(3), "s": np.full(4096, 2**62)}),
        (N("RandomNormal", [], ["t"], shape=["abc"]), {}),
        (N("RandomNormal", [], ["t"], shape=[float("nan")]), {}),
    ],
)
def test_what_cannot_be_worked_out_is_not_known(
    save: Save, node: onnx.NodeProto, tensors: dict[str, Any]
) -> None:
    assert made(save, node, tensors) == (0, ["generated"])


def test_what_depends_on_an_input_is_an_activation(save: Save) -> None:
    nodes = [N("Shape", ["x"], ["s"]), N("ConstantOfShape", ["s"], ["y"])]
    report = graphcount.count(save(nodes, inputs=[("x", [3, 4])], outputs=["y"]))
    assert (report.totals.generated, report.unknown) == (0, ())


def test_other_domains_make_nothing(save: Save) -> None:
    node = N("ConstantOfShape", ["s"], ["t"], domain="com.acme")
    assert made(save, node, {"s": ints(3, 5)})[0] == 0


@pytest.mark.parametrize(("dims", "made_by_expand"), [([3, 4], 0), ([6, 4], 24)])
def test_an_expand_of_computed_shape(save: Save, dims: list[int], made_by_expand: int) -> None:
    """Shapes settle it: the stored tensor as it is makes nothing, a larger one is made."""
    half = numpy_helper.from_array(ints(dims[0] // 3, 1), "half")
    w = numpy_helper.from_array(np.ones((1 if dims[0] == 6 else 3, 4), np.float32), "w")
    base = numpy_helper.from_array(ints(3, 4), "base")
    nodes = [
        N("Mul", ["half", "base"], ["s"], "mul"),
        N("Expand", ["w", "s"], ["t"], "expand"),
        N("ReduceSum", ["t"], ["r"], keepdims=0),
        N("Add", ["x", "r"], ["y"]),
    ]
    path = save(nodes, [half, w, base], inputs=[("x", [2])], outputs=["y"])
    without = graphcount.count(path, cost=False)
    assert [unknown.affects for unknown in without.unknown] == ["generated"]
    report = graphcount.count(path)
    assert (report.totals.generated, report.exact) == (made_by_expand, True)


def test_a_size_that_stays_free_is_asked_for(save: Save) -> None:
    rows = numpy_helper.from_array(np.ones((2, 3), np.float32), "w")
    nodes = [
        N("NonZero", ["w"], ["s"], "nonzero"),
        N("Squeeze", ["s"], ["q"], "squeeze"),
        N("Cast", ["q"], ["c"], to=TensorProto.INT64),
        N("ConstantOfShape", ["c"], ["t"], "maker"),
        N("ReduceSum", ["t"], ["r"], keepdims=0),
        N("Add", ["x", "r"], ["y"]),
    ]
    report = graphcount.count(save(nodes, [rows], inputs=[("x", [2])], outputs=["y"]))
    (unknown,) = [unknown for unknown in report.unknown if unknown.what == "generated"]
    assert (unknown.where, unknown.affects) == ("maker", "generated")
    assert not report.exact
