"""Nodes of one graph share a name.

What it does:
    Counts names that more than one node of a graph, subgraph or function carries.

Why it matters:
    Tools that keep nodes by name (profilers, quantizers, diffs) mix them up. Nothing runs
    differently.

Example:
    Two `Conv` nodes called `conv1`.

What to do:
    Nothing, unless a tool you use keys on node names.

References:
    onnx/docs/IR.md, "Names Within a Graph".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("GRF004", "duplicate-node-names", "info")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a model."""
    shared = {
        (body.label, name): times
        for body in context.bodies
        for name, times in Counter(node.name for node in body.nodes if node.name).items()
        if times > 1
    }
    if shared:
        (label, name), times = max(shared.items(), key=lambda item: item[1])
        yield RULE.finding(
            f"{len(shared)} node names are used more than once; {name!r} {times} times",
            {"node": f"{label}/{name}" if label else name},
            names=len(shared),
            nodes=sum(shared.values()),
        )
