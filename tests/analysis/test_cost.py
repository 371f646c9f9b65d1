"""A forward pass with control flow: trips, the dearest branch, calls, and what is not known."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphcount
from graphcount.report.records import Report

Save = Callable[..., str]
N = helper.make_node
PRODUCT = 2 * 2
"""MACs of [1, 2] x [2, 2]."""
STATE = helper.make_tensor_value_info("s", TensorProto.FLOAT, [1, 2])


def weight(name: str, rows: int = 2, columns: int = 2) -> TensorProto:
    numbers = np.linspace(0.1, 0.9, rows * columns, dtype=np.float32)
    return numpy_helper.from_array(numbers.reshape(rows, columns), name)


def chain(value: str, count: int, tag: str) -> tuple[list[onnx.NodeProto], str]:
    """Products one after another, each with the square matrix W."""
    names = [value, *(f"{tag}{index}" for index in range(count))]
    nodes = [N("MatMul", [a, "W"], [b], f"{tag}_{b}") for a, b in pairwise(names)]
    return nodes or [N("Identity", [value], [f"{tag}x"])], names[-1] if count else f"{tag}x"


def branch(count: int, tag: str) -> onnx.GraphProto:
    nodes, last = chain("x", count, tag)
    out = helper.make_tensor_value_info(last, TensorProto.FLOAT, [1, 2])
    return helper.make_graph(nodes, tag, [], [out])


def body(inside: list[onnx.NodeProto], last: str) -> onnx.GraphProto:
    """A Loop's body: the state goes through `inside` and is called `last` then."""
    info = helper.make_tensor_value_info
    return helper.make_graph(
        [*inside, N("Identity", ["c"], ["c_out"])],
        "body",
        [info("i", TensorProto.INT64, []), info("c", TensorProto.BOOL, []), STATE],
        [info("c_out", TensorProto.BOOL, []), info(last, TensorProto.FLOAT, [1, 2])],
    )


def loop(trips: str, graph: onnx.GraphProto, name: str = "loop", state: str = "x") -> Any:
    return N("Loop", [trips, "", state], [f"{name}_y"], name, body=graph)


def scalar(name: str, number: int) -> TensorProto:
    return numpy_helper.from_array(np.array(number, np.int64), name)


def count(save: Save, nodes: list[onnx.NodeProto], output: str, **more: Any) -> Report:
    inputs = [("x", [1, 2]), helper.make_tensor_value_info("flag", TensorProto.BOOL, [])]
    tensors = [weight("W"), scalar("three", 3), scalar("five", 5)]
    tensors = [one for one in tensors if one.name == "W" or _reads(nodes, one.name)]
    return graphcount.count(save(nodes, tensors, inputs=inputs, outputs=[(output, [1, 2])], **more))


def _reads(nodes: Any, name: str) -> bool:
    return any(
        name in node.input or any(_reads(a.g.node, name) for a in node.attribute if a.HasField("g"))
        for node in nodes
    )


def by_module(report: Report) -> int:
    """What the rows of nodes say: they sum to the totals."""
    return sum(node.macs or 0 for node in report.nodes)


@pytest.mark.parametrize(("then", "other"), [(3, 1), (1, 3), (2, 2), (0, 1), (1, 0), (0, 0)])
def test_the_dearest_branch_counts(save: Save, then: int, other: int) -> None:
    node = N(
        "If", ["flag"], ["y"], "if", then_branch=branch(then, "t"), else_branch=branch(other, "e")
    )
    report = count(save, [node], "y")
    assert report.totals.macs == by_module(report) == max(then, other) * PRODUCT
    assert report.exact
    costs = {node.id: node.macs for node in report.nodes if node.op_type == "MatMul"}
    dear = "then_branch" if then > other else "else_branch" if other > then else None
    if dear:
        assert all((macs == PRODUCT) == (dear in name) for name, macs in costs.items())
        assert all(macs in (0, PRODUCT) for macs in costs.values())


def test_trips_of_loops_inside_each_other_multiply(save: Save) -> None:
    inner = loop("five", body(*chain("s", 2, "in")), "inner", "s")
    outer = loop("three", body([N("MatMul", ["s", "W"], ["m"], "m"), inner], "inner_y"), "outer")
    after = N("MatMul", ["outer_y", "W"], ["y"], "after")
    report = count(save, [outer, after], "y")
    assert report.totals.macs == by_module(report) == PRODUCT * (3 * (1 + 5 * 2) + 1)
    assert report.exact


