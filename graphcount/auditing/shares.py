"""Bytes of stored tensors that nothing needs, and how much that matters."""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.analysis.counts import Row
from graphcount.auditing.rule import Severity

MATTERS_SHARE = 0.1
MATTERS_NBYTES = 1024
"""Less than this share, or than this many bytes, is only low."""


def dead_nbytes(rows: Iterable[Row], *, used: bool) -> tuple[int, int, list[Row]]:
    """Bytes of dead tensors, bytes of all, and the dead tensors, largest first.

    Args:
        rows: Stored tensors.
        used: Those that dead nodes read; else those that nothing reads at all.
    """
    total, dead = 0, []
    for row in rows:
        total += row.stored.nbytes
        tensor = row.tensor
        counts = not (tensor.live or row.stored.in_training or row.stored.in_function)
        if counts and bool(tensor.uses) == used:
            dead.append(row)
    dead.sort(key=lambda row: (-row.stored.nbytes, row.stored.name))
    return sum(row.stored.nbytes for row in dead), total, dead


def severity_of_share(nbytes: int, total: int) -> Severity:
    """Medium from a tenth of all bytes (and a kilobyte) on, else low."""
    return "medium" if nbytes >= max(MATTERS_NBYTES, total * MATTERS_SHARE) else "low"
