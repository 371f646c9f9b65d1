"""Large tensors that hold one value.

What it does:
    Reports initializers and constants of 1,024 elements and more whose elements are all the same.
    Zero points and scales often are, and so are the modes and leaves of trees: attributes, which no
    node can make. They are left out.

Why it matters:
    They could be made by one ConstantOfShape node. A weight that is constant was not trained, or
    was wiped.

Example:
    A bias of 4,096 zeros.

What to do:
    Nothing, unless the tensor should have been trained.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.analysis.stored import UNNAMED
from graphcount.auditing.context import Context
from graphcount.auditing.grouping import about_tensors
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding
from graphcount.units import counted

RULE = Rule("TEN011", "constant-weights", "info", reads_payload=True)


LARGE = 1024


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all."""
    constant = [
        row.stored
        for row in context.rows
        if row.verdict.kind != "quantization"
        and row.stored.where != "attribute"
        and row.stored.sparse is None
        and row.stored.elements >= LARGE
        and (facts := context.facts.get(row.stored.key)) is not None
        and facts.constant
    ]
    if constant:
        nbytes = sum(stored.nbytes for stored in constant)
        yield about_tensors(
            RULE,
            context,
            constant,
            f"{counted(len(constant), 'tensor')} of one value each, {nbytes:,} bytes; "
            f"first {constant[0].name or UNNAMED}",
            nbytes=nbytes,
        )
