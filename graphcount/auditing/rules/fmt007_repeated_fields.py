"""A field that may stand once is given again.

What it does:
    Reports singular protobuf fields that occur more than once in a message, and members of a oneof
    beside each other. Documentation and who made the model are medium.

Why it matters:
    Readers differ: protobuf keeps the last number, joins messages, and small readers take the
    first. Two tools then see two models in one file. Counted is what protobuf reads.

Example:
    A ModelProto with two `graph` fields.

What to do:
    Get the model again from who made it; no writer does this by itself.

References:
    protobuf.dev/programming-guides/encoding, "Last One Wins".
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import and_more
from graphcount.auditing.rule import Rule
from graphcount.loading.messages import MESSAGES
from graphcount.report.finding_rows import Finding

RULE = Rule("FMT007", "repeated-fields", "high")


def _describes(message: str, field: str) -> bool:
    """Return whether a field only says something about the model."""
    row = next(row for row in MESSAGES[message].values() if row.name == field)
    return row.text == "doc" or (message == "ModelProto" and bool(row.text))


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for what describes the model, one for everything else."""
    strings = context.strings
    hits = {
        field.offset: (
            strings.message(field.frame),
            MESSAGES[strings.message(field.frame)][field.number].name,
            strings.frame_path(field.frame),
        )
        for field in strings.repeated
    }
    for message, field, offset in context.proto.repeated_fields:
        hits.setdefault(offset, (message, field, ""))
    described = {offset: hit for offset, hit in hits.items() if _describes(*hit[:2])}
    others = {offset: hit for offset, hit in hits.items() if offset not in described}
    for group in (others, described):
        if group:
            offset = min(group)
            message, field, path = group[offset]
            yield RULE.finding(
                f"{field} of {message} is given again{and_more(len(group) - 1, 'field')}",
                {"path": path, "field": field, "offset": offset},
                severity="medium" if group is described else None,
                fields=len(group),
            )
