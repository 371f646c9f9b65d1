"""The networkx graph: ids, edges, subgraphs, functions, and what a file leaves undefined."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx
import onnx
import pytest
from onnx import TensorProto, helper

import graphcount
from graphcount.errors import LimitError
from graphcount.loading.limits import LEAST_WORK, WORK, Limits

Save = Callable[..., str]
Weights = Callable[..., TensorProto]

MATMUL = helper.make_node("MatMul", ["x", "W"], ["h"], "fc")
RELU = helper.make_node("Relu", ["h"], ["y"])


def edges(graph: nx.MultiDiGraph[str]) -> set[tuple[str, str, str, int | None]]:
    return {(u, v, data["value"], data["index"]) for u, v, data in graph.edges(data=True)}


def whats(path: str) -> list[str]:
    return [unknown.what for unknown in graphcount.load(path).model_graph.unknowns]


def test_nodes_edges_and_ids_of_a_small_net(save: Save, weights: Weights) -> None:
    path = save([MATMUL, RELU], [weights("W", 2, 3)], inputs=["x"], outputs=["y"])
    graph = graphcount.load(path).graph
    assert set(graph) == {"input:x", "initializer:W", "fc", "Relu#1", "output:y"}
    assert edges(graph) == {
        ("input:x", "fc", "x", 0),
        ("initializer:W", "fc", "W", 1),
        ("fc", "Relu#1", "h", 0),
        ("Relu#1", "output:y", "y", 0),
    }
    assert graph.nodes["fc"]["op_type"] == "MatMul"
    assert graph.nodes["initializer:W"]["tensor"].dims == (2, 3)
    assert nx.is_directed_acyclic_graph(graph)


def test_ancestors_are_useful_at_once(fixtures: Path) -> None:
    graph = graphcount.load(str(fixtures / "cnn.onnx")).graph
    output = next(node for node in graph if node.startswith("output:"))
    above = nx.ancestors(graph, output)
    assert len(above) == len(graph) - 1


def test_operators_carry_what_was_counted(fixtures: Path) -> None:
    graph = graphcount.load(str(fixtures / "cnn.onnx")).graph
    operators = [data for _, data in graph.nodes(data=True) if data["kind"] == "operator"]
    assert sum(data["parameters"] for data in operators) == 26_926
    assert sum(data["nbytes"] for data in operators) == 26_926 * 4 + 16
    assert {data["module"] for data in operators} >= {"features.0", "classifier.2"}
    assert operators[0]["output_shapes"] == (("batch", 5, 28, 28),)


def test_a_value_taken_twice_by_one_node_is_two_edges(save: Save) -> None:
    twice = helper.make_node("Add", ["x", "x"], ["y"], "add")
    graph = graphcount.load(save([twice], inputs=["x"], outputs=["y"])).graph
    keys: list[object] = list(graph["input:x"]["add"])
    assert keys == [("x", 0), ("x", 1)]


def test_the_graph_is_what_networkx_itself_would_build(fixtures: Path) -> None:
    graph = graphcount.load(str(fixtures / "transformer_block.onnx")).graph
    again: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    again.add_nodes_from(graph.nodes(data=True))
    for producer, consumer, key, data in graph.edges(keys=True, data=True):
        again.add_edge(producer, consumer, key, **data)
    assert nx.utils.graphs_equal(graph, again)
    assert {n: set(graph.pred[n]) for n in graph} == {n: set(again.pred[n]) for n in again}
    assert nx.utils.graphs_equal(graph.reverse(), again.reverse())


def test_repeated_and_missing_names_get_stable_ids(save: Save) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], "same"),
        helper.make_node("Abs", ["a"], ["b"], "same"),
        helper.make_node("Neg", ["b"], ["c"]),
    ]
    graph = graphcount.load(save(nodes, inputs=["x"], outputs=["c"])).graph
    assert [n for n, d in graph.nodes(data=True) if d["kind"] == "operator"] == [
        "same",
        "Abs#1",
        "Neg#2",
    ]


def if_node(weights: Weights) -> onnx.NodeProto:
    """If with one weight a branch; both capture x."""

    def branch(name: str) -> onnx.GraphProto:
        node = helper.make_node("MatMul", ["x", "W"], [f"{name}_y"], "mm")
        out = helper.make_tensor_value_info(f"{name}_y", TensorProto.FLOAT, None)
        return helper.make_graph([node], name, [], [out], [weights("W", 2, 2)])

    return helper.make_node(
        "If", ["c"], ["y"], "choose", then_branch=branch("t"), else_branch=branch("e")
    )


def test_bodies_of_if_live_in_the_same_graph(save: Save, weights: Weights) -> None:
    path = save([if_node(weights)], inputs=["x", "c"], outputs=["y"])
    model = graphcount.load(path)
    graph = model.graph
    inside = "choose/then_branch/mm"
    assert graph.nodes[inside]["scope"] == "choose/then_branch"
    assert ("input:x", inside, "x", 0) in edges(graph)
    flow = graph[inside]["choose"]
    assert [(data["result"], data["body"]) for data in flow.values()] == [(0, "then_branch")]
    assert model.model_graph.subgraph_count == 2
    assert model.model_graph.node_count == 3


def test_a_loops_body_is_fed_by_its_inputs(save: Save, weights: Weights) -> None:
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["s", "W"], ["s_out"], "mm"),
            helper.make_node("Identity", ["cond"], ["cond_out"], "id"),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("cond", TensorProto.BOOL, []),
            helper.make_tensor_value_info("s", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("cond_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("s_out", TensorProto.FLOAT, None),
        ],
        [weights("W", 2, 2)],
    )
    loop = helper.make_node("Loop", ["n", "", "x"], ["y"], "loop", body=body)
    graph = graphcount.load(save([loop], inputs=["n", "x"], outputs=["y"])).graph
    found = edges(graph)
    assert ("input:x", "loop/body/input:s", "x", 2) in found
    assert ("input:n", "loop/body/input:i", "n", 0) in found
    assert ("loop/body/mm", "loop", "s_out", None) in found
    assert nx.is_directed_acyclic_graph(graph)


@pytest.mark.parametrize("op_type", ["If", "Loop", "Scan"])
def test_a_body_repeats_its_initializers_as_inputs_before_ir_4(
    save: Save, weights: Weights, op_type: str
) -> None:
    infos = {
        "If": [],
        "Loop": [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("s", TensorProto.FLOAT, None),
        ],
        "Scan": [
            helper.make_tensor_value_info("s", TensorProto.FLOAT, [2, 2]),
            helper.make_tensor_value_info("e", TensorProto.FLOAT, [2]),
        ],
    }[op_type]
    data = "x" if op_type == "If" else "s"
    nodes = [helper.make_node("MatMul", [data, "W"], ["z"], "mm")]
    outputs = [helper.make_tensor_value_info("z", TensorProto.FLOAT, [2, 2])]
    if op_type == "Loop":
        nodes.append(helper.make_node("Identity", ["c"], ["d"]))
        outputs.insert(0, helper.make_tensor_value_info("d", TensorProto.BOOL, []))
    repeated = helper.make_tensor_value_info("W", TensorProto.FLOAT, [2, 2])
    body = helper.make_graph(nodes, "body", [repeated, *infos], outputs, [weights("W", 2, 2)])
    bodies = {"body": body}
    if op_type == "If":
        bodies = {"then_branch": body, "else_branch": body}
    inputs = {"If": ["c"], "Loop": ["n", "", "x"], "Scan": ["x", "v"]}[op_type]
    scanned: dict[str, Any] = {"num_scan_inputs": 1} if op_type == "Scan" else {}
    node = helper.make_node(op_type, inputs, ["y"], "holder", **bodies, **scanned)
    three = helper.make_tensor("n", TensorProto.INT64, [], [3])
    given = [("x", [2, 2]), ("v", [3, 2]), helper.make_tensor_value_info("c", TensorProto.BOOL, [])]

    def older(model: onnx.ModelProto) -> None:
        model.ir_version = 3

    path = save([node], [three], inputs=given, outputs=["y"], opsets=[("", 9)], change=older)
    report = graphcount.count(path)
    assert report.totals.parameters == (8 if op_type == "If" else 4)
    assert report.totals.macs == (8 if op_type == "If" else 24)
    assert report.unknown == ()


def function_model(save: Save, weights: Weights, calls: int) -> str:
    """A local function with a weight of 6 numbers, called some times."""
    function = helper.make_function(
        "local",
        "Layer",
        ["a"],
        ["b"],
        [
            helper.make_node("Constant", [], ["W"], value=weights("W", 2, 3)),
            helper.make_node("MatMul", ["a", "W"], ["b"], "mm"),
        ],
        [helper.make_opsetid("", 20)],
    )
    names = ["x", *(f"v{k}" for k in range(calls))]
    nodes = [
        helper.make_node("Layer", [names[k]], [names[k + 1]], f"call{k}", domain="local")
        for k in range(calls)
    ]
    return save(
        nodes,
        inputs=["x"],
        outputs=[names[-1]],
        functions=[function],
        opsets=[("", 20), ("local", 1)],
    )


def test_a_function_is_expanded_at_each_call_and_stored_once(save: Save, weights: Weights) -> None:
    path = function_model(save, weights, 2)
    graph = graphcount.load(path).graph
    assert {"call0/mm", "call1/mm"} <= set(graph)
    assert ("call0/mm", "call1/mm", "b", 0) in edges(graph)  # as its producer calls it
    totals = graphcount.count(path).totals
    assert (totals.parameters, totals.parameters_as_used) == (6, 12)


def test_an_uncalled_functions_weights_are_unused(save: Save, weights: Weights) -> None:
    def drop_calls(model: onnx.ModelProto) -> None:
        del model.graph.node[:]
        model.graph.node.append(helper.make_node("Relu", ["x"], ["v0"]))

    path = function_model(save, weights, 1)
    model = onnx.load(path)
    drop_calls(model)
    Path(path).write_bytes(model.SerializeToString())
    totals = graphcount.count(path).totals
    assert (totals.parameters, totals.unused) == (0, 6)


def test_function_attributes_are_bound_at_the_call(save: Save, weights: Weights) -> None:
    body = helper.make_node("Constant", [], ["W"])
    reference = body.attribute.add()
    reference.name, reference.ref_attr_name = "value", "weight"
    reference.type = onnx.AttributeProto.TENSOR
    function = helper.make_function(
        "local",
        "Layer",
        ["a"],
        ["b"],
        [body, helper.make_node("MatMul", ["a", "W"], ["b"])],
        [helper.make_opsetid("", 20)],
        ["weight"],
    )
    call = helper.make_node("Layer", ["x"], ["y"], "call", domain="local", weight=weights("", 4, 5))
    path = save(
        [call],
        inputs=["x"],
        outputs=["y"],
        functions=[function],
        opsets=[("", 20), ("local", 1)],
    )
    assert graphcount.count(path).totals.parameters == 20


def nested_functions(depth: int, calls: int) -> list[onnx.FunctionProto]:
    """f0 calls f1 `calls` times, and so on: calls^depth nodes when expanded."""
    found = []
    for level in range(depth):
        last = level == depth - 1
        op_type, domain = ("Relu", "") if last else (f"f{level + 1}", "local")
        names = ["a", *(f"t{k}" for k in range(calls - 1)), "b"]
        nodes = [
            helper.make_node(op_type, [names[k]], [names[k + 1]], domain=domain)
            for k in range(calls)
        ]
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid("local", 1)]
        found.append(helper.make_function("local", f"f{level}", ["a"], ["b"], nodes, opsets))
    return found


def function_bomb(save: Save, depth: int) -> str:
    """One call of nested functions, each of ten calls."""
    return save(
        [helper.make_node("f0", ["x"], ["y"], domain="local")],
        inputs=["x"],
        outputs=["y"],
        functions=nested_functions(depth, 10),
        opsets=[("", 20), ("local", 1)],
    )


def test_a_function_bomb_is_refused_before_it_grows(save: Save) -> None:
    path = function_bomb(save, 10)
    model = graphcount.load(path)
    assert len(model.graph) < 1000
    whys = [unknown.why for unknown in model.model_graph.unknowns]
    first = sum(10**level for level in range(1, 5))  # of the fourth from below
    asks = f"{first:,} nodes and calls"
    assert whys[0] == f"not expanded: expanding it makes {asks}, more than 5,000"
    assert len(whys) == 7


@pytest.mark.parametrize("weights_per_call", [0, 1])
def test_functions_grow_in_proportion_to_what_the_file_holds(
    weights_per_call: int, save: Save, weights: Weights
) -> None:
    """A layer of 150 nodes, called 150 times: on four weights, and on four of its own each time.

    There are as many weights in both files; those that nobody reads do not count.
    """
    layers = 150
    names = [f"t{k}" for k in range(layers)]
    formal = [f"w{k}" for k in range(4)]
    body = [helper.make_node("MatMul", ["a", "w0"], [names[0]])]
    body += [
        helper.make_node("Add", [before, f"w{k + 1}"], [after])
        if k < 3
        else helper.make_node("Relu", [before], [after])
        for k, (before, after) in enumerate(pairwise(names))
    ]
    opsets = [helper.make_opsetid("", 20)]
    layer = helper.make_function("local", "Layer", ["a", *formal], [names[-1]], body, opsets)
    stored = [weights(f"W{k}", 2, 2) for k in range(4 * layers)]
    calls = [
        helper.make_node(
            "Layer",
            [f"v{k}", *(f"W{4 * k * weights_per_call + place}" for place in range(4))],
            [f"v{k + 1}"],
            domain="local",
        )
        for k in range(layers)
    ]
    path = save(
        calls,
        stored,
        inputs=["v0"],
        outputs=[f"v{layers}"],
        functions=[layer],
        opsets=[("", 20), ("local", 1)],
    )
    nodes = layers * layers
    held = layers + layers + (len(stored) if weights_per_call else 4)
    assert layers + nodes > 5_000
    grows = layers + nodes <= 32 * held
    assert grows == bool(weights_per_call)
    counted = graphcount.count(path)
    assert (len(counted.nodes) == nodes) == grows
    assert any(unknown.what == "function" for unknown in counted.unknown) != grows
    raised = graphcount.count(path, limits=Limits(expanded_nodes=layers + nodes))
    assert len(raised.nodes) == nodes
    below = graphcount.count(path, limits=Limits(expanded_nodes=layers + nodes - 1))
    assert (len(below.nodes) == nodes) == grows


def test_callers_of_a_refused_function_are_refused_for_that(save: Save) -> None:
    """3,000 functions, each calling the next ten times: one is too large, 10^3000 is not said."""
    path = function_bomb(save, 3_000)
    refused = [p for p in graphcount.load(path).model_graph.problems if p.name]
    large = [problem for problem in refused if problem.code == "function large"]
    assert [problem.name for problem in large] == ["f2995"]
    assert large[0].size == sum(10**level for level in range(1, 6))
    assert large[0].limit < LEAST_WORK // WORK["NodeProto"]  # less than 32 times 30,001
    callers = {problem.name for problem in refused if problem.code == "function callee"}
    assert callers == {f"f{number}" for number in range(2995)}
    assert len(refused) == len(large) + len(callers)


def test_recursive_functions_are_unknown_not_endless(save: Save) -> None:
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("local", 1)]
    inner = helper.make_node("f", ["a"], ["b"], domain="local")
    function = helper.make_function("local", "f", ["a"], ["b"], [inner], opsets)
    call = helper.make_node("f", ["x"], ["y"], domain="local")
    path = save(
        [call],
        inputs=["x"],
        outputs=["y"],
        functions=[function],
        opsets=[("", 20), ("local", 1)],
    )
    assert "function" in whats(path)


@pytest.mark.parametrize(
    ("nodes", "what"),
    [
        ([("Relu", ["nowhere"], ["y"])], "value"),
        ([("Relu", ["x"], ["y"]), ("Abs", ["x"], ["y"])], "value"),
        ([("Add", ["x", "b"], ["a"]), ("Relu", ["a"], ["b"]), ("Abs", ["b"], ["y"])], "order"),
    ],
    ids=["undefined", "twice", "cycle"],
)
def test_what_a_valid_model_cannot_have_is_unknown(
    save: Save, nodes: list[tuple[str, list[str], list[str]]], what: str
) -> None:
    made = [helper.make_node(*node) for node in nodes]
    path = save(made, inputs=["x"], outputs=["y"])
    assert what in whats(path)
    assert graphcount.count(path).totals.lower_bound


def test_nodes_out_of_order_are_no_problem(save: Save, weights: Weights) -> None:
    path = save([RELU, MATMUL], [weights("W", 2, 3)], inputs=["x"], outputs=["y"])
    assert whats(path) == []
    assert graphcount.count(path).totals.parameters == 6


def test_a_chain_of_ten_thousand_nodes_does_not_recurse(save: Save) -> None:
    nodes = [helper.make_node("Relu", [f"v{k}"], [f"v{k + 1}"]) for k in range(10_000)]
    report = graphcount.count(save(nodes, inputs=["v0"], outputs=["v10000"]))
    assert report.model.node_count == 10_000
    assert report.doubts == ()


def test_the_right_output_leaves_a_function(save: Save, weights: Weights) -> None:
    """A function returns the second half of a Split: the edge names that output."""
    function = helper.make_function(
        "local",
        "Second",
        ["a"],
        ["b"],
        [helper.make_node("Split", ["a"], ["first", "b"], "split", num_outputs=2)],
        [helper.make_opsetid("", 20)],
    )
    nodes = [
        helper.make_node("Second", ["x"], ["first"], "call", domain="local"),
        helper.make_node("MatMul", ["first", "W"], ["y"], "mm"),
    ]
    path = save(
        nodes,
        [weights("W", 3, 4)],
        inputs=[("x", [5, 2])],
        outputs=["y"],
        functions=[function],
        opsets=[("", 20), ("local", 1)],
    )
    graph = graphcount.load(path).graph
    assert ("call/split", "mm", "b", 0) in edges(graph)


def problems(path: str) -> list[tuple[str, str, tuple[str, ...]]]:
    found = graphcount.load(path).model_graph.problems
    return [(problem.code, problem.name, problem.kinds) for problem in found]


def test_a_problem_has_a_code_and_says_what_defines_a_value_twice(save: Save) -> None:
    relu = [helper.make_node("Relu", [name], ["y"]) for name in ("x", "nowhere")]
    path = save(relu, inputs=["x"], outputs=["y"])
    assert problems(path) == [
        ("value twice", "y", ("operator", "operator")),
        ("value undefined", "nowhere", ()),
    ]


def test_an_optional_argument_that_a_call_leaves_out_is_not_undefined(save: Save) -> None:
    opset = [helper.make_opsetid("", 20)]
    clip = helper.make_node("Clip", ["a", "low", "high"], ["b"])
    function = helper.make_function("f", "F", ["a", "low", "high"], ["b"], [clip], opset)
    calls = [
        helper.make_node("F", ["x"], ["h"], domain="f"),
        helper.make_node("F", ["h", "", "x"], ["y"], domain="f"),
    ]
    path = save(
        calls, inputs=["x"], outputs=["y"], functions=[function], opsets=[("", 20), ("f", 1)]
    )
    assert problems(path) == []
    assert set(graphcount.load(path).graph.pred["F#1/Clip#0"]) == {"F#0/Clip#0", "input:x"}


def test_an_option_that_does_not_exist_is_an_error(fixtures: Path) -> None:
    options: dict[str, Any] = {"with_bias": True}
    with pytest.raises(TypeError, match="'with_bias'"):
        graphcount.count(str(fixtures / "cnn.onnx"), **options)


SAME = helper.make_function("acme", "Same", ["a"], ["a"], [], [helper.make_opsetid("", 21)])


def test_a_long_chain_of_calls_is_followed_once(save: Save) -> None:
    """A function that returns its argument is an alias; a value may be one 12,000 times over."""
    count = 12_000
    calls = [
        helper.make_node("Same", [f"v{i}"], [f"v{i + 1}"], domain="acme") for i in range(count)
    ]
    readers = [helper.make_node("Relu", [f"v{i + 1}"], [f"r{i}"]) for i in range(count)]
    path = save([*calls, *readers], inputs=["v0"], outputs=[f"r{count - 1}"], functions=[SAME])
    started = time.process_time()
    model = graphcount.load(path)
    assert model.model_graph.problems == ()
    readers_of_input = {use.node for use in model.model_graph.readers("input:v0")}
    assert readers_of_input == {f"Relu#{count + i}" for i in range(count)}
    assert time.process_time() - started < 5


def test_a_circle_of_calls_has_no_producer(save: Save) -> None:
    calls = [
        helper.make_node("Same", [f"v{(i + 1) % 3}"], [f"v{i}"], domain="acme") for i in range(3)
    ]
    readers = [helper.make_node("Relu", [f"v{i}"], [f"r{i}"]) for i in range(3)]
    path = save([*calls, *readers], outputs=["r0"], functions=[SAME])
    assert whats(path) == ["value"] * 3


@pytest.mark.parametrize("place", ["node", "attribute", "function", "many bodies"])
def test_names_repeated_in_every_id_are_refused(place: str, save: Save) -> None:
    """A name of 300 kB around 300 nodes would be 90 MB of ids."""
    count, long = 300, "N" * 300_000
    body = [helper.make_node("Relu", ["x"], [f"b{i}"]) for i in range(count)]
    inner = helper.make_graph(body, "inner", [], [helper.make_empty_tensor_value_info("b0")])
    functions = []
    if place == "function":
        opsets = [helper.make_opsetid("", 21)]
        functions = [helper.make_function("acme", "F", ["x"], ["b0"], body, opsets)]
        node = helper.make_node("F", ["x"], ["y"], long, domain="acme")
    elif place == "many bodies":
        empty = helper.make_graph([], "empty", [], [])
        node = helper.make_node("Switch", ["x"], ["y"], long, domain="acme", cases=[empty] * count)
    elif place == "attribute":
        node = helper.make_node("Switch", ["x"], ["y"], domain="acme", **{long: inner})
    else:
        node = helper.make_node("If", ["c"], ["y"], long, then_branch=inner, else_branch=inner)
    path = save([node], inputs=["c", "x"], outputs=["y"], functions=functions)
    with pytest.raises(LimitError, match="names of nodes in each other") as raised:
        graphcount.count(path)
    assert (raised.value.rule, raised.value.path) == ("RES001", path)
