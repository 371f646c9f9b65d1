"""What a forward pass lacks, in the report: shapes that are lost, declared, or contradicted."""

from __future__ import annotations

from graphcount.analysis.cost import ModelCost
from graphcount.analysis.memory import Memory
from graphcount.analysis.shapes import ValueShapes
from graphcount.analysis.traffic import ModelTraffic
from graphcount.errors import Unknown
from graphcount.ops.call import Shape
from graphcount.report.pass_rows import MismatchRow
from graphcount.report.rows import Dim
from graphcount.symbolic import Expr


def gaps(
    shapes: ValueShapes, cost: ModelCost, used: Memory, traffic: ModelTraffic
) -> tuple[Unknown, ...]:
    """Return what is not known of a forward pass, and what rests on declarations."""
    causes = (*_lost(shapes), *cost.unknowns, *_unsized(used))
    return (*causes, *(() if causes else _unread(traffic)), *_relied(shapes))


def _unread(traffic: ModelTraffic) -> tuple[Unknown, ...]:
    """Return that bytes of an operand are not known, once, where no other cause is."""
    if not traffic.lost:
        return ()
    why = f"operands without known bytes, here and elsewhere: {len(traffic.lost)}"
    return (Unknown(traffic.lost[0], "traffic", why, "cost"),)


def _lost(shapes: ValueShapes) -> tuple[Unknown, ...]:
    """Return shapes that could not be resolved; they concern the cost, not what is stored."""
    return tuple(unknown._replace(affects="cost") for unknown in shapes.unresolved)


def _unsized(used: Memory) -> tuple[Unknown, ...]:
    """Return that results have no known bytes, once for all of them."""
    if not used.lost:
        return ()
    count = len(used.lost)
    why = f"results without known bytes, here and elsewhere: {count}"
    return (Unknown(used.lost[0], "activation", why, "cost"),)


def _relied(shapes: ValueShapes) -> tuple[Unknown, ...]:
    """Return operators whose shapes are taken as declared."""
    return tuple(
        Unknown(
            operator,
            "declared shape",
            f"nothing derives it: {count} shape{'s are' if count > 1 else ' is'} taken as declared",
            "declared",
        )
        for operator, count in sorted(shapes.relied.items())
    )


def mismatches(shapes: ValueShapes) -> tuple[MismatchRow, ...]:
    """Return declared shapes that the operators contradict, once a cause."""
    return tuple(
        MismatchRow(
            conflict.node,
            conflict.value,
            reported(conflict.declared) or (),
            reported(conflict.derived) or (),
            conflict.values,
        )
        for conflict in shapes.conflicts
    )


def reported(shape: Shape | None) -> tuple[Dim, ...] | None:
    """Return a shape as a report has it: numbers, expressions as text, None."""
    if shape is None:
        return None
    return tuple(str(dim) if isinstance(dim, Expr) else dim for dim in shape)
