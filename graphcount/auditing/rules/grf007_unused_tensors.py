"""Stored tensors that nothing reads.

What it does:
    Adds up initializers and Constants without any reader, with their share of all stored bytes.
    From a tenth of the bytes on the finding is medium.

Why it matters:
    They are carried along and never computed with: waste, or room for data that no inference
    shows.

Example:
    An initializer `extra` of 19 kB in a model of 2 kB.

What to do:
    Ask what they are for; remove them if nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import dead_nbytes, severity_of_share
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("GRF007", "unused-tensors", "low")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a model."""
    nbytes, total, tensors = dead_nbytes(context.rows, used=False)
    if tensors:
        share = nbytes / total if total else 0.0
        names = ", ".join(row.stored.name for row in tensors[:3])
        yield RULE.finding(
            f"nothing reads {len(tensors)} stored tensors of {nbytes:,} bytes"
            f" ({share:.1%} of all): {names}",
            {"tensor": tensors[0].stored.name},
            severity=severity_of_share(nbytes, total),
            tensors=len(tensors),
            nbytes=nbytes,
            total_nbytes=total,
        )
