"""The keys and values a decoder keeps from one token to the next, found by what the graph does.

An input of the graph is a cache when an attention operator takes it as its past (`PAST`), or when
it is joined with new keys or values along one axis (Concat) whose result is multiplied as keys and
values are (`PRODUCTS`) and either leaves the graph again as the present, or has the name of a past
(`past_key_values.0.key`). Between them only operators that move numbers may stand (`MOVES`); other
names decide nothing. What an encoder hands over once and nothing is joined to does not grow with
the tokens and is no cache.

Bytes of a token are the product of all dimensions but batch and length, times those of a number:
2 x layers x heads x head size x bytes in a plain decoder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple, TypeAlias

from graphcount.analysis.shapes import ValueShapes
from graphcount.dtypes import DTYPES
from graphcount.graph import ModelGraph, OperatorNode, reached
from graphcount.ops.call import Call, Shape, complete, size
from graphcount.ops.operator import Key
from graphcount.symbolic import Dim, TooComplexError

MS = "com.microsoft"

PAST: dict[Key, dict[int, int]] = {
    ("", "Attention"): {4: 2, 5: 2},
    ("", "TensorScatter"): {0: -2},
    (MS, "Attention"): {4: 3},
    (MS, "QAttention"): {8: 3},
    (MS, "DecoderMaskedSelfAttention"): {4: 3},
    (MS, "MultiHeadAttention"): {6: 2, 7: 2},
    (MS, "DecoderMaskedMultiHeadAttention"): {5: 2, 6: 2},
    (MS, "GroupQueryAttention"): {3: 2, 4: 2},
    (MS, "SparseAttention"): {3: 2, 4: 2},
}
"""Inputs of attention operators that hold the past, and the axis of its length (Operators.md,
ContribOperators.md)."""

MOVES = frozenset({"Identity", "Cast", "Transpose", "Squeeze", "Unsqueeze", "Gather", "Split"})
"""Operators between an input and where new keys are joined to it; axes are followed through."""

REPEATS = MOVES | {"Reshape", "Expand", "Tile", "Slice", "Mul", "Div", "Concat"}
"""Operators between joined keys and their product: moved, scaled, repeated for groups of heads."""

PRODUCTS = frozenset(
    {"MatMul", "Einsum", "FusedMatMul", "MatMulInteger", "QLinearMatMul"}
    | {op_type for _, op_type in PAST}
)
"""Operators that multiply keys with queries, or scores with values."""

PAST_NAME = re.compile(r"past|cache", re.IGNORECASE)
"""Evidence beside the structure, where a model does not return the present."""

RANKS = (3, 4, 5)
JOINED_RANK = 5
"""Keys and values in one tensor: [2, batch, heads, length, head size]."""

ValueKey: TypeAlias = "tuple[str, str]"
Axes: TypeAlias = "tuple[int | None, ...]"


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
        nbytes_per_token: For one sequence; None when it depends on free dimensions.
        nbytes: At the sizes the inputs have.
    """

    layers: int
    inputs: tuple[CacheInput, ...]
    nbytes_per_token: Dim | None
    nbytes: Dim | None


