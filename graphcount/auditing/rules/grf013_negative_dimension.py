"""An input or output declares a negative dimension.

What it does:
    Reports dimensions below zero in the declared shapes of the model's inputs and outputs.

Why it matters:
    -1 is a habit of other frameworks, not ONNX: a dynamic dimension has a name or nothing. Tools
    that multiply dimensions get negative sizes.

Example:
    Input `x` of shape [-1, 3, 224, 224].

What to do:
    Replace it with a dim_param such as `batch`.

References:
    onnx/docs/IR.md, "Static tensor shapes".
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("GRF013", "negative-input-dimension", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a model, with the values."""
    graph = context.proto.graph
    wrong = [
        info
        for info in (*graph.inputs, *graph.outputs)
        if any(isinstance(dim, int) and dim < 0 for dim in info.shape or ())
    ]
    if wrong:
        first = wrong[0]
        yield RULE.finding(
            f"{first.name!r} is declared with a negative dimension: {list(first.shape or ())}"
            + (f"; so are {len(wrong) - 1} more" if len(wrong) > 1 else ""),
            {"value": first.name},
            values=[info.name for info in wrong[:20]],
            count=len(wrong),
        )
