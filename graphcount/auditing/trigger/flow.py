"""How values flow: which nodes depend on input values, and which carry learned weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

from graphcount.auditing.context import Context
from graphcount.errors import LimitError
from graphcount.graph import ModelGraph, reached
from graphcount.loading.model import Node
from graphcount.ops import Operator, Trait

DOMAINS = frozenset({"", "ai.onnx.ml", "com.microsoft"})
"""Domains whose operators the tables of this package name."""

UNKNOWN = Operator()
"""The record of what is no known operator."""

MAX_STEPS = 2_000_000
"""Nodes visited for one model, one or two microseconds each. A model of 100,000 nodes takes a tenth
of it; only thousands of choices between inputs, one upon the other, take more."""

LAYER_ROLES = frozenset(
    {
        *("weight", "recurrent weight", "peephole weight", "quantized weight"),
        *("threshold", "leaf value"),
    }
)
"""What the weights of a layer are; tables that are looked up and vectors are no trunk's work."""

LIGHT_SHARE = 0.01
"""Layers with less of all weights are too small to be a trunk; a trigger may have such layers."""


class WorkBudget:
    """Counts work, in nodes visited and not in seconds, and ends it.

    Attributes:
        left: Steps that may still be done.
    """

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self.left = steps

    def spend(self, steps: int) -> None:
        """Note work that was done.

        Raises:
            LimitError: It was too much.
        """
        self.left -= steps
        if self.left < 0:
            raise LimitError("its branches are too entangled to follow them all")


