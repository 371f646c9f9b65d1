"""Which node of one model is which of the other.

Evidence is used in the order of its strength; each step only adds pairs of nodes that have none:

1. names of tensors that the author gave: nodes that own the same ones;
2. names of nodes that no counter made;
3. equal labels (`labels`): equal a few steps around, alone or with the name, or equally often;
4. names that a counter made (`Relu_12`), operators being equal;
5. order: between matched neighbours, the alignment that pairs most operators;
6. operators in each other's place: all matched neighbours are the same.

After each step, pairs spread along edges: what feeds the same input of matched nodes matches when
the operators are equal. The steps see one side before the other, so the caller puts the sides in an
order of their own (`graphcount.comparing.compare`): who is old has no part in it.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Sequence
from functools import partial

from graphcount.comparing.align import align, backbone
from graphcount.comparing.labels import ROUNDS, LabelTable, plain_labels, refined
from graphcount.comparing.side import Link, Side, own_name

NodeKey = Callable[[int], Hashable | None]

REPLACED = frozenset({"MatMul", "Conv", "Gather", "LSTM", "Attention"})
"""Policy: operators that a quantizer replaces under the old name and a suffix."""

_COUNTED = re.compile(r"(^|.*[_#~./])\d+$")
"""Names that a counter may have made: another node has the name when one is inserted before."""


class NodePairs:
    """Pairs of nodes so far.

    Attributes:
        left: Partner of each node of the first side, or None.
        right: Partner of each node of the second side, or None.
        by: What paired each node of the first side.
    """

    def __init__(self, a: Side, b: Side) -> None:
        self.a, self.b = a, b
        self.left: list[int | None] = [None] * len(a.ids)
        self.right: list[int | None] = [None] * len(b.ids)
        self.by: dict[int, str] = {}
        self.fresh: deque[tuple[int, int]] = deque()

    def add(self, i: int, j: int, by: str) -> bool:
        """Pair two nodes unless one has a partner."""
        if self.left[i] is not None or self.right[j] is not None:
            return False
        self.left[i], self.right[j], self.by[i] = j, i, by
        self.fresh.append((i, j))
        return True

    def add_equal(self, ours: NodeKey, theirs: NodeKey, by: str, *, repeated: bool = False) -> None:
        """Pair nodes with equal keys: those that are alone, or with `repeated` all, in order.

        Args:
            ours: Key of a node of the first side; None is no key.
            theirs: The same for the second side.
            by: What the key is.
            repeated: Where both sides have equally many, pair them one after the other.
        """
        others = _grouped(theirs, self.right)
        for key, first in _grouped(ours, self.left).items():
            second = others.get(key)
            if second is None or len(second) != len(first):
                continue
            if len(first) == 1 or repeated:
                for i, j in zip(first, second, strict=True):
                    self.add(i, j, by)

    def spread(self) -> None:
        """Pair what feeds the same input of a pair, and what alone reads the same result."""
        a, b = self.a, self.b
        while self.fresh:
            i, j = self.fresh.popleft()
            if a.before[i] and b.before[j]:
                feeds = {link.place: link for link in b.before[j]}
                for link in a.before[i]:
                    other = feeds.get(link.place)
                    if (
                        other is not None
                        and other.output == link.output
                        and a.operators[link.node] == b.operators[other.node]
                    ):
                        self.add(link.node, other.node, "neighbours")
            if a.after[i] and b.after[j]:
                ours, theirs = self._readers(a, i, self.left), self._readers(b, j, self.right)
                for key, consumer in ours.items():
                    partner = theirs.get(key)
                    if consumer is not None and partner is not None:
                        self.add(consumer, partner, "neighbours")

    def _readers(
        self, side: Side, node: int, taken: list[int | None]
    ) -> dict[Hashable, int | None]:
        """Return unpaired consumers by how they read a node; None when several read it so."""
        readers: dict[Hashable, int | None] = {}
        for place, consumer, output in side.after[node]:
            if taken[consumer] is None:
                key = (side.operators[consumer], place, output)
                readers[key] = None if key in readers else consumer
        return readers


def match_nodes(a: Side, b: Side) -> NodePairs:
    """Pair the nodes of two sides; see the module's docstring."""
    pairs = NodePairs(a, b)
    table = LabelTable()
    near = [plain_labels(side, table) for side in (a, b)]
    far = near
    for _ in range(ROUNDS):
        far = [refined(side, labels, table) for side, labels in zip((a, b), far, strict=True)]
    _by_tensor_names(pairs)
    pairs.add_equal(partial(_own_id, a), partial(_own_id, b), "name")
    pairs.spread()
    labels = far[0].__getitem__, far[1].__getitem__
    pairs.add_equal(*labels, "structure")
    pairs.spread()
    pairs.add_equal(_named(a, far[0]), _named(b, far[1]), "name")
    pairs.add_equal(*labels, "structure", repeated=True)
    pairs.spread()
    pairs.add_equal(_named(a, near[0]), _named(b, near[1]), "name")
    pairs.add_equal(partial(_quantized_id, a), partial(_quantized_id, b), "name")
    pairs.spread()
    _by_order(pairs, near)
    pairs.spread()
    pairs.add_equal(_named(a, a.families), _named(b, b.families), "name")
    pairs.spread()
    _in_place_of(pairs)
    return pairs


