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

from graphcount.analysis.versions import version_notes, version_problems
from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.rows import Finding

RULE = Rule("VER003", "opset-newer", "low")


def check(context: Context) -> Iterable[Finding]:
    """Yield what the versions of the model say."""
    problems, notes = version_problems(context.proto), version_notes(context.proto)
    for problem in (*problems, *notes):
        if problem.rule == RULE.id:
            yield RULE.finding(
                problem.why, {"field": problem.what}, severity=None, **problem.evidence
            )
