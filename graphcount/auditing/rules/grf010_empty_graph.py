"""The model computes nothing.

What it does:
    Reports a main graph without nodes or without outputs.

Why it matters:
    It passes every budget and does nothing: often a cut file or a failed export.

Example:
    A graph with inputs and initializers only.

What to do:
    Export the model again.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("GRF010", "empty-graph", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield at most one finding."""
    graph = context.proto.graph
    missing = [
        name for name, there in (("nodes", graph.nodes), ("outputs", graph.outputs)) if not there
    ]
    if missing:
        yield RULE.finding(
            f"the graph has no {' and no '.join(missing)}",
            {"graph": graph.name},
            nodes=len(graph.nodes),
            outputs=len(graph.outputs),
        )
