"""Sizes beside what onnxruntime's own tools write, to the byte and by element type."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

import graphcount
from graphcount.planning.quantizers import (
    FLOAT32_INPUTS,
    FLOAT32_NODES,
    INT4,
    INT8,
    MOVES,
)
from tests.packages.quantizers import TOOLS, beside

pytest.importorskip("onnxruntime.quantization")

Save = Callable[..., str]
node = helper.make_node


class Case(NamedTuple):
    """A model: nodes, initializers, inputs, outputs, operator sets."""

    nodes: list[NodeProto]
    tensors: list[TensorProto]
    inputs: list[Any]
    outputs: list[Any]
    opsets: tuple[tuple[str, int], ...] = (("", 20), ("com.microsoft", 1))


def weight(name: str, *shape: int, dtype: Any = np.float32) -> TensorProto:
    """Return a tensor of distinct numbers."""
    numbers = np.linspace(-1, 1, int(np.prod(shape)) + 2)[1:-1]
    return numpy_helper.from_array(numbers.reshape(shape).astype(dtype), name)


def int64(name: str, *values: int) -> TensorProto:
    """Return a tensor of integers, also for inputs that are indices."""
    return numpy_helper.from_array(np.array(values, np.int64), name)


def indices(name: str, *shape: int) -> Any:
    """Return an input of integers."""
    return helper.make_tensor_value_info(name, TensorProto.INT64, shape)


def body(name: str, nodes: list[NodeProto], tensors: list[TensorProto]) -> GraphProto:
    """Return a branch of an If; its result is y."""
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    return helper.make_graph(nodes, name, [], [result], tensors)


def branches(then: GraphProto, other: GraphProto) -> NodeProto:
    """Return an If of two bodies."""
    return node("If", ["c"], ["y"], then_branch=then, else_branch=other)


def lstm(directions: int, hidden: int, inputs: int, word: str) -> Case:
    """Return an LSTM with a bias and initial states."""
    states = weight("h", directions, 1, hidden)
    return Case(
        [node("LSTM", ["x", "w", "r", "b", "", "h"], ["y"], hidden_size=hidden, direction=word)],
        [
            weight("w", directions, 4 * hidden, inputs),
            weight("r", directions, 4 * hidden, hidden),
            weight("b", directions, 8 * hidden),
            states,
        ],
        [("x", [5, 1, inputs])],
        [("y", None)],
    )


def attention(**attributes: Any) -> Case:
    """Return com.microsoft's Attention of 8 features and 2 heads."""
    made = node(
        "Attention", ["x", "w", "b"], ["y"], domain="com.microsoft", num_heads=2, **attributes
    )
    return Case([made], [weight("w", 8, 24), weight("b", 24)], [("x", [1, 4, 8])], [("y", None)])


def embeddings(outputs: int) -> Case:
    """Return an EmbedLayerNormalization with segments."""
    inputs = ["ids", "segments", "words", "positions", "kinds", "gamma", "beta"]
    results = ["y", "mask", "sum"][:outputs]
    return Case(
        [node("EmbedLayerNormalization", inputs, results, domain="com.microsoft")],
        [
            *(weight("words", 30, 8), weight("positions", 6, 8), weight("kinds", 2, 8)),
            *(weight("gamma", 8), weight("beta", 8)),
        ],
        [
            helper.make_tensor_value_info("ids", TensorProto.INT32, [1, 6]),
            helper.make_tensor_value_info("segments", TensorProto.INT32, [1, 6]),
        ],
        [("y", None)],
    )


ADD, PRODUCT = node("Add", ["x", "w"], ["z"]), node("MatMul", ["z", "w"], ["y"])
SQUARE = ([weight("w", 6, 6)], [("x", [6, 6])], [("y", None)])

