"""Tables that a formula gives: masks, frequencies, sines of positions. Nobody learns them.

Frameworks keep them as buffers, exporters under any name. The values give them away: each test of
`FORMULAS` looks at the first elements and holds for no numbers that were trained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import isclose
from typing import NamedTuple

from graphcount.analysis.attribution import Attributed
from graphcount.analysis.verdict import KindContext, RuleId, Verdict, maker_of
from graphcount.graph import ModelGraph, computes

MOST_FREQUENCIES = 2048
"""Elements of the longest vector that is compared with a geometric sequence."""

LEAST = 3
"""Rows, columns or elements that show a pattern."""

NEAR = 1e-4
"""Error of a number that a formula gave, relative to one."""

ROUNDED = {"float16": 2e-3, "bfloat16": 1.6e-2}
"""The same by element types that keep fewer digits."""

MOST_LOOKS = 32

ANGLES = frozenset({"MatMul", "Mul", "Einsum", "Gemm", "Div"})
"""Policy: operators that make angles of positions and frequencies."""

ON_THE_WAY = frozenset({"Concat", "Add", "Mul", "Einsum", "MatMul"})
"""Policy: operators between frequencies and the sines of angles, but those that pass values on."""

TRIGONOMETRIC = frozenset({"Sin", "Cos"})
"""Policy: operators that make a rotation of an angle."""

Fits = Callable[[Attributed, Sequence[float], KindContext], bool]
"""Takes a tensor and its first elements."""


class ComputedTable(NamedTuple):
    """One sort of computed table.

    Attributes:
        rule: Id of the rule.
        roles: Roles that a tensor may have for its values to be looked at.
        kept: A framework keeps it under the author's name only; a folded one is a constant.
        role: Role of such a table.
        test: Whether the values are those of one.
        reason: What they are.
    """

    rule: RuleId
    roles: frozenset[str | None]
    kept: bool
    role: str
    test: Fits
    reason: str


# ---------------------------------------------------------------------------------------- the tests


def is_triangular(tensor: Attributed, head: Sequence[float], context: KindContext) -> bool:
    """Return whether rows hold one number up to a diagonal, and another one behind it."""
    shape = tensor.stored.shape
    if len(shape) < 2 or min(shape[-2:]) < LEAST:
        return False
    columns = shape[-1]
    rows = min(len(head) // columns, shape[-2])
    if rows < LEAST:
        return False
    first, last = head[(rows - 1) * columns], head[columns - 1]
    if first == last:
        return False
    cuts = [_cut(row, first, last) for row in _rows(head, columns)[:rows]]
    known = [(row, cut) for row, cut in enumerate(cuts) if 0 < cut < columns]
    if -1 in cuts or len(known) < LEAST - 1:
        return False
    diagonal = known[0][1] - known[0][0]
    return all(cut == min(max(row + diagonal, 0), columns) for row, cut in enumerate(cuts))


def _cut(row: Sequence[float], first: float, last: float) -> int:
    """Return how many numbers equal `first` before all others equal `last`; -1: it is not so."""
    count = next((place for place, number in enumerate(row) if number != first), len(row))
    return count if all(number == last for number in row[count:]) else -1


def is_zero_one(tensor: Attributed, head: Sequence[float], context: KindContext) -> bool:
    """Return whether a table holds zeros and ones, and both: what is let through and what not."""
    return len(tensor.stored.shape) > 1 and len(head) > 2 * LEAST and set(head) == {0.0, 1.0}


def is_frequencies(tensor: Attributed, head: Sequence[float], context: KindContext) -> bool:
    """Return whether a vector holds frequencies: those of rotary positions, or slopes of heads.

    They are a geometric sequence. Where sines of the angles follow, a scaled one will do: it falls
    from one on (Su et al. 2021, 3.2.2; Press et al. 2021, 3).
    """
    elements, near = tensor.stored.elements, _near(tensor)
    if elements > MOST_FREQUENCIES or min(head) <= 0 or head[0] == head[1]:
        return False
    ratio = head[1] / head[0]
    pairs = list(pairwise(head))
    geometric = all(isclose(after, before * ratio, rel_tol=4 * near) for before, after in pairs)
    from_one = isclose(head[0], 1, rel_tol=near)
    begins = from_one or isclose(head[0], ratio, rel_tol=near)
    if geometric and ratio < 1 and begins and elements > LEAST:
        return True
    falls = from_one and all(before > after for before, after in pairs)
    return (geometric or falls) and _becomes_angles(tensor, context.graph)


def _makes_angles(tensor: Attributed, graph: ModelGraph) -> bool:
    return any(computes(graph.nodes[use.node]) in ANGLES for use in tensor.uses)


def _becomes_angles(tensor: Attributed, graph: ModelGraph) -> bool:
    """Return whether sines or cosines are taken of what a tensor is multiplied with."""
    stack = [use.node for use in tensor.uses[:MOST_LOOKS]]
    for _ in range(MOST_LOOKS):
        if not stack:
            return False
        for reader in graph.consumers(stack.pop())[:MOST_LOOKS]:
            node = graph.nodes[reader]
            if computes(node) in TRIGONOMETRIC:
                return True
            passes = node.operator is not None and bool(node.operator.passes)
            if passes or computes(node) in ON_THE_WAY:
                stack.append(reader)
    return False


def is_sinusoidal(tensor: Attributed, head: Sequence[float], context: KindContext) -> bool:
    """Return whether each row holds pairs of a sine and a cosine, in whatever order.

    The squares of a row then sum to half its width (Vaswani et al. 2017, 3.5).
    """
    width, near = tensor.stored.shape[-1], _near(tensor)
    if width < 4 or width % 2:
        return False
    rows = _rows(head, width)
    if rows and not any(rows[0]):
        rows = rows[1:]  # that of padding
    if len(rows) < 2 or rows[0] == rows[1] or max(map(abs, head)) > 1 + near:
        return False
    if len({abs(number) for number in rows[-1]}) < LEAST:
        return False  # codes of one magnitude
    squares = (sum(number * number for number in row) for row in rows)
    return all(isclose(square, width / 2, rel_tol=near) for square in squares)


def _rows(head: Sequence[float], width: int) -> list[Sequence[float]]:
    return [head[place : place + width] for place in range(0, len(head) - width + 1, width)]


def is_rotary(tensor: Attributed, head: Sequence[float], context: KindContext) -> bool:
    """Return whether columns hold cosines, or sines, of multiples of an angle, from zero on.

    cos 2a = 2 cos² a - 1; sin 3a = 3 sin a - 4 sin³ a.
    """
    width, near = tensor.stored.shape[-1], 4 * _near(tensor)
    if width < LEAST or tensor.stored.shape[-2] < 4 or len(head) < 4 * width:
        return False
    zero, one, two, three = _rows(head, width)[:4]
    if one == two or max(map(abs, head)) > 1 + near:
        return False
    if all(number == 1 for number in zero):
        pairs = zip(one, two, strict=True)
        return min(one) < 0.99 and all(isclose(b, 2 * a * a - 1, abs_tol=near) for a, b in pairs)
    if any(zero) or max(map(abs, one)) < 0.1:
        return False
    pairs = zip(one, three, strict=True)
    return all(isclose(b, 3 * a - 4 * a**3, abs_tol=near) for a, b in pairs)


def _near(tensor: Attributed) -> float:
    return ROUNDED.get(tensor.stored.dtype, NEAR)


# ---------------------------------------------------------------------------------------- the table

OPERANDS: frozenset[str | None] = frozenset({None, "operand", "table", "mask", "output"})
LOOKED_UP = OPERANDS | {"embedding"}
VECTORS = OPERANDS | {"weight"}

FORMULAS: tuple[ComputedTable, ...] = (
    ComputedTable(
        "sinusoids", LOOKED_UP, False, "table", is_sinusoidal, "sines and cosines of positions"
    ),
    ComputedTable(
        "rotary-values", LOOKED_UP, True, "table", is_rotary, "cosines or sines of rotary positions"
    ),
    ComputedTable("frequencies", VECTORS, False, "table", is_frequencies, "a row of frequencies"),
    ComputedTable("triangle", LOOKED_UP, True, "mask", is_triangular, "a triangular mask"),
    ComputedTable(
        "zeros-and-ones", OPERANDS, True, "mask", is_zero_one, "a mask of zeros and ones"
    ),
)
"""In order: the first that the values fit."""


def judge_table(tensor: Attributed, context: KindContext) -> Verdict | None:
    """Values that a formula gives are buffers, or constants where an exporter made the table up."""
    stored = tensor.stored
    if stored.elements < LEAST or not stored.shape:
        return None
    vector = max(stored.shape) == stored.elements
    if not all(use.role in (VECTORS if vector else LOOKED_UP) for use in tensor.uses):
        return None
    if vector and not _makes_angles(tensor, context.graph):
        return None
    roles = {use.role for use in tensor.uses}
    wanted = [
        table
        for table in FORMULAS
        if roles <= table.roles and (table.rule == "frequencies") == vector
    ]
    head = context.values.head(stored) if wanted else None
    if not head:
        return None
    for table in wanted:
        if table.test(tensor, head, context):
            made_up = table.kept and maker_of(tensor, context) == "exporter"
            what = f"{table.reason}: computed, not learned"
            return Verdict(
                "constant" if made_up or stored.constant else "buffer", table.role, what, table.rule
            )
    return None
