"""The file is cut or damaged.

What it does:
    Walks over the protobuf wire format of the whole file. A field that runs past the end, a varint
    of more than ten bytes or an impossible tag is an error with the byte offset. Damage in a part
    that counting does not need (an annotation, a device configuration) is a finding.

Why it matters:
    Readers differ in what they make of a damaged file; some answer with numbers for the part that
    is left.

Example:
    `damaged: cut inside a varint (at byte 5120)`: the download stopped there.

What to do:
    Get the file again and compare its SHA-256 with the sender's.

References:
    protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import and_more
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("FMT002", "damaged", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield messages that counting does not need and that cannot be read."""
    broken = [field for field in context.strings.broken if field.rule == RULE.id]
    if broken:
        first = broken[0]
        path = context.strings.frame_path(first.frame)
        more = and_more(len(broken) - 1, "message")
        yield RULE.finding(
            f"{context.strings.message(first.frame)} cannot be read: {first.why}{more}",
            {"path": path, "offset": first.offset},
            messages=len(broken),
        )
