"""A local function calls itself.

What it does:
    Reports functions that reach themselves through calls, from their subgraphs too, with one
    circle of calls.

Why it matters:
    ONNX forbids it. Inliners without a check recurse until they crash; nothing behind the call can
    be counted.

Example:
    Function `f:A` whose body has a node `f:A`.

What to do:
    Do not load the model.

References:
    GHSA-7w46-vvrh-m8q5; onnx/docs/IR.md, "Functions".
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.graph import cycles, shortest_cycle
from graphcount.graph.scope import by_id, call_graph, label
from graphcount.report.finding_rows import Finding

RULE = Rule("FUN001", "recursion", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a circle of functions."""
    if all(problem.code != "function recursive" for problem in context.graph.problems):
        return
    graph = call_graph(by_id(context.proto.functions)[0])
    calls = {label(key): [label(call) for call in called] for key, called in graph.items()}
    for component in sorted(cycles(calls, calls.__getitem__), key=min):
        circle = shortest_cycle(calls.__getitem__, component)
        yield RULE.finding(
            f"function {circle[0]} calls itself: {' -> '.join(circle[:20])}",
            {"function": circle[0]},
            calls=circle[:100],
            functions=len(component),
        )
