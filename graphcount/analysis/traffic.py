"""Bytes that a forward pass moves: what each node reads and writes, at the types values have.

A node reads each different value once, stored tensors too, and writes its results. Of a table it
reads the rows that it looks up, of what it slices the part that it takes. What only renames moves
nothing; of If, Loop and Scan the bodies move, as often as they run. Caches of a processor are not
modelled: a value that is read twice is read from memory twice. Strings, maps and sequences have no
bytes of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from graphcount.analysis.cost import ModelCost
from graphcount.analysis.lifetimes import value_nbytes
from graphcount.analysis.memory import is_tensor, total
from graphcount.analysis.runs import Runs, added, scaled
from graphcount.analysis.shapes import ValueShapes
from graphcount.graph import ModelGraph, OperatorNode, is_constant
from graphcount.ops.call import Shape
from graphcount.ops.traffic import moves_nothing, read_shape
from graphcount.symbolic import Dim


class Traffic(NamedTuple):
    """Bytes that a node, or a model, reads and writes; None where that is not known."""

    read: Dim | None
    written: Dim | None


class ModelTraffic(NamedTuple):
    """Traffic of a forward pass.

    Attributes:
        nodes: By id of the operator.
        whole: Sums over the nodes; lower bounds where `lost` has one.
        lost: Ids of nodes of which not all is known.
    """

    nodes: Mapping[str, Traffic]
    whole: Traffic
    lost: tuple[str, ...]


def model_traffic(graph: ModelGraph, shapes: ValueShapes, cost: ModelCost) -> ModelTraffic:
    """Add up what the nodes of a forward pass read and write.

    Args:
        graph: The graph.
        shapes: Shapes and types of its values.
        cost: Says which nodes are alike, and how often each runs.
    """
    single = _Single(graph, shapes)
    made: dict[object, Traffic] = {}
    nodes: dict[str, Traffic] = {}
    lacking: set[int] = set()
    places = cost.places
    for node in graph.operators:
        place = places[node.id]
        key: object = place
        record = node.record
        if _is_unlike(record.inputs, record.outputs):
            key = place, _different(record.inputs), tuple(map(bool, record.outputs))
        traffic = made.get(key)
        if traffic is None:
            traffic = made[key] = _repeated(single.traffic(node), cost.runs, place[1])
            if None in traffic or (place[1] in cost.runs.repeated and traffic != (0, 0)):
                lacking.add(id(traffic))
        nodes[node.id] = traffic
    counted = Counter(map(id, nodes.values()))
    rows = [(traffic, counted[id(traffic)]) for traffic in made.values()]
    whole = Traffic(
        _whole((traffic.read, count) for traffic, count in rows),
        _whole((traffic.written, count) for traffic, count in rows),
    )
    lost = [node for node, traffic in nodes.items() if id(traffic) in lacking] if lacking else []
    return ModelTraffic(nodes, whole, tuple(lost))


def _is_unlike(inputs: Sequence[str], outputs: Sequence[str]) -> bool:
    """Return whether a node takes a value twice or leaves results out, which no `Call` tells."""
    count = len(inputs)
    if count > 1 and (inputs[0] == inputs[1] or (count > 2 and len(set(inputs)) < count)):
        return True
    return len(outputs) > 1 and "" in outputs


def _whole(parts: Iterable[tuple[Dim | None, int]]) -> Dim | None:
    """Return a sum of what is known; None where the formula is too long."""
    added_up, lost = added(parts)
    return None if lost else added_up


def _different(names: Sequence[str]) -> tuple[int, ...]:
    """Return the first place of each value that enters a node."""
    first = {name: at for at, name in reversed(list(enumerate(names))) if name}
    return tuple(sorted(first.values()))


class _Single:
    """What one run of a node moves; each shape and type is worked out once."""

    def __init__(self, graph: ModelGraph, shapes: ValueShapes) -> None:
        self.graph = graph
        self.shapes = shapes
        self.sizes: dict[tuple[Shape | None, int], Dim | None] = {}

    def traffic(self, node: OperatorNode) -> Traffic:
        """Return what goes in at different inputs, and comes out at all outputs."""
        if is_constant(node) or moves_nothing(node.operator):
            return Traffic(0, 0)
        call, types = self.shapes.calls(node.id), self.shapes.dtypes
        read = _different(node.record.inputs)
        into = [self._nbytes(read_shape(call, node.operator, at), call.dtype(at)) for at in read]
        keys = [(node.id, name) for name in node.outputs]
        out = [
            self._nbytes(shape, types.get(key, 0)) if key[1] else 0
            for shape, key in zip(call.outputs, keys, strict=True)
        ]
        return Traffic(
            total(self._tensors(into, [self._source(node, at) for at in read])),
            total(self._tensors(out, keys)),
        )

    def _nbytes(self, shape: Shape | None, code: int) -> Dim | None:
        key = shape, code
        if key not in self.sizes:
            self.sizes[key] = value_nbytes(*key)
        return self.sizes[key]

    def _source(self, node: OperatorNode, index: int) -> tuple[str, str] | None:
        use = self.graph.operand(node.id, index)
        return None if use is None else self.graph.made(use)

    def _tensors(
        self, sizes: Sequence[Dim | None], keys: Sequence[tuple[str, str] | None]
    ) -> Iterator[Dim | None]:
        """Yield sizes of tensors; other values have none."""
        for size, key in zip(sizes, keys, strict=True):
            if size is not None or key is None or is_tensor(self.graph, self.shapes, key):
                yield size


def _repeated(once: Traffic, runs: Runs, scope: str) -> Traffic:
    """Return what a node adds that runs as often as the body it is in."""
    times = runs.of(scope)
    if times is None:
        return Traffic(0, 0)
    if scope in runs.perhaps:
        return Traffic(*[0 if part == 0 else None for part in once])
    return once if times == 1 else Traffic(*[scaled(part, times) for part in once])
