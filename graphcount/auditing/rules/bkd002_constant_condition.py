"""A branch is decided before any input is seen.

What it does:
    Reports If nodes, and Where nodes with a condition of one element, whose condition depends on no
    input of the model, not even on its shape; also loops that never run.

Why it matters:
    One side is never taken. Such a branch looks like a check to a reviewer and is none; one bit of
    the file switches it.

Example:
    `If(cond)` where `cond` is an initializer.

What to do:
    Fold constants (onnxsim) and review what is left.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("BKD002", "constant-condition", "low")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a model."""
    graph, shapes = context.graph, context.shapes
    decided = []
    for node in graph.operators:
        if node.domain != "" or node.id in graph.dead:
            continue
        if node.op_type == "If" or (node.op_type == "Where" and shapes is not None):
            condition = graph.producer(node.id, 0)
            if condition is None or condition in context.dependent:
                continue
            shape = shapes.calls(node.id).input(0) if shapes is not None else None
            if node.op_type == "If" or (shape is not None and all(dim == 1 for dim in shape)):
                decided.append(node.id)
        elif node.op_type == "Loop" and shapes is not None and shapes.trips.get(node.id) == 0:
            decided.append(node.id)
    if decided:
        yield RULE.finding(
            f"{decided[0]} is decided by constants"
            + (f"; so are {len(decided) - 1} more branches" if len(decided) > 1 else ""),
            {"node": decided[0]},
            nodes=len(decided),
        )
