"""External data has a key twice, or one ONNX does not define.

What it does:
    Reports keys of external_data that are given twice (high) and keys other than location, offset,
    length and checksum (medium).

Why it matters:
    Readers differ in which of two values they take, so a check and a loader can see two files.
    Unknown keys were once written into Python objects as they are.

Example:
    `location` twice: one harmless, one not.

What to do:
    Do not load the model; no writer makes this.

References:
    CVE-2026-34445; onnx/docs/ExternalDataSecurity.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import external_findings
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("EXT013", "external-data-keys", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield keys given twice, and unknown ones."""
    yield from external_findings(RULE, context)
    yield from external_findings(RULE, context, notes=True, severity="medium")
