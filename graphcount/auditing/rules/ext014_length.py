"""The length of external data is not that of dims and type.

What it does:
    Compares the stated length of each tensor with ceil(elements x bits / 8). A length of 0 is taken
    as not stated, as onnxruntime has it, and is medium: other readers take no byte.

Why it matters:
    Either the dimensions or the length are wrong: readers that trust one of them read too little or
    too much.

Example:
    A [10, 10] float32 tensor with `length: "300"`.

What to do:
    Save the model again from its source.

References:
    onnx/docs/ExternalDataSecurity.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import external_findings
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("EXT014", "external-data-length", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield a finding for tensors whose external data has this problem."""
    yield from external_findings(RULE, context)
    yield from external_findings(RULE, context, notes=True, severity="medium")
