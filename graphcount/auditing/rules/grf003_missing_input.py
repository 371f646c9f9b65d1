"""A node reads a value that nothing defines.

What it does:
    Reports names of node inputs without a node, an input or an initializer behind them in their
    scope or an outer one.

Why it matters:
    Runtimes refuse the model. Where one fills the gap with a default or a value of the same name
    elsewhere, it computes something else than what is reviewed.

Example:
    `MatMul(x, W)` where no `W` exists, because the initializers were cut off.

What to do:
    Look for the missing part: a truncated file, a subgraph cut out by hand.

References:
    onnx/docs/IR.md, "Graphs".
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("GRF003", "missing-input", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a name, with the nodes that read it."""
    readers: dict[str, list[str]] = {}
    nodes = context.graph.nodes
    for problem in context.graph.problems:
        if problem.code != "value undefined" or "result" in problem.kinds:
            continue
        if nodes[problem.where].kind != "output":
            readers.setdefault(problem.name, []).append(problem.where)
    for name, where in readers.items():
        also = f" and {len(where) - 1} more" if len(where) > 1 else ""
        yield RULE.finding(
            f"value {name!r} is never defined; {where[0]}{also} reads it",
            {"node": where[0], "value": name},
            readers=len(where),
        )