CASES = {
    "product": Case(
        [node("MatMul", ["x", "w"], ["y"])], [weight("w", 70, 3)], [("x", [2, 70])], [("y", None)]
    ),
    "product of two initializers": Case(
        [node("MatMul", ["a", "w"], ["y"])],
        [weight("a", 4, 6), weight("w", 6, 5)],
        [("x", [2, 6])],
        [("y", None)],
    ),
    "vector": Case(
        [node("MatMul", ["x", "w"], ["y"])], [weight("w", 7)], [("x", [2, 7])], [("y", None)]
    ),
    "stack of matrices": Case(
        [node("MatMul", ["x", "w"], ["y"])],
        [weight("w", 3, 6, 5)],
        [("x", [3, 2, 6])],
        [("y", None)],
    ),
    "half": Case(
        [node("MatMul", ["x", "w"], ["y"])],
        [weight("w", 64, 4, dtype=np.float16)],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT16, [2, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT16, [2, 4])],
    ),
    "double": Case(
        [node("MatMul", ["x", "w"], ["y"])],
        [weight("w", 8, 4, dtype=np.float64)],
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, [2, 8])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [2, 4])],
    ),
    "gemm": Case(
        [node("Gemm", ["x", "w", "b"], ["y"], transB=1)],
        [weight("w", 5, 33), weight("b", 5)],
        [("x", [2, 33])],
        [("y", None)],
    ),
    "gemm with alpha": Case(
        [node("Gemm", ["x", "w", "b"], ["y"], transB=1, alpha=0.5)],
        [weight("w", 5, 33), weight("b", 5)],
        [("x", [2, 33])],
        [("y", None)],
    ),
    "tied gemm": Case(
        [node("Gather", ["w", "i"], ["h"]), node("Gemm", ["h", "w"], ["y"], transB=1)],
        [weight("w", 40, 6)],
        [indices("i", 3)],
        [("y", None)],
    ),
    "two gemms": Case(
        [node("Gemm", ["x", "w"], ["h"], transB=1), node("Gemm", ["h", "w"], ["y"], transB=1)],
        *SQUARE,
    ),
    "convolution": Case(
        [node("Conv", ["x", "w", "b"], ["h"]), node("Conv", ["h", "v"], ["y"])],
        [weight("w", 6, 3, 3, 3), weight("b", 6), weight("v", 4, 6, 1, 1)],
        [("x", [1, 3, 8, 8])],
        [("y", None)],
    ),
    "one-dimensional convolution": Case(
        [node("Conv", ["x", "w", "b"], ["y"])],
        [weight("w", 6, 3, 3), weight("b", 6)],
        [("x", [1, 3, 8])],
        [("y", None)],
    ),
    "look-ups": Case(
        [node("Gather", ["w", "i"], ["h"]), node("Gather", ["s", "j"], ["k"], axis=0)],
        [weight("w", 50, 33), int64("s", 3, 4, 5), int64("j", 1)],
        [indices("i", 3)],
        [("h", None), helper.make_tensor_value_info("k", TensorProto.INT64, None)],
    ),
    "lstm": lstm(1, 3, 5, "forward"),
    "lstm of two directions": lstm(2, 3, 5, "bidirectional"),
    "attention": attention(),
    "attention of other sizes": attention(qkv_hidden_sizes=[8, 8, 8]),
    "embeddings": embeddings(2),
    "embeddings with their sum": embeddings(3),
    "added before": Case([ADD, PRODUCT], *SQUARE),
    "added after": Case(
        [node("MatMul", ["x", "w"], ["z"]), node("Add", ["z", "w"], ["y"])], *SQUARE
    ),
    "transposed after": Case(
        [
            node("MatMul", ["x", "w"], ["z"]),
            node("Transpose", ["w"], ["v"]),
            node("MatMul", ["z", "v"], ["y"]),
        ],
        *SQUARE,
    ),
    "transposed before": Case(
        [
            node("Transpose", ["w"], ["v"]),
            node("MatMul", ["x", "w"], ["z"]),
            node("MatMul", ["z", "v"], ["y"]),
        ],
        *SQUARE,
    ),
    "constant": Case(
        [
            node("Constant", [], ["w"], value=weight("", 6, 5)),
            node("MatMul", ["x", "w"], ["h"]),
            node("MatMul", ["h", "v"], ["y"]),
        ],
        [weight("v", 5, 6)],
        [("x", [2, 6])],
        [("y", None)],
    ),
    "nothing reads it": Case(
        [node("MatMul", ["x", "w"], ["y"])],
        [weight("w", 6, 6), weight("unused", 9, 9)],
        [("x", [6, 6])],
        [("y", None)],
    ),
    "output": Case([node("MatMul", ["x", "w"], ["y"])], *SQUARE[:2], [("y", None), ("w", [6, 6])]),
    "branches": Case(
        [
            node("MatMul", ["x", "w"], ["h"]),
            branches(
                body("then", [node("MatMul", ["h", "w"], ["y"])], []),
                body("else", [node("MatMul", ["h", "v"], ["y"])], [weight("v", 6, 6)]),
            ),
        ],
        [weight("w", 6, 6)],
        [("x", [6, 6]), helper.make_tensor_value_info("c", TensorProto.BOOL, [])],
        [("y", None)],
    ),
    "gemms in branches": Case(
        [
            branches(
                body("then", [node("Gemm", ["x", "w"], ["y"], transB=1)], []),
                body("else", [node("Gemm", ["x", "w", "v"], ["y"], transB=1)], [weight("v", 6)]),
            )
        ],
        [weight("w", 6, 6), weight("lost", 3)],
        [("x", [6, 6]), helper.make_tensor_value_info("c", TensorProto.BOOL, [])],
        [("y", None)],
    ),
    "float32 only": Case(
        [
            node("Max", ["x", "floor"], ["a"]),
            node("Add", ["a", "shared"], ["b"]),
            node("Min", ["b", "shared"], ["d"]),
            node("Resize", ["d", "", "scales"], ["e"]),
            node("ConstantOfShape", ["shape"], ["f"]),
            node("Add", ["e", "f"], ["y"]),
        ],
        [weight("floor", 6), weight("shared", 6), weight("scales", 2), int64("shape", 1)],
        [("x", [6, 6])],
        [("y", None)],
    ),
}

