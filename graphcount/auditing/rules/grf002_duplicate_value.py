"""A value is defined twice in one scope.

What it does:
    Reports names that two nodes, inputs or arguments of one scope define, or a node and an
    initializer.

Why it matters:
    ONNX wants single static assignment. Readers differ in which definition they use, so a model
    can do one thing where it is reviewed and another where it runs.

Example:
    Two nodes with the output `logits`.

What to do:
    Do not trust what any one tool shows of this model. Export it again.

References:
    onnx/docs/IR.md, "Names Within a Graph".
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("GRF002", "duplicate-value", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a name; two initializers of one name are TEN010."""
    places: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for problem in context.graph.problems:
        if problem.code == "value twice" and set(problem.kinds) != {"initializer"}:
            places.setdefault((problem.name, problem.kinds), []).append(problem.where)
    for (name, kinds), where in places.items():
        yield RULE.finding(
            f"value {name!r} is defined twice: by {kinds[0]} and by {kinds[1]}",
            {"value": where[0]},
            definitions=list(kinds),
            places=len(where),
        )