def find_kv_cache(graph: ModelGraph, shapes: ValueShapes) -> KVCache | None:
    """The cache of a model; None when it keeps none among its inputs."""
    finder = _Finder(graph, shapes)
    found = []
    for node in graph.inputs:
        shape = shapes.shapes.get((node.id, node.name))
        if shape is not None and len(shape) in RANKS:
            joined = finder.cache(node.id, node.name, len(shape))
            if joined is not None:
                found.append((joined, shape, shapes.dtypes.get((node.id, node.name), 0)))
    if not found:
        return None
    both = sum(len(shape) == JOINED_RANK for _, shape, _ in found)
    return KVCache(
        layers=both + (len(found) - both + 1) // 2,
        inputs=tuple(joined for joined, _, _ in found),
        nbytes_per_token=_sum(
            _nbytes(_without(shape, _batch_axis(shape), joined.axis), dtype)
            for joined, shape, dtype in found
        ),
        nbytes=_sum(_nbytes(shape, dtype) for _, shape, dtype in found),
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


class _Finder:
    """Follows values through the graph."""

    def __init__(self, graph: ModelGraph, shapes: ValueShapes) -> None:
        self.graph = graph
        self.calls = shapes.calls
        self._computed: dict[str, tuple[int | None, ...]] = {}

    @cached_property
    def multiplied(self) -> set[str]:
        """Nodes whose results are multiplied like keys or values."""
        return self.kept_until(node.id for node in self.graph.operators if node.op_type in PRODUCTS)

    @cached_property
    def returned(self) -> set[str]:
        """Nodes whose results leave the graph."""
        return self.kept_until(node.id for node in self.graph.outputs)

    def kept_until(self, ends: Iterable[str]) -> set[str]:
        """Nodes whose results reach one of these as they are, or moved and repeated."""
        nodes, producers = self.graph.nodes, self.graph.producers
        last = {source for end in ends for source in producers(end)}
        return reached(lambda id: producers(id) if nodes[id].op_type in REPEATS else (), last)

    def cache(self, source: str, name: str, rank: int) -> CacheInput | None:
        """Where new keys or values are joined to an input, if they are."""
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
                if node.op_type in MOVES and use.index == 0 and node.id not in seen:
                    seen.add(node.id)
                    moved = _moved(self.calls(node.id), axes)
                    if moved is not None:
                        stack.append((node.id, moved))
        return None

    def joined(self, node: OperatorNode, index: int, axes: Axes, name: str) -> int | None:
        """Axis of the graph input along which this operator takes it as a past."""
        at = PAST.get((node.domain, node.op_type), {}).get(index)
        if node.domain == "" and node.op_type == "TensorScatter" and at is not None:
            at = node.record.integer("axis", at)
        if at is not None:
            return axes[at] if -len(axes) <= at < len(axes) else None
        if node.domain or node.op_type != "Concat" or not self.adds(node.id, index):
            return None
        at = node.record.integer("axis", 0)
        if not -len(axes) <= at < len(axes) or axes[at] is None:
            return None
        grows = node.id in self.returned or PAST_NAME.search(name)
        return axes[at] if node.id in self.multiplied and grows else None

    def adds(self, node: str, index: int) -> bool:
        """Whether something that is computed is joined to input `index`."""
        if node not in self._computed:
            self._computed[node] = tuple(
                use.index
                for use in self.graph.entering(node)
                if self.graph.nodes[use.producer].op_type not in ("", "Constant")
            )
        return any(position != index for position in self._computed[node])


def _moved(call: Call, axes: Axes) -> Axes | None:
    """Which axis of the graph input each axis of a result is; None when that is not known."""
    node, rank = call.node, len(axes)
    if node.op_type in ("Identity", "Cast", "Split"):
        return axes
    if node.op_type == "Transpose":
        order = node.integers("perm") or tuple(reversed(range(rank)))
        return tuple(axes[at] for at in order) if sorted(order) == list(range(rank)) else None
    if node.op_type == "Gather":
        at, indices = node.integer("axis", 0), call.input(1)
        if indices is None or len(indices) > 1 or not -rank <= at < rank:
            return None
        at %= rank
        return (*axes[:at], *(None,) * len(indices), *axes[at + 1 :])
    stated = node.integers("axes") or call.value(1)
    if stated is None:
        return None
    picked = [at for at in stated if isinstance(at, int)]
    if node.op_type == "Squeeze":
        gone = {at % rank for at in picked}
        return tuple(axis for at, axis in enumerate(axes) if at not in gone)
    result = list(axes)
    for at in sorted(at % (rank + len(picked)) for at in picked):
        result.insert(at, None)
    return tuple(result)
