"""What is known so far of every value, and where a node's inputs come from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from graphcount.analysis.counts import Row
from graphcount.analysis.shapes.declared import Declarations
from graphcount.analysis.stored import Stored
from graphcount.analysis.values import Values
from graphcount.errors import Unknown
from graphcount.graph import ModelGraph, Use
from graphcount.loading.model import Attribute, Tensor
from graphcount.ops.call import Number, Numbers, Ratio, Shape
from graphcount.symbolic import Dim

ValueKey: TypeAlias = "tuple[str, str]"
"""Id of the producing node, and the value's name there."""

MAX_NUMBERS = 4096
"""Integer tensors with more numbers are no shapes, axes or indices of shapes."""

MAX_FLOATS = 8
"""Scales of Resize and scalars; floats are not looked at otherwise."""

INTEGERS = frozenset({6, 7})
SMALL_INTEGERS = frozenset({2, 3, 4, 5, 9, 12, 13})
FLOATS = frozenset({1, 10, 11, 16})
LOOKED_AT = INTEGERS | SMALL_INTEGERS | FLOATS


class Conflict(NamedTuple):
    """A declared shape that contradicts the one its operator makes.

    Attributes:
        node: Id of the node that makes the value.
        value: The value's name.
        declared: Shape the file states.
        inferred: Shape that follows from the inputs.
    """

    node: str
    value: str
    declared: Shape
    inferred: Shape


class Literals:
    """Numbers of stored tensors, as far as they may matter for shapes."""

    def __init__(self, rows: Iterable[Row], values: Values) -> None:
        self.values = values
        self.stored: dict[int, Stored] = {row.stored.key: row.stored for row in rows}

    def of_tensor(self, offset: int, data_type: int) -> Numbers | None:
        """Numbers of the tensor at a byte offset, or None."""
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
        """Numbers of the tensor (or the list) that a Constant holds."""
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
    """A stored number as an integer or an exact fraction; None for infinities and NaN."""
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
        widened: Shape that the state of a Loop or Scan keeps over all iterations, by (operator,
            position in the body's inputs), where it is less than the initial one.
        dead: Scopes of branches that are never taken.
        exhausted: `MAX_WORK` numbers were computed; what comes after is not known.
        conflicts: Declarations that contradict what was found, the first `MAX_UNKNOWNS`.
        beyond: Numbers in results with a dimension beyond 64 bits, by node; their shapes are lost.
    """

    graph: ModelGraph
    declared: Declarations
    literals: Literals
    widened: dict[tuple[str, int], Shape | None]
    shapes: dict[ValueKey, Shape] = field(default_factory=dict)
    dtypes: dict[ValueKey, int] = field(default_factory=dict)
    numbers: dict[ValueKey, Numbers | None] = field(default_factory=dict)
    unknowns: list[Unknown] = field(default_factory=list)
    trips: dict[str, Dim | None] = field(default_factory=dict)
    dead: list[str] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    beyond: dict[str, int] = field(default_factory=dict)
    unstable: bool = False
    exhausted: bool = False
    work: int = 0

    def sources(self, node_id: str, count: int) -> list[ValueKey | None]:
        """Where each of a node's inputs comes from."""
        found: list[ValueKey | None] = [None] * count
        for use in self.graph.operands(node_id):
            if use.index is not None and use.index < count:
                found[use.index] = self.key(use)
        return found

    def results(self, node_id: str, body: str) -> dict[int, ValueKey]:
        """Where the outputs of a node's body come from, by position."""
        return {use.result: self.key(use) for use in self.graph.results(node_id, body)}

    def key(self, use: Use) -> ValueKey:
        """A value that is used, under the name its producer gives it.

        A function's formal parameters and results are names for values of other scopes; such a
        name leads to the value where its producer has only one.
        """
        producer, value = use.producer, use.value
        if (producer, value) in self.shapes:
            return producer, value
        outputs = self.graph.nodes[producer].outputs
        if value not in outputs:
            named = [name for name in outputs if name]
            return producer, named[0] if len(named) == 1 else value
        return producer, value

    def shape(self, key: ValueKey | None) -> Shape | None:
        """Shape of a value, None when it is not known or left out."""
        return self.shapes.get(key) if key is not None else None

    def known(self, key: ValueKey | None) -> Numbers | None:
        """Numbers of a small tensor; those of initializers are read when first asked for."""
        found = self.numbers.get(key, _NOT_READ) if key is not None else None
        if found is not _NOT_READ or key is None:
            return found
        node = self.graph.nodes[key[0]]
        if node.kind != "initializer":
            return None
        tensor = node.tensor
        found = None
        if isinstance(tensor, Tensor):
            found = self.literals.of_tensor(tensor.offset, tensor.data_type)
        self.numbers[key] = found
        return found

    def source_of(self, node_id: str) -> ValueKey | None:
        """Where the value that enters a body's input comes from."""
        return next(map(self.key, self.graph.operands(node_id)), None)