OLD_RESIZE = Case(
    [node("Resize", ["x", "scales"], ["h"]), node("Mul", ["h", "g"], ["y"])],
    [weight("scales", 2), weight("g", 1)],
    [("x", [6, 6])],
    [("y", None)],
    (("", 10),),
)


STOPS = {("transposed after", "int8 channel")}


def saved(save: Save, case: Case) -> str:
    """Write a case as a file."""
    sizes = {"inputs": case.inputs, "outputs": case.outputs, "opsets": case.opsets}
    return save(case.nodes, case.tensors, **sizes)


def ready(tool: str) -> None:
    """Skip what needs a package that onnxruntime does not bring along."""
    logging.getLogger().setLevel(logging.ERROR)
    if tool.startswith("int4"):
        pytest.importorskip("onnx_ir", reason="MatMulNBitsQuantizer needs onnx-ir")


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("name", CASES)
def test_bytes_are_those_that_the_tool_writes(save: Save, name: str, tool: str) -> None:
    ready(tool)
    if (name, tool) in STOPS:
        pytest.skip("the tool stops: it loses the axis of the scales behind a Transpose")
    both = beside(saved(save, CASES[name]), tool)
    assert both.planned == both.real


def test_scales_of_resize_stand_elsewhere_in_opset_10(save: Save) -> None:
    both = beside(saved(save, OLD_RESIZE), "float16")
    assert both.planned == both.real == {"float16": 2, "float32": 8}


@pytest.mark.parametrize(
    ("name", "tool", "left_out"),
    [
        ("attention of other sizes", "int8", True),
        ("embeddings with their sum", "int8", True),
        ("gemm with alpha", "int4", True),
        ("double", "int8", True),
        ("attention", "int8", False),
        ("embeddings", "int8", False),
        ("lstm", "int8", False),
        ("lstm", "int4", True),
    ],
)
def test_what_no_tool_converts_is_left_out(
    save: Save, name: str, tool: str, left_out: bool
) -> None:
    """The comparison above would pass a tool that does nothing, and a plan that says nothing."""
    ready(tool)
    path = saved(save, CASES[name])
    assert beside(path, tool).left_out == left_out
    parts = {row.part: row.reason for row in graphcount.plan(path).left_out}
    assert (tool in parts) == left_out
    assert "no tensor changes: " in parts.get(tool, "no tensor changes: ")


def test_what_follows_an_operator_that_onnx_does_not_know_stays(save: Save) -> None:
    """The tool asks onnx for the type of what a Conv reads, and takes no answer for a no."""
    unknown = node("FusedGelu", ["x"], ["g"], domain="com.acme")
    again = node("Relu", ["g"], ["h"])
    tensors = [weight("w", 4, 3, 3, 3), weight("v", 4, 4, 1, 1)]
    for read, changed in (("h", 0), ("cast", 2)):
        nodes = [
            unknown,
            again,
            node("Cast", ["h"], ["cast"], to=TensorProto.FLOAT),
            node("Conv", [read, "w"], ["k"]),
            node("Conv", ["k", "v"], ["y"]),
        ]
        opsets = (("", 20), ("com.acme", 1))
        case = Case(nodes, tensors, [("x", [1, 3, 8, 8])], [("y", None)], opsets)
        both = beside(saved(save, case), "int8")
        assert both.planned == both.real
        assert both.left_out == (not changed)
        assert both.real.get("int8", 0) == (4 * 27 + 16 + 2 if changed else 0)


def test_where_the_tool_stops_is_said(save: Save) -> None:
    constant = node("Constant", [], ["w"], value=weight("", 4, 3, 3, 3))
    nodes = [
        constant,
        node("Conv", ["x", "w", "b"], ["h"], name="first"),
        node("Conv", ["h", "v"], ["y"]),
    ]
    tensors = [weight("b", 4), weight("v", 4, 4, 1, 1)]
    path = saved(save, Case(nodes, tensors, [("x", [1, 3, 8, 8])], [("y", None)]))
    with pytest.raises(ValueError, match="to be an initializer"):
        beside(path, "int8")
    planned = graphcount.plan(path, dtypes=("int8",))
    assert planned.sizes[0].stops_at == "Conv first"
    assert any(note.startswith("quantize_dynamic stops at Conv first") for note in planned.notes)


def test_tables_are_those_of_onnxruntime() -> None:
    from onnxruntime.quantization.registry import IntegerOpsRegistry
    from onnxruntime.transformers.float16 import ALWAYS_FLOAT_INPUTS, DEFAULT_OP_BLOCK_LIST

    assert {*INT8, *MOVES} == set(IntegerOpsRegistry)
    assert set(DEFAULT_OP_BLOCK_LIST) == FLOAT32_NODES
    assert {name: list(inputs) for name, inputs in FLOAT32_INPUTS.items()} == ALWAYS_FLOAT_INPUTS
    assert INT4 == {"MatMul": 1, "Gather": 0}


def test_the_page_has_every_operator() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "plan.md").read_text("utf-8")
    table = page.partition("**What int8 takes.**")[2].partition("**What int4")[0]
    assert set(re.findall(r"^\| ([A-Z]\w+) \|", table, re.M)) == {*INT8, "Gemm"}
