"""Expanding the local functions would make too many nodes, or go too deep.

What it does:
    Adds up, without expanding anything, how many nodes the calls of local functions stand for and
    how deep they go, and compares that with the limits. A file that holds more nodes, and
    initializers that they read, may expand to more.

Why it matters:
    A few hundred bytes can stand for billions of nodes ("billion laughs"). Runtimes that inline
    functions run out of memory or stack.

Example:
    Ten functions, each calling the next one ten times: 10^10 nodes in 2.5 kB.

What to do:
    Do not load the model, unless you know why it grows: `--limit expanded_nodes=N`, or
    `expanded_nodes` below `[limits]` in the configuration, raises the limit.

References:
    onnx and onnxruntime stop at 100 functions deep; onnxruntime pull 28706.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("FUN004", "function-expansion", "high")
CODES = ("functions large", "function large", "function deep")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for size and one for depth: the callers of a function share its cause."""
    for code in CODES:
        problems = [problem for problem in context.graph.problems if problem.code == code]
        if not problems:
            continue
        worst = max(problems, key=lambda problem: problem.size)
        what = "calls go" if code == "function deep" else "expanding makes"
        unit = "functions deep" if code == "function deep" else "nodes and calls"
        where = f"function {worst.where}: " if worst.name else ""
        yield RULE.finding(
            f"{where}{what} {worst.size:,} {unit}; the limit is {worst.limit:,}",
            {"function": worst.where} if worst.name else {},
            found=worst.size,
            limit=worst.limit,
            functions=len(problems),
        )
