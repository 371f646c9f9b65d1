"""The keys and values a decoder keeps from one token to the next, found by what the graph does.

An input of the graph is a cache when an attention operator takes it as its past (`Operator.past`),
or when it is joined with new keys or values along one axis (Concat) whose result is multiplied as
keys and values are (a matrix product, or attention) and either leaves the graph again as the
present, or has the name of a past (`past_key_values.0.key`). Before they are joined only operators
may stand of which it is known where each axis goes (`Operator.axes`), behind it what moves, repeats
or scales elements; other names decide nothing. What an encoder hands over once and nothing is
joined to does not grow with the tokens and is no cache.

Bytes of a token are the product of all dimensions but batch and length, times those of a number:
2 x layers x heads x head size x bytes in a plain decoder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

from graphcount.analysis.shapes import ValueShapes
from graphcount.dtypes import DTYPES
from graphcount.graph import GraphNode, ModelGraph, OperatorNode, computes, is_constant, reached
from graphcount.ops.call import Axes, Shape, complete, size
from graphcount.symbolic import Dim, TooComplexError

PAST_NAME = re.compile(r"past|cache", re.IGNORECASE)
"""Evidence beside the structure, where a model does not return the present."""

RANKS = (3, 4, 5)
JOINED_RANK = 5
"""Keys and values in one tensor: [2, batch, heads, length, head size]."""


class CacheInput(NamedTuple):
    """An input that holds keys or values.

    Attributes:
        name: Of the graph input.
        axis: Axis of the length.
        node: Operator that joins the new ones.
    """

    name: str
    axis: int
    node: str


class KVCache(NamedTuple):
    """The cache of a decoder.

    Attributes:
        layers: Pairs of keys and values.
        inputs: Where they enter.
        nbytes_per_token: For one sequence; None when it depends on dynamic dimensions.
        nbytes: At the sizes the inputs have.
    """

    layers: int
    inputs: tuple[CacheInput, ...]
    nbytes_per_token: Dim | None
    nbytes: Dim | None


def find_kv_cache(graph: ModelGraph, shapes: ValueShapes) -> KVCache | None:
    """Return the cache of a model; None when it keeps none among its inputs."""
    finder = _CacheFinder(graph, shapes)
    caches = []
    for node in graph.inputs:
        shape = shapes.shapes.get((node.id, node.name))
        if shape is not None and len(shape) in RANKS:
            joined = finder.cache(node.id, node.name, len(shape))
            if joined is not None:
                caches.append((joined, shape, shapes.dtypes.get((node.id, node.name), 0)))
    if not caches:
        return None
    both = sum(len(shape) == JOINED_RANK for _, shape, _ in caches)
    return KVCache(
        layers=both + (len(caches) - both + 1) // 2,
        inputs=tuple(joined for joined, _, _ in caches),
        nbytes_per_token=_sum(
            _nbytes(_without(shape, _batch_axis(shape), joined.axis), dtype)
            for joined, shape, dtype in caches
        ),
        nbytes=_sum(_nbytes(shape, dtype) for _, shape, dtype in caches),
    )


def _batch_axis(shape: Shape) -> int:
    return 1 if len(shape) == JOINED_RANK else 0


def _without(shape: Shape, *axes: int) -> Shape:
    return tuple(dim for axis, dim in enumerate(shape) if axis not in axes)


def _nbytes(shape: Shape, code: int) -> Dim | None:
    dims, dtype = complete(shape), DTYPES.get(code)
    if dims is None or dtype is None or not dtype.bits:
        return None
    try:
        return size(dims) * dtype.bits // 8
    except TooComplexError:
        return None


def _sum(parts: Iterable[Dim | None]) -> Dim | None:
    total: Dim = 0
    for part in parts:
        if part is None:
            return None
        try:
            total = total + part
        except TooComplexError:
            return None
    return total


class _CacheFinder:
    """Follows values through the graph."""

    def __init__(self, graph: ModelGraph, shapes: ValueShapes) -> None:
        self.graph = graph
        self.calls = shapes.calls
        self._computed: dict[str, tuple[int | None, ...]] = {}

    @cached_property
    def multiplied(self) -> set[str]:
        """Nodes whose results are multiplied like keys or values."""
        return self.kept_until(
            node.id
            for nodes in self.graph.by_operator.values()
            if (operator := nodes[0].operator) and (operator.is_matrix_product or operator.past)
            for node in nodes
        )

    @cached_property
    def returned(self) -> set[str]:
        """Nodes whose results leave the graph."""
        return self.kept_until(node.id for node in self.graph.outputs)

    def kept_until(self, ends: Iterable[str]) -> set[str]:
        """Return nodes whose results reach one of these as they are, or moved and repeated."""
        nodes, producers = self.graph.nodes, self.graph.producers
        last = {source for end in ends for source in producers(end)}
        return reached(lambda id: producers(id) if _hands_on(nodes[id]) else (), last)

    def cache(self, source: str, name: str, rank: int) -> CacheInput | None:
        """Return where new keys or values are joined to an input, if they are."""
        start: tuple[str, Axes] = source, tuple(range(rank))
        stack, seen = [start], {source}
        while stack:
            producer, axes = stack.pop()
            for use in self.graph.readers(producer):
                node = self.graph.nodes[use.node]
                if node.kind != "operator" or use.index is None:
                    continue
                axis = self.joined(node, use.index, axes, name)
                if axis is not None:
                    return CacheInput(name, axis, node.id)
                rule = node.operator.axes if node.operator is not None else None
                if rule is not None and use.index == 0 and node.id not in seen:
                    seen.add(node.id)
                    moved = rule(self.calls(node.id), axes)
                    if moved is not None:
                        stack.append((node.id, moved))
        return None

    def joined(self, node: OperatorNode, index: int, axes: Axes, name: str) -> int | None:
        """Return the axis of the graph input along which this operator takes it as a past."""
        at = node.operator.past.get(index) if node.operator is not None else None
        if at is not None:
            at = node.record.integer("axis", at)
            return axes[at] if -len(axes) <= at < len(axes) else None
        if computes(node) != "Concat" or not self.adds(node.id, index):
            return None
        at = node.record.integer("axis", 0)
        if not -len(axes) <= at < len(axes) or axes[at] is None:
            return None
        grows = node.id in self.returned or PAST_NAME.search(name)
        return axes[at] if node.id in self.multiplied and grows else None

    def adds(self, node: str, index: int) -> bool:
        """Return whether something that is computed is joined to input `index`."""
        if node not in self._computed:
            self._computed[node] = tuple(
                use.index
                for use in self.graph.entering(node)
                if _is_computed(self.graph.nodes[use.producer])
            )
        return any(position != index for position in self._computed[node])


def _hands_on(node: GraphNode) -> bool:
    """Return whether keys come out of a node moved, repeated for heads, scaled or converted."""
    operator = node.operator
    return operator is not None and bool(
        operator.passes or operator.traits & {"keeps values", "scales"}
    )


def _is_computed(node: GraphNode) -> bool:
    return node.kind == "operator" and not is_constant(node)
