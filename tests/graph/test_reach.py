"""Reach, paths, order and cycles against networkx, on random graphs."""

from __future__ import annotations

import random
from itertools import pairwise

import networkx as nx
import pytest

from graphcount.graph import cycles, reached, shortest_cycle, shortest_path
from graphcount.graph.reach import components, topological_order


def random_graph(seed: int) -> nx.DiGraph[str]:
    chance = random.Random(seed)
    names = [f"n{number:02}" for number in range(chance.randint(2, 14))]
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(names)
    graph.add_edges_from((a, b) for a in names for b in names if chance.random() < 0.2)
    return graph


def step(graph: nx.DiGraph[str]) -> dict[str, list[str]]:
    return {node: list(graph.succ[node]) for node in graph}


@pytest.mark.parametrize("seed", range(60))
def test_cycles_and_shortest_cycles(seed: int) -> None:
    graph = random_graph(seed)
    succ = step(graph)
    expected = {
        frozenset(component)
        for component in nx.strongly_connected_components(graph)
        if len(component) > 1 or any(graph.has_edge(node, node) for node in component)
    }
    assert {frozenset(component) for component in cycles(succ, succ.__getitem__)} == expected
    for component in expected:
        cycle = shortest_cycle(succ.__getitem__, component)
        assert all(graph.has_edge(a, b) for a, b in pairwise(cycle))
        assert cycle[0] == cycle[-1]
        inside = graph.subgraph(component)
        lengths = [nx.shortest_path_length(inside, b, a) + 1 for a, b in inside.edges]
        assert len(cycle) - 1 == min(lengths)


@pytest.mark.parametrize("seed", range(60))
def test_components_come_after_what_they_lead_to(seed: int) -> None:
    graph = random_graph(seed)
    succ = step(graph)
    before: set[str] = set()
    for component in components(succ, succ.__getitem__):
        before.update(component)
        assert all(after in before for node in component for after in succ[node])
    assert before == set(graph)


@pytest.mark.parametrize("seed", range(60))
def test_an_order_has_what_is_on_no_cycle_and_behind_none(seed: int) -> None:
    graph = random_graph(seed)
    order = topological_order(list(graph), graph.pred.__getitem__, graph.succ.__getitem__)
    place = {node: index for index, node in enumerate(order)}
    stuck = {
        after
        for component in nx.strongly_connected_components(graph)
        for node in component
        if len(component) > 1 or graph.has_edge(node, node)
        for after in {node, *nx.descendants(graph, node)}
    }
    assert set(order) == set(graph) - stuck
    assert all(place[a] < place[b] for a, b in graph.edges if b in place)


class Watched(dict[str, list[str]]):
    """A graph that counts how often a node's successors are asked for."""

    asked = 0

    def __getitem__(self, node: str) -> list[str]:
        self.asked += 1
        return super().__getitem__(node)


def test_a_cycle_of_many_nodes_is_walked_once() -> None:
    names = [f"n{number:05}" for number in range(20_000)]
    ring = Watched({a: [b] for a, b in pairwise([*names, names[0]])})
    cycle = shortest_cycle(ring.__getitem__, set(names))
    assert cycle == [*names, names[0]]
    assert ring.asked <= 2 * len(names)


@pytest.mark.parametrize("seed", range(60))
def test_paths_and_reach(seed: int) -> None:
    graph = random_graph(seed)
    succ = step(graph)
    first, last = min(graph), max(graph)
    assert reached(succ.__getitem__, [first]) == nx.descendants(graph, first) | {first}
    path = shortest_path(succ.__getitem__, first, last)
    expected = nx.shortest_path(graph, first, last) if nx.has_path(graph, first, last) else []
    assert len(path) == len(expected)
