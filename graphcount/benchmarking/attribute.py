"""Which nodes of the file an operator of onnxruntime computes.

Names of values survive optimization: a fused operator still produces a value of the file. So an
operator stands for the node that produces its output and for everything before it, back to values
that other operators produce. Kernels of the blocked layout (NCHWc) have new outputs, but are called
after the value they compute; what onnxruntime inserts of its own says so by its type.

Sources: onnxruntime/core/optimizer (`nchwc_transformer.cc` for names of kernels and for what it
folds into a convolution, `sequential_executor.cc` for nodes without a name, `function_utils.cc` for
inlined functions).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from graphcount.benchmarking.trace import OrtNode
from graphcount.graph import ModelGraph, is_constant
from graphcount.loading.model import Node

INSERTED = frozenset({"MemcpyFromHost", "MemcpyToHost", "ReorderInput", "ReorderOutput"})
"""Policy: operators of onnxruntime that are never in a file for a computation of their own."""

NCHWC = re.compile(r"(.+)_nchwc(?:_token_\d+)?\Z", re.S)
RENAMED = re.compile(r"(?:fused )?(.+?)(?:/\w+/)?(?:_token_\d+)?\Z", re.S)
"""What optimizers make of a name: `fused NAME`, `NAME/MatMulScaleFusion/`, `NAME_token_3`."""

PLUMBING = INSERTED | {"Cast", "Gather", "Identity", "Reshape", "Shape", "Squeeze", "Transpose"}
"""Policy: what onnxruntime inserts; others without a value of the file are parts of a node."""

SUMS = ("Add", "Sum")
"""Policy: additions that onnxruntime folds into a convolution (`nchwc_transformer.cc`)."""

MAX_NAME = 1000
"""Longer names are not taken apart."""


MAX_SEEN = 1000
"""Operators around an inserted one that are looked at."""


class Attribution(NamedTuple):
    """What an operator computes: ids of nodes of the file, and how that is known."""

    sources: tuple[str, ...]
    kind: str


class _Operator:
    """One operator that onnxruntime ran, with its node in the optimized graph if that is known."""

    def __init__(self, path: tuple[OrtNode, ...], node: str | None, record: Node | None) -> None:
        self.path = path
        self.node = node
        self.record = record
        self.claims: list[str] = []
        self.anchors: list[str] = []
        self.named = False
        self.sources: list[str] = []


def attribute(
    paths: Iterable[tuple[OrtNode, ...]], original: ModelGraph, optimized: ModelGraph | None
) -> dict[tuple[OrtNode, ...], Attribution]:
    """Return what each operator of a profile computes of the file.

    Args:
        paths: Operators by name, type and index, each below what holds it, in order of execution.
        original: The graph of the file.
        optimized: The graph onnxruntime made of it; None when it did not write it.
    """
    attributions: dict[tuple[OrtNode, ...], Attribution] = {}
    levels: dict[tuple[OrtNode, ...], list[tuple[OrtNode, ...]]] = {}
    for path in paths:
        levels.setdefault(path[:-1], []).append(path)
    scopes: dict[tuple[OrtNode, ...], list[tuple[str, str]]] = {(): [("", "")]}
    order = {node: number for number, node in enumerate(original.nodes)}
    ours, theirs = _Bodies(original), _Bodies(optimized) if optimized is not None else None
    for outer_path in sorted(levels, key=len):
        remaining = levels[outer_path]
        inside = [_Level(ours, *pair, theirs) for pair in scopes.get(outer_path, [])]
        for level in sorted(inside, key=lambda level: -level.fitting(remaining)):
            taken = level.link(remaining)
            for operator in level.attribute():
                path = operator.path
                attributions[path] = _judged(operator, order)
                scopes[path] = level.inner(operator)
            remaining = [path for path in remaining if path not in taken]
        for path in remaining:
            outer = attributions.get(outer_path, Attribution((), "inserted"))
            attributions[path] = Attribution(outer.sources, "part" if outer.sources else "inserted")
    return attributions


def _judged(operator: _Operator, order: Mapping[str, int]) -> Attribution:
    sources = tuple(sorted({*operator.sources}, key=order.__getitem__))
    if not operator.claims:
        inserted = not sources or operator.path[-1][1] in PLUMBING
        return Attribution(sources, "inserted" if inserted else "part")
    if not operator.anchors:
        return Attribution(tuple(operator.claims), "part")
    return Attribution(sources, "node" if len(sources) == 1 else "fused")


class _Bodies:
    """Operators of a graph by the body they stand in, and who produces a value there."""

    def __init__(self, graph: ModelGraph) -> None:
        self.graph = graph
        self.members: dict[str, list[str]] = {}
        self.producers: dict[str, dict[str, str]] = {}
        scopes = graph.scopes
        for node in graph.operators:
            body = scopes.get(node.scope, "")
            self.members.setdefault(body, []).append(node.id)
            if node.scope == body:
                self._produce(body, node.id, node.outputs)
        for id, reader in graph.nodes.items():  # results of expanded functions, by their users
            if scopes.get(reader.scope, "") != reader.scope:
                continue
            names = reader.record.inputs if reader.record is not None else (reader.name,)
            for use in graph.operands(id):
                producer = graph.nodes[use.producer]
                if producer.kind != "operator" or reader.kind == "input":
                    continue
                if use.index is not None and use.index < len(names):
                    known = self.producers.setdefault(scopes.get(producer.scope, ""), {})
                    known.setdefault(names[use.index], producer.id)
        self.static = set(_static(graph))

    def _produce(self, scope: str, node: str, outputs: tuple[str, ...]) -> None:
        known = self.producers.setdefault(scope, {})
        known.update((name, node) for name in outputs if name)


def _static(graph: ModelGraph) -> Iterator[str]:
    """Return operators that depend on stored tensors only: they are computed before any run."""
    static: set[str] = set()
    for id, node in graph.nodes.items():
        stored = node.kind == "initializer"
        if node.kind == "operator" and not node.op_type.startswith("Random"):
            stored = all(use.producer in static for use in graph.entering(id))
            if stored:
                yield id
        if stored:
            static.add(id)


class _Level:
    """The operators of one body, before and after optimization."""

    def __init__(self, ours: _Bodies, scope: str, other: str, theirs: _Bodies | None) -> None:
        self.ours = ours
        self.scope = scope
        self.members = ours.members.get(scope, [])
        self.inside = set(self.members)
        self.values = ours.producers.get(scope, {})
        self.theirs = theirs
        self.other = other
        self.operators: list[_Operator] = []
        nodes = ours.graph.nodes
        self.indexed = [n for n in self.members if not is_constant(nodes[n])]
        self.by_name = {nodes[n].name: n for n in reversed(self.members) if nodes[n].name}

    def fitting(self, paths: list[tuple[OrtNode, ...]]) -> int:
        """Count operators that look like nodes of this body: of both branches of an If, one ran."""
        named = (self.by_name.get(path[-1][0]) or self._by_index(path[-1]) for path in paths)
        return sum(node is not None for node in named)

    def link(self, paths: list[tuple[OrtNode, ...]]) -> set[tuple[OrtNode, ...]]:
        """Find the optimized node of every operator; return the operators that belong here."""
        waiting: dict[str, list[str]] = {}
        named: dict[tuple[str, str], list[str]] = {}
        producers: dict[str, str] = {}
        for node in self.theirs.members.get(self.other, []) if self.theirs is not None else []:
            record = self._optimized(node)
            if record.name:
                named.setdefault((record.name, record.op_type), []).append(node)
            else:
                waiting.setdefault(record.op_type, []).append(node)
                producers.update((value, node) for value in record.outputs)
        late = []
        for path in paths:
            name, op_type, _ = path[-1]
            same = named.get((name, op_type))
            if same:
                self._keep(path, same.pop(0) if len(same) > 1 else same[0])
                continue
            twin = self._by_index(path[-1])
            outputs = self.ours.graph.nodes[twin].outputs if twin else ()
            match = next((producers[value] for value in outputs if value in producers), None)
            if match is not None and match in waiting.get(op_type, ()):
                waiting[op_type].remove(match)
                self._keep(path, match)
            else:
                late.append(path)
        for path in late:
            same = waiting.get(path[-1][1])
            if same:
                self._keep(path, same.pop(0))
            elif self.theirs is None or not self.other:
                self._keep(path, None)
        return {operator.path for operator in self.operators}

    def _keep(self, path: tuple[OrtNode, ...], node: str | None) -> None:
        record = self._optimized(node) if node is not None else None
        self.operators.append(_Operator(path, node, record))

    def _optimized(self, node: str) -> Node:
        """Return the record of a node of the optimized graph."""
        assert self.theirs is not None
        return self.theirs.graph.operator(node).record

    def _by_index(self, step: OrtNode) -> str | None:
        """Return the node that onnxruntime gave this index: its position without Constants."""
        if 0 <= step[2] < len(self.indexed):
            node = self.indexed[step[2]]
            if self.ours.graph.nodes[node].op_type == step[1]:
                return node
        return None

    def attribute(self) -> list[_Operator]:
        """Give every operator the nodes it computes."""
        for operator in self.operators:
            self._anchor(operator)
        owner: dict[str, _Operator] = {}
        for operator in self.operators:
            for anchor in operator.anchors:
                owner.setdefault(anchor, operator)
        for operator in self.operators:
            if operator.named:
                self._absorb(operator, owner)
        for operator in self.operators:
            operator.claims = operator.anchors
            operator.anchors = [a for a in operator.claims if owner.get(a) is operator]
            operator.sources += operator.anchors
        for operator in self.operators:
            operator.sources += self._before(operator, owner)
        self._serve()
        return self.operators

    def _anchor(self, operator: _Operator) -> None:
        """Return nodes whose results an operator produces."""
        name, op_type, _ = operator.path[-1]
        if op_type in INSERTED or len(name) > MAX_NAME:
            return
        outputs = operator.record.outputs if operator.record is not None else ()
        operator.anchors = [self.values[value] for value in outputs if value in self.values]
        if operator.anchors:
            return
        blocked = NCHWC.match(name)
        if blocked and blocked.group(1) in self.values:
            operator.anchors = [self.values[blocked.group(1)]]
            operator.named = True
            return
        renamed = RENAMED.match(name)
        node: str | None = self.by_name.get(name)
        if node is None and renamed:
            node = self.by_name.get(renamed.group(1))
        if node is None and operator.record is None:
            node = self._by_index(operator.path[-1])
        if node is not None and (operator.record is None or self._same_type(node, op_type)):
            operator.anchors = [node]

    def _same_type(self, node: str, op_type: str) -> bool:
        ours = self.ours.graph.nodes[node].op_type
        return ours in op_type or op_type in ours

    def _absorb(self, operator: _Operator, owner: dict[str, _Operator]) -> None:
        """Add the additions and activations that a blocked convolution took in after itself."""
        record = operator.record
        if record is None or record.op_type != "Conv" or not operator.anchors:
            return
        wanted = [SUMS] if len(record.inputs) > 3 and record.inputs[3] else []
        activation = record.text("activation")
        if activation:
            wanted.append((activation, activation))
        node = operator.anchors[0]
        for types in wanted:
            users = [user for user in self.ours.graph.consumers(node) if user in self.inside]
            taken = [u for u in users if self.ours.graph.nodes[u].op_type in types]
            if len(users) != 1 or len(taken) != 1 or taken[0] in owner:
                return
            node = taken[0]
            owner[node] = operator
            operator.anchors.append(node)

    def _before(self, operator: _Operator, owner: dict[str, _Operator]) -> list[str]:
        """Return nodes before the anchors, back to what others compute or what was folded away."""
        stack, before = list(operator.anchors), []
        while stack:
            for producer in self.ours.graph.producers(stack.pop()):
                if producer in self.inside and producer not in owner and not self._gone(producer):
                    owner[producer] = operator
                    before.append(producer)
                    stack.append(producer)
        return before

    def _gone(self, node: str) -> bool:
        """Return whether it is computed before any run: the optimized graph stores its result."""
        if node in self.ours.static:
            return True
        if self.theirs is None:
            return False
        outputs, nodes = self.ours.graph.nodes[node].outputs, self.theirs.graph.nodes
        prefix = f"{self.other}/" if self.other else ""
        return any(f"{prefix}initializer:{name}" in nodes for name in outputs)

    def _serve(self) -> None:
        """Let what computes no value of the file stand for what it leads to, or comes from."""
        if self.theirs is None:
            return
        graph = self.theirs.graph
        known = {item.node: item for item in self.operators if item.node and item.sources}
        for operator in self.operators:
            if operator.node is None or operator.sources or operator.claims:
                continue
            nearest = _nearest(operator.node, graph.consumers, known)
            nearest = nearest or _nearest(operator.node, graph.producers, known)
            if nearest is not None:
                operator.sources = self._part(operator, nearest)

    def _part(self, operator: _Operator, whole: _Operator) -> list[str]:
        """Return the first node of this type that `whole` computes (functions are inlined so)."""
        nodes = self.ours.graph.nodes
        for source in reversed(whole.sources):
            same = nodes[source].op_type == operator.path[-1][1]
            if same and source not in whole.anchors and operator.path[-1][1] not in INSERTED:
                whole.sources.remove(source)
                operator.claims = operator.anchors = [source]
                return [source]
        return list(whole.sources)

    def inner(self, operator: _Operator) -> list[tuple[str, str]]:
        """Return the bodies of an operator, before and after optimization."""
        return [
            (body.scope, f"{operator.node or source}/{body.name}")
            for source in operator.sources
            for body in self.ours.graph.control_flow.get(source, ())
        ]


def _nearest(
    node: str, step: Callable[[str], Iterable[str]], known: dict[str, _Operator]
) -> _Operator | None:
    """Return the nearest operator that has sources, in one direction."""
    level, seen = [node], {node}
    for _ in range(32):
        following = []
        for current in level:
            for other in step(current):
                if other in known:
                    return known[other]
                if other not in seen and len(seen) < MAX_SEEN:
                    seen.add(other)
                    following.append(other)
        level = following
    return None
