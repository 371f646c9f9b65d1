"""A subgraph gives a new meaning to a name of the graph around it.

What it does:
    Reports names that a body of If, Loop or Scan defines although the graph around it has them.

Why it matters:
    ONNX forbids it. Inside the body one name stands for two values, and tools differ in which they
    take: what is reviewed need not be what runs.

Example:
    A Loop body that defines `W` beside the model's initializer `W`.

What to do:
    Rename the value in the body.

References:
    onnx/docs/IR.md, "Names Within a Graph": subgraph names must be unique with the outer scopes.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.bodies import StoredBody
from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("GRF009", "shadowing", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a body, with the names."""
    for body in context.bodies:
        if body.parent is None:
            continue
        own = [*body.given, *body.producers]
        again = sorted({name for name in own if name and _outside(body.parent, name)})
        if again:
            yield RULE.finding(
                f"{body.label} defines {again[0]!r} again, a name of the graph around it"
                + (f" ({len(again)} names in all)" if len(again) > 1 else ""),
                {"node": body.parent.place(body.owner), "value": again[0]},
                names=again[:20],
                count=len(again),
            )


def _outside(body: StoredBody | None, name: str) -> bool:
    while body is not None:
        if name in body.given or name in body.producers:
            return True
        body = body.parent
    return False
