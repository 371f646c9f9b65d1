"""Stored tensor → the operators that really use it, and in which role.

A tensor is followed forward from where it is held, through operators that only move, convert or
dequantize numbers (`Operator.passes`), through body inputs of If, Loop and Scan and out of the
branches of an If, to the nodes that use it. Work is bounded per tensor and in total.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphcount.analysis.stored import Stored
from graphcount.errors import Unknown
from graphcount.graph import ModelGraph, Tables
from graphcount.ops import lookup

MAX_STEPS_PER_TENSOR = 10_000
MAX_STEPS = 10_000_000
MAX_USES = 1_000


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a stored tensor.

    Attributes:
        node: Id of the node that uses it (an operator, or a graph output).
        index: Input index there; None for an attribute or a body's result.
        role: Role at that input, or None when the operator is not known or gives it none.
        via: Op types looked through on the way, nearest to the tensor first.
    """

    node: str
    index: int | None
    role: str | None
    via: tuple[str, ...]


class Attributed(NamedTuple):
    """A stored tensor with everything that uses it.

    Attributes:
        stored: The tensor.
        holders: Ids of the graph nodes that hold it: one, or one for each call of its function.
        uses: In graph order, without repetition.
        live: An output of the model depends on it.
    """

    stored: Stored
    holders: tuple[str, ...]
    uses: tuple[Use, ...]
    live: bool


def attribute(
    model_graph: ModelGraph, stored: Iterable[Stored]
) -> tuple[tuple[Attributed, ...], tuple[Unknown, ...]]:
    """Attribute every stored tensor to the nodes that use it."""
    graph = model_graph.tables
    holders = _holders(graph)
    dead = set() if model_graph.cyclic else dead_nodes(graph)
    alive = ancestors_of_outputs(graph) if model_graph.cyclic else None
    order: dict[str, int] = {}
    follower = _Follower(graph)
    found = []
    for tensor in stored:
        held_by = tuple(node for node, _ in holders.get(tensor.key, ()))
        uses: list[Use] = []
        for node, attribute_name in holders.get(tensor.key, ()):
            uses.extend(follower.follow(node, attribute_name))
        if len(uses) > 1:
            if not order:
                order = {node: position for position, node in enumerate(graph.nodes)}
            uses = _in_order(uses, order)
        if alive is not None:
            live = any(node in alive for node in held_by)
        else:
            live = any(node not in dead for node in held_by)
        live = live and not tensor.in_training
        found.append(Attributed(tensor, held_by, tuple(uses), live))
    return tuple(found), tuple(follower.unknowns)


def uses_behind(graph: Tables, nodes: Iterable[str]) -> dict[str, tuple[Use, ...]]:
    """Uses of the results of each of these nodes, without repetition; fewer when they are many."""
    follower = _Follower(graph)
    return {node: tuple(dict.fromkeys(follower.onward(node))) for node in nodes}


def _in_order(uses: list[Use], order: dict[str, int]) -> list[Use]:
    """Uses in graph order, each once."""
    return sorted(set(uses), key=lambda use: (order[use.node], use.index or 0, use.via))


def dead_nodes(graph: Tables) -> set[str]:
    """Nodes of an acyclic graph that no output depends on: work grows with their number only."""
    stack = [
        node
        for node, consumers in graph.succ.items()
        if not consumers and graph.nodes[node]["kind"] != "output"
    ]
    dead = set(stack)
    living: dict[str, int] = {}  # consumers not yet found dead
    while stack:
        for node in graph.pred[stack.pop()]:
            living[node] = left = living.get(node, len(graph.succ[node])) - 1
            if left == 0:
                dead.add(node)
                stack.append(node)
    return dead


def ancestors_of_outputs(graph: Tables) -> set[str]:
    """Every node that an output of the model depends on, outputs included."""
    stack = [node for node, data in graph.nodes.items() if data["kind"] == "output"]
    alive = set(stack)
    while stack:
        for node in graph.pred[stack.pop()]:
            if node not in alive:
                alive.add(node)
                stack.append(node)
    return alive


