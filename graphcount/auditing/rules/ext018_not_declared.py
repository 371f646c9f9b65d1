"""External data is given but not declared.

What it does:
    Reports tensors with external_data whose data_location is not EXTERNAL.

Why it matters:
    One reader takes the data in the model file, another that in the external data file: two models
    in one.

Example:
    raw_data, and a location beside it, with data_location DEFAULT.

What to do:
    Save the model again from its source.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import tensor_findings
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("EXT018", "external-data-not-declared", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all tensors."""
    return tensor_findings(RULE, context)
