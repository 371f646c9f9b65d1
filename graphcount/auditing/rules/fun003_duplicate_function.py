"""Two local functions have the same domain, name and overload.

What it does:
    Reports functions that are defined more than once.

Why it matters:
    Readers differ in which one they keep, the first or the last, so the model does one thing where
    it is reviewed and another where it runs.

Example:
    `acme:Scale` defined twice, with different bodies.

What to do:
    Do not load the model until the author says which one is meant.

References:
    onnx.proto, FunctionProto: (domain, name, overload) must be unique.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("FUN003", "duplicate-function", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a function."""
    again: dict[str, int] = {}
    for problem in context.graph.problems:
        if problem.code == "function twice":
            again[problem.where] = again.get(problem.where, 1) + 1
    for name, times in again.items():
        yield RULE.finding(
            f"function {name} is defined {times} times", {"function": name}, definitions=times
        )
