"""Sizes that people give, and what a file declares beside what operators make."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphcount
from graphcount.analysis.shapes import ShapeError
from tests.conftest import Save

F, BOOL, I64 = TensorProto.FLOAT, TensorProto.BOOL, TensorProto.INT64


def info(name: str, dtype: int, dims: Any) -> Any:
    return helper.make_tensor_value_info(name, dtype, dims)


def ones(name: str, *shape: int) -> TensorProto:
    return numpy_helper.from_array(np.ones(shape, np.float32), name)


def conv(save: Save, shape: list[Any], **more: Any) -> str:
    node = helper.make_node("Conv", ["x", "W"], ["y"], pads=[1] * 4)
    return save([node], [ones("W", 8, 3, 3, 3)], inputs=[("x", shape)], outputs=["y"], **more)


# ------------------------------------------------------------------------------ names of dimensions


@pytest.mark.parametrize("text", ["?", "None", "-1", "7", "none", " "])
def test_what_names_nothing_is_a_dimension_for_each_place(save: Save, text: str) -> None:
    path = conv(save, [1, 3, text, text])
    report = graphcount.count(path)
    assert [row.name for row in report.dimensions] == ["x[2]", "x[3]"]
    assert [row.place for row in report.dimensions] == ["input x, axis 2", "input x, axis 3"]
    assert report.totals.macs_expression == "216*x[2]*x[3]"
    assert graphcount.count(path, dims={"x[2]": 4, "x[3]": 6}).totals.macs == 216 * 24
    assert graphcount.count(path, shapes={"x": (1, 3, 4, 6)}).totals.macs == 216 * 24
    assert graphcount.count(path, dims={text: 5}).totals.macs == 216 * 25  # every place of it


def test_a_place_stands_for_the_name_of_the_file(save: Save) -> None:
    path = conv(save, ["unk__7", 3, 4, 4])
    report = graphcount.count(path, dims={"x[0]": 2})
    assert report.totals.macs == 2 * 216 * 16
    assert report.dims == {"x[0]": 2}
    with pytest.raises(ShapeError, match=r"no dimension x\[1\]"):
        graphcount.count(path, dims={"x[1]": 2})


def test_the_rest_gets_one_size(save: Save) -> None:
    path = conv(save, ["n", 3, None, "w"])
    assert graphcount.count(path, dims={"n": 2, "*": 4}).totals.macs == 2 * 216 * 16


def selected(save: Save) -> str:
    """Rows that a mask selects, times a matrix; the file calls their number `sel`."""
    nodes = [
        helper.make_node("NonZero", ["m"], ["i"]),
        helper.make_node("Transpose", ["i"], ["t"]),
        helper.make_node("GatherND", ["x", "t"], ["g"]),
        helper.make_node("MatMul", ["g", "V"], ["y"]),
    ]
    inputs = [info("m", BOOL, [10]), ("x", [10, 8])]
    return save(nodes, [ones("V", 8, 4)], inputs=inputs, outputs=[("y", ["sel", 4])])


def test_a_size_that_data_decide_has_the_name_of_the_file(save: Save) -> None:
    path = selected(save)
    report = graphcount.count(path)
    assert report.totals.macs_expression == "32*sel"
    assert [(row.name, row.place) for row in report.dimensions] == [
        ("sel", "result i of NonZero, axis 1")
    ]
    assert report.totals.at_least == ()
    assert graphcount.count(path, dims={"sel": 5}).totals.macs == 160


def test_names_that_no_model_has_are_refused_together(save: Save) -> None:
    first, second = conv(save, ["n", 3, 4, 4]), conv(save, [1, 3, "h", 4])
    done = graphcount.counts([first, second], dims={"n": 2, "h": 5})
    assert [report.totals.macs for report in done.reports] == [2 * 216 * 16, 216 * 20]
    assert [report.dims for report in done.reports] == [{"n": 2}, {"h": 5}]
    with pytest.raises(graphcount.UsageError, match="no model has dimension or input width"):
        graphcount.counts([first, second], dims={"width": 2})
    with pytest.raises(ShapeError, match="no dimension h"):
        graphcount.count(first, dims={"h": 2})


# -------------------------------------------------------------------------------- another size


def network(save: Save) -> str:
    nodes = [
        helper.make_node("Conv", ["x", "W"], ["c"]),
        helper.make_node("Flatten", ["c"], ["f"]),
        helper.make_node("Gemm", ["f", "G"], ["y"]),
    ]
    weights = [ones("W", 8, 3, 3, 3), ones("G", 8 * 36, 5)]
    declared = [info("c", F, [1, 8, 6, 6]), info("y", F, [1, 5])]
    return save(nodes, weights, inputs=[("x", [1, 3, 8, 8])], outputs=["y"], value_info=declared)


def test_a_shape_replaces_that_of_the_file(save: Save) -> None:
    report = graphcount.count(network(save), shapes={"x": (2, 3, 8, 8)})
    assert report.totals.macs == 2 * (8 * 36 * 27 + 8 * 36 * 5)
    (row,) = report.model.inputs
    assert (row.shape, row.declared) == ((2, 3, 8, 8), (1, 3, 8, 8))
    assert report.mismatches == ()  # the file speaks of another size, and is not wrong


def test_a_shape_says_which_sizes_it_gives(save: Save) -> None:
    report = graphcount.count(conv(save, ["n", 3, "h", "?"]), shapes={"x": (2, 3, 4, 6)})
    assert report.dims == {"n": 2, "h": 4, "x[3]": 6}


@pytest.mark.parametrize(
    ("total", "wanted"), [("past + seq", 4), ("2*past + seq", 2), ("past*past + seq", None)]
)
def test_the_last_part_of_a_sum_follows(save: Save, total: str, wanted: int | None) -> None:
    inputs = [("x", ["seq", 2]), ("mask", [total]), ("cache", ["past", 2])]
    path = save([helper.make_node("Relu", ["x"], ["y"])], [], inputs=inputs, outputs=["y"])
    report = graphcount.count(path, shapes={"x": (8, 2), "mask": (12,)})
    assert report.dims.get("past") == wanted
    with pytest.raises(ShapeError, match="input mask, axis 0 is 13 by its other sizes, not 12"):
        graphcount.count(path, dims={"past": {4: 5, 2: 2, None: 1}[wanted]}, shapes=SHORT[wanted])


SHORT: dict[int | None, Any] = {
    4: {"x": (8, 2), "mask": (12,)},
    2: {"x": (9, 2), "mask": (12,)},
    None: {"x": (12, 2), "mask": (12,)},
}


def test_an_operator_that_cannot_take_the_size_is_named(save: Save) -> None:
    with pytest.raises(ShapeError, match=r"Gemm#2 cannot take these sizes: .*1568.* 288"):
        graphcount.count(network(save), shapes={"x": (1, 3, 16, 16)})


def test_a_fault_of_the_file_is_not_the_size_s(save: Save) -> None:
    nodes = [
        helper.make_node("MatMul", ["a", "V"], ["b"]),
        helper.make_node("MatMul", ["x", "V"], ["y"]),
    ]
    inputs = [("a", [1, 9]), ("x", ["n", 8])]
    path = save(nodes, [ones("V", 8, 4)], inputs=inputs, outputs=["y", "b"])
    report = graphcount.count(path, dims={"n": 2})
    assert "macs" in report.totals.at_least
    assert report.nodes[1].macs == 2 * 32


def test_two_inputs_of_one_name_may_differ_by_shape(save: Save) -> None:
    nodes = [
        helper.make_node("Concat", ["a", "b"], ["c"], axis=0),
        helper.make_node("MatMul", ["c", "V"], ["y"]),
    ]
    path = save(nodes, [ones("V", 8, 4)], inputs=[("a", ["N", 8]), ("b", ["N", 8])], outputs=["y"])
    shapes = {"a": (3, 8), "b": (5, 8)}
    report = graphcount.count(path, shapes=shapes, assume=True)
    assert report.totals.macs == 8 * 32
    assert report.dimensions == ()


# ---------------------------------------------------------------------------- derived over declared


def test_one_cause_is_one_mismatch(save: Save) -> None:
    """All that follow from a wrong declaration count with it, through values without one."""
    nodes = [
        helper.make_node("Relu", ["x"], ["a"]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("Relu", ["z"], ["d"]),
    ]
    declared = [info("a", F, [2]), info("c", F, [2]), info("d", F, [9])]
    inputs = [("x", [4]), ("z", [3])]
    report = graphcount.count(save(nodes, inputs=inputs, outputs=["c", "d"], value_info=declared))
    assert [(row.node, row.value, row.values) for row in report.mismatches] == [
        ("Relu#0", "a", 2),
        ("Relu#3", "d", 1),
    ]
    assert report.totals.at_least == ()
    assert report.totals.activation_nbytes == 4 * (3 * 4 + 3)


def custom(save: Save) -> str:
    nodes = [
        helper.make_node("Foo", ["x"], ["d"], domain="acme"),
        helper.make_node("Conv", ["d", "W"], ["y"]),
    ]
    return save(
        nodes,
        [ones("W", 8, 3, 3, 3)],
        inputs=[("x", [1, 3, 16, 16])],
        outputs=["y"],
        value_info=[info("d", F, [1, 3, 8, 8])],
        opsets=[("", 20), ("acme", 1)],
    )


def test_what_nothing_derives_is_as_declared_and_said(save: Save) -> None:
    report = graphcount.count(custom(save))
    assert report.nodes[1].macs == 36 * 8 * 27
    (relied,) = [row for row in report.unknown if row.affects == "declared"]
    assert (relied.where, relied.why) == (
        "acme::Foo",
        "nothing derives it: 1 shape is taken as declared",
    )
    assert graphcount.counts(custom(save), strict=True).exit_code == 1


def test_what_never_runs_rests_on_nothing(save: Save) -> None:
    def branch(name: str, op_type: str, domain: str) -> Any:
        node = helper.make_node(op_type, ["x"], [name], domain=domain)
        return helper.make_graph([node], name, [], [info(name, F, [1, 8])])

    node = helper.make_node(
        "If", ["c"], ["y"], then_branch=branch("a", "Relu", ""), else_branch=branch("b", "Foo", "p")
    )
    inputs = [("x", [1, 8]), info("c", BOOL, [])]
    path = save([node], inputs=inputs, outputs=["y"], opsets=[("", 20), ("p", 1)])
    assert {row.affects for row in graphcount.count(path).unknown} == {"cost", "declared"}
    assert graphcount.count(path, input_values={"c": 1}).unknown == ()


def test_a_declaration_of_another_size_is_no_help(save: Save) -> None:
    report = graphcount.count(custom(save), shapes={"x": (1, 3, 32, 32)})
    assert report.nodes[1].macs is None
    assert "macs" in report.totals.at_least


# -------------------------------------------------------------------------------- inputs that steer


def branches(save: Save) -> str:
    def branch(name: str, weight: str) -> Any:
        node = helper.make_node("MatMul", ["x", weight], [f"{name}_y"])
        return helper.make_graph([node], name, [], [info(f"{name}_y", F, None)])

    nodes = [
        helper.make_node("Equal", ["rate", "r"], ["c"]),
        helper.make_node(
            "If", ["c"], ["y"], then_branch=branch("a", "A"), else_branch=branch("b", "B")
        ),
    ]
    rate = numpy_helper.from_array(np.array(16_000, np.int64), "r")
    inputs = [("x", [1, 8]), info("rate", I64, [])]
    return save(nodes, [ones("A", 8, 2), ones("B", 8, 5), rate], inputs=inputs, outputs=["y"])


def test_a_value_decides_the_branch(save: Save) -> None:
    path = branches(save)
    assert graphcount.count(path).totals.macs == 40  # the more expensive one
    assert graphcount.count(path, input_values={"rate": 16_000}).totals.macs == 16
    report = graphcount.count(path, input_values={"rate": [8_000]})
    assert report.totals.macs == 40
    assert report.model.outputs[0].shape == (1, 5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rat": 1}, "no input rat; there is rate"),
        ({"rate": [1, 2]}, "input rate has 1 elements, not 2"),
    ],
)
def test_values_that_do_not_fit(save: Save, values: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message):
        graphcount.count(branches(save), input_values=values)


def test_a_value_gives_a_vector_its_length(save: Save) -> None:
    node = helper.make_node("Reshape", ["x", "to"], ["y"])
    path = save([node], inputs=[("x", [6]), info("to", I64, ["n"])], outputs=["y"])
    report = graphcount.count(path, input_values={"to": (2, 3)})
    assert report.model.outputs[0].shape == (2, 3)
    assert report.dimensions == ()


# ---------------------------------------------------------------------------------- what is wrong


def test_what_is_wrong_is_said(save: Save) -> None:
    """A file that contradicts itself: sizes that do not broadcast, an input or a value too few."""
    nodes = [
        helper.make_node("Add", ["a", "b"], ["s"]),
        helper.make_node("Gather", ["a"], ["g"]),
        helper.make_node("Constant", [], ["c"]),
        helper.make_node("Relu", ["s"], ["r"]),
    ]
    path = save(nodes, inputs=[("a", [4, 3]), ("b", [5, 3])], outputs=["g", "c", "r"])
    report = graphcount.count(path)
    why = {row.where: row.why for row in report.unknown if row.what == "shape"}
    assert why == {
        "Add#0": "its attributes and inputs do not fit: 4 and 5 do not broadcast",
        "Gather#1": "it has 1 of the 2 inputs that it needs",
        "Constant#2": "its attributes and inputs do not fit: a Constant without a value",
    }
    assert report.totals.at_least[-2:] == ("activation", "peak")
