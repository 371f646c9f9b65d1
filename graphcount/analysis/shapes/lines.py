"""What values of a Loop's body are in each iteration, where they grow by a constant.

A state that a body passes on, plus a constant, is `start + step * j` in iteration j; so is the
iteration number itself, and what is made of one of them by Add, Sub and Mul with constants. The
values must be single elements, and whole where they are converted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from graphcount.analysis.shapes.state import State, ValueKey
from graphcount.graph import Body, OperatorNode
from graphcount.ops.call import Number, Ratio
from graphcount.symbolic import Dim

WHOLE: dict[int, int] = {
    1: 2**24,
    3: 2**7 - 1,
    5: 2**15 - 1,
    6: 2**31 - 1,
    7: 2**63 - 1,
    10: 2**11,
    11: 2**53,
    16: 2**8,
}
"""Up to which number an element type holds every whole one, both signs (IEEE 754, onnx.proto)."""

MAX_STEPS = 200
"""Operators that are looked at for one Loop."""

MAX_DEPTH = 24

ITERATION, CONDITION, STATES = 0, 1, 2
"""Places in the inputs of a Loop's body (Operators.md, Loop)."""


class Line(NamedTuple):
    """A number in each iteration: (start + step * j) / under.

    Attributes:
        start: What it is at first, times `under`.
        step: What it grows by, times `under`.
        under: What both are divided by.
        limit: Whole numbers up to this are exact in all types that it goes through.
    """

    start: Dim
    step: Dim
    under: int
    limit: int


class Affine(NamedTuple):
    """A number made of one input of a body: (scale * input + offset) / under.

    Attributes:
        root: Position of the input; None where it is made of none.
        scale: What the input is multiplied with.
        offset: What is added.
        under: What both are divided by.
        limit: As of `Line`.
    """

    root: int | None
    scale: Dim
    offset: Dim
    under: int
    limit: int


@dataclass(slots=True)
class Lines:
    """Reads the numbers of one body; of what is outside of it, only constants.

    Attributes:
        state: What is known of all values.
        body: The body of a Loop; None: what is read is outside of one.
        results: Where the results of the body come from.
        steps: How many operators were looked at.
    """

    state: State
    body: Body | None
    results: dict[int, ValueKey]
    steps: int = 0
    _of: dict[int, Line | None] = field(default_factory=dict)

    def line(self, key: ValueKey | None) -> Line | None:
        """Return what a value is in each iteration; None where that is not known."""
        made = self._affine(key, 0)
        if made is None:
            return None
        if made.root is None:
            return Line(made.offset, 0, made.under, made.limit)
        root = self._input(made.root)
        if root is None:
            return None
        start, step = made.scale * root.start + made.offset, made.scale * root.step
        return Line(start, step, made.under, min(made.limit, root.limit))

    def place(self, key: ValueKey) -> int | None:
        """Return the position of the body's input that a value is; None where it is none."""
        node = self.state.graph.nodes[key[0]]
        if self.body is None or node.kind != "input" or node.scope != self.body.scope:
            return None
        return self.body.positions.get(node.name)

    def look(self, key: ValueKey) -> OperatorNode | None:
        """Return the operator that makes a value, as long as not too many were looked at."""
        self.steps += 1
        node = self.state.graph.nodes[key[0]]
        return node if node.kind == "operator" and self.steps < MAX_STEPS else None

    def _input(self, position: int) -> Line | None:
        """Return what an input of the body is in each iteration."""
        if position == ITERATION:
            return Line(0, 1, 1, WHOLE[7])
        if position not in self._of:
            self._of[position] = None  # as long as it is asked for: two that swap are no lines
            self._of[position] = self._state(position)
        return self._of[position]

    def _state(self, position: int) -> Line | None:
        """Return what a state is in each iteration, from what it starts with and becomes."""
        if self.body is None or position < STATES or position >= len(self.body.inputs):
            return None
        name = self.body.inputs[position]
        source = self.state.source_of(f"{self.body.scope}/input:{name}")
        start, after = self._constant(source), self._affine(self.results.get(position - 1), 0)
        if start is None or after is None or start.under != 1 or after.under != 1:
            return None
        limit = min(start.limit, after.limit)
        if after.root == position and after.scale == 1:
            return Line(start.offset, after.offset, 1, limit)
        step: Dim = 0
        before = after.offset  # of another input, one iteration before
        if after.root is not None:
            root = self._input(after.root)
            if root is None:
                return None
            step = after.scale * root.step
            before, limit = after.scale * (root.start - root.step) + before, min(limit, root.limit)
        return Line(start.offset, step, 1, limit) if before == start.offset else None

    def _constant(self, key: ValueKey | None) -> Affine | None:
        """Return the single element of a value that is known."""
        numbers = self.state.known(key)
        if key is None or numbers is None or len(numbers) != 1:
            return None
        parts = _parts(numbers[0])
        limit = WHOLE.get(self.state.dtypes.get(key, 0))
        return None if parts is None or limit is None else Affine(None, 0, *parts, limit)

    def _affine(self, key: ValueKey | None, depth: int) -> Affine | None:
        """Return a value as made of one input of the body."""
        if key is None or depth > MAX_DEPTH:
            return None
        known = self._constant(key)
        if known is not None:
            return known
        position, limit = self.place(key), WHOLE.get(self.state.dtypes.get(key, 0))
        if limit is None:
            return None
        if position is not None:
            return None if position == CONDITION else Affine(position, 1, 0, 1, limit)
        node = self.look(key)
        if node is None or node.operator is None or node.domain:
            return None
        a = self._affine(self.state.sources(node.id, 1)[0], depth + 1)
        if a is None:
            return None
        if node.op_type == "Cast" or "renames" in node.operator.traits:
            return a._replace(limit=min(a.limit, limit)) if a.under == 1 else None
        if "arithmetic" not in node.operator.traits:
            return None
        b = self._affine(self.state.sources(node.id, 2)[1], depth + 1)
        made = None if b is None else _combined(node.op_type, a, b)
        return None if made is None else made._replace(limit=min(made.limit, limit))


def _parts(number: Number) -> tuple[Dim, int] | None:
    """Return a number as a quotient; None for one that divides by a symbol."""
    if not isinstance(number, Ratio):
        return None if number is None else (number, 1)
    return (number.over, number.under) if isinstance(number.under, int) else None


def _combined(op_type: str, a: Affine, b: Affine) -> Affine | None:
    """Return the sum, difference or product; None for others, fractions and two inputs."""
    limit = min(a.limit, b.limit)
    if a.under != 1 or b.under != 1:  # sums of fractions are rounded
        return None
    if op_type == "Mul":
        if a.root is not None:
            a, b = b, a
        if a.root is not None:
            return None
        return Affine(b.root, a.offset * b.scale, a.offset * b.offset, 1, limit)
    sign = 1 if op_type == "Add" else -1
    if (sign < 0 and op_type != "Sub") or (None not in (a.root, b.root) and a.root != b.root):
        return None
    root = b.root if a.root is None else a.root
    return Affine(root, a.scale + sign * b.scale, a.offset + sign * b.offset, 1, limit)
