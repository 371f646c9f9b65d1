"""A tensor has its data twice.

What it does:
    Reports tensors with more than one data field, or with external data beside data in the
    model file; in functions and Constant nodes too, where onnx.checker does not look.

Why it matters:
    Readers differ in which field they take: two models in one file.

Example:
    raw_data and float_data with different values.

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

RULE = Rule("TEN005", "two-payloads", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all tensors."""
    return tensor_findings(RULE, context)
