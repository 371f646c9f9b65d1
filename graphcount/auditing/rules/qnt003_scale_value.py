"""A quantization scale is zero, negative, infinite or not a number.

What it does:
    Reads stored scales: those kept with the model, and in a deep audit the large ones too.

Why it matters:
    A scale of zero wipes out what it scales, a negative one turns it over, NaN spreads. Only
    quantizers of blocks write scales of either sign, and zero for a block of zeros; elsewhere they
    are damage or intent.

Example:
    `y_scale = [0.02, 0.0, 0.02]`.

What to do:
    Quantize the model again.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.graph import GraphNode
from graphcount.report.finding_rows import Finding

RULE = Rule("QNT003", "scale-value", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a tensor."""
    for row in context.rows:
        if not row.verdict.role.startswith("quantization scale") or not row.tensor.uses:
            continue
        numbers = context.values.numbers(row.stored)
        blocked = any(_is_blocked(context.graph.nodes[use.node]) for use in row.tensor.uses)
        bad = [
            number
            for number in numbers or ()
            if not isfinite(number) or (number <= 0 and not blocked)
        ]
        if bad:
            yield RULE.finding(
                f"scale {row.stored.name!r} holds {bad[0]!r}"
                f" ({len(bad)} of {row.stored.elements} values cannot be scales)",
                {"tensor": row.stored.name, "node": row.owner},
                found=str(bad[0]),
                count=len(bad),
                elements=row.stored.elements,
            )


def _is_blocked(node: GraphNode) -> bool:
    """Return whether a node scales blocks: its scales may have either sign."""
    if node.kind != "operator":
        return False
    named = node.op_type.endswith(("NBits", "Bnb4", "BlockQuantized"))
    return named or bool(node.record.integer("block_size", 0))
