"""The graph of a model and what it answers: each walk over a graph is written here once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from graphcount.errors import Unknown
from graphcount.graph.reach import cycles, reached, shortest_cycle, topological_order
from graphcount.graph.records import Body, GraphNode, GraphProblem, Input, OperatorNode, Output, Use

MOST_STEPS = 16
"""Operators that one is looked through to where its input comes from."""

if TYPE_CHECKING:
    import networkx as nx


class Edges(NamedTuple):
    """Uses of values, by node. A node without any may be missing, from readers it is.

    Attributes:
        operands: What enters a node as an input, in the order of its inputs.
        results: What enters it out of its bodies, or out of a function that is not expanded.
        readers: What takes a value of a node: operators and outputs in graph order, then inputs of
            bodies, then what bodies return to.
    """

    operands: Mapping[str, Sequence[Use]]
    results: Mapping[str, Sequence[Use]]
    readers: Mapping[str, Sequence[Use]]


def execution_order(nodes: Mapping[str, GraphNode], edges: Edges) -> list[str]:
    """Return the ids in an order of execution; see `ModelGraph.order`."""
    entering: tuple[Mapping[str, Sequence[Use]], ...] = (edges.operands, edges.results)
    return topological_order(
        nodes,
        lambda node: [use.producer for uses in entering for use in uses.get(node, ())],
        lambda node: [use.node for use in edges.readers.get(node, ())],
    )


@dataclass(frozen=True)
class ModelGraph:
    """A model as a graph.

    Attributes:
        nodes: Record of each node by its id, in the order of the file; a body follows its node.
        edges: Uses of values.
        order: Ids in an order of execution: that of the file where it is sorted. Nodes on a cycle,
            and what depends on them, are left out.
        problems: What a valid model cannot have.
        node_count: NodeProtos in the file: main graph, subgraphs and function bodies, once each.
        subgraph_count: Subgraphs in the file.
        bodies: Bodies of operators, those of one beside each other, outer ones first.
        scopes: Scope of the innermost body around each scope: itself, or that around the call of
            its function; empty where that is the main graph.
        aliases: (scope, name) of what calls of functions return, by the node inside that makes it
            and its name there.
    """

    nodes: Mapping[str, GraphNode]
    edges: Edges
    order: Sequence[str]
    problems: tuple[GraphProblem, ...] = ()
    node_count: int = 0
    subgraph_count: int = 0
    bodies: tuple[Body, ...] = ()
    scopes: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[tuple[str, str], Sequence[tuple[str, str]]] = field(default_factory=dict)

    @property
    def unknowns(self) -> tuple[Unknown, ...]:
        """What the file leaves undefined or contradicts, for the report."""
        return tuple(problem.unknown for problem in self.problems)

    # -------------------------------------------------------------------------- around one node

    def operator(self, node: str) -> OperatorNode:
        """Return the record of an operator.

        Raises:
            KeyError: There is no such operator.
        """
        record = self.nodes[node]
        if record.kind != "operator":
            raise KeyError(node)
        return record

    def operands(self, node: str) -> Sequence[Use]:
        """Return what enters a node as an input, in the order of its inputs."""
        return self.edges.operands.get(node, ())

    def operand(self, node: str, index: int) -> Use | None:
        """Return what enters a node at one input; None for an input that is left out."""
        uses = self.edges.operands.get(node, ())
        if index < len(uses) and uses[index].index == index:
            return uses[index]
        return next((use for use in uses if use.index == index), None)

    def producer(self, node: str, index: int) -> str | None:
        """Return the id of the node that makes one input of a node."""
        use = self.operand(node, index)
        return None if use is None else use.producer

    def made(self, use: Use) -> tuple[str, str]:
        """Return the producer of a value that is used, and the name it gives it.

        A function's formal parameters and results are names for values of other scopes; such a
        name leads to the value where its producer has only one.
        """
        outputs = self.nodes[use.producer].outputs
        if use.value not in outputs:
            named = [name for name in outputs if name]
            return use.producer, named[0] if len(named) == 1 else use.value
        return use.producer, use.value

    def source(self, use: Use, hands_on: Callable[[OperatorNode], bool]) -> Use:
        """Return where a value comes from, through operators that hand on their first input.

        Args:
            use: A use of the value.
            hands_on: Whether an operator is looked through.
        """
        for _ in range(MOST_STEPS):
            node = self.nodes[use.producer]
            looks = node.kind == "operator" and hands_on(node)
            first = self.operand(node.id, 0) if looks else None
            if first is None:
                break
            use = first
        return use

    def results(self, node: str, body: str | None = None) -> Sequence[Use]:
        """Return what leaves the bodies of a node, or one of them, for the node's outputs."""
        uses = self.edges.results.get(node, ())
        return uses if body is None else [use for use in uses if use.body == body]

    def entering(self, node: str) -> Sequence[Use]:
        """Return the operands of a node and the results of its bodies."""
        results = self.edges.results.get(node)
        operands = self.edges.operands.get(node, ())
        return operands if results is None else [*operands, *results]

    def producers(self, node: str) -> Sequence[str]:
        """Return the nodes whose values enter a node, each once."""
        uses = self.entering(node)
        if len(uses) < 2:
            return [use.producer for use in uses]
        return list(dict.fromkeys([use.producer for use in uses]))

    def readers(self, node: str, value: str | None = None) -> Sequence[Use]:
        """Return the uses of all values of a node, or of one of them."""
        uses = self.edges.readers.get(node, ())
        return uses if value is None else [use for use in uses if use.value == value]

    def consumers(self, node: str) -> Sequence[str]:
        """Return the nodes that a value of a node enters, each once."""
        uses = self.edges.readers.get(node, ())
        if len(uses) < 2:
            return [use.node for use in uses]
        return list(dict.fromkeys([use.node for use in uses]))

    # ---------------------------------------------------------------------------- kinds of nodes

    @cached_property
    def inputs(self) -> tuple[Input, ...]:
        """Inputs of the main graph."""
        return tuple(
            [node for node in self.nodes.values() if node.kind == "input" and not node.scope]
        )

    @cached_property
    def outputs(self) -> tuple[Output, ...]:
        """Outputs of the main graph."""
        return tuple([node for node in self.nodes.values() if node.kind == "output"])

    @cached_property
    def operators(self) -> tuple[OperatorNode, ...]:
        """Operators, in graph order."""
        return tuple([node for node in self.nodes.values() if node.kind == "operator"])

    @cached_property
    def by_operator(self) -> Mapping[tuple[str, str], Sequence[OperatorNode]]:
        """Operators by domain and op type, each in graph order."""
        groups: dict[tuple[str, str], list[OperatorNode]] = {}
        for node in self.operators:
            key = node.domain, node.op_type
            if key in groups:
                groups[key].append(node)
            else:
                groups[key] = [node]
        return groups

    # ------------------------------------------------------------------------------------ bodies

    @cached_property
    def control_flow(self) -> Mapping[str, Sequence[Body]]:
        """Bodies by the id of their operator; operators outside come before those inside."""
        groups: dict[str, list[Body]] = {}
        for body in self.bodies:
            groups.setdefault(body.node.id, []).append(body)
        return groups

    @cached_property
    def body_at(self) -> Mapping[str, Body]:
        """Bodies by their scope."""
        return {body.scope: body for body in self.bodies}

    def around(self, scope: str) -> Iterator[Body]:
        """Yield the bodies that a scope stands in, from the inside out."""
        while scope := self.scopes.get(scope, ""):
            body = self.body_at[scope]
            yield body
            scope = body.node.scope

    # ---------------------------------------------------------------------------- reach, cycles

    def descendants(self, starts: Iterable[str]) -> set[str]:
        """Return everything that depends on some nodes, these included."""
        readers = self.edges.readers
        return reached(lambda node: [use.node for use in readers.get(node, ())], starts)

    def ancestors(self, starts: Iterable[str]) -> set[str]:
        """Return everything that some nodes depend on, these included."""
        return reached(lambda node: [use.producer for use in self.entering(node)], starts)

    @cached_property
    def dead(self) -> set[str]:
        """Nodes that no output of the model depends on."""
        if self.cyclic:
            return self.nodes.keys() - self.ancestors(output.id for output in self.outputs)
        readers = self.edges.readers
        stack = [
            id for id, node in self.nodes.items() if id not in readers and node.kind != "output"
        ]
        dead = set(stack)
        living: dict[
            str, int
        ] = {}  # uses by nodes that are not known to be dead: few are looked at
        while stack:
            for use in self.entering(stack.pop()):
                node = use.producer
                living[node] = left = living.get(node, len(readers[node])) - 1
                if left == 0:
                    dead.add(node)
                    stack.append(node)
        return dead

    @property
    def cyclic(self) -> bool:
        """Whether some nodes wait for each other, so that no order of execution exists."""
        return len(self.order) < len(self.nodes)

    def cycles(self) -> Iterator[set[str]]:
        """Yield the strongly connected components that hold a cycle."""
        return cycles(self.nodes, self.consumers)

    def shortest_cycle(self, component: Set[str]) -> list[str]:
        """Return a short cycle of a strongly connected component; its first node ends it."""
        return shortest_cycle(self.consumers, component)

    # ---------------------------------------------------------------------------------- networkx

    def to_networkx(self) -> nx.MultiDiGraph[str]:
        """Make a networkx graph with the attributes that `graphcount.graph` documents."""
        import networkx as nx

        graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
        for id, node in self.nodes.items():
            graph.add_node(id, **_attributes(node))
        for id in self.nodes:
            for use in self.operands(id):
                graph.add_edge(
                    use.producer, id, (use.value, use.index), value=use.value, index=use.index
                )
            for use in self.results(id):
                key = use.value, f"{use.body}[{use.result}]"
                where = {"index": None, "body": use.body, "result": use.result}
                graph.add_edge(use.producer, id, key, value=use.value, **where)
        return graph


def _attributes(node: GraphNode) -> dict[str, object]:
    """Return the attributes of a node in networkx."""
    if node.kind == "operator":
        return {
            "kind": node.kind,
            "op_type": node.op_type,
            "domain": node.domain,
            "name": node.name,
            "scope": node.scope,
            "node": node.record,
        }
    common = {"kind": node.kind, "scope": node.scope, "name": node.name}
    if node.kind == "initializer":
        return {**common, "tensor": node.tensor}
    return {**common, "value_info": node.info}
