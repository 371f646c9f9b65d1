"""What a file stores, once each: bodies (main graph, subgraphs, functions), uses of operators."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from graphcount.domains import canonical, opsets
from graphcount.loading.model import Function, Graph, ModelProto, Node

KNOWN_DOMAINS = frozenset(
    {
        *("", "ai.onnx", "ai.onnx.ml", "ai.onnx.training", "ai.onnx.preview"),
        *("ai.onnx.preview.training", "ai.onnx.contrib"),
        *("com.microsoft", "com.microsoft.nchwc", "com.microsoft.dml"),
        *("com.microsoft.experimental", "com.microsoft.extensions"),
    }
)
"""Domains of ONNX and of onnxruntime; those that begin with `com.ms.` are known too."""


@dataclass(frozen=True, eq=False)
class StoredBody:
    """A list of nodes with a scope of its own.

    Attributes:
        label: Beginning of its nodes' ids: empty for the main graph, `If_3/then_branch`,
            `function:DOMAIN/NAME`.
        nodes: Its nodes.
        inputs: Names of its inputs.
        stored: Names of its initializers.
        outputs: Names of its outputs.
        parent: The body around it; None for the main graph and functions.
        owner: Index of the node in `parent` that has it as a subgraph.
        function: The function it is, or is a part of.
    """

    label: str
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    stored: tuple[str, ...]
    outputs: tuple[str, ...]
    parent: StoredBody | None
    owner: int
    function: Function | None

    @cached_property
    def producers(self) -> dict[str, int]:
        """Index of the first node that makes each value."""
        first: dict[str, int] = {}
        for index, node in enumerate(self.nodes):
            for name in node.outputs:
                if name:
                    first.setdefault(name, index)
        return first

    @cached_property
    def given(self) -> frozenset[str]:
        """Names that are there before any node runs."""
        return frozenset((*self.inputs, *self.stored))

    def place(self, index: int) -> str:
        """Return the id of a node, as the graph calls it where its name is not taken."""
        node = self.nodes[index]
        name = node.name or f"{node.op_type}#{index}"
        return f"{self.label}/{name}" if self.label else name


def find_bodies(proto: ModelProto) -> Iterator[StoredBody]:
    """Yield every body, each before those inside it."""
    stack = [
        StoredBody(
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
    label: str, graph: Graph, parent: StoredBody | None, owner: int, function: Function | None
) -> StoredBody:
    stored = (
        *(tensor.name for tensor in graph.initializers),
        *(sparse.values.name for sparse in graph.sparse_initializers),
    )
    return StoredBody(
        label,
        graph.nodes,
        tuple(info.name for info in graph.inputs),
        stored,
        tuple(info.name for info in graph.outputs),
        parent,
        owner,
        function,
    )


class OperatorUse(NamedTuple):
    """One use of an operator: a stored node that is no call of a local function.

    Attributes:
        node: The record.
        body: Where it stands.
        position: Its index there.
        opset: Version of its domain that holds there; None when it is not imported.
    """

    node: Node
    body: StoredBody
    position: int
    opset: int | None

    @property
    def place(self) -> str:
        """Id of the node."""
        return self.body.place(self.position)

    @property
    def key(self) -> tuple[str, str]:
        """Domain and operator."""
        return self.node.domain, self.node.op_type


def uses(proto: ModelProto, bodies: Iterable[StoredBody]) -> Iterator[OperatorUse]:
    """Yield every node that calls an operator, functions' bodies included."""
    functions = {(canonical(function.domain), *function.id[1:]) for function in proto.functions}
    main = opsets(proto.opset_imports)
    for body in bodies:
        imported = main if body.function is None else opsets(body.function.opset_imports)
        for index, node in enumerate(body.nodes):
            if functions and (node.domain, node.op_type, node.overload) in functions:
                continue
            yield OperatorUse(node, body, index, imported.get(node.domain))


def is_known(domain: str) -> bool:
    """Return whether a domain is ONNX's or onnxruntime's."""
    return domain in KNOWN_DOMAINS or domain.startswith("com.ms.")
