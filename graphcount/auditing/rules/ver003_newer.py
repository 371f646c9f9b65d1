"""An opset is newer than those known here.

What it does:
    Reports imported opsets of ONNX's own domains that are newer than this program was compared
    with.

Why it matters:
    Stored elements are counted exactly; operators may have changed their meaning.

Example:
    `opset_import { version: 40 }`

What to do:
    Get a newer graphcount.

References:
    onnx/docs/Versioning.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("VER003", "opset-newer", "low")


def check(context: Context) -> Iterable[Finding]:
    """Yield what the versions of the model say."""
    for problem in context.versions:
        if problem.rule == RULE.id:
            yield RULE.finding_of(problem)