def _holders(graph: Tables) -> dict[int, list[tuple[str, str]]]:
    """Which graph nodes hold a stored tensor: key → (node, attribute name or empty)."""
    holders: dict[int, list[tuple[str, str]]] = {}
    for node, data in graph.nodes.items():
        if data["kind"] == "initializer":
            holders.setdefault(data["tensor"].offset, []).append((node, ""))
        elif data["kind"] == "operator":
            for attribute in data["node"].attributes:
                for tensor in (*attribute.tensors, *attribute.sparse_tensors):
                    holders.setdefault(tensor.offset, []).append((node, attribute.name))
                if attribute.numbers is not None:
                    holders.setdefault(attribute.offset, []).append((node, attribute.name))
    return holders


class _Follower:
    """Follows values forward through operators that pass them on."""

    def __init__(self, graph: Tables) -> None:
        self.graph = graph
        self.steps = 0
        self.unknowns: list[Unknown] = []

    def follow(self, holder: str, attribute_name: str) -> list[Use]:
        """Uses of what `holder` holds."""
        data = self.graph.nodes[holder]
        if data["kind"] == "operator" and not _is_constant(data):
            spec = lookup(data["domain"], data["op_type"])
            role = spec.attributes.get(attribute_name) if spec else None
            return [Use(holder, None, role or "literal", ())]
        return self.onward(holder)

    def onward(self, holder: str) -> list[Use]:
        """Uses of the results of `holder`."""
        uses: list[Use] = []
        seen: set[tuple[str, str | None]] = {(holder, None)}
        stack: list[tuple[str, str | None, tuple[str, ...]]] = [(holder, None, ())]
        steps = 0
        while stack:
            node, only, via = stack.pop()
            for consumer, keyed in self.graph.succ[node].items():
                for edge in keyed.values():
                    if only is not None and edge["value"] != only:
                        continue
                    steps += 1
                    passed = self.passes(consumer, edge, via)
                    if isinstance(passed, Use):
                        uses.append(passed)
                    elif (passed[0], passed[1]) not in seen:
                        seen.add((passed[0], passed[1]))
                        stack.append(passed)
            if steps > MAX_STEPS_PER_TENSOR or len(uses) > MAX_USES or self.steps > MAX_STEPS:
                why = "it has too many uses to follow them all"
                self.unknowns.append(Unknown(holder, "uses", why))
                break
        self.steps += steps
        return uses

    def passes(
        self, consumer: str, edge: dict[str, Any], via: tuple[str, ...]
    ) -> Use | tuple[str, str | None, tuple[str, ...]]:
        """What becomes of a value at one consumer: a use, or (node, value, via) to go on from."""
        data = self.graph.nodes[consumer]
        kind = data["kind"]
        if kind == "output":
            return Use(consumer, 0, "output", via)
        if kind == "input":
            return consumer, None, via
        index = edge["index"]
        if index is None:
            return self.result(consumer, data, edge, via)
        spec = lookup(data["domain"], data["op_type"])
        if spec is not None and index in spec.passes:
            return consumer, None, (*via[-7:], data["op_type"])
        if _enters_body(data, index):
            return Use(consumer, index, "state", via)
        return Use(consumer, index, spec.role(index) if spec else None, via)

    def result(
        self, holder: str, data: dict[str, Any], edge: dict[str, Any], via: tuple[str, ...]
    ) -> Use | tuple[str, str | None, tuple[str, ...]]:
        """A value that leaves a body becomes the holder's output, when we know which."""
        node, position = data["node"], edge["result"]
        if data["op_type"] == "If" and data["domain"] == "" and position < len(node.outputs):
            return holder, node.outputs[position], (*via[-7:], "If")
        return Use(holder, None, "state", via)


def _is_constant(data: dict[str, Any]) -> bool:
    return bool(data["op_type"] == "Constant" and data["domain"] == "")


def _enters_body(data: dict[str, Any], index: int) -> bool:
    """Loop and Scan inputs also reach the body, where the real use is found."""
    return data["domain"] == "" and data["op_type"] in ("Loop", "Scan") and index > 1
