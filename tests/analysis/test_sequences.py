"""Sequences carry shapes: each result against what onnxruntime returns."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphcount
from tests.conftest import Save

N = helper.make_node
NUMBERS: dict[str, Any] = {
    **{f"i{number}": np.int64(number) for number in range(9)},
    "last": np.int64(-1),
    "sizes": np.array([1, 4, 3]),
    "yes": np.array(True),
    "w": np.ones((4, 5), np.float32),
}

Case = tuple[list[onnx.NodeProto], int]
SPLIT = N("SplitToSequence", ["x", "i3"], ["s"], axis=1)
ROWS = N("SplitToSequence", ["x"], ["s"], axis=1, keepdims=0)
ONE = N("SequenceConstruct", ["x", "x"], ["s"])


def mapped() -> onnx.NodeProto:
    """Return a SequenceMap that multiplies each element with the tensor w."""
    body = helper.make_graph(
        [N("MatMul", ["e", "m"], ["r"], "product")],
        "body",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("e", "m")],
        [helper.make_tensor_value_info("r", TensorProto.FLOAT, None)],
    )
    return N("SequenceMap", ["s", "w"], ["t"], "map", body=body)


def branched() -> onnx.NodeProto:
    """Return an If whose branches return sequences."""
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    graphs = [
        helper.make_graph(
            [N("SplitToSequence", ["x", size], [name], axis=1)],
            name,
            [],
            [helper.make_value_info(name, kind)],
        )
        for name, size in (("then", "i3"), ("else", "i2"))
    ]
    return N("If", ["yes"], ["s"], then_branch=graphs[0], else_branch=graphs[1])


CASES: dict[str, Case] = {
    "one size": ([SPLIT, N("SequenceAt", ["s", "i1"], ["y"])], 0),
    "what is left": ([SPLIT, N("SequenceAt", ["s", "i2"], ["y"])], 0),
    "the last": ([SPLIT, N("SequenceAt", ["s", "last"], ["y"])], 0),
    "stated sizes": (
        [N("SplitToSequence", ["x", "sizes"], ["s"], axis=1), N("SequenceAt", ["s", "i1"], ["y"])],
        0,
    ),
    "rows": ([ROWS, N("SequenceAt", ["s", "i7"], ["y"])], 0),
    "rows that are kept": (
        [N("SplitToSequence", ["x"], ["s"], axis=1), N("SequenceAt", ["s", "i7"], ["y"])],
        0,
    ),
    "joined again": ([SPLIT, N("ConcatFromSequence", ["s"], ["y"], axis=1)], 0),
    "joined elsewhere": ([ONE, N("ConcatFromSequence", ["s"], ["y"], axis=0)], 0),
    "stacked": ([ROWS, N("ConcatFromSequence", ["s"], ["y"], axis=1, new_axis=1)], 0),
    "stacked last": ([ROWS, N("ConcatFromSequence", ["s"], ["y"], axis=-1, new_axis=1)], 0),
    "inserted": (
        [
            SPLIT,
            N("SequenceInsert", ["s", "x", "i1"], ["t"]),
            N("SequenceAt", ["t", "i1"], ["y"]),
        ],
        0,
    ),
    "appended": (
        [SPLIT, N("SequenceInsert", ["s", "x"], ["t"]), N("SequenceAt", ["t", "last"], ["y"])],
        0,
    ),
    "from nothing": (
        [
            N("SequenceEmpty", [], ["n"]),
            N("SequenceInsert", ["n", "x"], ["s"]),
            N("ConcatFromSequence", ["s"], ["y"], axis=0),
        ],
        0,
    ),
    "erased": (
        [SPLIT, N("SequenceErase", ["s", "i0"], ["t"]), N("SequenceAt", ["t", "last"], ["y"])],
        0,
    ),
    "without the last": (
        [SPLIT, N("SequenceErase", ["s"], ["t"]), N("ConcatFromSequence", ["t"], ["y"], axis=1)],
        0,
    ),
    "another name": (
        [SPLIT, N("Identity", ["s"], ["t"]), N("SequenceAt", ["t", "i2"], ["y"])],
        0,
    ),
    "its length": (
        [SPLIT, N("SequenceLength", ["s"], ["n"]), N("Range", ["i0", "n", "i1"], ["y"])],
        0,
    ),
    "an optional tensor": (
        [N("Optional", ["x"], ["o"]), N("OptionalGetElement", ["o"], ["y"])],
        0,
    ),
    "an optional sequence": (
        [
            SPLIT,
            N("Optional", ["s"], ["o"]),
            N("OptionalGetElement", ["o"], ["t"]),
            N("SequenceAt", ["t", "i2"], ["y"]),
        ],
        0,
    ),
    "of the branch that is taken": ([branched(), N("SequenceAt", ["s", "i2"], ["y"])], 0),
    "products of elements": (
        [
            N("SplitToSequence", ["x", "i2"], ["s"], axis=1),
            N("SequenceAt", ["s", "i3"], ["e"]),
            N("MatMul", ["e", "w"], ["y"]),
        ],
        3 * 2 * 4 * 5,
    ),
    "products of each element": (
        [
            N("SplitToSequence", ["x", "i2"], ["s"], axis=1),
            mapped(),
            N("SequenceAt", ["t", "i3"], ["y"]),
        ],
        4 * (3 * 2 * 4 * 5),
    ),
}
X = (3, 8, 4)


@pytest.mark.parametrize("name", CASES)
def test_results_have_the_shapes_of_a_run(save: Save, name: str) -> None:
    nodes, macs = CASES[name]
    used = {value for node in nodes for value in node.input}
    used |= {
        value
        for node in nodes
        for attribute in node.attribute
        for inner in attribute.g.node
        for value in inner.input
    }
    held = [
        numpy_helper.from_array(np.asarray(NUMBERS[key]), key) for key in NUMBERS if key in used
    ]
    path = save(nodes, held, inputs=[("x", X)], outputs=["y"], opsets=[("", 18)], change=_untyped)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {"x": np.ones(X, np.float32)})
    report = graphcount.count(path)
    last = [row for row in report.nodes if not row.scope][-1]
    assert last.output_shapes == (wanted.shape,)
    assert report.totals.macs == macs
    assert not report.unknown


def _untyped(model: onnx.ModelProto) -> None:
    model.graph.output[0].ClearField("type")
    model.ir_version = 9
