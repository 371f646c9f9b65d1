"""A tensor has no data.

What it does:
    Reports tensors whose dims ask for elements that are stored nowhere.

Why it matters:
    The model does not run, or runs with zeros. Its size on disk says nothing about its size in
    memory.

Example:
    A ResNet that was exported without its parameters.

What to do:
    Get the file with the weights, or their external data files.

References:
    onnx.proto, TensorProto.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import tensor_findings
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("TEN007", "no-payload", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all tensors."""
    return tensor_findings(RULE, context)
