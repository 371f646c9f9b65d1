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
from graphcount.auditing.structure import graph_inputs
from graphcount.report.rows import Finding

RULE = Rule("BKD003", "independent-output", "low")


def check(context: Context) -> Iterable[Finding]:
    """One finding for outputs, one for inputs."""
    nodes, pred = context.tables.nodes, context.tables.pred
    inputs = graph_inputs(context.tables)
    outputs = [node for node, data in nodes.items() if data["kind"] == "output" and pred[node]]
    if inputs and outputs:
        fixed = [nodes[node]["name"] for node in outputs if node not in context.dependent]
        if fixed:
            yield _finding(f"{len(fixed)} output(s) depend on no input", fixed)
        idle = [nodes[node]["name"] for node in inputs if node not in context.alive]
        if idle:
            yield _finding(f"{len(idle)} input(s) lead to no output", idle)


def _finding(text: str, names: list[str]) -> Finding:
    return RULE.finding(
        f"{text}: {', '.join(names[:3])}", {"value": names[0]}, values=names[:50], count=len(names)
    )
