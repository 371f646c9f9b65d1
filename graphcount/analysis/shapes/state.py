"""What is known so far of every value, and what rules see of each operator."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeAlias

from graphcount.analysis.counts import Row
from graphcount.analysis.shapes.declared import Declarations
from graphcount.analysis.stored import Stored
from graphcount.analysis.values import Values
from graphcount.domains import NEWEST, opsets
from graphcount.errors import Unknown
from graphcount.graph import ModelGraph, Use
from graphcount.loading.model import Attribute, Node, Tensor
from graphcount.ops import lookup
from graphcount.ops.call import (
    MAX_NUMBERS,
    MAX_RANK,
    Call,
    Elements,
    Facts,
    Number,
    Numbers,
    Ratio,
    Shape,
    is_known,
)
from graphcount.symbolic import Atom, Dim, Expr

ValueKey: TypeAlias = "tuple[str, str]"
"""Id of the producing node, and the value's name there."""

MAX_EXPRESSIONS = 200_000
"""Squares of the terms of derived sizes: `past + sequence` for 200,000 values, or a sum of 64
dimensions for fifty; longer sizes after that are not known."""

MAX_FLOATS = 8
"""Scales of Resize and scalars; floats are not looked at otherwise."""

INTEGERS = frozenset({6, 7})
SMALL_INTEGERS = frozenset({2, 3, 4, 5, 9, 12, 13})
FLOATS = frozenset({1, 10, 11, 16})
LOOKED_AT = INTEGERS | SMALL_INTEGERS | FLOATS


class Result(NamedTuple):
    """What is known of one value."""

    shape: Shape | None
    dtype: int = 0
    numbers: Numbers | None = None


NOTHING = Result(None)
"""What is known of a value that nobody tells about."""

MAX_UNKNOWNS = 1_000
"""Causes that are kept of what is not known, and of contradictions."""


@dataclass(slots=True)
class Conflict:
    """A declared shape that contradicts the one its operator makes.

    Attributes:
        node: Id of the node that makes the value.
        value: The value's name.
        declared: Shape the file states.
        derived: Shape that follows from the inputs.
        values: How many values it is about: this one, and those made of it that contradict, too.
    """

    node: str
    value: str
    declared: Shape
    derived: Shape
    values: int = 1


class Literals:
    """Numbers of stored tensors, as far as they may matter for shapes."""

    def __init__(self, rows: Iterable[Row], values: Values) -> None:
        self.values = values
        self.stored: dict[int, Stored] = {row.stored.key: row.stored for row in rows}

    def of_tensor(self, offset: int, data_type: int) -> Numbers | None:
        """Return the values of the tensor at a byte offset, or None."""
        stored = self.stored.get(offset)
        if stored is None or stored.tensor is None or stored.problems:
            return None
        limit = MAX_NUMBERS if data_type in INTEGERS else MAX_FLOATS
        if stored.elements > limit or data_type not in LOOKED_AT or len(stored.shape) > 2:
            return None
        numbers = self.values.numbers(stored) if stored.elements else ()
        if numbers is None or len(numbers) != stored.elements:
            return None
        return tuple(exact(number) for number in numbers)

    def of_attributes(self, attributes: Iterable[Attribute]) -> Numbers | None:
        """Return the values of the tensor (or the list) that a Constant holds."""
        for attribute in attributes:
            if attribute.tensors:
                tensor = attribute.tensors[0]
                return self.of_tensor(tensor.offset, tensor.data_type)
            held = attribute.numbers
            if held is not None and held.kind != "string" and len(held.values) <= MAX_NUMBERS:
                return tuple(
                    exact(number) for number in held.values if isinstance(number, int | float)
                )
        return None


def exact(number: float) -> Number:
    """Return a stored number as an integer or an exact fraction; None for infinities and NaN."""
    if isinstance(number, int):
        return number
    try:
        over, under = number.as_integer_ratio()
    except (OverflowError, ValueError):
        return None
    return over if under == 1 else Ratio(over, under)


_NOT_READ: Numbers = ("not read",)  # type: ignore[assignment]


