"""How values flow: which nodes depend on input values, and which carry learned weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from graphcount.auditing.context import Context
from graphcount.auditing.trigger.budget import Budget
from graphcount.graph import GraphNode, ModelGraph, reached
from graphcount.loading.model import Node

DOMAINS = frozenset({"", "ai.onnx.ml", "com.microsoft"})

ONLY_SHAPE = frozenset({"Shape", "Size", "EyeLike", "RandomNormalLike", "RandomUniformLike"})
"""Operators whose result depends on the shape of their input and not on its numbers."""

SHAPED_BY_VALUES = frozenset({"NonZero", "Compress", "Unique", "NonMaxSuppression", "StringSplit"})
"""Operators whose result has as many numbers as the input's numbers decide."""

MATRIX = frozenset(
    {
        *("Conv", "ConvTranspose", "MatMul", "Gemm", "LSTM", "GRU", "RNN", "Einsum", "Attention"),
        *("QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "MatMulNBits"),
        *("FusedMatMul", "FusedConv", "MultiHeadAttention", "GroupQueryAttention"),
    }
)
"""Operators that are layers even where their weights are not stored as parameters."""

LAYER_ROLES = frozenset(
    {
        *("weight", "recurrent weight", "peephole weight", "quantized weight"),
        *("threshold", "leaf value"),
    }
)
"""What the weights of a layer are; tables that are looked up and vectors are no trunk's work."""

LIGHT_SHARE = 0.01
"""Layers with less of all weights are too small to be a trunk; a trigger may have such layers."""


class Flow:
    """The graph as the trigger rule sees it; loops are closed: a state depends on its results.

    Attributes:
        budget: Work that may still be done.
        order: Nodes in an order of execution.
        position: Place of each node in it.
        inputs: Ids of the graph's inputs.
        learned: Learned numbers of each layer.
        weights: The same, and 1 for a matrix operator that has none.
        values: Nodes that depend on the numbers of an input, not only on its shape.
        deep: Nodes behind layers that are not tiny.
        back: Result of a loop's body → the state input it becomes in the next trip.
    """

    def __init__(self, context: Context) -> None:
        self.budget = Budget()
        self.graph = graph = context.graph
        self.nodes = graph.nodes
        self._ops = {id: _known_op(node) for id, node in graph.nodes.items()}
        self.order = graph.order
        self.position = {node: place for place, node in enumerate(self.order)}
        self.inputs = [node.id for node in graph.inputs]
        self.back = _back_edges(graph)
        self._begins = _reversed(self.back)
        self.learned = _learned(context)
        matrices = (node for node in self.nodes if self.op(node) in MATRIX)
        self.weights = {**dict.fromkeys(matrices, 1), **self.learned}
        self.total = sum(self.weights.values())
        self.values = self._values()
        self.deep = self._deep()

    def op(self, node: str) -> str:
        """Operator of a node in the domains of ONNX and onnxruntime; empty for anything else."""
        return self._ops[node]

    def ops(self, nodes: Iterable[str]) -> set[str]:
        """Operators of some nodes, as `op` has them."""
        return {self._ops[node] for node in nodes}

    def record(self, node: str) -> Node:
        """The stored record of an operator."""
        return self.graph.operator(node).record

    def after(self, node: str) -> Sequence[str]:
        """Nodes that a node's values enter, in the next trip of a loop too."""
        consumers = self.graph.consumers(node)
        return [*consumers, *self.back[node]] if node in self.back else consumers

    def before(self, node: str) -> Sequence[str]:
        """Nodes whose values enter a node, from the trip before too."""
        producers = self.graph.producers(node)
        return [*producers, *self._begins[node]] if node in self._begins else producers

    def sources(self, node: str) -> dict[int, str]:
        """Producer of each input by index."""
        uses = self.graph.operands(node)
        return {use.index: use.producer for use in uses if use.index is not None}

    def results(self, node: str) -> dict[tuple[str, int], str]:
        """Producer of each result of a node's bodies, by body and position."""
        return {(use.body, use.result): use.producer for use in self.graph.results(node)}

    def branches(self, node: str) -> dict[str, str]:
        """The Ifs around a node, and in which of their branches it stands."""
        around = self.graph.around(self.nodes[node].scope)
        return {body.node.id: body.name for body in around if self.op(body.node.id) == "If"}

    def cone(self, starts: Iterable[str]) -> set[str]:
        """Everything some nodes depend on, these included.

        Raises:
            LimitError: The budget is spent.
        """
        found = reached(self.before, starts)
        self.budget.spend(len(found))
        return found

    def weight(self, nodes: Iterable[str]) -> int:
        """Learned numbers of some nodes."""
        return sum(self.weights.get(node, 0) for node in nodes)

    def _deep(self) -> set[str]:
        """Nodes with more than a light share of the weights on a path to them."""
        light = self.total * LIGHT_SHARE
        before: dict[str, int] = {}
        starts = []
        for node in self.order:
            most = max([before[use.producer] for use in self.graph.entering(node)], default=0)
            before[node] = most = most + self.weights.get(node, 0)
            if most > light:
                starts.append(node)
        return reached(self.after, starts)

    def _values(self) -> set[str]:
        operators = self.graph.operators
        by_value = reached(
            self.after, [node.id for node in operators if node.op_type in SHAPED_BY_VALUES]
        )
        found = set(self.inputs)
        stack = list(found)
        while stack:
            for node in self.after(stack.pop()):
                if node in found or (self.op(node) in ONLY_SHAPE and node not in by_value):
                    continue
                found.add(node)
                stack.append(node)
        return found


def _known_op(node: GraphNode) -> str:
    return node.op_type if node.domain in DOMAINS else ""


def _learned(context: Context) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in context.rows:
        if row.owner is not None and row.verdict.role in LAYER_ROLES:
            found[row.owner] = found.get(row.owner, 0) + row.elements
    return found


def _back_edges(graph: ModelGraph) -> dict[str, list[str]]:
    """Where the results of Loop and Scan bodies go on in the next trip."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for body in graph.bodies:
        node = body.node
        if node.op_type not in ("Loop", "Scan") or body.name != "body":
            continue
        shift = 1 if node.op_type == "Loop" else 0
        states = len(body.inputs) - (0 if shift else node.record.integer("num_scan_inputs", 0))
        for use in graph.results(node.id, body.name):
            if use.result + shift < states:
                state = f"{body.scope}/input:{body.inputs[use.result + shift]}"
                if state in graph.nodes:
                    found[use.producer].append(state)
    return dict(found)


def _reversed(back: Mapping[str, list[str]]) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for producer, states in back.items():
        for state in states:
            found[state].append(producer)
    return dict(found)
