"""Random operators without a seed.

What it does:
    Counts random generators that have no `seed` attribute.

Why it matters:
    The same input gives another output each time, so what was tested is not what runs. Models that
    sample on purpose (diffusion, variational) are right to do so.

Example:
    `RandomNormalLike` without `seed` in a classifier.

What to do:
    Nothing where sampling is meant; otherwise export in evaluation mode.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.ops import lookup
from graphcount.report.finding_rows import Finding

RULE = Rule("OPS010", "unseeded-random", "info")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a model."""
    random = {
        key
        for key in context.by_operator
        if (operator := lookup(*key)) is not None and "random" in operator.traits
    }
    if not random:
        return
    unseeded = [use for use in context.uses if use.key in random and not use.node.attribute("seed")]
    if unseeded:
        counts = Counter(use.node.op_type for use in unseeded)
        named = ", ".join(f"{count} {op_type}" for op_type, count in sorted(counts.items()))
        yield RULE.finding(
            f"random numbers without a seed: {named}",
            {"node": unseeded[0].place},
            nodes=len(unseeded),
        )
