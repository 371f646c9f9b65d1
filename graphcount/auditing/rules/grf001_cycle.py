"""Nodes wait for each other.

What it does:
    Finds groups of nodes in which each depends on itself, and prints one shortest cycle of each.

Why it matters:
    There is no order in which such a graph can run. Runtimes refuse it, hang, or leave nodes out;
    counts and shapes behind the cycle are not known.

Example:
    `Add(x, b) -> a` and `Relu(a) -> b`.

What to do:
    Export the model again; a file like this was not made by an exporter.

References:
    onnx/docs/IR.md, "Graphs": nodes form a directed acyclic graph.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.auditing.structure import knots, shortest_cycle
from graphcount.report.rows import Finding

RULE = Rule("GRF001", "cycle", "high")
SHOWN = 20


def check(context: Context) -> Iterable[Finding]:
    """One finding a knot of nodes."""
    if not context.model_graph.cyclic:
        return
    succ = context.tables.succ
    twice = {
        problem.name for problem in context.model_graph.problems if problem.code == "value twice"
    }
    for knot in sorted(knots(succ), key=min):
        path = shortest_cycle(succ, knot)
        steps = pairwise(path)
        if any(value in twice for a, b in steps for value, _ in succ[a][b]):
            continue  # which definition is meant decides whether it is a cycle: GRF002
        shown = path if len(path) <= SHOWN else [*path[: SHOWN - 1], "...", path[-1]]
        yield RULE.finding(
            f"{len(path) - 1} nodes form a cycle: {' -> '.join(shown)}",
            {"node": path[0]},
            cycle=path[:1000],
            nodes=len(knot),
        )
