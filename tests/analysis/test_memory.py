"""Activations against bytes counted by hand, with and without taking memory over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphcount
from graphcount.report.records import Report

Save = Callable[..., str]
N: Any = helper.make_node
Q = 4 * 8
"""Bytes of one activation here: 8 float32."""


def run(
    save: Save, nodes: list[onnx.NodeProto], outputs: list[str], in_place: bool = False, **more: Any
) -> Report:
    outs = [(name, [8]) for name in outputs]
    path = save(nodes, inputs=[("x", [8])], outputs=outs, **more)
    return graphcount.count(path, timeline=True, in_place=in_place)


def alive(report: Report) -> list[int]:
    """Activations alive at each operator."""
    assert report.timeline is not None
    return [row.nbytes // Q for row in report.timeline]


@pytest.mark.parametrize(
    ("nodes", "outputs", "plain", "in_place"),
    [
        # a is overwritten by its last reader, so the chain needs one buffer
        ([N("Neg", ["x"], ["a"]), N("Relu", ["a"], ["y"])], ["y"], [1, 2], [1, 1]),
        # an operator that is not in the list needs its own
        ([N("Neg", ["x"], ["a"]), N("Exp", ["a"], ["y"])], ["y"], [1, 2], [1, 2]),
        # the input of the graph is nobody's to overwrite
        ([N("Relu", ["x"], ["a"]), N("Tanh", ["a"], ["y"])], ["y"], [1, 2], [1, 1]),
        # a is read again, so Relu may not overwrite it
        (
            [N("Neg", ["x"], ["a"]), N("Relu", ["a"], ["b"]), N("Add", ["a", "b"], ["y"])],
            ["y"],
            [1, 2, 3],
            [1, 2, 3],
        ),
        # ... but a result that only renames it may share it, and lives as long as both
        (
            [
                N("Neg", ["x"], ["a"]),
                N("Identity", ["a"], ["b"]),
                N("Exp", ["a"], ["c"]),
                N("Add", ["b", "c"], ["y"]),
            ],
            ["y"],
            [1, 2, 3, 3],
            [1, 1, 2, 3],
        ),
        # the renamed one is the last to be read: the buffer ends with it, not before
        (
            [
                N("Neg", ["x"], ["a"]),
                N("Identity", ["a"], ["b"]),
                N("Exp", ["x"], ["c"]),
                N("Relu", ["b"], ["d"]),
                N("Add", ["c", "d"], ["y"]),
            ],
            ["y"],
            [1, 2, 2, 3, 3],
            [1, 1, 2, 2, 3],
        ),
        # an output lives to the end
        (
            [N("Neg", ["x"], ["a"]), N("Exp", ["x"], ["b"]), N("Exp", ["b"], ["y"])],
            ["a", "y"],
            [1, 2, 3],
            [1, 2, 3],
        ),
        # what nobody reads is made by no operator
        ([N("Neg", ["x"], ["a"]), N("Exp", ["x"], ["y"])], ["y"], [0, 1], [0, 1]),
        # an operator of another domain is not the known one
        (
            [N("Neg", ["x"], ["a"]), N("Relu", ["a"], ["y"], domain="com.acme")],
            ["y"],
            None,
            None,
        ),
    ],
)
def test_what_is_alive_at_each_step(
    save: Save,
    nodes: list[onnx.NodeProto],
    outputs: list[str],
    plain: list[int] | None,
    in_place: list[int] | None,
) -> None:
    opsets = [("", 20), ("com.acme", 1)]
    for expected, taken_over in ((plain, False), (in_place, True)):
        report = run(save, nodes, outputs, taken_over, opsets=opsets)
        if expected is None:
            assert alive(report) == [1, 2]  # by the declared shape; nothing is taken over
            continue
        assert alive(report) == expected
        assert report.totals.peak_activation_nbytes == max(expected) * Q
        made = {name for node in nodes for name in node.output}
        read = {name for node in nodes for name in node.input} | set(outputs)
        assert report.totals.activation_nbytes == len(made & read) * Q


@pytest.mark.parametrize(
    "op_type", ["Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Cast"]
)
def test_what_renames_shares_the_memory(save: Save, op_type: str) -> None:
    """[1, 8] stays 8 numbers in any of these; all but Transpose can be the same memory."""
    second = {"Reshape": ["to"], "Squeeze": ["axis"], "Unsqueeze": ["axis"]}.get(op_type, [])
    more = {"to": TensorProto.FLOAT} if op_type == "Cast" else {}
    tensors = {"to": np.array([8, 1]), "axis": np.array([0])}
    held = [numpy_helper.from_array(tensors[name], name) for name in second]
    nodes = [
        N("Neg", ["x"], ["a"]),
        N(op_type, ["a", *second], ["b"], **more),
        N("Exp", ["b"], ["y"]),
    ]
    path = save(nodes, held, inputs=[("x", [1, 8])], outputs=["y"])
    for in_place in (False, True):
        report = graphcount.count(path, timeline=True, in_place=in_place)
        shared = in_place and op_type != "Transpose"
        assert alive(report) == ([1, 1, 2] if shared else [1, 2, 2])


def test_a_result_of_another_size_takes_nothing_over(save: Save) -> None:
    """Clip of [8] by broadcasting to the same size may; the comparison of sizes decides."""
    half = N("Cast", ["a"], ["h"], to=TensorProto.FLOAT16)
    nodes = [N("Neg", ["x"], ["a"]), half, N("Relu", ["h"], ["r"]), N("Cast", ["r"], ["y"], to=1)]
    report = run(save, nodes, ["y"], in_place=True)
    assert report.timeline is not None
    assert [row.nbytes for row in report.timeline] == [32, 32 + 16, 16, 16 + 32]


def test_the_peak_names_its_values_largest_first(save: Save) -> None:
    nodes = [
        N("Neg", ["x"], ["b"], "one"),
        N("Concat", ["x", "x"], ["big"], "two", axis=0),
        N("Exp", ["x"], ["a"], "three"),
        N("ReduceSum", ["big"], ["s"], "four"),
        N("Sum", ["a", "b", "s"], ["y"], "five"),
    ]
    report = run(save, nodes, ["y"])
    assert alive(report)[:3] == [1, 3, 4]
    assert report.peak is not None
    assert (report.peak.node, report.peak.nbytes) == ("four", 4 * Q + 4)
    assert report.peak.values == (("big", 2 * Q), ("a", Q), ("b", Q), ("s", 4))


def test_inputs_and_outputs_by_their_types(save: Save) -> None:
    types = (TensorProto.INT64, TensorProto.FLOAT16, TensorProto.BOOL)
    inputs = [helper.make_tensor_value_info(f"i{t}", t, [3, 5]) for t in types]
    nodes = [N("Identity", [f"i{t}"], [f"o{t}"]) for t in types]
    outputs = [helper.make_tensor_value_info(f"o{t}", t, [3, 5]) for t in types]
    totals = graphcount.count(save(nodes, inputs=inputs, outputs=outputs)).totals
    assert (totals.input_nbytes, totals.output_nbytes) == (15 * (8 + 2 + 1),) * 2
    assert totals.activation_nbytes == 15 * 11
    strings = [helper.make_tensor_value_info("s", TensorProto.STRING, [3])]
    text = graphcount.count(
        save([N("Identity", ["s"], ["t"])], inputs=strings, outputs=["t"])
    ).totals
    assert (text.input_nbytes, text.output_nbytes) == (None, None)  # of no fixed width


def test_dynamic_dimensions_leave_a_formula(save: Save) -> None:
    nodes = [N("Neg", ["x"], ["a"]), N("Exp", ["a"], ["y"])]
    path = save(nodes, inputs=[("x", ["n", 3])], outputs=["y"])
    report = graphcount.count(path, timeline=True)
    assert (report.peak, report.timeline) == (None, None)
    assert report.totals.activation_nbytes is None
    assert report.activation_nbytes(n=5) == 2 * 4 * 3 * 5
    assert report.totals.activation_expression == "24*n"
    bound = graphcount.count(path, dims={"n": 5})
    assert bound.totals.activation_nbytes == 120
    assert bound.totals.peak_activation_nbytes == 120
    assert [row.shape for row in bound.model.inputs] == [(5, 3)]
    assert [row.shape for row in bound.model.outputs] == [(5, 3)]


def test_constants_are_weights(save: Save) -> None:
    held = numpy_helper.from_array(np.ones(8, np.float32))
    nodes = [N("Constant", [], ["c"], value=held), N("Add", ["x", "c"], ["y"])]
    report = run(save, nodes, ["y"])
    assert report.totals.activation_nbytes == Q
    assert alive(report) == [1]


# ---------------------------------------------------------------------------------- made at load


@pytest.mark.parametrize(
    ("nodes", "load", "made"),
    [
        # what a run reads or the graph returns stays; what was on the way to it does not
        ([N("Cast", ["w"], ["y"], to=TensorProto.FLOAT16)], 16, 0),
        ([N("Neg", ["w"], ["a"]), N("Exp", ["a"], ["b"]), N("Add", ["x", "b"], ["y"])], 32, 32),
        # both are read
        (
            [N("Neg", ["w"], ["a"]), N("Exp", ["a"], ["b"]), N("Sum", ["x", "a", "b"], ["y"])],
            64,
            32,
        ),
        # of an input, even if of its shape alone
        ([N("Shape", ["x"], ["a"]), N("Expand", ["w", "a"], ["y"])], 0, 8 + 32),
        # drawn anew each time
        ([N("RandomNormal", [], ["y"], shape=[8])], 0, 32),
        # nothing is known of the operator, nor of its result but what is declared
        ([N("Acme", ["w"], ["y"], domain="com.acme")], 0, 32),
        # a stored tensor in the form of an operator
        ([N("Constant", [], ["a"], value_floats=[1.0] * 8), N("Add", ["x", "a"], ["y"])], 0, 32),
        # text has no bytes of its own
        ([N("Cast", ["w"], ["y"], to=TensorProto.STRING)], 0, 0),
        # an input that no node makes is no stored tensor
        ([N("Add", ["w", "nowhere"], ["y"])], 0, 32),
    ],
)
def test_what_follows_from_stored_tensors_is_made_at_load(
    save: Save, nodes: list[onnx.NodeProto], load: int, made: int
) -> None:
    held = [numpy_helper.from_array(np.ones(8, np.float32), "w")]
    opsets = [("", 20), ("com.acme", 1)]
    path = save(nodes, held, inputs=[("x", [8])], outputs=[("y", [8])], opsets=opsets)
    totals = graphcount.count(path, timeline=True).totals
    assert (totals.load_nbytes, totals.activation_nbytes) == (load, made)


def test_a_body_reads_what_is_made_at_load(save: Save) -> None:
    """Once, though the body runs five times; what the body adds to its state is made by a run."""
    state = helper.make_tensor_value_info("state", 1, [8])
    after = helper.make_tensor_value_info("after", 1, [8])
    number = helper.make_tensor_value_info("number", 7, [])
    going = [helper.make_tensor_value_info(name, 9, []) for name in ("going", "still")]
    nodes = [
        N("Neg", ["w"], ["inside"], "inside"),
        N("Add", ["state", "inside"], ["some"]),
        N("Add", ["some", "outside"], ["after"]),
        N("Identity", ["going"], ["still"]),
    ]
    body = helper.make_graph(nodes, "body", [number, going[0], state], [going[1], after])
    loop = N("Loop", ["trips", "", "first"], ["y"], "loop", body=body)
    held = [
        numpy_helper.from_array(np.ones(8, np.float32), "w"),
        numpy_helper.from_array(np.array(5), "trips"),
    ]
    around = [N("Exp", ["w"], ["outside"], "outside"), N("Sqrt", ["w"], ["first"], "first"), loop]
    path = save(around, held, inputs=[("x", [8])], outputs=[("y", [8])])
    report = graphcount.count(path, timeline=True)
    assert report.totals.load_nbytes == 3 * 32
    assert report.totals.activation_nbytes == 1 + 3 * 32  # still, some, after; y
    assert report.timeline is not None
    names = {row.node.rpartition("/")[2] for row in report.timeline}
    assert names == {"loop", "Add#1", "Add#2", "Identity#3"}


def test_a_chain_of_weights_is_not_at_the_peak(save: Save) -> None:
    """8 x 8 floats behind Transpose: the product alone is at the peak."""
    held = [numpy_helper.from_array(np.ones((8, 8), np.float32), "w")]
    nodes = [N("Transpose", ["w"], ["t"], "turn"), N("MatMul", ["x", "t"], ["y"], "product")]
    report = graphcount.count(save(nodes, held, inputs=[("x", [1, 8])], outputs=["y"]))
    assert report.totals.load_nbytes == 8 * 8 * 4
    assert report.peak is not None
    assert report.peak.values == (("y", 32),)
