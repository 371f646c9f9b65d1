"""External data is looked for at an absolute path.

What it does:
    Reports locations of external data that begin with a slash, a backslash or a drive letter.

Why it matters:
    A runtime that follows the path reads any file its user can read as weights, and many tools
    print or save what they read.

Example:
    `location: "/etc/passwd"`, `C:/Users/me/key`, `//server/share/w.bin`

What to do:
    Do not load the model. Ask for one whose external data files lie beside it.

References:
    CVE-2022-25882; onnx/docs/ExternalDataSecurity.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import external_findings
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("EXT001", "external-data-absolute", "critical")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a location."""
    return external_findings(RULE, context, per_location=True)
