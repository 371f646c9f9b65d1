"""An output of the model, or of a subgraph, has nothing that makes it.

What it does:
    Reports outputs whose name no node, input or initializer defines.

Why it matters:
    Runtimes refuse the model; a tool that walks back from the outputs sees nothing behind it.

Example:
    The graph output `scores` where the last node's output is called `score`.

What to do:
    Export the model again, or correct the name.

References:
    onnx/docs/IR.md, "Graphs".
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("GRF005", "missing-output", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding an output."""
    nodes = context.graph.nodes
    for problem in context.graph.problems:
        if problem.code != "value undefined":
            continue
        if "result" in problem.kinds:
            yield RULE.finding(
                f"a body of {problem.where} returns {problem.name!r}, which nothing in it defines",
                {"node": problem.where, "value": problem.name},
            )
        elif nodes[problem.where].kind == "output":
            yield RULE.finding(
                f"nothing makes the output {problem.name!r}", {"value": problem.name}
            )
