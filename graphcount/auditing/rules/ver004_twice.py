"""A domain is imported twice.

What it does:
    Reports domains that opset_import names more than once; the empty domain and `ai.onnx` are the
    same. Twice the same version is low.

Why it matters:
    Readers take the first or the last version, and so run different operators.

Example:
    opset 11 and opset 17 of the default domain.

What to do:
    Write the model again with one version.

References:
    onnx/docs/IR.md: one entry a domain.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("VER004", "opset-twice", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield what the versions of the model say."""
    for problem in context.versions:
        if problem.rule == RULE.id:
            versions = problem.evidence["versions"]
            same = isinstance(versions, list) and len(set(versions)) == 1
            yield RULE.finding_of(problem, "low" if same else None)
