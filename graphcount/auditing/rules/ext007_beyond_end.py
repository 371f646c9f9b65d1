"""External data reaches beyond the end of its file.

What it does:
    Compares offset and length of each tensor with the size of its external data file.

Why it matters:
    The file was cut or exchanged, or offset and length were made up: readers that do not check read
    past the end.

Example:
    offset 4096 and 1,024 bytes in a file of 2,048 bytes.

What to do:
    Get the external data file again; compare its SHA-256 with the sender's.

References:
    onnx/docs/ExternalDataSecurity.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import external_findings
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("EXT007", "external-data-beyond-end", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield a finding for tensors whose external data has this problem."""
    return external_findings(RULE, context)
