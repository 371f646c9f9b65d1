"""Names that a node can see: types and constants of its graph, and of the graphs around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto, TypeProto

    from graphcount.runtimes.tables import Definition

CONSTANT_NBYTES = 1024
"""Constants up to this size can be shapes, axes and the like, and are looked at."""


class NameScope:
    """A graph or the body of a function while it is walked through.

    Attributes:
        path: Names of the nodes it is in.
        opsets: Version by domain.
        parent: The scope around a subgraph; None for the main graph and functions.
        types: Types of the values that are known so far; one without a type is not stated.
        constants: Small tensors by name.
        declared: What the file says of values.
        names: All values of the graph, those that are not known yet included.
    """

    def __init__(self, path: str, opsets: dict[str, int], parent: NameScope | None = None) -> None:
        self.path = path
        self.opsets = opsets
        self.parent = parent
        self.types: dict[str, TypeProto] = {}
        self.constants: dict[str, TensorProto] = {}
        self.declared: dict[str, TypeProto] = {}
        self.names: set[str] = set()

    def type(self, name: str) -> TypeProto | None:
        """Return the type of a value that is visible here; None when there is no such value."""
        scope: NameScope | None = self
        while scope is not None:
            if name in scope.types:
                return scope.types[name]
            scope = scope.parent
        return None

    def sees(self, name: str) -> bool:
        """Return whether there is such a value in this graph or around it."""
        scope: NameScope | None = self
        while scope is not None:
            if name in scope.names:
                return True
            scope = scope.parent
        return False

    def constant(self, name: str) -> TensorProto | None:
        """Return a small tensor that is visible here."""
        scope: NameScope | None = self
        while scope is not None:
            if name in scope.types:
                return scope.constants.get(name)
            scope = scope.parent
        return None


class Walker(Protocol):
    """What walks through graphs; rules for nodes with bodies, and calls, go on with it."""

    def graph(
        self, graph: GraphProto, scope: NameScope, given: Sequence[TypeProto] | None = None
    ) -> list[TypeProto]:
        """Walk through a graph and return the types of its outputs."""

    def body(self, nodes: Sequence[NodeProto], scope: NameScope) -> None:
        """Walk through the nodes of a graph or a function."""


class Placed(NamedTuple):
    """A node that passed the checks, and needs a kernel.

    Attributes:
        name: Where it is, for people.
        node: Its record.
        definition: What holds for it.
        inputs: Text of the type of each input; empty where it is absent or not known.
        outputs: The same for outputs.
        scope: Where it stands.
    """

    name: str
    node: NodeProto
    definition: Definition
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    scope: NameScope
