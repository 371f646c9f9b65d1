"""Two initializers have the same name.

What it does:
    Looks for names that two initializers of one graph share, sparse ones included.

Why it matters:
    Readers take the first or the last: the network that runs depends on the reader, and so do its
    numbers.

Example:
    Two initializers `fc.weight` with different shapes.

What to do:
    Save the model again with one tensor a name.

References:
    onnx/docs/IR.md: names within a graph are unique.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import LISTED, and_more
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("TEN010", "duplicate-initializer", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all."""
    again = []
    for graph in context.graphs:
        seen = set()
        tensors = [*graph.initializers, *(sparse.values for sparse in graph.sparse_initializers)]
        for tensor in tensors:
            if tensor.name and tensor.name in seen:
                again.append(tensor)
            seen.add(tensor.name)
    if again:
        first = again[0]
        frame = context.strings.frames_at([first.offset]).get(first.offset, 0)
        yield RULE.finding(
            f"a second initializer is named {first.name}{and_more(len(again) - 1, 'tensor')}",
            {
                "tensor": first.name,
                "path": context.strings.frame_path(frame),
                "offset": first.offset,
            },
            tensors=len(again),
            names=list(dict.fromkeys(tensor.name for tensor in again))[:LISTED],
        )
