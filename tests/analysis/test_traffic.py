"""Bytes that are read and written, by hand: elements x width of each value that a node touches."""

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
N = helper.make_node


def array(name: str, values: Any, dtype: Any = np.float32) -> TensorProto:
    return numpy_helper.from_array(np.asarray(values, dtype), name)


def count(save: Save, nodes: list[onnx.NodeProto], tensors: Any = (), **more: Any) -> Report:
    shape = more.pop("shape", [2, 3, 4])
    outputs = more.pop("outputs", [("y", None)])
    inputs = [("x", shape), *more.pop("inputs", [])]
    opsets = [("", 21), ("com.microsoft", 1)]
    path = save(nodes, list(tensors), inputs=inputs, outputs=outputs, opsets=opsets)
    return graphcount.count(path, **more)


def moved(report: Report) -> list[tuple[int | None, int | None]]:
    return [(node.read_nbytes, node.written_nbytes) for node in report.nodes]


def test_inputs_and_stored_tensors_are_read_and_results_written(save: Save) -> None:
    report = count(save, [N("MatMul", ["x", "w"], ["y"])], [array("w", np.ones((4, 5)))])
    read, written = (2 * 3 * 4 + 4 * 5) * 4, 2 * 3 * 5 * 4
    assert moved(report) == [(read, written)]
    totals = report.totals
    assert (totals.read_nbytes, totals.written_nbytes) == (read, written)
    assert totals.macs == 2 * 3 * 4 * 5
    assert totals.intensity == report.nodes[0].intensity == 2 * 120 / (read + written)


def test_a_value_that_enters_twice_is_read_once(save: Save) -> None:
    nodes = [N("Mul", ["x", "x"], ["m"]), N("Mul", ["m", "x"], ["y"])]
    nbytes = 2 * 3 * 4 * 4
    assert moved(count(save, nodes)) == [(nbytes, nbytes), (2 * nbytes, nbytes)]


@pytest.mark.parametrize(
    ("op_type", "tensors"),
    [
        ("Reshape", [array("shape", [6, 4], np.int64)]),
        ("Identity", []),
        ("Unsqueeze", [array("axes", [0], np.int64)]),
        ("Flatten", []),
    ],
)
def test_what_only_renames_moves_nothing(
    op_type: str, tensors: list[TensorProto], save: Save
) -> None:
    node = N(op_type, ["x", *(tensor.name for tensor in tensors)], ["y"])
    assert moved(count(save, [node], tensors)) == [(0, 0)]


def test_a_gather_reads_the_rows_it_takes(save: Save) -> None:
    table, indices = array("t", np.ones((1000, 8))), array("i", [[1, 2, 1]], np.int64)
    nodes = [N("Gather", ["t", "i"], ["g"]), N("Add", ["g", "x"], ["y"])]
    rows = 3 * 8 * 4
    report = count(save, nodes, [table, indices], shape=[8])
    assert moved(report) == [(3 * 8 + rows, rows), (rows + 32, rows)]


def test_rows_along_another_axis(save: Save) -> None:
    table, indices = array("t", np.ones((10, 1000))), array("i", [5, 6], np.int64)
    nodes = [N("Gather", ["t", "i"], ["g"], axis=1), N("Add", ["g", "x"], ["y"])]
    report = count(save, nodes, [table, indices], shape=[2])
    assert moved(report)[0] == (2 * 8 + 10 * 2 * 4, 10 * 2 * 4)


def test_rows_of_packed_blocks_and_their_scales(save: Save) -> None:
    """GatherBlockQuantized: 3 rows of 64 elements in 32 bytes, with 2 scales each."""
    table = array("t", np.zeros((1000, 32)), np.uint8)
    scales, indices = array("s", np.ones((1000, 2))), array("i", [1, 2, 3], np.int64)
    node = N(
        "GatherBlockQuantized",
        ["t", "i", "s"],
        ["g"],
        domain="com.microsoft",
        block_size=32,
        gather_axis=0,
        quantize_axis=1,
        bits=4,
    )
    nodes = [node, N("Add", ["g", "x"], ["y"])]
    report = count(save, nodes, [table, scales, indices], shape=[64])
    assert moved(report)[0] == (3 * 32 + 3 * 2 * 4 + 3 * 8, 3 * 64 * 4)


def test_positions_that_no_input_states_are_a_row_for_each_token(save: Save) -> None:
    """EmbedLayerNormalization without position_ids (ContribOperators.md)."""
    info = helper.make_tensor_value_info("ids", TensorProto.INT32, [2, 3])
    inputs = ["ids", "", "words", "places", "", "g", "b"]
    node = N("EmbedLayerNormalization", inputs, ["y", "m"], domain="com.microsoft")
    tensors = [array("words", np.ones((1000, 4))), array("places", np.ones((512, 4)))]
    tensors += [array("g", np.ones(4)), array("b", np.ones(4))]
    opsets = [("", 21), ("com.microsoft", 1)]
    outputs = [("y", None), output("m", TensorProto.INT32)]
    path = save([node], tensors, inputs=[info], outputs=outputs, opsets=opsets)
    tokens, row = 2 * 3, 4 * 4
    assert moved(graphcount.count(path)) == [(tokens * 4 + 2 * tokens * row + 2 * row, 96 + 2 * 4)]


