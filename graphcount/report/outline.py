"""The outline of a model: its largest modules as a tree of a few rows, the rest in sums.

Rows are chosen so that they divide the model well: beginning with the whole, the largest module
whose insides still fit is opened, again and again. A module that only wraps one other module takes
no row of its own. Rows of one level, with the row of the rest, sum to the row they are in, and the
outermost ones to the totals.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, NamedTuple

from graphcount.domains import operator_name
from graphcount.report.records import Report, sum_known
from graphcount.report.rollup import is_weighted, size_key
from graphcount.report.rows import OUTPUT, Dim, NodeRow, TensorRow

Order = Literal["size", "graph"]
ORDER: tuple[Order, ...] = ("size", "graph")

EQUAL = 0.9
"""Modules of one parent that are at least so large as the largest are opened together or not at
all: of twelve equal layers, one that is opened would say nothing of the others."""

LEAST_SHARE = 0.01
"""Modules that hold less of the model than this are not opened when not everything fits."""

TELLING = 1000
"""A row of less than one part in so many, of the bytes and of the MACs, tells nothing: it stands in
the row of the rest, when not everything fits."""

LEAST_ROWS = 4
"""A module is not opened for fewer rows than this, unless it has no more."""


class OutlineRow(NamedTuple):
    """A module, a node or the rest of one, with all below it.

    Attributes:
        label: Name without its parent's; `(12 more modules)` for what has no row of its own.
        level: Indentation.
        holds: Operators in it and how many of each, the most telling first; empty when rows of
            what is in it follow.
        output_shape: Shape of the last of these operators' first output, when it is known.
        macs: Sum of what is known; None where nothing is.
        lacking: Some node in it has MACs that are not known.
    """

    label: str
    level: int
    holds: tuple[tuple[str, int], ...]
    output_shape: tuple[Dim, ...] | None
    nodes: int
    parameters: int
    buffers: int
    nbytes: int
    macs: int | None
    lacking: bool


@dataclass(slots=True, eq=False)
class _Branch:
    """A module, a node, or what belongs to none, while rows are chosen.

    Attributes:
        path: The module; None for what is no module.
        place: Its position among what is in its parent, in the order of the graph.
        children: What is directly in it, the largest first; None while nobody asked.
        telling: How many of them hold a share that is worth a row.
        places: How many rows of its insides are chosen; 0: it is closed.
    """

    label: str
    path: str | None
    level: int
    nodes: Sequence[NodeRow]
    tensors: Sequence[TensorRow] = ()
    kind: Literal["module", "node", "other"] = "module"
    place: int = 0
    children: list[_Branch] | None = None
    telling: int = 0
    places: int = 0
    nbytes: int = 0
    macs: int = 0

    def __post_init__(self) -> None:
        nodes, tensors = self.nodes, self.tensors
        if len(nodes) == 1 and not tensors:
            self.nbytes, self.macs = nodes[0].nbytes, nodes[0].macs or 0
        else:
            self.nbytes = sum([row.nbytes for row in nodes]) + sum([row.nbytes for row in tensors])
            self.macs = sum([row.macs or 0 for row in nodes])


def outline(
    report: Report, room: int | None, depth: int | None = None, order: Order = "size"
) -> list[OutlineRow]:
    """Return the rows of a model's outline; without modules they are nodes.

    Args:
        report: The report.
        room: Rows to choose; the row of what has none comes on top. None: all modules.
        depth: Levels of modules at most; None: any.
        order: Rows of one level by size, the largest first, or as in the graph.
    """
    unowned = [tensor for tensor in report.tensors if tensor.owner is None]
    whole = _Branch("", "", -1, report.nodes, unowned)
    chooser = _Chooser(whole, is_weighted(report), depth or len(report.nodes) + 1)
    chooser.choose(room)
    return chooser.rows(whole, order)


class _Chooser:
    """Chooses what is opened, and how much of it has a row."""

    def __init__(self, whole: _Branch, weighted: bool, depth: int) -> None:
        self.key = size_key(weighted)
        self.whole = whole
        self.weighted = weighted
        self.depth = depth

    def choose(self, room: int | None) -> None:
        """Open what fits into a number of rows."""
        whole = self.whole
        if room is None or self._fits(whole, room):
            return self._open_all(whole)
        left = room - self._open(whole, min(room, len(self._inside(whole))), rest_is_free=True)
        candidates = self._candidates(whole)
        least = LEAST_SHARE * self._weight(whole)
        while candidates and left > 0:
            candidates.sort(key=self._weight, reverse=True)
            group = self._group(candidates)
            candidates = [branch for branch in candidates if branch not in group]
            if self._weight(group[0]) < least:
                break
            for branch, rows in self._shares(group, candidates, left):
                left -= self._open(branch, rows)
                candidates += self._candidates(branch)
        self._fill(left)
        return None

    def rows(self, branch: _Branch, order: Order) -> list[OutlineRow]:
        """Return the rows below a branch that is open."""
        inside = self._inside(branch)
        chosen, rest = inside[: branch.places], inside[branch.places :]
        if len(rest) == 1:  # its row would say less than the row of what is in it
            chosen, rest = inside, []
        if order == "graph":
            chosen = sorted(chosen, key=lambda child: child.place)
        rows = []
        for child in chosen:
            rows.append(_row(child, child.label))
            rows += self.rows(child, order) if child.places else []
        if rest:
            rows.append(_rest(rest, branch.level + 1))
        return rows

    # ------------------------------------------------------------------------------ one branch

    def _weight(self, branch: _Branch) -> int:
        return branch.nbytes if self.weighted else branch.macs

    def _inside(self, branch: _Branch) -> list[_Branch]:
        """Return what is directly in a branch, the largest first."""
        if branch.children is None:
            children = _children(branch) if branch.level + 1 < self.depth else []
            if branch is self.whole:
                children = _unwrapped(children)
            for place, child in enumerate(children):
                child.place = place
            key = self.key
            children.sort(key=lambda child: key((child.nbytes, child.macs, len(child.nodes))))
            branch.children = children
            branch.telling = self._telling(children)
        return branch.children

    def _telling(self, children: list[_Branch]) -> int:
        """Return how many hold a share worth a row: of the model, or of the largest of them."""
        if not children:
            return 0
        nbytes = min(self.whole.nbytes // TELLING, max(child.nbytes for child in children) // 10)
        macs = min(self.whole.macs // TELLING, max(child.macs for child in children) // 10)
        return sum([child.nbytes > nbytes or child.macs > macs for child in children])

    def _open(self, branch: _Branch, rows: int, *, rest_is_free: bool = False) -> int:
        """Give rows to the insides of a branch; return how many it takes."""
        inside = self._inside(branch)
        if rows >= len(inside):
            branch.places = len(inside)
            return len(inside)
        telling = max(1, branch.telling)
        branch.places = min(rows if rest_is_free else rows - 1, telling)
        return branch.places if rest_is_free else branch.places + 1

    def _needs(self, branch: _Branch) -> int:
        """Return the rows that show all that tells something in a branch."""
        inside, telling = len(self._inside(branch)), branch.telling
        return inside if inside <= telling + 1 else max(1, telling) + 1

    def _candidates(self, branch: _Branch) -> list[_Branch]:
        chosen = self._inside(branch)[: branch.places]
        return [child for child in chosen if self._inside(child)]

    # ------------------------------------------------------------------------------ many

    def _group(self, candidates: list[_Branch]) -> list[_Branch]:
        """Return the largest candidates and those of its level that are as large."""
        first = candidates[0]
        least = EQUAL * self._weight(first)
        return [
            branch
            for branch in candidates
            if branch is first or (branch.level == first.level and self._weight(branch) >= least)
        ]

    def _shares(
        self, group: list[_Branch], others: list[_Branch], left: int
    ) -> list[tuple[_Branch, int]]:
        """Return the rows that each of a group gets; none when they are too few for all."""
        needs = [self._needs(branch) for branch in group]
        if sum(needs) <= left:
            return list(zip(group, needs, strict=True))
        weight = sum(map(self._weight, group))
        whole = weight + sum(map(self._weight, others))
        fair = left * weight // (whole or 1) // len(group)
        each = max(LEAST_ROWS, fair)
        rows = [min(need, each) for need in needs]
        return list(zip(group, rows, strict=True)) if sum(rows) <= left else []

    def _fits(self, branch: _Branch, room: int) -> bool:
        """Return whether everything in a branch has a row within a number of rows."""
        stack, count = [branch], 0
        while stack:
            inside = self._inside(stack.pop())
            count += len(inside)
            if count > room:
                return False
            stack += inside
        return True

    def _open_all(self, branch: _Branch) -> None:
        stack = [branch]
        while stack:
            opened = stack.pop()
            inside = self._inside(opened)
            opened.places = len(inside)
            stack += inside

    def _fill(self, left: int) -> None:
        """Give rows that are left to what was opened in part, the largest first."""
        stack, partly = [self.whole], []
        while stack:
            branch = stack.pop()
            inside = self._inside(branch)
            stack += [child for child in inside[: branch.places] if child.places]
            if branch.places < min(branch.telling, len(inside)):
                partly.append(branch)
        for branch in sorted(partly, key=self._weight, reverse=True):
            more = min(left, branch.telling - branch.places)
            branch.places += more
            left -= more


# ------------------------------------------------------------------------------------ branches


def _children(branch: _Branch) -> list[_Branch]:
    """Return modules and nodes in a branch, in graph order."""
    level = branch.level + 1
    if branch.path is None:
        if branch.kind == "node" or len(branch.nodes) < 2:
            return []
        return [_of_node(node, level) for node in branch.nodes]
    direct, below = _split(branch.nodes, branch.path)
    if not below and branch.path:
        return []
    children = [_module(path, nodes, branch.path, level) for path, nodes in below.items()]
    if not below:
        children = [_of_node(node, level) for node in direct]
    elif direct:
        label = "(own nodes)" if branch.path else "(no module)"
        own = _Branch(label, None, level, direct, kind="node" if branch.path else "other")
        children.append(own)
    if branch.tensors and any(tensor.nbytes for tensor in branch.tensors):
        loose = _Branch("(used by no node)", None, level, (), branch.tensors, "other")
        children.append(loose)
    return children


def _unwrapped(outermost: list[_Branch]) -> list[_Branch]:
    """Return the insides of the only module of a model in its place: it would hold everything."""
    while True:
        modules = [branch for branch in outermost if branch.kind == "module"]
        inside = _children(modules[0]) if len(modules) == 1 else []
        if not inside:
            return outermost
        label = modules[0].label
        for branch in inside:
            is_module = branch.kind == "module"
            name = f"{label}." if is_module else f"{label.rpartition('.')[2]} "
            branch.label, branch.level = name + branch.label, 0
        place = outermost.index(modules[0])
        outermost = [*outermost[:place], *inside, *outermost[place + 1 :]]


def _of_node(node: NodeRow, level: int) -> _Branch:
    return _Branch(node.id, None, level, (node,), kind="node")


def _module(path: str, nodes: list[NodeRow], parent: str, level: int) -> _Branch:
    """Return the branch of a module; of the one in it when it only wraps that."""
    while True:
        direct, below = _split(nodes, path)
        if direct or len(below) != 1:
            return _Branch(path[len(parent) + 1 :] if parent else path, path, level, nodes)
        ((path, nodes),) = below.items()


def _split(nodes: Sequence[NodeRow], path: str) -> tuple[list[NodeRow], dict[str, list[NodeRow]]]:
    """Return nodes directly in a module, and those of each module in it."""
    direct: list[NodeRow] = []
    below: dict[str, list[NodeRow]] = {}
    start = len(path) + 1 if path else 0
    for node in nodes:
        module = node.module
        if module == path:
            direct.append(node)
            continue
        end = module.find(".", start + 1)  # a part has a character, so each step goes down
        below.setdefault(module if end < 0 else module[:end], []).append(node)
    return direct, below


def _elements(tensors: Sequence[TensorRow], kind: str) -> int:
    return sum([tensor.elements for tensor in tensors if tensor.kind == kind])


# ---------------------------------------------------------------------------------------- rows


def _row(branch: _Branch, label: str) -> OutlineRow:
    nodes = branch.nodes
    closed = not branch.places
    return OutlineRow(
        label=label,
        level=branch.level,
        holds=_holds(nodes, branch.tensors) if closed else (),
        output_shape=_last_shape(nodes) if closed else None,
        nodes=sum([node.op_type != OUTPUT for node in nodes]),
        parameters=sum([node.parameters for node in nodes])
        + _elements(branch.tensors, "parameter"),
        buffers=sum([node.buffers for node in nodes]) + _elements(branch.tensors, "buffer"),
        nbytes=branch.nbytes,
        macs=sum_known(node.macs for node in nodes),
        lacking=any(
            node.macs is None and node.macs_expression is None and node.op_type != OUTPUT
            for node in nodes
        ),
    )


def _rest(branches: list[_Branch], level: int) -> OutlineRow:
    """Return one row with the sums of what has no row of its own."""
    nodes = [node for branch in branches for node in branch.nodes]
    tensors = [tensor for branch in branches for tensor in branch.tensors]
    kinds = {branch.kind for branch in branches}
    words = {"module": "more modules", "node": "more nodes", "other": "others"}
    word = words[kinds.pop() if len(kinds) == 1 else "other"] if level == 0 else "more"
    number = len(nodes) if word == "more nodes" else len(branches)
    summed = _Branch("", None, level, nodes, tensors, "other")
    return _row(summed, f"({number:,} {word})")._replace(output_shape=None)


def _holds(
    nodes: Sequence[NodeRow], tensors: Sequence[TensorRow] = ()
) -> tuple[tuple[str, int], ...]:
    """Return operators and how many of each: those with weights or MACs, then the frequent ones."""
    every = Counter(_operator(node) for node in nodes)
    telling = Counter(_operator(node) for node in nodes if node.parameters or node.macs)
    order = [name for name, _ in telling.most_common()]
    order += [name for name, _ in every.most_common() if name not in telling]
    loose = [("tensors" if len(tensors) > 1 else "tensor", len(tensors))] if tensors else []
    return (*((name, every[name]) for name in order), *loose)


def _operator(node: NodeRow) -> str:
    return operator_name(node.domain, node.op_type)


def _last_shape(nodes: Sequence[NodeRow]) -> tuple[Dim, ...] | None:
    for node in islice(reversed(nodes), 100):
        if node.output_shapes and node.output_shapes[0] is not None:
            return node.output_shapes[0]
    return None
