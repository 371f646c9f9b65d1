"""A part of the model was not looked at.

What it does:
    Reports a shape inference that failed, or that stopped because the file computes with more
    small integer tensors than it may; in a deep audit also tensors that are not read because their
    data lies in more than 262,144 pieces.

Why it matters:
    Rules that need shapes (RES002, GRF014, OPS007, QNT001) saw only a part, so their silence says
    less; so does that of rules on values about a tensor that was not read. A file can be made for
    that.

Example:
    Thousands of Concats of thousands of constants, each of which looks like a shape.

What to do:
    Look at the model by hand, or ask for one without such a part.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.analysis.stored import UNNAMED
from graphcount.auditing.context import Context
from graphcount.auditing.files import in_too_many_pieces
from graphcount.auditing.grouping import about_tensors, and_more
from graphcount.auditing.rule import Rule
from graphcount.loading.tensor_data import MOST_PIECES
from graphcount.report.finding_rows import Finding

RULE = Rule("RES004", "analysis-budget", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield at most one finding."""
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
    pieces = [stored for stored in context.stored if in_too_many_pieces(stored)]
    if context.deep and pieces:
        yield about_tensors(
            RULE,
            context,
            pieces,
            f"{pieces[0].name or UNNAMED}: its data lies in more than {MOST_PIECES:,} pieces and"
            f" were not read{and_more(len(pieces) - 1, 'tensor')}",
        )
