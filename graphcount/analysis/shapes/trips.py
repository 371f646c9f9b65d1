"""How often a Loop runs: its M, and its condition where that follows from numbers that grow evenly.

    for (j = 0; j < M and condition; ++j) condition, states = body(j, condition, states)

(Operators.md, Loop.) A condition is taken apart into comparisons that all must hold, each of one
number with 0. The comparison that fails first ends the loop; so every one gives a bound, and all
together the number of trips where nothing else is in the condition. Sizes behind symbols are taken
to be at least 1; conversions to float32 to be exact, which they are up to 2^24.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from graphcount.analysis.shapes.lines import CONDITION, MAX_DEPTH, Line, Lines
from graphcount.analysis.shapes.state import State, ValueKey
from graphcount.graph import Body, OperatorNode
from graphcount.loading.model import Node
from graphcount.ops.call import is_known
from graphcount.ops.inference import at_least, larger, smaller
from graphcount.symbolic import Dim, Expr, TooComplexError, ceildiv, floordiv

BOOL = 9

ENDLESS = 2**31 - 1
"""Exporters write this, or the largest of 64 bits, where a Loop has no limit but its condition."""

SMALL_FLOAT = 2**24
"""What holds fewer whole numbers than this is not taken to hold a size that is a symbol."""


class LoopTrips(NamedTuple):
    """What is known of how often a Loop runs.

    Attributes:
        exact: How often; None where that is not known.
        most: It never runs more often; None where no limit is known.
        surely: It runs at least once.
    """

    exact: Dim | None
    most: Dim | None
    surely: bool


class Clause(NamedTuple):
    """A comparison: `start + step * j` is below 0 in iteration j, or differs from it.

    Attributes:
        start: The number at first.
        step: What it grows by.
        differs: It differs from 0, instead of being below.
        sides: What is compared: the clause holds where these are exact.
    """

    start: Dim
    step: Dim
    differs: bool = False
    sides: tuple[Line, ...] = ()


class Conditions(NamedTuple):
    """A condition as comparisons that all must hold.

    Attributes:
        clauses: The comparisons.
        whole: There is nothing else in it.
    """

    clauses: tuple[Clause, ...]
    whole: bool


ALWAYS = Conditions((), True)
NEVER = Conditions((Clause(0, 0),), True)
OPEN = Conditions((), False)


def loop_trips(
    state: State, node_id: str, node: Node, body: Body, results: dict[int, ValueKey]
) -> LoopTrips:
    """Return how often a Loop runs, as far as its inputs and its condition tell."""
    limit, condition = state.sources(node_id, 2)
    given = [bool(name) for name in (*node.inputs[:2], "", "")]
    numbers = state.known(limit)
    known = numbers[0] if numbers is not None and len(numbers) == 1 else None
    most = larger(known, 0) if given[0] and isinstance(known, int | Expr) else None
    settled = most is not None or not given[0]
    try:
        first, after = _conditions(state, body, results, condition if given[1] else None)
        return _trips(most, settled, first, after)
    except TooComplexError:
        return LoopTrips(None, most, surely=False)


def _conditions(
    state: State, body: Body, results: dict[int, ValueKey], condition: ValueKey | None
) -> tuple[Conditions, Conditions]:
    """Return the condition that enters a Loop and the one that its body returns."""
    first = ALWAYS
    if condition is not None:
        first = _ConditionReader(Lines(state, None, {})).read(condition, 0, negated=False)
    after = _ConditionReader(Lines(state, body, results)).read(results.get(0), 0, negated=False)
    return first, after


def _trips(most: Dim | None, settled: bool, first: Conditions, after: Conditions) -> LoopTrips:
    """Return the trips of a Loop.

    Args:
        most: Its M; None where there is none or it is not known.
        settled: Whether the M is known, or there is none.
        first: The condition that enters.
        after: The condition that the body returns.
    """
    asked: list[Clause] = []
    for clause in first.clauses:
        end = _first_false(clause)
        if end == 0:
            return LoopTrips(0, 0, surely=False)
        if not isinstance(end, _Never):
            asked.append(clause)
    surely = first.whole and not asked and settled and (most is None or _surely(most, 1))
    limits = [most] if most is not None else []
    for clause in after.clauses:
        enter = next((one for one in asked if _precedes(one, clause)), None)
        end = _trips_of(clause, enter)
        if end is None:
            settled = False
        elif not isinstance(end, _Never):
            limits.append(end)
            if enter is not None:
                asked.remove(enter)
    least = None
    for number in limits:
        least = number if least is None else smaller(least, number)
    if least == 0:
        return LoopTrips(0, 0, surely=False)
    if not is_known(least):  # beyond 64 bits
        return LoopTrips(None, None, surely)
    exact = settled and first.whole and after.whole and not asked
    return LoopTrips(least if exact else None, least, surely)


@dataclass(frozen=True, slots=True)
class _Never:
    """It never is."""


_NEVER = _Never()


def _trips_of(clause: Clause, enter: Clause | None) -> Dim | _Never | None:
    """Return after how many trips a comparison ends a Loop; None where that is not known.

    With the same comparison before the first iteration, no trip is possible, and the number is
    that of one more step: max(ceil(-before / step), 0).
    """
    if enter is not None:
        end: Dim | _Never | None = larger(ceildiv(-enter.start, clause.step), 0)
    else:
        end = _first_false(clause)
        if end is not None and not isinstance(end, _Never):
            end = end + 1
    if end is None or isinstance(end, _Never):
        return end
    return end if all(_is_exact(line, end) for line in clause.sides) else None


def _precedes(first: Clause, clause: Clause) -> bool:
    """Return whether a comparison before a Loop is that of its body, one iteration earlier."""
    if first.differs or clause.differs or not _surely(clause.step, 1):
        return False
    return clause.start - clause.step == first.start


def _first_false(clause: Clause) -> Dim | _Never | None:
    """Return the first iteration in which a comparison does not hold; None: not known."""
    start, step = clause.start, clause.step
    if clause.differs:
        return _first_zero(start, step)
    if _surely(step, 1):
        return larger(ceildiv(-start, step), 0)
    if _surely(-step, 0):
        if _surely(start, 0):
            return 0
        if _surely(-start, 1):
            return _NEVER
    return None


def _first_zero(start: Dim, step: Dim) -> Dim | _Never | None:
    """Return the iteration in which a number is 0."""
    if step == 0:
        if start == 0:
            return 0
        return _NEVER if _surely(start, 1) or _surely(-start, 1) else None
    end = floordiv(-start, step)
    if end * step != -start:
        return _NEVER if isinstance(start, int) and isinstance(step, int) else None
    if _surely(end, 0):
        return end
    return _NEVER if _surely(-end, 1) else None


def _surely(dim: Dim, least: int) -> bool:
    """Return whether a number is never below another."""
    low = at_least(dim)
    return low is not None and low >= least


def _is_exact(line: Line, trips: Dim) -> bool:
    """Return whether its numbers are whole and exact in their types, to the end of a Loop."""
    ends = line.start, line.start + line.step * trips
    largest = [abs(end) for end in ends if isinstance(end, int)]
    symbols = len(largest) < len(ends)
    return max(largest, default=0) <= line.limit * line.under and (
        line.limit >= SMALL_FLOAT or not symbols
    )


class _ConditionReader:
    """Takes conditions apart."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self.state = lines.state

    def read(self, key: ValueKey | None, depth: int, *, negated: bool) -> Conditions:
        """Return a condition, or its negation, as comparisons."""
        if key is None or depth > MAX_DEPTH:
            return OPEN
        numbers = self.state.known(key)
        if numbers is not None and len(numbers) == 1 and isinstance(numbers[0], int):
            return ALWAYS if bool(numbers[0]) != negated else NEVER
        if self.lines.place(key) == CONDITION:  # a body runs where it is true
            return NEVER if negated else ALWAYS
        node = self.lines.look(key)
        if node is None or node.operator is None or node.domain:
            return OPEN
        sources = self.state.sources(node.id, 2)
        if node.op_type == "Not":
            return self.read(sources[0], depth + 1, negated=not negated)
        joins = node.op_type == "And"
        if joins or node.op_type == "Or":
            a, b = (self.read(source, depth + 1, negated=negated) for source in sources)
            return _both(a, b) if joins != negated else _either(a, b)
        if "compares" in node.operator.traits:
            return self._compared(node, sources, negated)
        same = sources[0] is not None and self.state.dtypes.get(sources[0]) == BOOL
        if same and (node.op_type == "Cast" or "renames" in node.operator.traits):
            return self.read(sources[0], depth + 1, negated=negated)
        return OPEN

    def _compared(
        self, node: OperatorNode, sources: list[ValueKey | None], negated: bool
    ) -> Conditions:
        """Return a comparison of two numbers."""
        a, b = (self.lines.line(source) for source in sources)
        if a is None or b is None:
            return OPEN
        start, step = a.start * b.under - b.start * a.under, a.step * b.under - b.step * a.under
        name, sides = node.op_type, (a, b)
        if name == "Equal":
            if negated:
                return Conditions((Clause(start, step, True, sides),), True)
            pair = Clause(start - 1, step, False, sides), Clause(-start - 1, -step, False, sides)
            return Conditions(pair, True)
        if name.startswith("Greater"):
            start, step = -start, -step
        if name.endswith("OrEqual"):
            start -= 1
        if negated:  # not x < 0 is -x - 1 < 0 of whole numbers
            start, step = -start - 1, -step
        return Conditions((Clause(start, step, False, sides),), True)


def _both(a: Conditions, b: Conditions) -> Conditions:
    return Conditions((*a.clauses, *b.clauses), a.whole and b.whole)


def _either(a: Conditions, b: Conditions) -> Conditions:
    if ALWAYS in (a, b):
        return ALWAYS
    if a == NEVER:
        return b
    return a if b == NEVER else OPEN
