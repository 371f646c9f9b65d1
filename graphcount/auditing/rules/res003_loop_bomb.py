"""A loop runs far too often.

What it does:
    Multiplies the trip counts of nested Loops and Scans, where they are known, by the nodes of
    their bodies, and reports more than 10^9 executions.

Why it matters:
    The model does not come to an end: a few hundred bytes stop a server.

Example:
    A Loop of 10^12 trips with a constant condition.

What to do:
    Do not run the model without a limit on time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("RES003", "loop-bomb", "medium")
MOST_EXECUTIONS = 10**9
COUNTED_EXECUTIONS = 10**100
"""Counted no further: loops in functions in loops multiply to thousands of digits."""


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding: the loop with the most executions."""
    if context.shapes is None or not context.shapes.trips:
        return
    trips = {id: trip for id, trip in context.shapes.trips.items() if isinstance(trip, int)}
    worst, most = "", MOST_EXECUTIONS
    for loop, nodes in _body_nodes(context, trips).items():
        runs = nodes * trips[loop]
        for body in context.graph.around(context.graph.nodes[loop].scope):
            runs = min(runs * trips.get(body.node.id, 1), COUNTED_EXECUTIONS)
        if runs > most:
            worst, most = loop, runs
    if worst:
        least = "at least " if most == COUNTED_EXECUTIONS else ""
        yield RULE.finding(
            f"{worst} runs its body {trips[worst]:,} times: {least}{most:,} executions of nodes",
            {"node": worst},
            trips=trips[worst],
            executions=most,
            expected=MOST_EXECUTIONS,
        )


def _body_nodes(context: Context, trips: Iterable[str]) -> dict[str, int]:
    """Return operators right in the bodies of each loop, and in branches and functions there."""
    counts = dict.fromkeys(trips, 0)
    scopes = Counter(node.scope for node in context.graph.operators if node.scope)
    for scope, count in scopes.items():
        around = (body.node.id for body in context.graph.around(scope))
        loop = next((id for id in around if id in counts), None)
        if loop is not None:
            counts[loop] += count
    return counts
