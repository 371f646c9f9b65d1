"""A stored tensor has a negative dimension.

What it does:
    Reports dims below zero in stored tensors.

Why it matters:
    A product of dims goes negative, and every sum over tensors with it: a budget on parameters
    passes. Loaders allocate by such products.

Example:
    dims [-3, 129029] make -387,087 parameters.

What to do:
    Do not load the model; no exporter makes this.

References:
    onnx.proto, TensorProto.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import tensor_findings
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("TEN001", "negative-dimension", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all tensors."""
    return tensor_findings(RULE, context)
