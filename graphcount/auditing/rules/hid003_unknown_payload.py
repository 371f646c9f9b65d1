"""A field that ONNX does not define holds much data.

What it does:
    Looks into unknown fields of more than 1 KiB: what they begin as, and how random their bytes are
    (8 bits a byte: encrypted or compressed).

Why it matters:
    What no reader looks at can be as large as it likes.

Example:
    A megabyte of random bytes in field 1000.

What to do:
    Look at the bytes apart from everything else; write the model again without them.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.elements import entropy
from graphcount.auditing.grouping import and_more
from graphcount.auditing.magic import identify
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("HID003", "unknown-payload", "medium")


LARGE_NBYTES = 1024
SAMPLE_NBYTES = 64 * 1024


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all, about the largest."""
    strings = context.strings
    large = [field for field in strings.unknown if field.nbytes > LARGE_NBYTES]
    if large:
        largest = max(large, key=lambda field: field.nbytes)
        part = context.files.field(largest)
        bits = entropy(part.read(0, SAMPLE_NBYTES))
        message = strings.message(largest.frame)
        yield RULE.finding(
            f"field {largest.number} of {message} holds {largest.nbytes:,} bytes of "
            f"{identify(part) or 'something'}, {bits:.1f} bits a byte"
            f"{and_more(len(large) - 1, 'field')}",
            {"path": strings.frame_path(largest.frame), "offset": largest.offset},
            nbytes=sum(field.nbytes for field in large),
            bits_per_byte=round(bits, 2),
        )
