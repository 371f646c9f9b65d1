"""A tensor holds more or fewer bytes than its dims say.

What it does:
    Compares the payload of every tensor with ceil(elements x bits / 8), or with the number of
    entries of the typed field.

Why it matters:
    Too few: the rest is read from somewhere else or the load fails. Too many: bytes travel with the
    model that no tool shows.

Example:
    Ten floats by dims, two megabytes of raw_data.

What to do:
    Save the model again from its source; look at what the surplus bytes are.

References:
    onnx.proto, TensorProto.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import tensor_findings
from graphcount.auditing.rule import Rule
from graphcount.report.rows import Finding

RULE = Rule("TEN003", "payload-size", "high")


def check(context: Context) -> Iterable[Finding]:
    """One finding for all tensors."""
    return tensor_findings(RULE, context)
