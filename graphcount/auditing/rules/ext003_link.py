"""An external data file is reached through a symbolic link.

What it does:
    Reports external data files that are links, or lie behind one. A link that leaves the model's
    folder (and the folder of the file that the model's own path leads to) is critical and not
    followed; one that stays inside, as Hugging Face caches keep files, is reported as info, and so
    is external data of a remote model that a redirect fetches from another host.

Why it matters:
    A link in an unpacked archive makes any file on the machine the weights of a model.

Example:
    `weights.bin -> /home/me/.ssh/id_ed25519`

What to do:
    Replace the link by the file, and ask who made it.

References:
    CVE-2026-27489, CVE-2026-34447; onnx/docs/ExternalDataSecurity.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import external_findings
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("EXT003", "external-data-link", "critical")


def check(context: Context) -> Iterable[Finding]:
    """Yield links out, one finding each, and links inside, one for all."""
    yield from external_findings(RULE, context, per_location=True)
    yield from external_findings(RULE, context, notes=True, severity="info")
