"""What rules see of each operator; nodes that no rule could tell apart share one record.

A rule looks at attributes, shapes, types and small numbers, never at names. A network repeats its
layers, so a hundred thousand nodes have a few hundred calls, and what follows from a call (shapes,
cost, a sentence) is worked out once. Records are compared by identity: they are keys of dicts.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from typing import TypeAlias

from graphcount.analysis.shapes.state import FLOATS, State
from graphcount.domains import canonical
from graphcount.loading.model import Node
from graphcount.ops import lookup
from graphcount.ops.call import Call, Facts, Numbers, Shape
from graphcount.symbolic import Dim, Expr

COMPARED = 64
"""Longer lists of numbers are told apart by identity, so that comparing them costs nothing."""

CallKey: TypeAlias = "tuple[Hashable, ...]"


class Calls:
    """The calls of a graph: a node's inputs (`facts`), and with its outputs (`call`)."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.opsets: dict[str, int] = {}
        for name, version in state.declared.proto.opset_imports:
            self.opsets.setdefault(canonical(name), version)
        self._shared: dict[CallKey, Facts] = {}
        self._whole: dict[tuple[Facts, tuple[Shape | None, ...]], Call] = {}
        self._called: dict[str, Call] = {}
        self._dims: dict[int, tuple[Numbers, tuple[Dim, ...] | None]] = {}

    def call(self, node_id: str) -> Call:
        """An operator with everything known around it, once all shapes are found."""
        known = self._called.get(node_id)
        if known is not None:
            return known
        node = self.state.graph.operator(node_id).record
        shapes = self.state.shapes
        outputs = tuple([shapes.get((node_id, name)) for name in node.outputs])
        return self.found(node_id, self.facts(node_id, node), outputs)

    def found(self, node_id: str, facts: Facts, outputs: tuple[Shape | None, ...]) -> Call:
        """The call of a node whose outputs have these shapes."""
        key = facts, outputs
        found = self._whole.get(key)
        if found is None:
            found = self._whole[key] = replace(facts, outputs=outputs)
        self._called[node_id] = found
        return found

    def facts(self, node_id: str, node: Node) -> Facts:
        """An operator with what is known of its inputs now."""
        state = self.state
        count = len(node.inputs)
        shapes: list[Shape | None] = [None] * count
        dtypes = [0] * count
        numbers: list[Numbers | None] = [None] * count
        known, types = state.shapes, state.dtypes
        for use in state.graph.operands(node_id):
            value, producer, _, index, _, _ = use
            if index is None or index >= count:
                continue
            source = producer, value
            shape = known.get(source)
            if shape is None:
                source = state.key(use)
                shape = known.get(source)
            shapes[index] = shape
            dtypes[index] = dtype = types.get(source, 0)
            if dtype not in FLOATS or (shape is not None and len(shape) < 2):
                numbers[index] = state.known(source)
        return self._record(node, tuple(shapes), tuple(dtypes), tuple(numbers))

    def _record(
        self,
        node: Node,
        shapes: tuple[Shape | None, ...],
        dtypes: tuple[int, ...],
        numbers: tuple[Numbers | None, ...],
    ) -> Facts:
        """The record of these facts: an old one where there is one."""
        attributes = _attributes(node)
        key: CallKey | None = None
        if attributes is not None:
            told: CallKey | None = None
            if numbers.count(None) < len(numbers):
                told = tuple([id(row) if row and len(row) > COMPARED else row for row in numbers])
            missing = "" in node.inputs and tuple([bool(name) for name in node.inputs])
            named = node.op_type, node.domain, attributes, missing, len(node.outputs)
            key = (*named, shapes, dtypes, told)
            found = self._shared.get(key)
            if found is not None:
                return found
        held, operator = None, lookup(node.domain, node.op_type)
        if operator is not None and operator.reads == "none":
            held = self.state.literals.of_attributes(node.attributes)
        values = tuple([self._values(row) for row in numbers])
        opset = self.opsets.get(node.domain, 1 << 30)
        found = Facts(node, opset, shapes, values, dtypes, (), numbers, held)
        if key is not None:
            self._shared[key] = found
        return found

    def _values(self, numbers: Numbers | None) -> tuple[Dim, ...] | None:
        """`only_dims`, of a long list once for all nodes that read it."""
        if numbers is None or len(numbers) <= COMPARED:
            return only_dims(numbers)
        found = self._dims.get(id(numbers))
        if found is None:
            found = self._dims[id(numbers)] = numbers, only_dims(numbers)
        return found[1]


def _attributes(node: Node) -> CallKey | None:
    """What tells a node's attributes from others'; None when they hold tensors or graphs."""
    if not node.attributes:
        return ()
    found: list[CallKey] = []
    for attribute in node.attributes:
        if attribute.tensors or attribute.sparse_tensors or attribute.graphs:
            return None
        numbers = attribute.numbers
        if numbers is None:
            found.append((attribute.name, attribute.ref_attr_name))
        elif len(numbers.values) > COMPARED:
            return None
        else:
            values = tuple(numbers.values)
            found.append((attribute.name, attribute.ref_attr_name, numbers.kind, values))
    return tuple(found)


def only_dims(numbers: Numbers | None) -> tuple[Dim, ...] | None:
    """Numbers when all of them are known and none is a fraction."""
    if numbers is None:
        return None
    dims = tuple([number for number in numbers if isinstance(number, int | Expr)])
    return dims if len(dims) == len(numbers) else None
