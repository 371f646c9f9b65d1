"""A field is not written as onnx.proto defines it.

What it does:
    Reports fields of onnx.proto under another wire type, numbers beyond the 32 bits of their type,
    and values that an enum does not have.

Why it matters:
    protobuf keeps the lower 32 bits of such a number, and treats the other two as fields it does
    not know. Readers that do otherwise see other element types, attributes and places of data in
    the same file.

Example:
    `data_location: 4294967297`, which protobuf reads as EXTERNAL.

What to do:
    Get the model again from who made it; no writer does this by itself.

References:
    protobuf.dev/programming-guides/encoding; protobuf.dev/programming-guides/enum.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import and_more
from graphcount.auditing.rule import Rule
from graphcount.loading.messages import MESSAGES
from graphcount.report.finding_rows import Finding

RULE = Rule("FMT013", "irregular-fields", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all of them."""
    strings = context.strings
    if not strings.irregular:
        return
    first = strings.irregular[0]
    message = strings.message(first.frame)
    field = MESSAGES[message][first.number].name
    more = and_more(len(strings.irregular) - 1, "field")
    yield RULE.finding(
        f"{field} of {message} has {first.why}{more}",
        {"path": strings.frame_path(first.frame), "field": field, "offset": first.offset},
        fields=len(strings.irregular),
    )
