"""Walking over the nodes a file holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphcount.loading.model import Graph, ModelProto, Node


def all_nodes(nodes: Iterable[Node]) -> Iterator[Node]:
    """Yield every node of a body and of the subgraphs in it; a node comes before its bodies."""
    stack = [nodes]
    while stack:
        for node in stack.pop():
            yield node
            for attribute in node.attributes:
                if attribute.graphs:
                    stack.extend(graph.nodes for graph in attribute.graphs)


def bodies_below(nodes: Iterable[Node]) -> Iterator[Graph]:
    """Yield every subgraph of some nodes, and those inside."""
    for node in all_nodes(nodes):
        for attribute in node.attributes:
            yield from attribute.graphs


def census(proto: ModelProto) -> tuple[int, int]:
    """Count nodes and subgraphs in the file: main graph and functions, each stored node once."""
    nodes = subgraphs = 0
    for body in (proto.graph.nodes, *(function.nodes for function in proto.functions)):
        for node in all_nodes(body):
            nodes += 1
            for attribute in node.attributes:
                subgraphs += len(attribute.graphs)
    return nodes, subgraphs
