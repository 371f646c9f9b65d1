"""From a stored tensor to the nodes that use it, through whatever only passes numbers on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphcount
from graphcount.analysis import attribution
from graphcount.report.records import Report
from graphcount.report.rows import TensorRow

Save = Callable[..., str]
N: Any = helper.make_node
INFO = helper.make_tensor_value_info


def floats(name: str, *shape: int) -> TensorProto:
    numbers = np.linspace(0.1, 0.9, int(np.prod(shape)), dtype=np.float32)
    return numpy_helper.from_array(numbers.reshape(shape), name)


def ints(name: str, *numbers: int) -> TensorProto:
    return numpy_helper.from_array(np.array(numbers, np.int64), name)


def uses(row: TensorRow) -> list[tuple[str, int | None]]:
    return [(use.node, use.input) for use in row.uses]


def rows(report: Report) -> dict[str, TensorRow]:
    return {row.name: row for row in report.tensors}


PASSING: list[tuple[str, list[str], dict[str, Any]]] = [
    ("Identity", [], {}),
    ("Cast", [], {"to": TensorProto.FLOAT}),
    ("Transpose", [], {}),
    ("Reshape", ["to"], {}),
    ("Flatten", [], {}),
    ("Squeeze", [], {}),
    ("Unsqueeze", ["axis"], {}),
    ("Expand", ["to"], {}),
    ("Neg", [], {}),
]


@pytest.mark.parametrize(("op_type", "more", "attributes"), PASSING)
def test_what_passes_numbers_on_is_looked_through(
    save: Save, op_type: str, more: list[str], attributes: dict[str, Any]
) -> None:
    nodes = [
        N(op_type, ["w", *more], ["v"], "pass", **attributes),
        N("MatMul", ["x", "v"], ["y"], "use"),
    ]
    tensors = {"to": ints("to", 4, 4), "axis": ints("axis", 0)}
    held = [floats("w", 4, 4), *(tensors[name] for name in more)]
    found = rows(graphcount.count(save(nodes, held, inputs=["x"], outputs=["y"])))
    assert uses(found["w"]) == [("use", 1)]
    assert (found["w"].kind, found["w"].role) == ("parameter", "weight")
    assert found["w"].reason == f"weight of MatMul through {op_type}"
    for name in more:  # what steers it is used there, and not passed on
        assert uses(found[name]) == [("pass", 1)]
        assert found[name].kind == "constant"


def test_uses_are_in_graph_order_each_once(save: Save) -> None:
    nodes = [
        N("Transpose", ["w"], ["t"], "turn"),
        N("Add", ["w", "w"], ["a"], "twice"),
        N("Split", ["t"], ["p", "q"], "split", num_outputs=2),
        N("Mul", ["p", "q"], ["m"], "both"),
        N("Sub", ["a", "w"], ["s"], "again"),
        N("Concat", ["m", "s", "x"], ["y"], "last", axis=0),
    ]
    report = graphcount.count(save(nodes, [floats("w", 4, 4)], inputs=["x"], outputs=["y"]))
    assert uses(rows(report)["w"]) == [("twice", 0), ("twice", 1), ("both", 0), ("both", 1),
                                       ("again", 1)]  # fmt: skip


def body(inside: list[onnx.NodeProto], last: str, *held: TensorProto) -> onnx.GraphProto:
    return helper.make_graph(
        [*inside, N("Identity", ["c"], ["c_out"])],
        "body",
        [INFO("i", TensorProto.INT64, []), INFO("c", TensorProto.BOOL, []),
         INFO("s", TensorProto.FLOAT, [1, 4])],
        [INFO("c_out", TensorProto.BOOL, []), INFO(last, TensorProto.FLOAT, [1, 4])],
        list(held),
    )  # fmt: skip


def test_a_state_is_used_where_the_body_uses_it(save: Save) -> None:
    graph = body([N("MatMul", ["s", "w"], ["o"], "inside")], "o")
    nodes = [N("Loop", ["n", "", "h"], ["y"], "loop", body=graph)]
    held = [floats("h", 1, 4), floats("w", 4, 4), numpy_helper.from_array(np.array(3), "n")]
    found = rows(graphcount.count(save(nodes, held, outputs=["y"])))
    assert [node.rpartition("/")[2] for node, _ in uses(found["w"])] == ["inside"]
    assert {node.rpartition("/")[2] for node, _ in uses(found["h"])} == {"loop", "inside"}
    assert (found["w"].kind, found["w"].role) == ("parameter", "weight")
    assert uses(found["n"]) == [("loop", 0)]
    assert found["n"].kind == "constant"


def test_what_a_branch_gives_is_the_ifs_result(save: Save) -> None:
    """The chosen tensor is a weight of the product behind; of another operator nothing is known."""

    def branch(name: str) -> onnx.GraphProto:
        node = N("Identity", [name], [f"{name}_out"])
        return helper.make_graph(
            [node], name, [], [INFO(f"{name}_out", TensorProto.FLOAT, [4, 4])], [floats(name, 4, 4)]
        )

    node = N("If", ["c"], ["w"], "if", then_branch=branch("one"), else_branch=branch("two"))
    nodes = [node, N("MatMul", ["x", "w"], ["y"], "use")]
    inputs = ["x", INFO("c", TensorProto.BOOL, [])]
    found = rows(graphcount.count(save(nodes, inputs=inputs, outputs=["y"])))
    for name in ("one", "two"):
        assert uses(found[name]) == [("use", 1)]
        assert found[name].role == "weight"
        assert "If" in found[name].reason


def test_what_leaves_a_loop_is_a_state(save: Save) -> None:
    graph = body([N("Identity", ["held"], ["o"])], "o", floats("held", 1, 4))
    nodes = [N("Loop", ["n", "", "x"], ["y"], "loop", body=graph)]
    held = [numpy_helper.from_array(np.array(3), "n")]
    found = rows(graphcount.count(save(nodes, held, inputs=[("x", [1, 4])], outputs=["y"])))
    assert uses(found["held"]) == [("loop", None)]
    assert found["held"].role == "state"


def test_a_function_is_followed_at_every_call(save: Save) -> None:
    inside = [
        N("Constant", [], ["k"], value=floats("", 4, 4)),
        N("MatMul", ["a", "k"], ["b"], "m"),
    ]
    function = helper.make_function(
        "local", "F", ["a"], ["b"], inside, [helper.make_opsetid("", 20)]
    )
    nodes = [
        N("F", ["x"], ["h"], "one", domain="local"),
        N("F", ["h"], ["y"], "two", domain="local"),
    ]
    opsets = [("", 20), ("local", 1)]
    path = save(nodes, functions=[function], inputs=["x"], outputs=["y"], opsets=opsets)
    (row,) = graphcount.count(path).tensors
    assert [node.split("/")[0] for node, _ in uses(row)] == ["one", "two"]
    assert (row.kind, row.storage.where) == ("parameter", "function")


def test_dead_chains_are_dead_and_what_one_output_needs_lives(save: Save) -> None:
    nodes = [
        N("MatMul", ["x", "a"], ["h"], "first"),
        N("MatMul", ["h", "b"], ["g"], "second"),
        N("MatMul", ["g", "c"], ["nowhere"], "third"),
        N("Relu", ["h"], ["y"], "last"),
    ]
    held = [floats(name, 4, 4) for name in "abc"]
    found = rows(graphcount.count(save(nodes, held, inputs=["x"], outputs=["y"])))
    assert {name: row.kind for name, row in found.items()} == {
        "a": "parameter",
        "b": "unused",
        "c": "unused",
    }
    assert uses(found["b"]) == [("second", 1)]


def test_in_a_graph_with_a_cycle_what_reaches_an_output_lives(save: Save) -> None:
    nodes = [
        N("Add", ["b", "w"], ["a"], "one"),
        N("Add", ["a", "x"], ["b"], "two"),
        N("Relu", ["b"], ["y"], "three"),
        N("Mul", ["b", "v"], ["nowhere"], "four"),
    ]
    held = [floats("w", 4), floats("v", 4)]
    found = rows(graphcount.count(save(nodes, held, inputs=["x"], outputs=["y"])))
    assert found["w"].kind != "unused"
    assert found["v"].kind == "unused"


@pytest.mark.parametrize(("limit", "complete"), [(50, True), (49, False)])
def test_uses_are_followed_up_to_a_bound(
    save: Save, monkeypatch: pytest.MonkeyPatch, limit: int, complete: bool
) -> None:
    """Fifty readers of one tensor: as many uses, and as many steps."""
    nodes = [N("Add", ["x", "w"], [f"a{index}"], f"n{index}") for index in range(50)]
    nodes.append(N("Sum", [f"a{index}" for index in range(50)], ["y"]))
    path = save(nodes, [floats("w", 4)], inputs=["x"], outputs=["y"])
    for name in ("MAX_USES", "MAX_STEPS_PER_TENSOR"):
        with monkeypatch.context() as patch:
            patch.setattr(attribution, name, limit)
            report = graphcount.count(path, cost=False)
        told = [(u.where, u.what, u.why, u.affects) for u in report.unknown]
        expected = ("w", "uses", "it has too many uses to follow them all", "counts")
        assert [(where.rpartition(":")[2], *rest) for where, *rest in told] == (
            [] if complete else [expected]
        )


def test_only_constant_of_onnx_is_one(save: Save) -> None:
    """A tensor in an attribute of another operator is that operator's own."""
    held = floats("", 4)
    for domain, where in (("", "constant"), ("com.acme", "attribute")):
        nodes = [
            N("Constant", [], ["k"], "holder", domain=domain, value=held),
            N("Mul", ["x", "k"], ["y"], "use"),
        ]
        opsets = [("", 20), ("com.acme", 1)]
        (row,) = graphcount.count(save(nodes, inputs=["x"], outputs=["y"], opsets=opsets)).tensors
        assert row.storage.where == where
        assert uses(row) == ([("use", 1)] if where == "constant" else [("holder", None)])
        assert row.name == ("k" if where == "constant" else "holder.value")


def test_branches_that_meet_again_are_followed_once(save: Save) -> None:
    """Both branches give the value on: 2^16 ways to the product, and sixteen steps."""
    nodes, value = [], "w"
    for number in range(16):
        branches = {
            f"{which}_branch": helper.make_graph(
                [N("Identity", [value], [f"{which}{number}"])],
                which,
                [],
                [INFO(f"{which}{number}", TensorProto.FLOAT, [4, 4])],
            )
            for which in ("then", "else")
        }
        nodes.append(N("If", ["c"], [f"v{number}"], f"if{number}", **branches))
        value = f"v{number}"
    nodes.append(N("MatMul", ["x", value], ["y"], "use"))
    inputs = ["x", INFO("c", TensorProto.BOOL, [])]
    path = save(nodes, [floats("w", 4, 4)], inputs=inputs, outputs=["y"])
    report = graphcount.count(path, cost=False)
    assert report.unknown == ()
    assert uses(rows(report)["w"]) == [("use", 1)]
