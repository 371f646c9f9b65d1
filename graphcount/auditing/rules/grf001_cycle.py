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
from graphcount.report.finding_rows import Finding

RULE = Rule("GRF001", "cycle", "high")
LONGEST = 20


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a strongly connected component."""
    graph = context.graph
    if not graph.cyclic:
        return
    twice = {problem.name for problem in graph.problems if problem.code == "value twice"}
    for component in sorted(graph.cycles(), key=min):
        path = graph.shortest_cycle(component)
        steps = set(pairwise(path))
        values = {
            use.value
            for node in path
            for use in graph.readers(node)
            if (use.producer, use.node) in steps
        }
        if not twice.isdisjoint(values):
            continue  # which definition is meant decides whether it is a cycle: GRF002
        short = path if len(path) <= LONGEST else [*path[: LONGEST - 1], "...", path[-1]]
        yield RULE.finding(
            f"{len(path) - 1} nodes form a cycle: {' -> '.join(short)}",
            {"node": path[0]},
            cycle=path[:1000],
            nodes=len(component),
        )