def test_a_loop_in_a_branch_makes_it_the_dearest(save: Save) -> None:
    """One product five times costs more than three; the branch that holds it counts."""
    nested = helper.make_graph(
        [loop("five", body(*chain("s", 1, "in")), "inner", "x")],
        "t",
        [],
        [helper.make_tensor_value_info("inner_y", TensorProto.FLOAT, [1, 2])],
    )
    node = N("If", ["flag"], ["y"], "if", then_branch=nested, else_branch=branch(3, "e"))
    report = count(save, [node], "y")
    assert report.totals.macs == by_module(report) == 5 * PRODUCT
    flipped = N("If", ["flag"], ["y"], "if", then_branch=branch(6, "e"), else_branch=nested)
    report = count(save, [flipped], "y")
    assert report.totals.macs == by_module(report) == 6 * PRODUCT


def test_a_branch_in_a_loop_counts_once_a_trip(save: Save) -> None:
    inside = N("If", ["c"], ["z"], "if", then_branch=branch(2, "t"), else_branch=branch(1, "e"))
    graph = body([inside, N("Add", ["s", "z"], ["out"])], "out")
    report = count(save, [loop("three", graph)], "loop_y")
    assert report.totals.macs == by_module(report) == 3 * 2 * PRODUCT
    assert report.totals.elementwise == 3 * 2  # the additions


def test_a_loop_that_surely_runs_counts_once_where_trips_are_not_known(save: Save) -> None:
    """The first condition is left out, so it is true; the others are data."""
    graph = body(*chain("s", 2, "in"))
    graph.node[-1].CopyFrom(N("Equal", ["first", "zero"], ["c_out"]))
    graph.node.append(N("ReduceSum", ["s"], ["first"], keepdims=0))
    graph.node.sort(key=lambda node: node.op_type == "Equal")
    zero = numpy_helper.from_array(np.array(0, np.float32), "zero")
    path = save(
        [loop("five", graph)],
        [weight("W"), scalar("five", 5), zero],
        outputs=["loop_y"],
        inputs=[("x", [1, 2])],
    )
    report = graphcount.count(path)
    totals = report.totals
    assert (totals.macs, totals.macs_at_most) == (2 * PRODUCT, 5 * 2 * PRODUCT)
    each = 2 + 1  # two elements summed, one comparison
    assert (totals.elementwise, totals.elementwise_at_most) == (each, 5 * each)
    (unknown,) = [unknown for unknown in report.unknown if unknown.what == "trip count"]
    assert unknown.why == "the number of trips of Loop is not known; its body counts once"


def test_a_loop_that_may_not_run_adds_nothing_to_a_lower_bound(save: Save) -> None:
    info = [helper.make_tensor_value_info("n", TensorProto.INT64, [])]
    path = save(
        [loop("n", body(*chain("s", 2, "in")))],
        [weight("W")],
        inputs=[("x", [1, 2]), *info],
        outputs=["loop_y"],
    )
    report = graphcount.count(path)
    assert report.totals.macs == 0
    assert [node.macs for node in report.nodes if node.op_type == "MatMul"] == [None, None]
    (unknown,) = [unknown for unknown in report.unknown if unknown.what == "trip count"]
    assert (unknown.where, unknown.affects) == ("loop", "cost")
    why = "the number of trips of Loop is not known and may be 0; its body is not counted"
    assert unknown.why == why
    assert (report.totals.lower_bound, report.doubts) == (True, ())


def test_every_call_of_a_function_counts(save: Save) -> None:
    inside = [N("MatMul", ["a", "w"], ["b"], "m")]
    function = helper.make_function(
        "local", "Twice", ["a", "w"], ["b"], inside, [helper.make_opsetid("", 20)]
    )
    nodes = [
        N("Twice", ["x", "W"], ["h"], "one", domain="local"),
        N("Twice", ["h", "W"], ["y"], "two", domain="local"),
    ]
    opsets = [("", 20), ("local", 1)]
    report = count(save, nodes, "y", functions=[function], opsets=opsets)
    assert report.totals.macs == by_module(report) == 2 * PRODUCT
    looped = body([N("Twice", ["s", "W"], ["o"], "in", domain="local")], "o")
    report = count(save, [loop("five", looped)], "loop_y", functions=[function], opsets=opsets)
    assert report.totals.macs == by_module(report) == 5 * PRODUCT


