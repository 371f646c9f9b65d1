"""The shapes of the model could not be worked out whole.

What it does:
    Reports a shape inference that failed, or that stopped because the file computes with more
    small integer tensors than it may.

Why it matters:
    Rules that need shapes (RES002, GRF014, OPS007, QNT001) saw only a part, so their silence says
    less. A file can be made for that.

Example:
    Thousands of Concats of thousands of constants, each of which looks like a shape.

What to do:
    Look at the model by hand, or ask for one without such a part.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.rows import Finding

RULE = Rule("RES004", "analysis-budget", "medium")


def check(context: Context) -> Iterable[Finding]:
    """At most one finding."""
    inference = context.inference
    if isinstance(inference, Exception):
        why = f"{type(inference).__name__}: {inference}"[:300]
        yield RULE.finding(f"shapes could not be inferred: {why}", {})
    elif inference.exhausted:
        yield RULE.finding(
            "the file computes with too many small integer tensors; shapes behind them are not"
            " known",
            {},
        )
