"""An external data file is no regular file.

What it does:
    Reports external data files that are a folder, a FIFO, a device or a socket. They are not
    opened.

Why it matters:
    Opening a FIFO blocks for ever; a device may never end or have effects.

Example:
    `weights.bin` that is a named pipe.

What to do:
    Do not load the model.

References:
    onnx/docs/ExternalDataSecurity.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import external_findings
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("EXT005", "external-data-irregular", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield a finding for tensors whose external data has this problem."""
    return external_findings(RULE, context)
