"""Post-dominators against networkx, on random graphs."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import networkx as nx
import pytest

from graphcount.auditing.trigger.cut import PostDominators
from graphcount.auditing.trigger.flow import WorkBudget
from graphcount.errors import LimitError
from graphcount.graph import ModelGraph, Use
from graphcount.graph.model_graph import Edges


def random_graph(seed: int) -> nx.DiGraph[str]:
    chance = random.Random(seed)
    names = [f"n{number:02}" for number in range(chance.randint(2, 14))]
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(names)
    for a, b in ((a, b) for a in names for b in names):
        if a < b and chance.random() < 0.2:
            graph.add_edge(a, b)
    return graph


def flow_of(graph: nx.DiGraph[str], budget: int = 10**6) -> Any:
    operands = {
        node: [Use(other, other, node, index) for index, other in enumerate(graph.pred[node])]
        for node in graph
    }
    readers = {node: [Use(node, node, other, 0) for other in graph.succ[node]] for node in graph}
    made = ModelGraph({}, Edges(operands, {}, readers), sorted(graph))
    weights = {node: 2**place for place, node in enumerate(graph)}  # every subset has its own sum
    return SimpleNamespace(
        graph=made, order=sorted(graph), budget=WorkBudget(budget), weights=weights
    )


@pytest.mark.parametrize("seed", range(60))
def test_post_dominators(seed: int) -> None:
    graph = random_graph(seed)
    output = max(graph)
    flow = flow_of(graph)
    cut = PostDominators(flow, output, {})
    above = nx.ancestors(graph, output) | {output}
    for gate in above - {output}:
        without = graph.subgraph(above - {gate})
        held = {
            node for node in above if node == gate or not nx.has_path(without, node, output)
        } - {output}
        assert cut.only_through(gate, graph) == held
        assert cut.weight[gate] == sum(flow.weights[node] for node in held)
    assert cut.total == sum(flow.weights[node] for node in above - {output})


def test_a_spent_budget_is_an_error_and_no_silence() -> None:
    graph = nx.complete_graph(list("abcdefgh"), nx.DiGraph)
    graph.remove_edges_from([(a, b) for a, b in list(graph.edges) if a >= b])
    with pytest.raises(LimitError, match="entangled"):
        PostDominators(flow_of(graph, budget=9), "h", {})
