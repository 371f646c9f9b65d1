"""How values flow: which nodes depend on input values, and which carry learned weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from graphcount.auditing.context import Context
from graphcount.auditing.structure import graph_inputs, reached
from graphcount.auditing.trigger.budget import Budget
from graphcount.graph import topological_order
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
        self.tables = context.tables
        self.nodes = context.tables.nodes
        self._ops = {node: _known_op(data) for node, data in self.nodes.items()}
        self.order = topological_order(context.tables)
        self.position = {node: place for place, node in enumerate(self.order)}
        self.inputs = graph_inputs(context.tables)
        self.back = _back_edges(self.nodes, context.tables.pred)
        self.learned = _learned(context)
        matrices = (node for node in self.nodes if self.op(node) in MATRIX)
        self.weights = {**dict.fromkeys(matrices, 1), **self.learned}
        self.total = sum(self.weights.values())
        self.succ = _with_back_edges(context.tables.succ, self.back)
        self.pred = _with_back_edges(context.tables.pred, _reversed(self.back))
        self.values = self._values()
        self._branches = {
            f"{node}/{body}": (node, body)
            for node in self.nodes
            if self.op(node) == "If"
            for body in ("then_branch", "else_branch")
        }
        self.deep = self._deep()

    def op(self, node: str) -> str:
        """Operator of a node in the domains of ONNX and onnxruntime; empty for anything else."""
        return self._ops[node]

    def ops(self, nodes: Iterable[str]) -> set[str]:
        """Operators of some nodes, as `op` has them."""
        return {self._ops[node] for node in nodes}

    def record(self, node: str) -> Node:
        """The stored record of an operator."""
        found: Node = self.nodes[node]["node"]
        return found

    def sources(self, node: str) -> dict[int, str]:
        """Producer of each input by index."""
        return {
            edge["index"]: producer
            for producer, keyed in self.tables.pred[node].items()
            for edge in keyed.values()
            if edge["index"] is not None
        }

    def results(self, node: str) -> dict[tuple[str, int], str]:
        """Producer of each result of a node's bodies, by body and position."""
        return {
            (edge["body"], edge["result"]): producer
            for producer, keyed in self.tables.pred[node].items()
            for edge in keyed.values()
            if edge["index"] is None
        }

    def branches(self, node: str) -> dict[str, str]:
        """The Ifs around a node, and in which of their branches it stands."""
        found = {}
        path: str = self.nodes[node]["scope"]
        while path:
            if path in self._branches:
                holder, body = self._branches[path]
                found[holder] = body
            path = path.rpartition("/")[0]
        return found

    def cone(self, starts: Iterable[str]) -> set[str]:
        """Everything some nodes depend on, these included.

        Raises:
            LimitError: The budget is spent.
        """
        found = reached(self.pred, starts)
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
        pred = self.tables.pred
        for node in self.order:
            most = max([before[source] for source in pred[node]], default=0)
            before[node] = most = most + self.weights.get(node, 0)
            if most > light:
                starts.append(node)
        return reached(self.succ, starts)

    def _values(self) -> set[str]:
        by_value = reached(
            self.succ,
            [
                node
                for node, data in self.nodes.items()
                if data["kind"] == "operator" and data["op_type"] in SHAPED_BY_VALUES
            ],
        )
        found = set(self.inputs)
        stack = list(found)
        while stack:
            for node in self.succ[stack.pop()]:
                if node in found or (self.op(node) in ONLY_SHAPE and node not in by_value):
                    continue
                found.add(node)
                stack.append(node)
        return found


def _known_op(data: Mapping[str, Any]) -> str:
    known = data["kind"] == "operator" and data["domain"] in DOMAINS
    return str(data["op_type"]) if known else ""


def _learned(context: Context) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in context.rows:
        if row.owner is not None and row.verdict.role in LAYER_ROLES:
            found[row.owner] = found.get(row.owner, 0) + row.elements
    return found


def _back_edges(
    nodes: Mapping[str, dict[str, Any]], pred: Mapping[str, Mapping[str, Mapping[Any, Any]]]
) -> dict[str, list[str]]:
    """Where the results of Loop and Scan bodies go on in the next trip."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for holder, data in nodes.items():
        if data["kind"] != "operator" or data["op_type"] not in ("Loop", "Scan"):
            continue
        node: Node = data["node"]
        body = node.attribute("body")
        if body is None or not body.graphs:
            continue
        shift = 1 if data["op_type"] == "Loop" else 0
        inputs = [info.name for info in body.graphs[0].fed_inputs]
        states = len(inputs) - (node.integer("num_scan_inputs", 0) if not shift else 0)
        for producer, keyed in pred[holder].items():
            for edge in keyed.values():
                if edge["index"] is None and edge["result"] + shift < states:
                    state = f"{holder}/body/input:{inputs[edge['result'] + shift]}"
                    if state in nodes:
                        found[producer].append(state)
    return dict(found)


def _with_back_edges(
    edges: Mapping[str, Iterable[str]], back: Mapping[str, list[str]]
) -> Mapping[str, Iterable[str]]:
    if not back:
        return edges
    return {
        node: [*following, *back[node]] if node in back else following
        for node, following in edges.items()
    }


def _reversed(back: Mapping[str, list[str]]) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for producer, states in back.items():
        for state in states:
            found[state].append(producer)
    return dict(found)
