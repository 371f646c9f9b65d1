"""An external data file is the model file itself.

What it does:
    Reports locations that lead back to the model.

Why it matters:
    Parts of the structure are then read as weights, so that a name or a number changes them.

Example:
    `location: "model.onnx"` in `model.onnx`.

What to do:
    Save the model again from its source.

References:
    onnx/docs/ExternalDataSecurity.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import external_findings
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("EXT019", "external-data-itself", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield a finding for tensors whose external data has this problem."""
    return external_findings(RULE, context, notes=True)
