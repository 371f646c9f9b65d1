"""Outputs that no input decides, or inputs that decide nothing.

What it does:
    Reports outputs that depend on no input of the model, and inputs from which no path leads to an
    output.

Why it matters:
    A constant output says the same to everyone; an unused input promises something that the model
    does not do. Either may be a remainder, or the sign of a graph that was cut and rewired.

Example:
    A second output `score` that is an initializer.

What to do:
    Ask what they are for.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("BKD003", "independent-output", "low")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for outputs, one for inputs."""
    graph = context.graph
    outputs = [output for output in graph.outputs if graph.operands(output.id)]
    if graph.inputs and outputs:
        fixed = [output.name for output in outputs if output.id not in context.dependent]
        if fixed:
            yield _finding(f"{len(fixed)} output(s) depend on no input", fixed)
        idle = [node.name for node in graph.inputs if node.id in graph.dead]
        if idle:
            yield _finding(f"{len(idle)} input(s) lead to no output", idle)


def _finding(text: str, names: list[str]) -> Finding:
    return RULE.finding(
        f"{text}: {', '.join(names[:3])}", {"value": names[0]}, values=names[:50], count=len(names)
    )
