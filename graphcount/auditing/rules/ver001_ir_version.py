"""The IR version is missing, impossible or unknown.

What it does:
    Reports an ir_version below 1, and one newer than this program was compared with (medium for the
    next few).

Why it matters:
    The IR version says which fields a file may have. Without it, or with a future one, nobody knows
    what is not read.

Example:
    `ir_version: 9999`

What to do:
    Get a newer graphcount if the version is real; else ask what wrote the file.

References:
    onnx/docs/Versioning.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("VER001", "ir-version", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield what the versions of the model say."""
    for problem in context.versions:
        if problem.rule == RULE.id:
            yield RULE.finding_of(problem, "medium" if problem.evidence.get("near") else None)
