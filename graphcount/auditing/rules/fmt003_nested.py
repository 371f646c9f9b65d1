"""Messages are nested deeper than protobuf allows.

What it does:
    Refuses models whose messages are nested more than 100 deep (about 32 subgraphs in each other,
    or 48 optionals or sequences), as protobuf does. Other messages as deep as that are a finding.

Why it matters:
    Readers that recurse run out of stack on such a file and crash. No exporter makes one.

Example:
    100,000 If nodes, each in the branch of the one before.

What to do:
    Do not load the model.

References:
    protobuf: CodedInputStream::kDefaultRecursionLimit; onnxruntime: kMaxModelSubgraphDepth.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("FMT003", "nested-too-deep", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield messages that counting does not follow."""
    deep = [field for field in context.strings.broken if field.rule == RULE.id]
    if deep:
        path = context.strings.frame_path(deep[0].frame)
        yield RULE.finding(deep[0].why, {"path": path, "offset": deep[0].offset})
