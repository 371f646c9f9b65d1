"""A tensor holds more or fewer bytes than its dims say.

What it does:
    Compares the data of every tensor with ceil(elements x bits / 8), or with the number of
    entries of the typed field. Varints of more than about a thousand bytes are counted one by one
    when tensors are read; one that is cut or too long for protobuf is a finding as well.

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

from graphcount.analysis.stored import UNNAMED
from graphcount.auditing.context import Context
from graphcount.auditing.grouping import about_tensors, and_more, tensor_findings
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("TEN003", "payload-size", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all tensors by their sizes, one for those whose varints were read."""
    yield from tensor_findings(RULE, context)
    damaged = context.scanned.damaged
    tensors = [stored for stored in context.stored if stored.key in damaged]
    if tensors:
        first = tensors[0]
        why = f"{first.name or UNNAMED}: {damaged[first.key]}"
        message = why + and_more(len(tensors) - 1, "tensor")
        yield about_tensors(RULE, context, tensors, message)