def test_biases_count_only_when_asked_for(save: Save) -> None:
    bias = numpy_helper.from_array(np.ones(4, np.float32), "b")
    node = N("Gemm", ["x", "V", "b"], ["y"], "gemm")
    tensors = [weight("V", 2, 4), bias]
    path = save([node], tensors, inputs=[("x", ["n", 2])], outputs=[("y", ["n", 4])])
    plain, biased = graphcount.count(path), graphcount.count(path, macs_convention="torchinfo")
    assert plain.totals.macs_expression == "8*n"
    assert biased.totals.macs_expression == "12*n"
    assert [node.macs_expression for node in plain.nodes] == ["8*n"]
    assert [node.macs_expression for node in biased.nodes] == ["12*n"]
    assert [node.macs for node in plain.nodes] == [None]
    bound = graphcount.count(path, macs_convention="torchinfo", dims={"n": 5})
    assert [(node.macs, node.macs_expression) for node in bound.nodes] == [(60, None)]
    assert (bound.totals.macs, bound.totals.flops, bound.dims) == (60, 120, {"n": 5})


def test_operators_without_a_formula_are_told_once_each(save: Save) -> None:
    nodes = [
        N("Swirl", ["x"], ["a"], "one", domain="acme"),
        N("Swirl", ["a"], ["b"], "two", domain="acme"),
        N("Whirl", ["b"], ["c"], "three"),
        N("MatMul", ["c", "W"], ["y"], "four"),
    ]
    report = count(save, nodes, "y", opsets=[("", 20), ("acme", 1)])
    told = {
        unknown.where: (unknown.why, unknown.affects)
        for unknown in report.unknown
        if unknown.what == "operator"
    }
    assert told == {
        "acme::Swirl": ("no formula for this operator (2 nodes)", "cost"),
        "Whirl": ("no formula for this operator (1 node)", "cost"),
        "model": ("ai.onnx has no operator 'Whirl' (1 node)", "counts"),
    }
    lost = [unknown for unknown in report.unknown if unknown.what == "macs"]
    assert [node.macs for node in report.nodes if node.op_type == "MatMul"] in ([None], [4])
    assert [unknown.where for unknown in lost] in (["four"], [])
    assert report.totals.lower_bound
    assert {unknown.affects for unknown in report.unknown} <= {"cost", "counts", "declared"}


def test_branches_of_free_size_are_compared_by_a_sample(save: Save) -> None:
    """Six products of n rows cost more than one, and than one of two rows, for any usual n."""
    nodes, last = chain("x", 6, "t")
    free = helper.make_tensor_value_info(last, TensorProto.FLOAT, ["n", 2])
    many = helper.make_graph(nodes, "many", [], [free])
    fixed = helper.make_graph(
        [N("MatMul", ["two", "W"], ["f"])],
        "fixed",
        [],
        [helper.make_tensor_value_info("f", TensorProto.FLOAT, [2, 2])],
        [weight("two")],
    )
    inner = N("If", ["flag"], ["z"], "inner", then_branch=fixed, else_branch=many)
    outer = helper.make_graph(
        [inner], "outer", [], [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)]
    )
    for then, other in ((outer, branch(1, "e")), (branch(1, "e"), outer)):
        node = N("If", ["flag"], ["y"], "if", then_branch=then, else_branch=other)
        inputs = [("x", ["n", 2]), helper.make_tensor_value_info("flag", TensorProto.BOOL, [])]
        report = graphcount.count(save([node], [weight("W")], inputs=inputs, outputs=["y"]))
        assert report.totals.macs_expression == "24*n"


def test_what_a_node_is_explained_by(save: Save) -> None:
    """Those with parameters or matrix work have words; others would only say what they are."""
    nodes = [
        N("MatMul", ["x", "W"], ["h"], "product"),
        N("Relu", ["h"], ["r"], "relu"),
        N("MatMul", ["r", "W"], ["y"], "again"),
    ]
    report = count(save, nodes, "y")
    words = {node.id: node.explain for node in report.nodes}
    assert words["product"] == words["again"]
    assert words["product"].endswith(": 4 MACs")
    assert words["relu"] == ""
    assert [node.output_shapes for node in report.nodes] == [((1, 2),)] * 3
    assert [node.elementwise for node in report.nodes] == [0, 2, 0]


