"""Weights are inputs of the graph, so a caller can replace them.

What it does:
    Counts initializers that are graph inputs too, from IR version 4 on. Before it, all of them
    had to be.

Why it matters:
    A stored value is then only a default: whoever feeds the model can pass other weights, and
    runtimes cannot fold constants.

Example:
    torch.onnx.export(..., keep_initializers_as_inputs=True)

What to do:
    Remove the inputs of these names: the initializers stay. Or export again without that option.

References:
    onnx/docs/IR.md, "Graphs": initializers as default values.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.analysis.counts import overridable
from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("GRF008", "overridable-weights", "low")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a model."""
    inputs = overridable(context.proto)
    stored = [
        row.stored
        for row in context.rows
        if row.stored.name in inputs and row.stored.where in ("initializer", "sparse", "external")
    ]
    if stored:
        nbytes = sum(tensor.nbytes for tensor in stored)
        yield RULE.finding(
            f"a caller can replace {len(stored)} stored tensors of {nbytes:,} bytes: they are"
            f" graph inputs too",
            {"tensor": stored[0].name},
            tensors=len(stored),
            nbytes=nbytes,
        )
