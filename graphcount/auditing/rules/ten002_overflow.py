"""Dimensions multiply beyond 64 bits.

What it does:
    Multiplies the dims of every stored tensor exactly and reports products of 2^63 and more.

Why it matters:
    In 64 bits the product wraps to any number, small ones too. Sizes, budgets and allocations are
    then made from that number.

Example:
    dims [4294967297, 12884901891] that numpy multiplies to a small number.

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

RULE = Rule("TEN002", "dimension-overflow", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all tensors."""
    return tensor_findings(RULE, context)
