"""Ways from an output back to the inputs whose elements it carries on.

A way goes through what moves elements, joins others to them, writes others over some, scales them
or adds to them, through the state of an operator (`Operator.states`), branches and loops. It ends
where elements are mixed: at matrix products, convolutions, normalisations, activations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from graphcount.graph import GraphNode, ModelGraph, OperatorNode, computes, is_constant, traits_of
from graphcount.ops.operator import KeptState

STEPS = 200_000
"""Steps back in all, and pairs of names: of a model that asks for more not all states are known."""

CHANGES = 8
"""Operators that scale a state or add to it, on its way: a longer way is a residual stream."""


class StateWay(NamedTuple):
    """How an input comes out again.

    Attributes:
        source: Name of the graph input.
        state: The state of an operator that it goes through; None without one.
        node: Operator that takes it as its state, joins, writes or changes it; empty where it is
            handed through.
        joined: Place among what is joined along one axis; None where nothing is.
        written: Others are written over some elements.
        changed: Nodes that scale it or add to it, on this way, and the input it has there.
        looped: A loop carries it.
        cut: Some elements are left out.
    """

    source: str = ""
    state: KeptState | None = None
    node: str = ""
    joined: int | None = None
    written: bool = False
    changed: tuple[tuple[str, int], ...] = ()
    looped: bool = False
    cut: bool = False

    @property
    def handed_through(self) -> bool:
        """Whether it comes out as it went in, perhaps moved."""
        return not (self.node or self.cut)


class Ways:
    """Walks back through one graph, `STEPS` in all."""

    def __init__(self, graph: ModelGraph) -> None:
        self.graph = graph
        self.left = STEPS

    def to_inputs(self, producer: str, value: str) -> Iterator[StateWay]:
        """Yield the ways from a value to graph inputs, for each input and manner the first."""
        start = (producer, value, StateWay())
        stack, seen = [start], {(producer, value, _manner(StateWay()))}
        while stack and self.left > 0:
            self.left -= 1
            id, name, way = stack.pop()
            node = self.graph.nodes[id]
            if node.kind == "input" and not node.scope:
                yield way._replace(source=node.name)
                continue
            for producer, value, further in self._back(node, name, way):
                key = producer, value, _manner(further)
                if key not in seen:
                    seen.add(key)
                    stack.append((producer, value, further))

    def _back(
        self, node: GraphNode, value: str, way: StateWay
    ) -> Iterator[tuple[str, str, StateWay]]:
        """Yield what a value is made of, if that is carried on."""
        if node.kind == "input":
            for use in self.graph.operands(node.id):
                yield use.producer, use.value, way
        if node.kind != "operator" or node.operator is None:
            return
        if node.operator.is_control_flow:
            yield from self._out_of_bodies(node, value, way)
            return
        for index, further in self._carried(node, value, way):
            operand = self.graph.operand(node.id, index)
            if operand is not None:
                yield operand.producer, operand.value, further

    def _carried(
        self, node: OperatorNode, value: str, way: StateWay
    ) -> Iterator[tuple[int, StateWay]]:
        """Yield the inputs of an operator whose elements its result carries on."""
        operator, traits = node.operator, traits_of(node)
        assert operator is not None
        first = way if way.node else way._replace(node=node.id)
        if operator.states:
            at = node.outputs.index(value)
            for index, state in operator.states.items():
                if state.output == at:
                    yield index, way._replace(node=node.id, state=state)
        elif computes(node) == "Concat":
            uses = self.graph.operands(node.id)
            for place, use in enumerate(uses):
                if use.index is not None and joins(self.graph, node.id, use.index):
                    before = way.joined or 0
                    yield use.index, first._replace(joined=max(before, place))
                elif use.index is not None:
                    yield use.index, way
        elif "writes" in traits:
            yield 0, first._replace(written=True)
        elif operator.passes or "keeps values" in traits:
            cut = way.cut or "picks" in traits
            for index in operator.passes or (0,):
                yield index, way._replace(cut=cut)
        elif len(way.changed) < CHANGES and (
            traits & {"arithmetic", "scales"} or computes(node) == "Where"
        ):
            for use in self.graph.operands(node.id):
                if use.index is not None:
                    yield use.index, first._replace(changed=(*way.changed, (node.id, use.index)))

    def _out_of_bodies(
        self, node: OperatorNode, value: str, way: StateWay
    ) -> Iterator[tuple[str, str, StateWay]]:
        """Yield what the bodies of a node return for a value, and what a loop has it start from."""
        at = node.outputs.index(value)
        inputs, loops = len(node.record.inputs), computes(node) == "Loop"
        scanned = node.record.integer("num_scan_inputs", 0)
        for use in self.graph.results(node.id):
            if use.result == at + loops:
                yield use.producer, use.value, way
        start = at + 2 if loops else at
        if loops or scanned:
            operand = self.graph.operand(node.id, start) if start < inputs - scanned else None
            if operand is not None:
                further = way._replace(looped=True, node=way.node or node.id)
                yield operand.producer, operand.value, further


def _manner(way: StateWay) -> tuple[object, ...]:
    """Return what tells ways to one input apart."""
    return way.state, way.joined, way.written, bool(way.changed), way.looped, way.cut


def joins(graph: ModelGraph, node: str, index: int) -> bool:
    """Return whether something that is computed is joined to input `index`."""
    return any(
        use.index != index
        and (maker := graph.nodes[use.producer]).kind == "operator"
        and not is_constant(maker)
        for use in graph.operands(node)
    )
