"""Local functions that nothing calls.

What it does:
    Counts functions that the graph does not reach by calls, with the bytes of their tensors.

Why it matters:
    They are never run: leftovers of an exporter, or room for data that no inference shows.

Example:
    torch's exporter leaves helpers such as `Rank` behind.

What to do:
    Remove them; look at those that hold tensors.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.domains import canonical
from graphcount.graph import reached
from graphcount.graph.scope import FunctionId, by_id, call_graph, label
from graphcount.loading.model import Function
from graphcount.report.finding_rows import Finding

RULE = Rule("FUN005", "unused-function", "low")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a model."""
    functions = by_id(context.proto.functions)[0]
    called = {
        (node.domain, node.op_type, node.overload)
        for body in context.bodies
        if body.function is None
        for node in body.nodes
    }
    graph = {label(key): list(map(label, calls)) for key, calls in call_graph(functions).items()}
    used = reached(graph.__getitem__, [label(key) for key in functions if key in called])
    unused = [name for name in graph if name not in used]
    if not unused:
        return
    offsets = {
        tensor.offset
        for body in context.bodies
        if body.function is not None and label(_key(body.function)) not in used
        for node in body.nodes
        for attribute in node.attributes
        for tensor in attribute.tensors
    }
    nbytes = sum(row.stored.nbytes for row in context.rows if row.stored.key in offsets)
    yield RULE.finding(
        f"nothing calls {len(unused)} local functions"
        + (f", which hold {nbytes:,} bytes" if nbytes else "")
        + f": {', '.join(unused[:3])}",
        {"function": unused[0]},
        functions=len(unused),
        nbytes=nbytes,
    )


def _key(function: Function) -> FunctionId:
    domain, name, overload = function.id
    return canonical(domain), name, overload