def test_a_slice_reads_the_part_it_takes(save: Save) -> None:
    ends = [array(name, [at], np.int64) for name, at in (("a", 0), ("b", 1), ("c", 2))]
    report = count(save, [N("Slice", ["x", "a", "b", "c"], ["y"])], ends)
    assert moved(report) == [(2 * 3 * 1 * 4 + 3 * 8, 2 * 3 * 1 * 4)]


def test_the_shape_of_a_value_is_not_the_value(save: Save) -> None:
    report = count(save, [N("Shape", ["x"], ["y"])], outputs=[output("y", TensorProto.INT64)])
    assert moved(report) == [(0, 3 * 8)]


def test_types_have_their_width(save: Save) -> None:
    nodes = [N("Cast", ["x"], ["h"], to=TensorProto.FLOAT16), N("Cast", ["h"], ["y"], to=7)]
    report = count(save, nodes, outputs=[output("y", TensorProto.INT64)])
    assert moved(report) == [(24 * 4, 24 * 2), (24 * 2, 24 * 8)]


def test_four_bits_are_half_a_byte(save: Save) -> None:
    packed = helper.make_tensor("w", TensorProto.INT4, [3, 5], [1] * 15)
    nodes = [N("DequantizeLinear", ["w", "s"], ["d"]), N("MatMul", ["x", "d"], ["y"])]
    report = count(save, nodes, [packed, array("s", 0.5)], shape=[2, 3])
    assert moved(report)[0] == (8 + 4, 15 * 4)


@pytest.mark.parametrize(("opset", "width"), [(9, 4), (10, 1)])
def test_a_mask_of_dropout_has_had_two_types(opset: int, width: int, save: Save) -> None:
    """Changelog.md, Dropout-7 and Dropout-10."""
    node = N("Dropout", ["x"], ["y", "mask"])
    path = save([node], [], inputs=[("x", [5])], outputs=[("y", [5])], opsets=[("", opset)])
    assert moved(graphcount.count(path)) == [(5 * 4, 5 * 4 + 5 * width)]


def test_results_that_are_left_out_are_not_written(save: Save) -> None:
    nodes = [N("Split", ["x"], ["", "y"], axis=0, num_outputs=2)]
    (node,) = moved(count(save, nodes))
    assert node[1] == 1 * 3 * 4 * 4


def loop(factor: str) -> onnx.NodeProto:
    """A Loop whose state is multiplied in each trip."""
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [N("Mul", ["s", factor], ["out"]), N("Identity", ["c"], ["c_out"])],
        "body",
        [info("i", 7, []), info("c", 9, []), info("s", 1, [2, 3, 4])],
        [info("c_out", 9, []), info("out", 1, [2, 3, 4])],
    )
    return N("Loop", ["trips", "", "x"], ["y"], body=body)


def test_a_body_moves_as_often_as_it_runs(save: Save) -> None:
    node = loop("w")
    report = count(save, [node], [array("trips", 5, np.int64), array("w", np.ones(4))])
    rows = {row.op_type: (row.read_nbytes, row.written_nbytes) for row in report.nodes}
    assert rows == {
        "Loop": (0, 0),
        "Mul": (5 * (24 * 4 + 4 * 4), 5 * 24 * 4),
        "Identity": (0, 0),
    }


def test_unknown_trips_make_it_a_lower_bound(save: Save) -> None:
    node = loop("s")
    report = count(
        save, [node], inputs=[helper.make_tensor_value_info("trips", TensorProto.INT64, [])]
    )
    assert "traffic" in report.totals.at_least


def test_formulas_and_assumed_sizes(save: Save) -> None:
    nodes = [N("MatMul", ["x", "w"], ["y"])]
    report = count(save, nodes, [array("w", np.ones((4, 5)))], shape=["n", 4], assume={"n": 3})
    totals = report.totals
    assert (totals.read_expression, totals.written_expression) == ("16*n + 80", "20*n")
    assert (totals.read_nbytes, totals.intensity) == (None, None)
    numbers = report.in_numbers
    assert (numbers.totals.read_nbytes, numbers.totals.written_nbytes) == (3 * 16 + 80, 3 * 20)
    assert numbers.nodes[0].intensity == 2 * 60 / (3 * 16 + 80 + 3 * 20)


def test_what_has_no_known_bytes_is_said(save: Save) -> None:
    node = N("Nobody", ["x"], ["y"], domain="com.example")
    report = count(save, [node])
    assert moved(report) == [(2 * 3 * 4 * 4, None)]
    assert "traffic" in report.totals.at_least
    assert report.totals.read_nbytes == 96


def test_sequences_and_strings_have_no_bytes(save: Save) -> None:
    nodes = [
        N("SplitToSequence", ["x"], ["seq"], axis=0),
        N("SequenceAt", ["seq", "at"], ["y"]),
    ]
    report = count(save, nodes, [array("at", 0, np.int64)])
    assert report.totals.at_least == ()
    assert moved(report)[0] == (24 * 4, 0)


def output(name: str, dtype: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, None)
