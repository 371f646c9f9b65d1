"""Nodes stand before what they depend on.

What it does:
    Counts nodes that read a value which a later node of the file makes.

Why it matters:
    ONNX wants nodes in an order of execution. Runtimes sort or refuse; simpler tools compute
    nonsense.

Example:
    `Relu(h)` stands before `h = MatMul(x, W)`.

What to do:
    Sort the nodes (onnx.compose, onnx-graphsurgeon's toposort).

References:
    onnx/docs/IR.md, "Graphs": nodes are sorted topologically.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphcount.auditing.bodies import StoredBody
from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("GRF012", "unsorted", "low")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a model; a cycle is GRF001."""
    if context.graph.cyclic:
        return
    early = [early for body in context.bodies for early in _early(body)]
    if early:
        node, value = early[0]
        yield RULE.finding(
            f"{len(early)} nodes stand before a node they depend on: {node} reads {value!r}",
            {"node": node, "value": value},
            nodes=len(early),
        )


def _early(body: StoredBody) -> Iterator[tuple[str, str]]:
    """Yield the nodes of a body that stand before what they read, with its name."""
    made = set(body.given)
    for index, node in enumerate(body.nodes):
        if not made.issuperset(node.inputs) and (name := _made_later(body, index, node.inputs)):
            yield body.place(index), name
        made.update(node.outputs)


def _made_later(body: StoredBody, index: int, names: Iterable[str]) -> str:
    """Return the first input that a node at or behind `index` makes, or empty."""
    for name in names:
        scope: StoredBody | None = body
        place = index
        while scope is not None and name and name not in scope.given:
            made = scope.producers.get(name)
            if made is not None:
                if made >= place:
                    return name
                break
            place, scope = scope.owner, scope.parent
    return ""
