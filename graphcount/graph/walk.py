"""Walking over nodes: those a file holds, and those of a graph in an order of execution."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush

from graphcount.graph.tables import Tables
from graphcount.loading.model import ModelProto, Node


def all_nodes(nodes: Iterable[Node]) -> Iterator[Node]:
    """Every node of a body and of the subgraphs in it; a holder comes before its bodies."""
    stack = [nodes]
    while stack:
        for node in stack.pop():
            yield node
            for attribute in node.attributes:
                if attribute.graphs:
                    stack.extend(graph.nodes for graph in attribute.graphs)


def census(proto: ModelProto) -> tuple[int, int]:
    """Nodes and subgraphs in the file: main graph and functions, each stored node once."""
    nodes = subgraphs = 0
    for body in (proto.graph.nodes, *(function.nodes for function in proto.functions)):
        for node in all_nodes(body):
            nodes += 1
            for attribute in node.attributes:
                subgraphs += len(attribute.graphs)
    return nodes, subgraphs


def topological_order(tables: Tables) -> list[str]:
    """Nodes in an order of execution: that of the file where it is sorted.

    Nodes on a cycle, and what depends on them, are left out.
    """
    names = list(tables.nodes)
    position = {node: index for index, node in enumerate(names)}
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


def has_cycle(tables: Tables) -> bool:
    """Whether some nodes have no order."""
    return len(topological_order(tables)) < len(tables.nodes)
