"""Records of the graph: the dicts of nodes and edges, their order, the networkx graph of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, NamedTuple

from graphcount.errors import Unknown
from graphcount.graph.problems import Problem

if TYPE_CHECKING:
    import networkx as nx


class Tables(NamedTuple):
    """The dicts a networkx MultiDiGraph is made of.

    networkx documents this layout ("dict-of-dict-of-dict-of-dict"). The stages of the analysis read
    it directly: without networkx's views each step costs a fraction, and a count that nobody wants
    to see as a graph need not import networkx.

    Attributes:
        nodes: id → attributes.
        succ: id → consumer → key → edge attributes.
        pred: id → producer → key → edge attributes; the inner dicts are those of `succ`.
    """

    nodes: dict[str, dict[str, Any]]
    succ: dict[str, dict[str, dict[Any, dict[str, Any]]]]
    pred: dict[str, dict[str, dict[Any, dict[str, Any]]]]


@dataclass(frozen=True)
class ModelGraph:
    """A model as a graph.

    Attributes:
        tables: Its nodes and edges; see the module's docstring.
        problems: What a valid model cannot have.
        cyclic: The graph has a cycle, so no order of execution exists.
        node_count: NodeProtos in the file: main graph, subgraphs and function bodies, once each.
        subgraph_count: Subgraphs in the file.
        aliases: (scope, name) of what calls of functions return, by the node inside that makes it
            and its name there.
    """

    tables: Tables
    problems: tuple[Problem, ...]
    cyclic: bool
    node_count: int
    subgraph_count: int
    aliases: Mapping[tuple[str, str], Sequence[tuple[str, str]]] = field(default_factory=dict)

    @property
    def unknowns(self) -> tuple[Unknown, ...]:
        """What the file leaves undefined or contradicts, for the report."""
        return tuple(problem.unknown for problem in self.problems)

    @cached_property
    def order(self) -> list[str]:
        """Ids in an order of execution: that of the file where it is sorted.

        Nodes on a cycle, and what depends on them, are left out.
        """
        return topological_order(self.tables)

    @cached_property
    def operators(self) -> dict[tuple[str, str], list[tuple[str, dict[str, Any]]]]:
        """Ids and attributes of the operators by domain and op type, each in graph order."""
        found: dict[tuple[str, str], list[tuple[str, dict[str, Any]]]] = {}
        for item in self.tables.nodes.items():
            data = item[1]
            if data["kind"] == "operator":
                found.setdefault((data["domain"], data["op_type"]), []).append(item)
        return found

    @cached_property
    def holders(self) -> tuple[tuple[str, dict[str, Any]], ...]:
        """Ids and attributes of the operators that hold subgraphs, outer ones first."""
        if not self.subgraph_count:
            return ()
        nodes = self.tables.nodes.items()
        operators = [item for item in nodes if item[1]["kind"] == "operator"]
        return tuple([item for item in operators if any(item[1]["node"].subgraphs())])

    @cached_property
    def graph(self) -> nx.MultiDiGraph[str]:
        """The same dicts as a networkx graph: nothing is copied."""
        import networkx as nx

        graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        graph._node, graph._adj, graph._pred = self.tables  # type: ignore[attr-defined]
        return graph


def networkx_copy(tables: Tables) -> nx.MultiDiGraph[str]:
    """Return a networkx graph with dicts of its own, in the order of the tables.

    Records (`NodeProto`, …) are the same; `MultiDiGraph.copy` would lose the order of inputs.
    """
    import networkx as nx

    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    edges = {
        source: {
            target: {key: dict(data) for key, data in keyed.items()}
            for target, keyed in targets.items()
        }
        for source, targets in tables.succ.items()
    }
    pred = {
        target: {source: edges[source][target] for source in sources}
        for target, sources in tables.pred.items()
    }
    nodes = {name: dict(data) for name, data in tables.nodes.items()}
    graph._node, graph._adj, graph._pred = nodes, edges, pred  # type: ignore[attr-defined]
    return graph


def topological_order(tables: Tables) -> list[str]:
    """Nodes in an order of execution: that of the file where it is sorted.

    Nodes on a cycle, and what depends on them, are left out.
    """
    names = list(tables.nodes)
    position = {node: index for index, node in enumerate(names)}
    if _sorted(tables, position):
        return names
    waiting = [len(tables.pred[node]) for node in names]
    ready = [index for index, count in enumerate(waiting) if count == 0]
    heapify(ready)
    order = []
    while ready:
        node = names[heappop(ready)]
        order.append(node)
        for successor in tables.succ[node]:
            index = position[successor]
            waiting[index] -= 1
            if waiting[index] == 0:
                heappush(ready, index)
    return order


def _sorted(tables: Tables, position: dict[str, int]) -> bool:
    """Whether every producer stands before its consumers."""
    for node, index in position.items():
        for producer in tables.pred[node]:
            if position[producer] >= index:
                return False
    return True


def has_cycle(tables: Tables) -> bool:
    """Whether some nodes have no order."""
    return len(topological_order(tables)) < len(tables.nodes)
