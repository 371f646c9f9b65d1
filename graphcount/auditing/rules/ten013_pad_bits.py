"""Pad bits of a packed tensor are not zero.

What it does:
    Looks at the last byte of tensors of 2-, 4- and 6-bit types whose elements do not fill it.

Why it matters:
    Readers ignore these bits, so they carry data and make two files with the same values differ.

Example:
    Three int4 elements whose fourth half byte is not zero.

What to do:
    Save the model again from its source.

References:
    onnx.proto, TensorProto.raw_data.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.analysis.stored import UNNAMED
from graphcount.auditing.context import Context
from graphcount.auditing.grouping import about_tensors, and_more
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("TEN013", "pad-bits", "low", reads_payload=True)


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all tensors."""
    padded = []
    for stored in context.stored:
        tensor = stored.tensor
        if tensor is None or tensor.dtype is None or tensor.dtype.bits not in (2, 4, 6):
            continue
        used = stored.elements * tensor.dtype.bits % 8
        as_bytes = stored.is_external or any(p.field == "raw_data" for p in tensor.data_fields)
        part = context.files.part(stored) if used and as_bytes and not stored.problems else None
        last = part.read(part.nbytes - 1, 1) if part is not None else b""
        if last and last[0] >> used:
            padded.append(stored)
    if padded:
        first = padded[0].name or UNNAMED
        more = and_more(len(padded) - 1, "tensor")
        yield about_tensors(RULE, context, padded, f"{first}: pad bits are not zero{more}")
