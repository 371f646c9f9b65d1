"""One of the two models, laid out for matching: nodes as numbers, neighbours as lists."""

from __future__ import annotations

import re
from typing import NamedTuple

from graphcount.analysis.names import maker, original_name
from graphcount.analysis.wiring import Place, Wire
from graphcount.ops import lookup
from graphcount.report.records import Report

BODY_INPUTS = 100
"""Inputs of bodies looked through on the way to the node that makes a value."""


class ComparedModel(NamedTuple):
    """What is compared.

    Attributes:
        report: What was counted.
        attributes: Attributes of every node as text, by node id; None for a saved report.
        wires: Inputs of every graph node, by its id; None for a saved report.
        digests: Digest of each tensor's data in the report's order; None when not asked for.
        source: `model`, `report` or `deployment`; only the first has more than a report.
    """

    report: Report
    attributes: dict[str, dict[str, str]] | None
    wires: dict[str, tuple[Wire, ...]] | None
    digests: tuple[str | None, ...] | None
    source: str


class Link(NamedTuple):
    """An edge as seen from one end: input of the consumer, number of the other node, result."""

    place: Place
    node: int
    output: int


class Side:
    """A subject's nodes by number, in the report's order.

    Attributes:
        ids: Node ids.
        operators: Domain and op type.
        families: What the operator is at heart; see `family`.
        stored: Tensors each node uses, as (input index or None, tensor number), in order.
        before: Producers of each node's inputs.
        after: Consumers of each node's results.
        sources: For each node what feeds the inputs that no node makes: graph input or tensor.
    """

    def __init__(self, subject: ComparedModel, *, with_wires: bool) -> None:
        report = subject.report
        self.subject = subject
        self.nodes = report.nodes
        self.tensors = report.tensors
        self.ids = [node.id for node in report.nodes]
        self.operators = [(node.domain, node.op_type) for node in report.nodes]
        self.families = [family(node.domain, node.op_type) for node in report.nodes]
        self.number = {node: number for number, node in enumerate(self.ids)}
        self.attributes: list[tuple[tuple[str, str], ...]] = [()] * len(self.ids)
        self.stored = self._stored()
        self.before: list[list[Link]] = [[] for _ in self.ids]
        self.after: list[list[Link]] = [[] for _ in self.ids]
        self.sources: list[list[tuple[Place, str]]] = [[] for _ in self.ids]
        if with_wires and subject.wires is not None and subject.attributes is not None:
            texts = subject.attributes
            self.attributes = [tuple(texts.get(node, {}).items()) for node in self.ids]
            self._connect(subject.wires)

    def _stored(self) -> list[list[tuple[int | None, int]]]:
        stored: list[list[tuple[int | None, int]]] = [[] for _ in self.ids]
        for index, tensor in enumerate(self.tensors):
            for use in tensor.uses:
                node = self.number.get(use.node)
                if node is not None:
                    stored[node].append((use.input, index))
        for uses in stored:
            if len(uses) > 1:
                uses.sort(key=lambda use: (-1 if use[0] is None else use[0], use[1]))
        return stored

    def _connect(self, wires: dict[str, tuple[Wire, ...]]) -> None:
        inputs = {
            f"input:{value.name}": position
            for position, value in enumerate(self.subject.report.model.inputs)
        }
        for node, node_id in enumerate(self.ids):
            for wire in wires.get(node_id, ()):
                producer, output = self._producer(wire, wires)
                if producer is not None:
                    self.before[node].append(Link(wire.place, producer, output))
                    self.after[producer].append(Link(wire.place, node, output))
                else:
                    position = inputs.get(wire.producer)
                    what = "tensor" if position is None else f"input {position}"
                    self.sources[node].append((wire.place, what))

    def _producer(self, wire: Wire, wires: dict[str, tuple[Wire, ...]]) -> tuple[int | None, int]:
        """Return the node that makes a value: inputs of bodies are looked through."""
        for _ in range(BODY_INPUTS):
            number = self.number.get(wire.producer)
            if number is not None:
                return number, wire.output
            inner = wires.get(wire.producer)
            if not inner:
                break
            wire = inner[0]
        return None, 0


def own_name(name: str) -> str:
    """Return a name that the author gave, without a quantizer's suffix; else empty."""
    name = original_name(name)
    return name if maker(name) == "author" else ""


def family(domain: str, op_type: str) -> str:
    """Return what an operator is at heart: `Add` of a QLinearAdd, of one that is not known, too."""
    operator = lookup(domain, op_type)
    if operator is not None:
        return operator.form_of or op_type
    return QUANTIZED.sub("", op_type)


QUANTIZED = re.compile(r"\AQ(Linear|Ordered)?(?=[A-Z])")
"""Prefix of the names of quantized operators."""
