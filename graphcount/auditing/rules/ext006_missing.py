"""An external data file is missing.

What it does:
    Reports external data files that are not there or cannot be looked at.

Why it matters:
    Without them the model does not load. Dimensions still say how many elements it has, but nothing
    says that they exist.

Example:
    `model.onnx` was copied, `model.onnx.data` was not.

What to do:
    Put the external data files beside the model, under the names it states.

References:
    onnx/docs/ExternalDataSecurity.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import external_findings
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("EXT006", "external-data-missing", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield a finding for tensors whose external data has this problem."""
    return external_findings(RULE, context)
