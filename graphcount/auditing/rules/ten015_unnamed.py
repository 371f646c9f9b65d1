"""An initializer has no name.

What it does:
    Reports initializers with an empty name.

Why it matters:
    No node can use them. Their bytes are carried along for nothing, or for something else.

Example:
    An initializer of two megabytes without a name.

What to do:
    Save the model again; look at what the bytes are.

References:
    onnx/docs/IR.md, Initializers.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding
from graphcount.units import counted

RULE = Rule("TEN015", "unnamed-initializer", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all tensors."""
    unnamed = []
    for graph in context.graphs:
        tensors = [*graph.initializers, *(sparse.values for sparse in graph.sparse_initializers)]
        unnamed += [tensor for tensor in tensors if not tensor.name]
    if unnamed:
        first = unnamed[0].offset
        frame = context.strings.frames_at([first]).get(first, 0)
        yield RULE.finding(
            f"{counted(len(unnamed), 'initializer')} without a name",
            {"path": context.strings.frame_path(frame), "offset": first},
            tensors=len(unnamed),
        )