def test_words_and_number_agree_in_bodies(save: Save) -> None:
    """A formula stands for one run; the number beside it is that of all."""
    inner = loop("five", body([N("MatMul", ["s", "W"], ["p"], "deep")], "p"), "inner", "s")
    outer = loop("three", body([inner], "inner_y"), "outer")
    choice = N("If", ["flag"], ["y"], "if", then_branch=branch(2, "t"), else_branch=branch(1, "e"))
    rows = [*count(save, [outer], "outer_y").nodes, *count(save, [choice], "y").nodes]
    told = {(node.macs, node.explain) for node in rows if node.op_type == "MatMul"}
    once = min(text for _, text in told).partition(";")[0]
    assert once.endswith(f": {PRODUCT} MACs")
    assert told == {
        (3 * 5 * PRODUCT, f"{once}; runs 15 times"),
        (
            PRODUCT,
            f"{once}; counted: which branch of its If runs is not known, and this one costs most",
        ),
        (0, f"{once}; not counted: of the branches of an If only the most expensive one is"),
    }


# ------------------------------------------------------------- formulas that do not fit, or divide


TERMS = 64
"""What a formula holds (`graphcount.symbolic.MAX_TERMS`)."""


def test_a_total_that_lacks_nodes_says_so(save: Save) -> None:
    """Each product has a free size of its own; only so many fit into the formula of the total."""
    free = TERMS + 6
    nodes = [N("MatMul", [f"x{i}", "W"], [f"y{i}"], f"p{i}") for i in range(free)]
    inputs = [(f"x{i}", [f"n{i}", 2]) for i in range(free)]
    outputs = [f"y{i}" for i in range(free)]
    report = graphcount.count(save(nodes, [weight("W")], inputs=inputs, outputs=outputs))
    (unknown,) = report.unknown
    assert report.totals.lower_bound
    assert (unknown.where, unknown.what, unknown.affects) == ("model", "macs", "cost")
    assert unknown.why == "the formula has too many terms; 6 nodes not in it"
    assert report.macs(**{f"n{i}": 1 for i in range(free)}) == TERMS * PRODUCT


def test_biases_that_do_not_fit_are_left_out(save: Save) -> None:
    """As torchinfo counts, one node more: 64 sizes fill the formula, a fixed number is one more."""
    bias = numpy_helper.from_array(np.ones(2, np.float32), "B")
    nodes = [N("MatMul", [f"x{i}", "W"], [f"y{i}"], f"p{i}") for i in range(TERMS)]
    nodes.append(N("Gemm", ["x", "W", "B"], ["y"], "last"))
    inputs = [*((f"x{i}", [f"n{i}", 2]) for i in range(TERMS)), ("x", [1, 2])]
    outputs = [*(f"y{i}" for i in range(TERMS)), "y"]
    path = save(nodes, [weight("W"), bias], inputs=inputs, outputs=outputs)
    report = graphcount.count(path, macs_convention="torchinfo")
    assert report.totals.lower_bound
    assert next(node.macs for node in report.nodes if node.id == "last") == PRODUCT + 2


def test_trips_whose_product_does_not_fit_count_once(save: Save) -> None:
    """A Scan in a Scan: 9 x 9 terms are more than 64."""
    first, second = "+".join("abcdefghi"), "+".join("jklmnopqr")
    info = helper.make_tensor_value_info

    def scan(over: str, name: str, nodes: list[onnx.NodeProto], made: str) -> onnx.NodeProto:
        graph = helper.make_graph(
            nodes,
            name,
            [info(f"{name}_e", TensorProto.FLOAT, [1, 2])],
            [info(made, TensorProto.FLOAT, None)],
        )
        return N("Scan", [over], [f"{name}_y"], name, body=graph, num_scan_inputs=1)

    inner = scan("second", "inner", [N("MatMul", ["inner_e", "W"], ["m"], "m")], "m")
    outer = scan("first", "outer", [inner], "inner_y")
    inputs = [("first", [first, 1, 2]), ("second", [second, 1, 2])]
    path = save([outer], [weight("W")], inputs=inputs, outputs=["outer_y"])
    report = graphcount.count(path)
    assert [unknown.where for unknown in report.unknown if unknown.what == "trip count"] == [
        "outer/body/inner"
    ]
    sizes = dict.fromkeys("abcdefghi", 1)
    assert report.macs(**sizes) == 9 * PRODUCT


