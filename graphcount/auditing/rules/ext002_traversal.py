"""External data is looked for above the model's folder.

What it does:
    Reports locations of external data with a `..` component, also where it would come back inside.

Why it matters:
    A runtime that follows the path reads any file its user can read as weights, and many tools
    print or save what they read. A location is data from whoever made the model.

Example:
    `location: "../../etc/passwd"`

What to do:
    Do not load the model. Ask for one whose external data files lie beside it.

References:
    CVE-2022-25882, CVE-2024-27318; onnx/docs/ExternalDataSecurity.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import external_findings
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("EXT002", "external-data-traversal", "critical")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a location."""
    return external_findings(RULE, context, per_location=True)
