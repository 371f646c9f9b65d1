"""An external data file has another name somewhere else.

What it does:
    Reports external data files with more than one hard link. They are sized and not read.

Why it matters:
    A hard link looks like an ordinary file, and can be a name for a file outside of the folder that
    path checks do not see.

Example:
    `weights.bin`, the second name of a file in another folder.

What to do:
    Copy the file to make it the only one (`cp --remove-destination`), then audit again.

References:
    CVE-2026-34446; onnx/docs/ExternalDataSecurity.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import external_findings
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("EXT004", "external-data-hard-link", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield a finding for tensors whose external data has this problem."""
    return external_findings(RULE, context, notes=True)
