"""A rule failed, so the audit is not complete.

What it does:
    Every rule runs on its own. One that fails, or that the file keeps from finishing, ends with
    this finding; the other rules go on, and the program exits with 2.

Why it matters:
    Silence of a rule that did not finish must not be read as a clean result.

Example:
    A bug in graphcount, or a model that changed while it was audited.

What to do:
    Report it with the rule's id and the message. Until then judge by hand what the rule looks for.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("INT001", "rule-failed", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield nothing: the engine makes this finding."""
    return ()


def not_finished(rule: Rule, why: str) -> Finding:
    """Return the finding of a rule that did not come to its end."""
    return RULE.finding(f"rule {rule.id} did not finish: {why}", {"rule": rule.id})
