"""Nodes in an order in which each comes after what it reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from graphcount.runtimes.records import Refused

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto


def ordered(nodes: Sequence[NodeProto]) -> list[NodeProto]:
    """Return nodes so that producers come first, in the order of the file where that allows it.

    Raises:
        Refused: They go round in a circle.
    """
    producer = {name: index for index, node in enumerate(nodes) for name in node.output if name}
    before = [{producer[name] for name in reads(node) if name in producer} for node in nodes]
    if all(max(needed, default=-1) < index for index, needed in enumerate(before)):
        return list(nodes)
    after: dict[int, list[int]] = {}
    for index, needed in enumerate(before):
        for other in needed:
            after.setdefault(other, []).append(index)
    missing = [len(needed) for needed in before]
    ready = [index for index, number in enumerate(missing) if not number]
    result = []
    for index in ready:  # grows while it is walked
        result.append(nodes[index])
        for other in after.get(index, ()):
            missing[other] -= 1
            if not missing[other]:
                ready.append(other)
    if len(result) < len(nodes):
        raise Refused("graph", "nodes need each other's results in a circle")
    return result


def reads(node: NodeProto) -> Iterator[str]:
    """Yield names that a node reads: its inputs, and what its subgraphs take from around them."""
    yield from filter(None, node.input)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs) if attribute.type in (5, 10) else ():
            yield from _taken(graph)


def _taken(graph: GraphProto) -> Iterator[str]:
    own = {value.name for value in graph.input}
    own.update(tensor.name for tensor in graph.initializer)
    own.update(sparse.values.name for sparse in graph.sparse_initializer)
    own.update(name for node in graph.node for name in node.output)
    for node in graph.node:
        yield from (name for name in reads(node) if name not in own)
    yield from (value.name for value in graph.output if value.name not in own)
