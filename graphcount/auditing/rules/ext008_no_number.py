"""An offset or length is no plain number.

What it does:
    Accepts 1 to 19 decimal digits and nothing else: no sign, space, underscore, hexadecimal or
    other digits.

Why it matters:
    Readers turn such text into different numbers, or into an allocation of any size.

Example:
    `length: "0x100"`, `offset: "-8"`

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

RULE = Rule("EXT008", "external-data-no-number", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield a finding for tensors whose external data has this problem."""
    return external_findings(RULE, context)
