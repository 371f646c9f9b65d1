"""The location of external data is no usable file name.

What it does:
    Reports locations that are empty, absent, longer than 4,096 characters, a URL, or that have a
    backslash or control characters.

Why it matters:
    Readers differ in what such a name means: a NUL ends it for C, a backslash is a folder on
    Windows only, a URL may be fetched.

Example:
    A location with a NUL: `weights.bin`, then what only some readers see.

What to do:
    Ask for a model whose external data files have plain relative names.

References:
    onnx/docs/ExternalDataSecurity.md.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import external_findings
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("EXT009", "external-data-bad-location", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a location."""
    return external_findings(RULE, context, per_location=True)
