"""What a model multiplies, in words."""

from __future__ import annotations

from collections.abc import Sequence

from graphcount.report.columns import types_words
from graphcount.report.rows import PrecisionRow
from graphcount.units import percent


def precision_words(rows: Sequence[PrecisionRow], room: int | None) -> str:
    """Return the share of MACs by the types that are multiplied, as many pairs as fit."""
    known = [(types_words(row.operand_types), row.macs) for row in rows]
    whole = sum(macs for _, macs in known if macs is not None)
    parts = [f"{words} {'?' if macs is None else percent(macs, whole)}" for words, macs in known]
    for kept in range(len(parts), 0, -1):
        more = [f"{len(parts) - kept} more"] if kept < len(parts) else []
        text = f"MACs {', '.join([*parts[:kept], *more])}"
        if room is None or len(text) <= room:
            break
    return text
