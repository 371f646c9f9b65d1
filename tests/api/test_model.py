"""A model remembers nothing that changes an answer: any order of calls, the same answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphcount
from graphcount.api.auditing import AuditOptions, audited
from graphcount.api.model import Model
from graphcount.report.serial import dumps, to_dict
from tests.api.conftest import Command
from tests.conftest import FIXTURES


def text(report: graphcount.Report) -> str:
    return dumps(to_dict(report))


def drawn(graph: nx.MultiDiGraph[str]) -> str:
    """Nodes and edges in their order, with all attributes that are data."""
    nodes = [
        (name, sorted((k, repr(v)) for k, v in data.items())) for name, data in graph.nodes.items()
    ]
    return json.dumps(
        [nodes, [(a, b, sorted(map(repr, d.items()))) for a, b, d in graph.edges(data=True)]]
    )


def looked_at(model: Model, **options: Any) -> str:
    return text(audited(model, model.measured(**options), AuditOptions(deep=True)))


def torn(model: Model) -> str:
    """What a caller does with a graph is the caller's business."""
    graph = model.graph.copy()
    before = drawn(model.graph)
    for name in list(graph.nodes):
        graph.nodes[name].clear()
        graph.remove_node(name)
    return before


CALLS: dict[str, Callable[[Model], str]] = {
    "report": lambda model: text(model.report()),
    "sized": lambda model: text(model.report(dims={"batch": 2}, timeline=True)),
    "deep": lambda model: text(model.report(deep=True, hash_file=True)),
    "shallow": lambda model: text(model.report(deep=False, cost=False)),
    "torchinfo": lambda model: text(model.report(macs_convention="torchinfo", in_place=True)),
    "audit": lambda model: looked_at(model, deep=False, cost=False),
    "sized audit": lambda model: looked_at(model, deep=True),
    "graph": lambda model: drawn(model.graph),
    "torn": torn,
    "networkx": lambda model: drawn(model.model_graph.to_networkx()),
    "hashes": lambda model: repr(model.hashes()),
    "keys": lambda model: repr(model.stored_keys),
    "drawing": lambda model: repr(model.drawing(model.report(deep=False), 1)),
    "diff": lambda model: repr(graphcount.diff(model, model, values=True)),
    "html": lambda model: model._repr_html_(),
}
"""Everything that can be asked of a model."""

MODELS = ("cnn.onnx", "tied_language_model.onnx", "mlp_external.onnx")


def fresh(name: str) -> Model:
    return graphcount.load(str(FIXTURES / name))


@cache
def alone(name: str, call: str) -> str:
    """The answer of a model that was asked nothing before."""
    return CALLS[call](fresh(name))


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=15)
@given(order=st.lists(st.sampled_from(sorted(CALLS)), min_size=2, max_size=6))
def test_any_order_of_calls_gives_the_answers_of_new_models(name: str, order: list[str]) -> None:
    model = fresh(name)
    for call in order:
        assert CALLS[call](model) == alone(name, call), (call, order)


def test_what_is_done_to_the_graph_changes_no_report() -> None:
    model = fresh("cnn.onnx")
    before = text(model.report())
    graph = model.graph
    for data in list(graph.nodes.values()):
        data.clear()
    graph.remove_nodes_from(list(graph.nodes))
    assert text(model.report()) == before
    assert len(model.model_graph.nodes) > 0


def test_the_graph_has_the_nodes_and_the_inputs_of_nodes_in_their_order() -> None:
    model = fresh("cnn.onnx")
    own, asked = model.graph, model.model_graph
    assert list(own.nodes) == list(asked.nodes)
    for node in asked.nodes:
        entering = [(use.producer, use.value) for use in asked.entering(node)]
        edges = own.in_edges(node, data=True)
        assert [(source, data["value"]) for source, _, data in edges] == entering


def test_a_count_is_what_the_command_line_says(command: Command) -> None:
    path = str(FIXTURES / "cnn.onnx")
    done = command(path, "--format", "json", "--dim", "batch=2", "--in-place", "--deep", "--hash")
    report = graphcount.count(path, dims={"batch": 2}, in_place=True, deep=True, hash_file=True)
    assert json.loads(done.out) == json.loads(text(report))
