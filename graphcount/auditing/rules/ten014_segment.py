"""A tensor is marked as a segment.

What it does:
    Reports tensors with the field `segment`.

Why it matters:
    The field was meant for tensors in several pieces and never came into use: readers ignore it, so
    nobody knows which part is meant.

Example:
    `segment { begin: 0 end: 10 }`

What to do:
    Save the model again from its source.

References:
    onnx.proto, TensorProto.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import tensor_findings
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("TEN014", "tensor-segment", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all tensors."""
    return tensor_findings(RULE, context)