@dataclass
class State:
    """Everything one pass over the graph knows.

    Attributes:
        given: Elements of inputs that the caller gives.
        widened: Shape that the state of a Loop or Scan keeps over all iterations, by (operator,
            position in the body's inputs), where it is less than the initial one.
        limits: The most iterations of a Loop that may end before, by its id.
        perhaps: Loops of unknown trips that may have none.
        dead: Scopes of branches that are never taken.
        exhausted: `MAX_WORK` values were computed; what comes after is not known.
        expressions: Squares of the terms of all sizes that were derived.
        conflicts: Declarations that contradict what was derived, once a cause, the first
            `MAX_UNKNOWNS`.
        stale: Values whose declaration is contradicted, each with its cause.
        relied: Operator of each value whose shape is taken as declared, since nothing derives it.
        misfits: Why a node cannot take what enters it, by its id.
        beyond: Numbers in results with a dimension beyond 64 bits, by node; their shapes are lost.
    """

    graph: ModelGraph
    declared: Declarations
    literals: Literals
    widened: dict[tuple[str, int], Shape | None]
    given: Mapping[str, Numbers] = field(default_factory=dict)
    shapes: dict[ValueKey, Shape] = field(default_factory=dict)
    dtypes: dict[ValueKey, int] = field(default_factory=dict)
    numbers: dict[ValueKey, Numbers | None] = field(default_factory=dict)
    unknowns: list[Unknown] = field(default_factory=list)
    elements: dict[ValueKey, Elements] = field(default_factory=dict)
    trips: dict[str, Dim | None] = field(default_factory=dict)
    limits: dict[str, Dim] = field(default_factory=dict)
    perhaps: set[str] = field(default_factory=set)
    dead: list[str] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    stale: dict[ValueKey, Conflict] = field(default_factory=dict)
    relied: dict[ValueKey, str] = field(default_factory=dict)
    misfits: dict[str, str] = field(default_factory=dict)
    beyond: dict[str, int] = field(default_factory=dict)
    unstable: bool = False
    exhausted: bool = False
    work: int = 0
    expressions: int = 0

    def can_afford(self, shapes: Iterable[Shape | None]) -> bool:
        """Return whether expressions as long as those in some shapes can still be worked with.

        What is done with one takes the square of its terms: a term alone counts as nothing.
        """
        cost = 0
        for shape in shapes:
            for dim in shape or ():
                if isinstance(dim, Expr):
                    cost += (_size(dim) - 1) ** 2
        self.expressions += cost
        return not cost or self.expressions <= MAX_EXPRESSIONS

    def sources(self, node_id: str, count: int) -> list[ValueKey | None]:
        """Return where each of a node's inputs comes from."""
        sources: list[ValueKey | None] = [None] * count
        for use in self.graph.operands(node_id):
            if use.index is not None and use.index < count:
                sources[use.index] = self.key(use)
        return sources

    def results(self, node_id: str, body: str) -> dict[int, ValueKey]:
        """Return where the outputs of a node's body come from, by position."""
        return {use.result: self.key(use) for use in self.graph.results(node_id, body)}

    def key(self, use: Use) -> ValueKey:
        """Return a value that is used, under the name its producer gives it."""
        direct = use.producer, use.value
        return direct if direct in self.shapes else self.graph.made(use)

    def shape(self, key: ValueKey | None) -> Shape | None:
        """Return the shape of a value, None when it is not known or left out."""
        return self.shapes.get(key) if key is not None else None

    def known(self, key: ValueKey | None) -> Numbers | None:
        """Return the values of a small tensor; those of initializers are read when first used."""
        numbers = self.numbers.get(key, _NOT_READ) if key is not None else None
        if numbers is not _NOT_READ or key is None:
            return numbers
        node = self.graph.nodes[key[0]]
        if node.kind != "initializer":
            return None
        tensor = node.tensor
        numbers = None
        if isinstance(tensor, Tensor):
            numbers = self.literals.of_tensor(tensor.offset, tensor.data_type)
        self.numbers[key] = numbers
        return numbers

    def cause(self, node_id: str) -> Conflict | None:
        """Return the contradiction that a node's inputs come from, if any."""
        if not self.stale:
            return None
        causes = (self.stale.get(self.key(use)) for use in self.graph.entering(node_id))
        return next((cause for cause in causes if cause is not None), None)

    def source_of(self, node_id: str) -> ValueKey | None:
        """Return where the value that enters a body's input comes from."""
        return next(map(self.key, self.graph.operands(node_id)), None)


# ------------------------------------------------------------------------------------------ calls

COMPARED = 64
"""Longer lists of values are told apart by identity, so that comparing them costs nothing."""

CallKey: TypeAlias = "tuple[Hashable, ...]"


