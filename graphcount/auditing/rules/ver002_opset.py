"""No opset is imported, or one that does not exist.

What it does:
    Reports models of IR version 3 and newer without opset_import, and opset versions below 1
    (medium).

Why it matters:
    Operators mean what their opset says. The imports stand behind the graph in most files: without
    them the file may be cut exactly there.

Example:
    A file that ends with its graph.

What to do:
    Get the file again and compare its SHA-256 with the sender's.

References:
    onnx/docs/IR.md, Models.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.analysis.versions import version_notes, version_problems
from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.rows import Finding

RULE = Rule("VER002", "opset-missing", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield what the versions of the model say."""
    problems, notes = version_problems(context.proto), version_notes(context.proto)
    for problem in (*problems, *notes):
        if problem.rule == RULE.id:
            yield RULE.finding(
                problem.why,
                {"field": problem.what},
                severity="medium" if "version" in problem.evidence else None,
                **problem.evidence,
            )
