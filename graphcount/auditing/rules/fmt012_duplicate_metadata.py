"""A metadata key is given twice.

What it does:
    Reports keys of metadata_props that occur more than once on one model, graph, node, tensor or
    function.

Why it matters:
    Readers that keep a dictionary take the last value, others show the first: licence, author or
    labels then depend on the tool.

Example:
    `author` twice with two names.

What to do:
    Keep one entry a key.

References:
    onnx.proto: "keys must be distinct".
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import and_more
from graphcount.auditing.rule import Rule
from graphcount.loading.messages import MESSAGES
from graphcount.report.finding_rows import Finding

RULE = Rule("FMT012", "duplicate-metadata-keys", "low")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all of them."""
    strings = context.strings
    seen: set[tuple[int, bytes]] = set()
    again = []
    for text in strings.within("StringStringEntryProto"):
        if text.field.name != "key":
            continue
        owner, number = strings.parent(strings.frame(text.at))
        if MESSAGES[strings.message(owner)][number].name != "metadata_props":
            continue
        if (owner, text.raw) in seen:
            again.append(text)
        seen.add((owner, text.raw))
    if again:
        first = again[0]
        key = first.raw.decode("utf-8", "backslashreplace")[:80]
        yield RULE.finding(
            f"metadata key {key!r} is given again{and_more(len(again) - 1, 'entry')}",
            {"path": strings.path(first.at), "offset": strings.offset(first.at)},
            entries=len(again),
        )
