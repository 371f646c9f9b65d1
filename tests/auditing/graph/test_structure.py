"""Cycles and post-dominators against networkx, on random graphs."""

from __future__ import annotations

import random
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import networkx as nx
import pytest

from graphcount.auditing.structure import knots, reached, shortest_cycle, shortest_path
from graphcount.auditing.trigger.budget import Budget
from graphcount.auditing.trigger.cut import PostDominators
from graphcount.errors import LimitError


def random_graph(seed: int, acyclic: bool) -> nx.DiGraph[str]:
    chance = random.Random(seed)
    names = [f"n{number:02}" for number in range(chance.randint(2, 14))]
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(names)
    for a, b in ((a, b) for a in names for b in names):
        if (a < b or not acyclic) and chance.random() < 0.2:
            graph.add_edge(a, b)
    return graph


@pytest.mark.parametrize("seed", range(60))
def test_knots_and_shortest_cycles(seed: int) -> None:
    graph = random_graph(seed, acyclic=False)
    succ = {node: list(graph.succ[node]) for node in graph}
    expected = {
        frozenset(component)
        for component in nx.strongly_connected_components(graph)
        if len(component) > 1 or any(graph.has_edge(node, node) for node in component)
    }
    assert {frozenset(knot) for knot in knots(succ)} == expected
    for knot in knots(succ):
        cycle = shortest_cycle(succ, knot)
        assert all(graph.has_edge(a, b) for a, b in pairwise(cycle))
        assert cycle[0] == cycle[-1]
        inside = graph.subgraph(knot)
        lengths = [nx.shortest_path_length(inside, b, a) + 1 for a, b in inside.edges]
        assert len(cycle) - 1 == min(lengths)


class Watched(dict[str, list[str]]):
    """A graph that counts how often a node's successors are asked for."""

    asked = 0

    def __getitem__(self, node: str) -> list[str]:
        self.asked += 1
        return super().__getitem__(node)


def test_a_cycle_of_many_nodes_is_walked_once() -> None:
    names = [f"n{number:05}" for number in range(20_000)]
    ring = Watched({a: [b] for a, b in pairwise([*names, names[0]])})
    cycle = shortest_cycle(ring, set(names))
    assert cycle == [*names, names[0]]
    assert ring.asked <= 2 * len(names)


@pytest.mark.parametrize("seed", range(60))
def test_paths_and_reach(seed: int) -> None:
    graph = random_graph(seed, acyclic=False)
    succ = {node: list(graph.succ[node]) for node in graph}
    first, last = min(graph), max(graph)
    assert reached(succ, [first]) == nx.descendants(graph, first) | {first}
    path = shortest_path(succ, first, last)
    expected = nx.shortest_path(graph, first, last) if nx.has_path(graph, first, last) else []
    assert len(path) == len(expected)


def flow_of(graph: nx.DiGraph[str], budget: int = 10**6) -> Any:
    def keyed(edges: Any) -> dict[str, dict[str, dict[Any, dict[str, Any]]]]:
        return {node: {other: {0: {"index": 0}} for other in edges[node]} for node in graph}

    tables = SimpleNamespace(succ=keyed(graph.succ), pred=keyed(graph.pred))
    weights = {node: 2**place for place, node in enumerate(graph)}  # every subset has its own sum
    return SimpleNamespace(
        tables=tables, order=sorted(graph), budget=Budget(budget), weights=weights
    )


@pytest.mark.parametrize("seed", range(60))
def test_post_dominators(seed: int) -> None:
    graph = random_graph(seed, acyclic=True)
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
