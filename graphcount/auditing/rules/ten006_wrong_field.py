"""Elements lie in a field that does not fit their type.

What it does:
    Compares the data field with the one onnx.proto names for the element type; strings may
    neither be raw nor external.

Why it matters:
    Readers take such a tensor as empty, as zeros, or refuse it.

Example:
    float32 elements in int64_data.

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

RULE = Rule("TEN006", "payload-field", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all tensors."""
    return tensor_findings(RULE, context)
