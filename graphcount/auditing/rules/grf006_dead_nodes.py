"""Nodes that no output depends on.

What it does:
    Counts operators from which no path leads to an output of the model, and the bytes of the
    tensors that only they use.

Why it matters:
    They cost size and load time and do nothing, or they are the rest of something that was cut
    off. Weights that only dead nodes read can carry data.

Example:
    A training head left in an inference model.

What to do:
    Remove them (onnxsim, onnxruntime's optimizer) and compare the outputs.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import dead_nbytes, severity_of_share
from graphcount.auditing.rule import Rule
from graphcount.graph import is_constant
from graphcount.report.finding_rows import Finding

RULE = Rule("GRF006", "dead-nodes", "low")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a model; silent where a missing output is the cause."""
    graph = context.graph
    if any(not graph.operands(output.id) for output in graph.outputs):
        return
    dead = [
        node.id
        for node in graph.operators
        if node.id in graph.dead
        and not is_constant(node)
        and not node.scope.startswith("function:")
    ]
    if not dead:
        return
    nbytes, total, tensors = dead_nbytes(context.rows, used=True)
    share = f", which hold {nbytes:,} of {total:,} stored bytes" if nbytes else ""
    yield RULE.finding(
        f"{len(dead)} nodes lead to no output{share}: {', '.join(dead[:3])}",
        {"node": dead[0]},
        severity=severity_of_share(nbytes, total),
        nodes=len(dead),
        tensors=len(tensors),
        nbytes=nbytes,
        total_nbytes=total,
    )
