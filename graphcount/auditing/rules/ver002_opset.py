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

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("VER002", "opset-missing", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield what the versions of the model say."""
    for problem in context.versions:
        if problem.rule == RULE.id:
            yield RULE.finding_of(problem, "medium" if "version" in problem.evidence else None)
