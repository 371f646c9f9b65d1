"""Which tensor of one model is which of the other, once the nodes are paired.

In the order of strength: the name with the place where it is used; a name the author gave; the
place alone (the same input or role of matched nodes, equal shapes first); a name a tool made, with
type and shape; equal elements; and last role, type and shape, when both models have equally many.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from graphcount.analysis.names import original_name
from graphcount.comparing.match_nodes import NodePairs
from graphcount.comparing.side import Side, own_name
from graphcount.report.rows import TensorRow

PLAIN_ROLES = {"quantized weight": "weight", "quantized bias": "bias"}
"""Roles that quantization exchanges, by the plain one."""

TensorKey = Hashable | None


class TensorPairs:
    """Pairs of tensors so far; see `NodePairs`."""

    def __init__(self, first: int, second: int) -> None:
        self.left: list[int | None] = [None] * first
        self.right: list[int | None] = [None] * second
        self.by: dict[int, str] = {}

    def add_equal(self, ours: Sequence[TensorKey], theirs: Sequence[TensorKey], by: str) -> None:
        """Pair tensors with equal keys in order, where both sides have equally many."""
        groups: tuple[dict[Hashable, list[int]], dict[Hashable, list[int]]] = ({}, {})
        for group, keys, taken in zip(groups, (ours, theirs), (self.left, self.right), strict=True):
            for index, key in enumerate(keys):
                if key is not None and taken[index] is None:
                    group.setdefault(key, []).append(index)
        for key, first in groups[0].items():
            second = groups[1].get(key, ())
            if len(first) == len(second):
                for i, j in zip(first, second, strict=True):
                    self.left[i], self.right[j], self.by[i] = j, i, by


def match_tensors(nodes: NodePairs) -> TensorPairs:
    """Pair the tensors of two sides; see the module's docstring."""
    a, b = nodes.a, nodes.b
    pairs = TensorPairs(len(a.tensors), len(b.tensors))
    places = _places(a, nodes), _places(b, nodes)

    def step(key: Callable[[TensorRow, TensorKey], TensorKey], by: str) -> None:
        ours, theirs = (
            [key(tensor, place) for tensor, place in zip(side.tensors, own, strict=True)]
            for side, own in zip((a, b), places, strict=True)
        )
        pairs.add_equal(ours, theirs, by)

    step(lambda tensor, place: place and (tensor.name, place), "name")
    step(lambda tensor, _: own_name(tensor.name) or None, "name")
    step(lambda tensor, place: place and (place, tensor.shape), "place")
    step(lambda tensor, place: place, "place")
    step(lambda tensor, _: (tensor.name, tensor.dtype, tensor.shape, tensor.role), "name")
    step(lambda tensor, _: (original_name(tensor.name), tensor.shape), "name")
    digests = a.subject.digests, b.subject.digests
    if digests[0] is not None and digests[1] is not None:
        pairs.add_equal(
            _padded(digests[0], len(a.tensors)), _padded(digests[1], len(b.tensors)), "values"
        )
    operators = _operators(a), _operators(b)
    pairs.add_equal(operators[0], operators[1], "structure")
    return pairs


def _padded(digests: tuple[str | None, ...], length: int) -> list[TensorKey]:
    """Return digests of all tensors; those declared and not stored come last and have none."""
    return [*digests, *([None] * (length - len(digests)))]


def _places(side: Side, nodes: NodePairs) -> list[TensorKey]:
    """Return where each tensor is used: the first matched node, as a first-side number, and how.

    The input counts where both nodes are the same operator, else the role: a quantized operator has
    its weight at another input.
    """
    keys: list[TensorKey] = [None] * len(side.tensors)
    first = side is nodes.a
    for i, j in enumerate(nodes.left):
        if j is None:
            continue
        same = nodes.a.operators[i] == nodes.b.operators[j]
        counted: dict[TensorKey, int] = {}
        for place, index in side.stored[i if first else j]:
            how: TensorKey = place if same else plain_role(side.tensors[index].role)
            counted[how] = order = counted.get(how, -1) + 1
            if keys[index] is None:
                keys[index] = (i, how, order)
    return keys


def plain_role(role: str) -> str:
    """Return a role as it was before quantization."""
    return PLAIN_ROLES.get(role, role)


def _operators(side: Side) -> list[TensorKey]:
    """Return the role, type, shape and the operator that owns each tensor."""
    keys: list[TensorKey] = []
    for tensor in side.tensors:
        owner = side.number.get(tensor.owner or "")
        operator = side.operators[owner] if owner is not None else None
        keys.append((tensor.kind, tensor.role, tensor.dtype, tensor.shape, operator))
    return keys
