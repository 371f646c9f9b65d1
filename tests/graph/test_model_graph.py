"""What the graph answers, against networkx over the graph it makes for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import networkx as nx
import pytest
from onnx import TensorProto, helper

import graphcount
from graphcount.graph import ModelGraph
from graphcount.ops import lookup

Save = Callable[..., str]


def test_every_question_says_what_networkx_says(fixtures: Path) -> None:
    paths = sorted(fixtures.rglob("*.onnx"))
    assert len(paths) > 10
    for path in paths:
        try:
            graph = graphcount.load(str(path)).model_graph
        except graphcount.GraphcountError:
            continue
        agrees(graph)


def agrees(graph: ModelGraph) -> None:
    theirs = graph.to_networkx()
    assert list(theirs) == list(graph.nodes)
    for node in graph.nodes:
        assert list(graph.producers(node)) == list(theirs.pred[node])
        assert set(graph.consumers(node)) == set(theirs.succ[node])
        assert len(graph.entering(node)) == theirs.in_degree(node)
        assert len(graph.readers(node)) == theirs.out_degree(node)
        for use in graph.operands(node):
            assert use.index is not None
            assert graph.operand(node, use.index) == use
            assert graph.producer(node, use.index) == use.producer
            assert use in graph.readers(use.producer, use.value)
        places = [use.index for use in graph.operands(node)]
        assert places == sorted(set(places), key=lambda place: place or 0)
    assert graph.cyclic != nx.is_directed_acyclic_graph(theirs)
    inputs = [node.id for node in graph.inputs]
    outputs = [node.id for node in graph.outputs]
    below = {after for node in inputs for after in nx.descendants(theirs, node)} | {*inputs}
    above = {before for node in outputs for before in nx.ancestors(theirs, node)} | {*outputs}
    assert graph.descendants(inputs) == below
    assert graph.ancestors(outputs) == above
    assert graph.dead == set(theirs) - above
    by_operator = [node for nodes in graph.by_operator.values() for node in nodes]
    assert len(by_operator) == len(graph.operators)
    for operator in graph.operators:
        assert operator.operator is lookup(operator.domain, operator.op_type)


@pytest.mark.parametrize("depth", [1, 3])
def test_bodies_and_what_stands_around_a_scope(depth: int, save: Save) -> None:
    """Loops in each other, a call of a function in the innermost: only bodies are bodies."""
    opset = [helper.make_opsetid("", 21)]
    relu = helper.make_node("Relu", ["a"], ["b"], "relu")
    function = helper.make_function("acme", "F", ["a"], ["b"], [relu], opset)
    nodes = [helper.make_node("F", ["s"], ["t"], "call", domain="acme")]
    for _ in range(depth):
        infos = [
            helper.make_tensor_value_info(name, kind, [])
            for name, kind in (("i", TensorProto.INT64), ("c", TensorProto.BOOL), ("s", 1))
        ]
        keep = helper.make_node("Identity", ["c"], ["d"], "keep")
        results = [helper.make_tensor_value_info("d", TensorProto.BOOL, [])]
        results.append(helper.make_tensor_value_info("t", TensorProto.FLOAT, []))
        body = helper.make_graph([*nodes, keep], "body", infos, results)
        nodes = [helper.make_node("Loop", ["n", "", "s"], ["t"], "loop", body=body)]
    path = save(
        nodes,
        inputs=["n", "s"],
        outputs=["t"],
        functions=[function],
        opsets=[("", 21), ("acme", 1)],
    )
    graph = graphcount.load(path).model_graph
    scopes = ["/".join(["loop/body"] * level) for level in range(1, depth + 1)]
    assert [body.scope for body in graph.bodies] == scopes
    assert [body.inputs for body in graph.bodies] == [("i", "c", "s")] * depth
    inside = graph.nodes[f"{scopes[-1]}/call/relu"]
    assert inside.scope == f"{scopes[-1]}/call"
    assert [body.scope for body in graph.around(inside.scope)] == scopes[::-1]
    assert list(graph.around("")) == []
    assert [use.result for use in graph.results("loop", "body")] == [0, 1]
    assert graph.results("loop", "other") == []


def test_a_left_out_input_has_no_operand(save: Save) -> None:
    clip = helper.make_node("Clip", ["x", "", "h"], ["y"], "clip")
    graph = graphcount.load(save([clip], inputs=["x", "h"], outputs=["y"])).model_graph
    assert [use.index for use in graph.operands("clip")] == [0, 2]
    assert [graph.producer("clip", index) for index in range(4)] == [
        "input:x",
        None,
        "input:h",
        None,
    ]


def test_what_reads_a_default_before_a_result_replaces_it_reads_the_result(save: Save) -> None:
    """Not valid (two definitions), but one value: who reads it first does not read another."""
    nodes = [
        helper.make_node("Relu", ["w"], ["a"], "early"),
        helper.make_node("Neg", ["x"], ["w"], "makes"),
        helper.make_node("Add", ["a", "w"], ["y"], "late"),
    ]
    stored = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    graph = graphcount.load(save(nodes, [stored], inputs=["x"], outputs=["y"])).model_graph
    assert [problem.code for problem in graph.problems] == ["value twice"]
    assert [use.node for use in graph.readers("makes")] == ["early", "late"]
    assert graph.readers("initializer:w") == ()
    order = [node for node in graph.order if graph.nodes[node].kind == "operator"]
    assert order == ["makes", "early", "late"]


def test_readers_stand_in_graph_order_where_nodes_do_not(save: Save) -> None:
    nodes = [
        helper.make_node("Relu", ["b"], ["y"], "first"),
        helper.make_node("Neg", ["x"], ["b"], "second"),
        helper.make_node("Abs", ["b"], ["z"], "third"),
    ]
    graph = graphcount.load(save(nodes, inputs=["x"], outputs=["y", "z"])).model_graph
    assert [use.node for use in graph.readers("second")] == ["first", "third"]
    order = [node for node in graph.order if graph.nodes[node].kind == "operator"]
    assert order == ["second", "first", "third"]
    assert not graph.cyclic