class Flow:
    """The graph as the trigger rule sees it; loops are closed: a state depends on its results.

    Attributes:
        budget: Work that may still be done.
        order: Nodes in an order of execution.
        inputs: Ids of the graph's inputs.
        learned: Learned numbers of each layer.
        weights: The same, and 1 for a matrix operator that has none.
        values: Nodes that depend on the numbers of an input, not only on its shape.
        deep: Nodes behind layers that are not tiny.
        back: Result of a loop's body → the state input it becomes in the next trip.
    """

    def __init__(self, context: Context) -> None:
        self.budget = WorkBudget()
        self.graph = graph = context.graph
        self.nodes = graph.nodes
        self.order = graph.order
        self.inputs = [node.id for node in graph.inputs]
        self.back = _back_edges(graph)
        self._begins = _reversed(self.back)
        self.learned = _learned(context)
        matrices = self._operators(lambda operator: operator.multiplies)
        self.weights = {**dict.fromkeys(matrices, 1), **self.learned}
        self.total = sum(self.weights.values())
        self.values = self._values()
        self.deep = self._deep()

    @cached_property
    def position(self) -> Mapping[str, int]:
        """Place of each node in the order."""
        return {node: place for place, node in enumerate(self.order)}

    def op(self, node: str) -> str:
        """Return the operator of a node in `DOMAINS`; empty for anything else."""
        record = self.nodes[node]
        return record.op_type if record.domain in DOMAINS else ""

    def ops(self, nodes: Iterable[str]) -> set[str]:
        """Return the operators of some nodes, as `op` has them."""
        return {self.op(node) for node in nodes}

    def operator(self, node: str) -> Operator:
        """Return what is known of the operator of a node."""
        return self.nodes[node].operator or UNKNOWN

    def has(self, trait: Trait, nodes: Iterable[str]) -> bool:
        """Return whether the operator of one of some nodes has a trait."""
        return any(trait in self.operator(node).traits for node in nodes)

    def record(self, node: str) -> Node:
        """Return the stored record of an operator."""
        return self.graph.operator(node).record

    def after(self, node: str) -> Sequence[str]:
        """Return the nodes that a node's values enter, in the next trip of a loop too."""
        readers = [use.node for use in self.graph.readers(node)]
        return [*readers, *self.back[node]] if node in self.back else readers

    def before(self, node: str) -> Sequence[str]:
        """Return the nodes whose values enter a node, from the trip before too."""
        producers = self.graph.producers(node)
        return [*producers, *self._begins[node]] if node in self._begins else producers

    def sources(self, node: str) -> dict[int, str]:
        """Return the producer of each input by index."""
        uses = self.graph.operands(node)
        return {use.index: use.producer for use in uses if use.index is not None}

    def results(self, node: str) -> dict[tuple[str, int], str]:
        """Return the producer of each result of a node's bodies, by body and position."""
        return {(use.body, use.result): use.producer for use in self.graph.results(node)}

    def branches(self, node: str) -> dict[str, str]:
        """Return the Ifs around a node, and in which of their branches it stands."""
        around = self.graph.around(self.nodes[node].scope)
        return {body.node.id: body.name for body in around if self.op(body.node.id) == "If"}

    def cone(self, starts: Iterable[str]) -> set[str]:
        """Return everything some nodes depend on, these included.

        Raises:
            LimitError: The budget is spent.
        """
        cone = reached(self.before, starts)
        self.budget.spend(len(cone))
        return cone

    def weight(self, nodes: Iterable[str]) -> int:
        """Return how many learned numbers some nodes have."""
        return sum(self.weights.get(node, 0) for node in nodes)

    def _operators(self, asked: Callable[[Operator], bool]) -> list[str]:
        """Return the nodes whose operator answers a question with yes."""
        return [
            node.id
            for nodes in self.graph.by_operator.values()
            if nodes[0].operator is not None and asked(nodes[0].operator)
            for node in nodes
        ]

    def _deep(self) -> set[str]:
        """Return the nodes with more than a light share of the weights on a path to them."""
        light = self.total * LIGHT_SHARE
        heaviest: dict[str, int] = {}  # of all paths to a node, without its own weights
        deep = set()
        for node in self.order:
            weight = heaviest.get(node, 0) + self.weights.get(node, 0)
            if not weight:
                continue
            if weight > light:
                deep.add(node)
            for use in self.graph.readers(node):
                if heaviest.get(use.node, 0) < weight:
                    heaviest[use.node] = weight
        return reached(self.after, deep) if self.back else deep

    def _values(self) -> set[str]:
        """Return the nodes that depend on elements of an input."""
        sized = self._operators(lambda operator: "sized by data" in operator.traits)
        shaped = set(self._operators(lambda operator: "shape only" in operator.traits))
        shaped -= reached(self.after, sized)
        if not shaped:
            return reached(self.after, self.inputs)
        return reached(
            lambda node: [reader for reader in self.after(node) if reader not in shaped],
            self.inputs,
        )


def _learned(context: Context) -> dict[str, int]:
    learned: dict[str, int] = {}
    for row in context.rows:
        if row.owner is not None and row.verdict.role in LAYER_ROLES:
            learned[row.owner] = learned.get(row.owner, 0) + row.elements
    return learned


def _back_edges(graph: ModelGraph) -> dict[str, list[str]]:
    """Return where the results of Loop and Scan bodies go on in the next trip."""
    states_of: defaultdict[str, list[str]] = defaultdict(list)
    for body in graph.bodies:
        node = body.node
        if not (node.operator or UNKNOWN).is_control_flow or body.name != "body":
            continue  # a branch
        shift = 1 if node.op_type == "Loop" else 0
        states = len(body.inputs) - (0 if shift else node.record.integer("num_scan_inputs", 0))
        for use in graph.results(node.id, body.name):
            if use.result + shift < states:
                state = f"{body.scope}/input:{body.inputs[use.result + shift]}"
                if state in graph.nodes:
                    states_of[use.producer].append(state)
    return dict(states_of)


def _reversed(back: Mapping[str, list[str]]) -> dict[str, list[str]]:
    producers: defaultdict[str, list[str]] = defaultdict(list)
    for producer, states in back.items():
        for state in states:
            producers[state].append(producer)
    return dict(producers)
