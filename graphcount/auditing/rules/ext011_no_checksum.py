"""External data without a checksum.

What it does:
    Says how many tensors lie in external data files that no checksum binds to the model.

Why it matters:
    A digest of the model file does not cover its weights then: they can be exchanged and the model
    keeps its digest.

Example:
    Most models with external data: writers do not fill the key.

What to do:
    Keep digests of all files; `graphcount audit --format cyclonedx` lists them.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import about_tensors
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding
from graphcount.units import counted

RULE = Rule("EXT011", "external-data-no-checksum", "info")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all."""
    readable = [external for external in context.external if external.data.path is not None]
    bare = [external for external in readable if external.data.checksum is None]
    if bare:
        locations = {external.data.location for external in bare}
        yield about_tensors(
            RULE,
            context,
            [external.stored for external in bare],
            f"{counted(len(bare), 'tensor')} in {counted(len(locations), 'external data file')} "
            "without a checksum",
        )
