"""A field that may stand once is given again.

What it does:
    Reports singular protobuf fields that occur more than once in a message. A second graph is high.

Why it matters:
    Readers differ: protobuf keeps the last number, joins messages, and small readers take the
    first. Two tools then see two models in one file.

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

RULE = Rule("FMT007", "repeated-fields", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for graphs, one for everything else."""
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
    graphs = {offset: hit for offset, hit in hits.items() if hit[:2] == ("ModelProto", "graph")}
    others = {offset: hit for offset, hit in hits.items() if offset not in graphs}
    for group, severity in ((graphs, "high"), (others, "medium")):
        if group:
            offset = min(group)
            message, field, path = group[offset]
            yield RULE.finding(
                f"{field} of {message} is given again{and_more(len(group) - 1, 'field')}",
                {"path": path, "field": field, "offset": offset},
                severity="high" if severity == "high" else "medium",
                fields=len(group),
            )
