"""External data names memory instead of a file.

What it does:
    Reports the marker that onnxruntime uses inside a process for tensors that lie in memory.

Why it matters:
    A runtime that believes it in a file reads any address of its process as weights.

Example:
    `location: "*/_ORT_MEM_ADDR_/*"`

What to do:
    Do not load the model; the marker is never written to files.

References:
    onnxruntime pull request 26776.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import external_findings
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("EXT016", "external-data-memory-marker", "critical")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a location."""
    return external_findings(RULE, context, per_location=True)