def test_a_formula_may_divide_by_zero(save: Save) -> None:
    """Branches are compared with 64 for every free size, which this one has no value for."""
    odd = helper.make_graph(
        [N("MatMul", ["odd", "W"], ["o"], "o")],
        "odd",
        [],
        [helper.make_tensor_value_info("o", TensorProto.FLOAT, None)],
    )
    node = N("If", ["flag"], ["y"], "if", then_branch=odd, else_branch=branch(1, "e"))
    inputs = [
        ("x", [1, 2]),
        ("odd", ["floor(1000/(n - 64))", 2]),
        helper.make_tensor_value_info("flag", TensorProto.BOOL, []),
    ]
    path = save([node], [weight("W")], inputs=inputs, outputs=["y"])
    assert graphcount.count(path).totals.macs == PRODUCT

    plain = N("MatMul", ["odd", "W"], ["y"], "y")
    report = graphcount.count(save([plain], [weight("W")], inputs=[inputs[1]], outputs=["y"]))
    assert report.macs(n=74) == 100 * PRODUCT
    with pytest.raises(graphcount.UsageError, match="no value for these sizes"):
        report.macs(n=64)


def test_what_changes_scores_runs_once_on_all_of_them(save: Save) -> None:
    """FlexAttention: score_mod sees scores of shape (B, heads, queries, keys)."""
    tensor = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Tanh", ["scores"], ["soft"], "cap")],
        "score_mod",
        [tensor("scores", TensorProto.FLOAT, None)],
        [tensor("soft", TensorProto.FLOAT, None)],
    )
    node = helper.make_node(
        "FlexAttention", ["q", "k", "v"], ["y"], "f", domain="ai.onnx.preview", score_mod=body
    )
    path = save(
        [node],
        inputs=[("q", [2, 4, 5, 8]), ("k", [2, 2, 7, 8]), ("v", [2, 2, 7, 6])],
        outputs=["y"],
        opsets=[("", 26), ("ai.onnx.preview", 1)],
    )
    report = graphcount.count(path)
    scores = 2 * 4 * 5 * 7
    assert (report.totals.macs, report.totals.elementwise) == (scores * (8 + 6), 2 * scores)
    assert not report.unknown


def test_what_no_file_tells_is_said_with_its_reason(save: Save) -> None:
    nodes = [
        N("Snpe", ["x"], ["y"], "n", domain="com.microsoft", DLC="blob"),
        N("Foo", ["y"], ["z"], "f", domain="com.acme"),
    ]
    opsets = [("", 20), ("com.microsoft", 1), ("com.acme", 1)]
    report = graphcount.count(save(nodes, inputs=["x"], outputs=["z"], opsets=opsets))
    said = {item.where: item.why for item in report.unknown if item.what == "operator"}
    assert said["com.microsoft::Snpe"].startswith("what it runs is compiled for a device")
    assert said["com.acme::Foo"] == "no formula for this operator (1 node)"


@pytest.mark.parametrize(("ir_version", "exact"), [(3, True), (4, False)])
@pytest.mark.parametrize("what", ["shape", "weight of any size", "weight"])
def test_what_a_caller_can_replace_is_not_exact(
    what: str, ir_version: int, exact: bool, tmp_path: Path
) -> None:
    """onnxruntime takes another value of an initializer that is an input, from IR version 4 on."""
    replaced = {"shape": "s", "weight of any size": "w", "weight": "w"}[what]
    size: list[int | str] = [4, "n"] if what == "weight of any size" else [4, 3]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [8])]
    inputs += [
        helper.make_tensor_value_info("s", TensorProto.INT64, [2]),
        helper.make_tensor_value_info("w", TensorProto.FLOAT, size),
    ]
    inputs = [info for info in inputs if ir_version < 4 or info.name in ("x", replaced)]
    stored = [
        helper.make_tensor("s", TensorProto.INT64, [2], [-1, 4]),
        helper.make_tensor("w", TensorProto.FLOAT, [4, 3], [1.0] * 12),
    ]
    nodes = [
        helper.make_node("Reshape", ["x", "s"], ["h"]),
        helper.make_node("MatMul", ["h", "w"], ["y"]),
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, stored)
    opsets = [helper.make_opsetid("", 13)]
    path = str(tmp_path / "model.onnx")
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=ir_version), path)
    report = graphcount.count(path)
    assert report.totals.macs == 2 * 4 * 3
    assert report.totals.parameters == 12
    assert ("macs" in report.totals.at_least) is not (exact or what == "weight")
    assert "parameters" not in report.totals.at_least
