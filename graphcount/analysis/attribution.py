"""Stored tensor → the operators that really use it, and in which role.

A tensor is followed forward from where it is held, through operators that only move, convert or
dequantize numbers (`Operator.passes`), through body inputs of If, Loop and Scan and out of the
branches of an If, to the nodes that use it. Work is bounded per tensor and in total.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from graphcount.analysis.stored import Stored
from graphcount.errors import Unknown
from graphcount.graph import ModelGraph, OperatorNode, Use, is_constant

MAX_STEPS_PER_TENSOR = 10_000
MAX_STEPS = 10_000_000
MAX_USES = 1_000


class TensorUse(NamedTuple):
    """One use of a stored tensor.

    Attributes:
        node: Id of the node that uses it (an operator, or a graph output).
        index: Input index there; None for an attribute or a body's result.
        role: Role at that input, or None when the operator is not known or gives it none.
        via: Op types looked through on the way, nearest to the tensor first.
    """

    node: str
    index: int | None  # type: ignore[assignment]
    role: str | None
    via: tuple[str, ...]


class Attributed(NamedTuple):
    """A stored tensor with everything that uses it.

    Attributes:
        stored: The tensor.
        origins: Ids of the graph nodes that hold it, one for each call where it is a function's.
        uses: In graph order, without repetition.
        live: An output of the model depends on it.
    """

    stored: Stored
    origins: tuple[str, ...]
    uses: tuple[TensorUse, ...]
    live: bool


def attribute(
    model_graph: ModelGraph, stored: Iterable[Stored]
) -> tuple[tuple[Attributed, ...], tuple[Unknown, ...]]:
    """Attribute every stored tensor to the nodes that use it."""
    origins = _origins(model_graph)
    order: dict[str, int] = {}
    follower, dead = _Follower(model_graph), model_graph.dead
    attributed = []
    for tensor in stored:
        held = origins.get(tensor.key, ())
        held_by = tuple([node for node, _ in held])
        uses: list[TensorUse] = []
        for node, attribute_name in held:
            uses += follower.follow(node, attribute_name)
        if len(uses) > 1:
            if not order:
                order = {node: position for position, node in enumerate(model_graph.nodes)}
            uses = _in_order(uses, order)
        live = not tensor.in_training and not dead.issuperset(held_by)
        attributed.append(Attributed(tensor, held_by, tuple(uses), live))
    return tuple(attributed), tuple(follower.unknowns)


def _limits(node: OperatorNode, edge: Use, via: tuple[str, ...]) -> bool:
    """Return whether a node only keeps quantized numbers in their range (QCDQ of Brevitas)."""
    return edge.index == 0 and node.op_type == "Clip" and via[-1:] == ("QuantizeLinear",)


def uses_behind(graph: ModelGraph, nodes: Iterable[str]) -> dict[str, tuple[TensorUse, ...]]:
    """Return the uses of the results of these nodes, each once; fewer when they are many."""
    follower = _Follower(graph)
    return {node: tuple(dict.fromkeys(follower.onward(node))) for node in nodes}


def _in_order(uses: list[TensorUse], order: dict[str, int]) -> list[TensorUse]:
    """Return uses in graph order, each once."""
    return sorted(set(uses), key=lambda use: (order[use.node], use.index or 0, use.via))


def _origins(graph: ModelGraph) -> dict[int, list[tuple[str, str]]]:
    """Return which graph nodes hold a stored tensor: key → (node, attribute name or empty)."""
    origins: dict[int, list[tuple[str, str]]] = {}
    for id, node in graph.nodes.items():
        if node.record is not None and not node.record.attributes:
            continue
        for key, attribute_name in node.held:
            origins.setdefault(key, []).append((id, attribute_name))
    return origins


Continuation: TypeAlias = "tuple[str, str | None, tuple[str, ...]]"
"""Where to go on from: a node, the only value of it that is followed, op types looked through."""


class _Follower:
    """Follows values forward through operators that pass them on."""

    def __init__(self, graph: ModelGraph) -> None:
        self.graph = graph
        self.steps = 0
        self.unknowns: list[Unknown] = []

    def follow(self, origin: str, attribute_name: str) -> list[TensorUse]:
        """Return uses of the tensor that `origin` holds."""
        node = self.graph.nodes[origin]
        if node.kind == "operator" and not is_constant(node):
            role = node.operator.attributes.get(attribute_name) if node.operator else None
            return [TensorUse(origin, None, role or "literal", ())]
        return self.onward(origin)

    def onward(self, origin: str) -> list[TensorUse]:
        """Return uses of the results of `origin`."""
        readers = self.graph.readers(origin)
        if len(readers) == 1 and self.steps <= MAX_STEPS:  # most weights: one direct use
            way = self.passes(readers[0], ())
            if isinstance(way, TensorUse):
                self.steps += 1
                return [way]
        uses: list[TensorUse] = []
        seen: set[tuple[str, str | None]] = {(origin, None)}
        stack: list[Continuation] = [(origin, None, ())]
        steps = 0
        while stack:
            node, only, via = stack.pop()
            for edge in self.graph.readers(node, only):
                steps += 1
                way = self.passes(edge, via)
                if isinstance(way, TensorUse):
                    uses.append(way)
                elif (way[0], way[1]) not in seen:
                    seen.add((way[0], way[1]))
                    stack.append(way)
            if steps > MAX_STEPS_PER_TENSOR or len(uses) > MAX_USES or self.steps > MAX_STEPS:
                why = "it has too many uses to follow them all"
                self.unknowns.append(Unknown(origin, "uses", why))
                break
        self.steps += steps
        return uses

    def passes(self, edge: Use, via: tuple[str, ...]) -> TensorUse | Continuation:
        """Return what becomes of a value at one consumer: a use, or where to go on from."""
        node = self.graph.nodes[edge.node]
        if node.kind == "output":
            return TensorUse(node.id, 0, "output", via)
        if node.kind != "operator":
            return node.id, None, via
        index, operator = edge.index, node.operator
        if index is None:
            return self.result(node, edge, via)
        if operator is not None and (index in operator.passes or _limits(node, edge, via)):
            return node.id, None, (*via[-7:], node.op_type)
        return TensorUse(node.id, index, operator.role(index) if operator else None, via)

    def result(
        self, node: OperatorNode, edge: Use, via: tuple[str, ...]
    ) -> TensorUse | Continuation:
        """Return the operator's output that a value leaving a body becomes, when we know which."""
        position = edge.result
        if node.op_type == "If" and node.domain == "" and position < len(node.outputs):
            return node.id, node.outputs[position], (*via[-7:], "If")
        return TensorUse(node.id, None, "state", via)
