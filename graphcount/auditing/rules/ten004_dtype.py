"""The element type of a tensor is not defined.

What it does:
    Reports data_type 0 and codes that onnx.proto (onnx 1.23) does not have.

Why it matters:
    Nobody can say how large such a tensor is, so no total that includes it is exact.

Example:
    `data_type: 99`

What to do:
    Get a newer graphcount if the type is new; else save the model again.

References:
    onnx.proto, TensorProto.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import tensor_findings
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("TEN004", "undefined-element-type", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all tensors."""
    return tensor_findings(RULE, context)
