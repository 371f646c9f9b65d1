"""The bodies a file stores: main graph, subgraphs, functions; each once, whoever calls it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from graphcount.loading.model import Function, Graph, ModelProto, Node


class BodyRecord(NamedTuple):
    """What a body is made of; see `Body`."""

    label: str
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    stored: tuple[str, ...]
    outputs: tuple[str, ...]
    parent: Body | None
    holder: int
    function: Function | None


class Body(BodyRecord):
    """A list of nodes with a scope of its own.

    Attributes:
        label: Beginning of its nodes' ids: empty for the main graph, `If_3/then_branch`,
            `function:DOMAIN/NAME`.
        nodes: Its nodes.
        inputs: Names of its inputs.
        stored: Names of its initializers.
        outputs: Names of its outputs.
        parent: The body around it; None for the main graph and functions.
        holder: Index of the node in `parent` that holds it.
        function: The function it is, or is a part of.
    """

    @cached_property
    def producers(self) -> dict[str, int]:
        """Index of the first node that makes each value."""
        found: dict[str, int] = {}
        for index, node in enumerate(self.nodes):
            for name in node.outputs:
                if name:
                    found.setdefault(name, index)
        return found

    @cached_property
    def given(self) -> frozenset[str]:
        """Names that are there before any node runs."""
        return frozenset((*self.inputs, *self.stored))

    def place(self, index: int) -> str:
        """Id of a node, as the graph calls it where its name is not taken."""
        node = self.nodes[index]
        name = node.name or f"{node.op_type}#{index}"
        return f"{self.label}/{name}" if self.label else name


def find_bodies(proto: ModelProto) -> Iterator[Body]:
    """Every body, each before those inside it."""
    stack = [
        Body(
            "function:" + ":".join(part for part in function.id if part),
            function.nodes,
            function.inputs,
            (),
            function.outputs,
            None,
            0,
            function,
        )
        for function in reversed(proto.functions)
    ]
    stack.append(_of_graph("", proto.graph, None, 0, None))
    while stack:
        body = stack.pop()
        yield body
        for index, node in enumerate(body.nodes):
            for name, graph in node.subgraphs():
                label = f"{body.place(index)}/{name}"
                stack.append(_of_graph(label, graph, body, index, body.function))


def _of_graph(
    label: str, graph: Graph, parent: Body | None, holder: int, function: Function | None
) -> Body:
    stored = (
        *(tensor.name for tensor in graph.initializers),
        *(sparse.values.name for sparse in graph.sparse_initializers),
    )
    return Body(
        label,
        graph.nodes,
        tuple(info.name for info in graph.inputs),
        stored,
        tuple(info.name for info in graph.outputs),
        parent,
        holder,
        function,
    )