class Calls:
    """The calls of a graph: a node's inputs (`facts`), and with its outputs (`call`).

    Nodes that no rule could tell apart share one record. A rule looks at attributes, shapes, types
    and small values, never at names. A network repeats its layers, so a hundred thousand nodes
    have a few hundred calls, and what follows from a call (shapes, cost, a sentence) is worked out
    once. Records are compared by identity: they are keys of dicts.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.opsets = opsets(state.declared.proto.opset_imports)
        self._shared: dict[CallKey, Facts] = {}
        self._whole: dict[tuple[Facts, tuple[Shape | None, ...]], Call] = {}
        self._called: dict[str, Call] = {}
        self._dims: dict[int, tuple[Numbers, tuple[Dim, ...] | None]] = {}

    def call(self, node_id: str) -> Call:
        """Return an operator with everything known around it, once all shapes are found."""
        known = self._called.get(node_id)
        if known is not None:
            return known
        node = self.state.graph.operator(node_id).record
        shapes = self.state.shapes
        outputs = tuple([shapes.get((node_id, name)) for name in node.outputs])
        return self.completed(node_id, self.facts(node_id, node), outputs)

    def completed(self, node_id: str, facts: Facts, outputs: tuple[Shape | None, ...]) -> Call:
        """Return the call of a node whose outputs have these shapes."""
        key = facts, outputs
        whole = self._whole.get(key)
        if whole is None:
            whole = self._whole[key] = replace(facts, outputs=outputs)
        self._called[node_id] = whole
        return whole

    def facts(self, node_id: str, node: Node) -> Facts:
        """Return an operator with what is known of its inputs now."""
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
        """Return the record of these facts: an old one where there is one."""
        attributes = _attributes(node)
        key: CallKey | None = None
        if attributes is not None:
            read: CallKey | None = None
            if numbers.count(None) < len(numbers):
                read = tuple([id(row) if row and len(row) > COMPARED else row for row in numbers])
            missing = "" in node.inputs and tuple([bool(name) for name in node.inputs])
            named = node.op_type, node.domain, attributes, missing, len(node.outputs)
            key = (*named, shapes, dtypes, read)
            facts = self._shared.get(key)
            if facts is not None:
                return facts
        held, operator = None, lookup(node.domain, node.op_type)
        if operator is not None and operator.reads == "none":
            held = self.state.literals.of_attributes(node.attributes)
        values = tuple([self._values(row) for row in numbers])
        opset = self.opsets.get(node.domain, NEWEST)
        facts = Facts(node, opset, shapes, values, dtypes, (), numbers, held)
        if key is not None:
            self._shared[key] = facts
        return facts

    def _values(self, numbers: Numbers | None) -> tuple[Dim, ...] | None:
        """Return `only_dims`, of a long list once for all nodes that read it."""
        if numbers is None or len(numbers) <= COMPARED:
            return only_dims(numbers)
        dims = self._dims.get(id(numbers))
        if dims is None:
            dims = self._dims[id(numbers)] = numbers, only_dims(numbers)
        return dims[1]


def _attributes(node: Node) -> CallKey | None:
    """Return what tells a node's attributes from others'; None when they hold tensors or graphs."""
    if not node.attributes:
        return ()
    keys: list[CallKey] = []
    for attribute in node.attributes:
        if attribute.tensors or attribute.sparse_tensors or attribute.graphs:
            return None
        numbers = attribute.numbers
        if numbers is None:
            keys.append((attribute.name, attribute.ref_attr_name))
        elif len(numbers.values) > COMPARED:
            return None
        else:
            values = tuple(numbers.values)
            keys.append((attribute.name, attribute.ref_attr_name, numbers.kind, values))
    return tuple(keys)


def only_dims(numbers: Numbers | None) -> tuple[Dim, ...] | None:
    """Return the values when all of them are known and none is a fraction."""
    if numbers is None:
        return None
    dims = tuple([number for number in numbers if isinstance(number, int | Expr)])
    return dims if len(dims) == len(numbers) else None


def cleaned(shape: Shape | None) -> Shape | None:
    """Return a shape without sizes that cannot be."""
    if shape is None or len(shape) > MAX_RANK:
        return None
    if all(map(_is_size, shape)):
        return shape
    return tuple(dim if _is_size(dim) else None for dim in shape)


def _is_size(dim: Dim | None) -> bool:
    return is_known(dim) and (not isinstance(dim, int) or dim >= 0)


def _size(dim: Expr) -> int:
    """Return the terms of an expression, those inside operations included."""
    inside = (f.size for monomial, _ in dim.terms for f, _ in monomial if isinstance(f, Atom))
    return len(dim.terms) + sum(inside)
