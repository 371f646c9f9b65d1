"""Weights that are not finite.

What it does:
    Counts NaN, +Inf and -Inf in every float type, in one pass over the values. Infinities that are
    meant are left out: masks (constants of 0, 1 and infinities of one sign), thresholds of trees
    (a split that all or none pass), and rows of -Inf in tables that are looked up (padding). In
    other constants it is low.

Why it matters:
    One NaN in a weight makes every output NaN, often for some inputs only.

Example:
    A normalisation scale that overflowed when it was converted to float16.

What to do:
    Export again from a checkpoint that is finite; look at the conversion.

References:
    IEEE 754-2019; onnx/docs: float8.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from graphcount.analysis.stored import UNNAMED, Stored
from graphcount.analysis.verdict import Verdict
from graphcount.auditing.context import Context
from graphcount.auditing.elements import ElementFacts
from graphcount.auditing.grouping import about_tensors, and_more
from graphcount.auditing.rule import Rule, Severity
from graphcount.report.finding_rows import Finding

RULE = Rule("TEN008", "not-finite-weights", "medium", reads_payload=True)


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for weights, one for what is no weight."""
    verdicts = {row.stored.key: row.verdict for row in context.rows}
    weights: list[tuple[Stored, ElementFacts]] = []
    fillers: list[tuple[Stored, ElementFacts]] = []
    for stored in context.stored:
        facts = context.facts.get(stored.key)
        if facts is None or facts.finite or _are_meant(stored, facts, verdicts.get(stored.key)):
            continue
        (weights if facts.others else fillers).append((stored, facts))
    if weights:
        yield _finding(context, weights, None)
    if fillers:
        yield _finding(context, fillers, "low")


def _are_meant(stored: Stored, facts: ElementFacts, verdict: Verdict | None) -> bool:
    """Return whether infinities are a mask's, a tree's, or rows of padding."""
    if facts.nan:
        return False
    if verdict is not None and verdict.role == "threshold":
        return True
    if facts.positive_infinite and facts.negative_infinite:
        return False
    if verdict is not None and verdict.role == "embedding" and not facts.positive_infinite:
        return facts.negative_infinite % stored.shape[-1] == 0
    return not facts.others or (verdict is not None and verdict.kind in ("constant", "buffer"))


def _finding(
    context: Context,
    hits: Sequence[tuple[Stored, ElementFacts]],
    severity: Severity | None,
) -> Finding:
    nan = sum(facts.nan for _, facts in hits)
    infinite = sum(facts.positive_infinite + facts.negative_infinite for _, facts in hits)
    tensors = [stored for stored, _ in hits]
    first = tensors[0].name or UNNAMED
    message = f"{first}: {nan:,} NaN and {infinite:,} infinite values"
    message += and_more(len(tensors) - 1, "tensor")
    return about_tensors(
        RULE, context, tensors, message, severity=severity, nan=nan, infinite=infinite
    )
