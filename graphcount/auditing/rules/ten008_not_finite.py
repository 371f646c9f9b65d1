"""Weights that are not finite.

What it does:
    Counts NaN, +Inf and -Inf in every float type, in one pass over the values. Masks are left out:
    constants of 0, 1 and infinities of one sign. In other constants it is low. Values below the
    smallest normal one are reported as info when they are more than one in a hundred.

Why it matters:
    One NaN in a weight makes every output NaN, often for some inputs only. Subnormal values are
    slow on many processors.

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
from graphcount.auditing.context import Context
from graphcount.auditing.elements import ElementFacts
from graphcount.auditing.grouping import about_tensors, and_more, counted
from graphcount.auditing.rule import Rule, Severity
from graphcount.report.finding_rows import Finding

RULE = Rule("TEN008", "not-finite-weights", "medium", reads_payload=True)


SUBNORMAL_SHARE = 100


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for weights, one for what is no weight, one for subnormal numbers."""
    kinds = {row.stored.key: row.verdict.kind for row in context.rows}
    weights: list[tuple[Stored, ElementFacts]] = []
    fillers: list[tuple[Stored, ElementFacts]] = []
    slow: list[tuple[Stored, ElementFacts]] = []
    for stored in context.stored:
        facts = context.facts.get(stored.key)
        if facts is None:
            continue
        if facts.nan or facts.positive_infinite or facts.negative_infinite:
            if not _is_mask(facts, kinds.get(stored.key)):
                (weights if facts.others else fillers).append((stored, facts))
        elif facts.subnormal * SUBNORMAL_SHARE > stored.stored_elements > SUBNORMAL_SHARE:
            slow.append((stored, facts))
    if weights:
        yield _finding(context, weights, None)
    if fillers:
        yield _finding(context, fillers, "low")
    if slow:
        numbers = sum(facts.subnormal for _, facts in slow)
        message = f"{numbers:,} subnormal values in {counted(len(slow), 'tensor')}"
        tensors = [stored for stored, _ in slow]
        yield about_tensors(RULE, context, tensors, message, severity="info", subnormal=numbers)


def _is_mask(facts: ElementFacts, kind: str | None) -> bool:
    """Return whether infinities have one sign, among 0 and 1 or in a constant, as in a mask."""
    one_sign = not (facts.positive_infinite and facts.negative_infinite)
    return not facts.nan and one_sign and (not facts.others or kind in ("constant", "buffer"))


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