def _grouped(key_of: NodeKey, taken: list[int | None]) -> dict[Hashable, list[int]]:
    """Return nodes without partner by key; None is no key."""
    groups: defaultdict[Hashable, list[int]] = defaultdict(list)
    for node, partner in enumerate(taken):
        if partner is None and (key := key_of(node)) is not None:
            groups[key].append(node)
    return groups


def _named(side: Side, labels: Sequence[Hashable]) -> NodeKey:
    """Return a key: the id of a node together with its label."""
    return lambda node: (side.ids[node], labels[node])


def _own_id(side: Side, node: int) -> Hashable | None:
    """Return the id of a node that no counter made, with the operator's family."""
    own = side.nodes[node].name and not _COUNTED.match(side.ids[node])
    return (side.ids[node], side.families[node]) if own else None


def _quantized_id(side: Side, node: int) -> Hashable | None:
    """Return the id from before a quantizer replaced the operator (onnxruntime.quantization)."""
    kin = side.families[node]
    return (side.ids[node].removesuffix("_quant"), kin) if kin in REPLACED else None


def _by_tensor_names(pairs: NodePairs) -> None:
    """Pair owners of tensors with the same given name: those that share most elements first."""
    a, b = pairs.a, pairs.b
    theirs = _owners_by_name(b)
    votes: dict[tuple[int, int], int] = {}
    for name, (owner, elements) in _owners_by_name(a).items():
        other = theirs.get(name)
        if other is not None:
            pair = owner, other[0]
            votes[pair] = votes.get(pair, 0) + min(elements, other[1]) + 1
    ordered = sorted(
        votes.items(),
        key=lambda vote: (a.families[vote[0][0]] != b.families[vote[0][1]], -vote[1], vote[0]),
    )
    for (i, j), _ in ordered:
        pairs.add(i, j, "tensors")


def _owners_by_name(side: Side) -> dict[str, tuple[int, int]]:
    """Return the owner and elements of each tensor whose given name is its alone."""
    owners: dict[str, tuple[int, int] | None] = {}
    for tensor in side.tensors:
        name = own_name(tensor.name)
        owner = side.number.get(tensor.owner or "")
        if name and owner is not None:
            owners[name] = None if name in owners else (owner, tensor.elements)
    return {name: row for name, row in owners.items() if row is not None}


def _by_order(pairs: NodePairs, near: list[list[int]]) -> None:
    """Align what is left between pairs that keep their order."""
    a, b = pairs.a, pairs.b

    def score(i: int, j: int) -> int:
        if near[0][i] == near[1][j]:
            return 4
        if a.operators[i] == b.operators[j]:
            return 3
        return 2 if a.families[i] == b.families[j] else 0

    matched = [(i, j) for i, j in enumerate(pairs.left) if j is not None]
    for i, j in align(backbone(matched), pairs.left, pairs.right, score):
        pairs.add(i, j, "order")


def _in_place_of(pairs: NodePairs) -> None:
    """Pair operators whose matched neighbours are the same: one replaced the other."""
    a, b = pairs.a, pairs.b
    pairs.add_equal(
        lambda node: _surroundings(a, node, None, pairs.left),
        lambda node: _surroundings(b, node, pairs.right, pairs.right),
        "neighbours",
    )


def _surroundings(
    side: Side, node: int, names: list[int | None] | None, taken: list[int | None]
) -> Hashable | None:
    """Return matched neighbours of a node, as numbers of the first side; None when one is bare."""

    def known(links: list[Link]) -> tuple[int, ...]:
        partners = [
            link.node if names is None else names[link.node]
            for link in links
            if taken[link.node] is not None
        ]
        return tuple(sorted({partner for partner in partners if partner is not None}))

    before, after = known(side.before[node]), known(side.after[node])
    return (before, after) if before and after else None
