"""What takes the inputs of a graph: products of computed values, convolutions, operators' pasts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from graphcount.analysis.shapes import ValueShapes
from graphcount.analysis.states.ways import StateWay, joins
from graphcount.graph import GraphNode, Input, ModelGraph, computes, reached
from graphcount.ops.call import Axes


def batch_names(inputs: Iterable[Input]) -> set[str]:
    """Return what the batch may be called: the first dimension, the second behind a dynamic one."""
    shapes = [node.info.shape or () for node in inputs]
    first = [dim for dims in shapes for dim in dims[:1]]
    second = [dims[1] for dims in shapes if len(dims) > 1 and not isinstance(dims[0], int)]
    return {dim for dim in (*first, *second) if isinstance(dim, str)}


class InputUses:
    """Answers for one graph, each worked out when it is first asked for."""

    def __init__(self, graph: ModelGraph, shapes: ValueShapes) -> None:
        self.graph, self.shapes = graph, shapes

    @cached_property
    def fed(self) -> set[str]:
        """Nodes that depend on an input: all but stored tensors and what is made of them."""
        return self.graph.descendants(node.id for node in self.graph.inputs)

    @cached_property
    def attended(self) -> set[str]:
        """Nodes whose results are multiplied with something computed, moved or joined before."""
        return self._kept_until(_products(self.graph, self.fed))

    @cached_property
    def convolved(self) -> set[str]:
        """Nodes whose results a convolution takes as its data."""
        return self._kept_until(
            use.producer
            for nodes in self.graph.by_operator.values()
            if nodes[0].operator is not None and nodes[0].operator.is_convolution
            for node in nodes
            if (use := self.graph.operand(node.id, 0)) is not None
        )

    def _kept_until(self, ends: Iterable[str]) -> set[str]:
        nodes, producers = self.graph.nodes, self.graph.producers
        return reached(lambda id: producers(id) if _hands_on(nodes[id]) else (), ends)

    def past_reader(
        self, id: str, rank: int, has_name: bool
    ) -> tuple[str | None, StateWay, int | None]:
        """Return the operator that takes an input as past keys or values, how, and the axis."""
        start: tuple[str, Axes] = id, tuple(range(rank))
        stack, seen = [start], {id}
        while stack:
            producer, axes = stack.pop()
            for use in self.graph.readers(producer):
                node = self.graph.nodes[use.node]
                if node.kind != "operator" or node.operator is None or use.index is None:
                    continue
                state = node.operator.states.get(use.index)
                if state is not None and state.holds in ("keys-values", "paged"):
                    at = state.axis and node.record.integer("axis", state.axis)
                    return node.id, StateWay(state=state, node=node.id), _axis(axes, at)
                if (
                    computes(node) == "Concat"
                    and has_name
                    and node.id in self.attended
                    and joins(self.graph, node.id, use.index)
                ):
                    way = StateWay(node=node.id, joined=0)
                    return node.id, way, _axis(axes, node.record.integer("axis", 0))
                rule = node.operator.axes
                if rule is not None and use.index == 0 and node.id not in seen:
                    seen.add(node.id)
                    moved = rule(self.shapes.calls(node.id), axes)
                    if moved is not None:
                        stack.append((node.id, moved))
        return None, StateWay(), None


def _axis(axes: Axes, at: int | None) -> int | None:
    return axes[at] if at is not None and -len(axes) <= at < len(axes) else None


def _hands_on(node: GraphNode) -> bool:
    """Return whether keys come out of a node moved, repeated for heads, scaled or converted."""
    operator = node.operator
    return operator is not None and bool(
        operator.passes or operator.traits & {"keeps values", "scales", "writes"}
    )


def _products(graph: ModelGraph, fed: set[str]) -> Iterator[str]:
    """Yield what makes the operands of products of computed values, as of attention."""
    for nodes in graph.by_operator.values():
        operator = nodes[0].operator
        if operator is None or not operator.multiplies:
            continue
        if operator.family == "attention":
            yield from (use.producer for node in nodes for use in graph.operands(node.id)[1:])
        elif operator.is_matrix_product:
            for node in nodes:
                makers = graph.producers(node.id)
                if fed.issuperset(makers):
                    yield from makers
