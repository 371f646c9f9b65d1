"""Fields that ONNX does not define.

What it does:
    Reports protobuf fields that onnx.proto does not have: how many, how many bytes, where the first
    stands. Up to 64 bytes in all are low.

Why it matters:
    Readers skip such fields and most writers keep them, so they carry anything through every tool
    without being seen.

Example:
    Field 1000 of ModelProto with a megabyte of bytes.

What to do:
    Ask what wrote them. Loading and saving with `onnx` keeps them; to drop them, call
    `DiscardUnknownFields()` first.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import LISTED
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding
from graphcount.units import counted

RULE = Rule("FMT005", "unknown-fields", "medium")


SMALL_NBYTES = 64


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all of them."""
    strings = context.strings
    if not strings.unknown:
        return
    first = max(strings.unknown, key=lambda field: field.nbytes)
    message = strings.message(first.frame)
    kinds = sorted({(strings.message(field.frame), field.number) for field in strings.unknown})
    yield RULE.finding(
        f"{counted(strings.unknown_count, 'field')} that ONNX does not define, "
        f"{strings.unknown_nbytes:,} bytes; the largest is field {first.number} of {message}",
        {"path": strings.frame_path(first.frame), "field": first.number, "offset": first.offset},
        severity="low" if strings.unknown_nbytes <= SMALL_NBYTES else None,
        fields=strings.unknown_count,
        nbytes=strings.unknown_nbytes,
        kinds=[f"{message} field {number}" for message, number in kinds[:LISTED]],
    )
