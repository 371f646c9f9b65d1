"""Tensors share bytes of an external data file.

What it does:
    Compares the ranges of all tensors of an external data file. Ranges that overlap in part are
    medium; several tensors that name the same range are reported as info.

Why it matters:
    Partly shared bytes mean something else to each tensor: at least one of them does not hold what
    was trained. The same range for many tensors saves space, or makes a small file ask for much
    memory.

Example:
    `A` at bytes 0 to 4,096 and `B` at bytes 2,048 to 6,144.

What to do:
    Save the model again from its source.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from graphcount.auditing.context import Context, External
from graphcount.auditing.grouping import about_tensors
from graphcount.auditing.rule import Rule, Severity
from graphcount.report.finding_rows import Finding
from graphcount.units import counted

RULE = Rule("EXT012", "external-data-overlap", "medium")

Used: TypeAlias = "tuple[int, int, External]"
"""Bytes begin..end of a file, and the tensor they belong to."""

UsedPair: TypeAlias = "tuple[Used, Used]"


def check(context: Context) -> Iterable[Finding]:
    """Yield at most two findings a file: ranges that overlap, ranges that are the same."""
    for tensors in context.external_files.values():
        sound = [(*external.range, external) for external in tensors if not external.data.problems]
        partly: list[UsedPair] = []
        same: list[UsedPair] = []
        widest: Used | None = None
        for used in sorted(sound, key=lambda used: used[:2]):
            begin, end, _ = used
            if begin == end:
                continue
            if widest is not None and begin < widest[1]:
                (same if widest[:2] == (begin, end) else partly).append((widest, used))
            if widest is None or end > widest[1]:
                widest = used
        if partly:
            yield _finding(context, partly, "share bytes with another tensor", None)
        if same:
            yield _finding(context, same, "have the bytes of another tensor", "info")


def _finding(
    context: Context,
    pairs: Sequence[UsedPair],
    what: str,
    severity: Severity | None,
) -> Finding:
    (*first, wider), (*second, external) = pairs[0]
    location = external.data.location
    names = f"{external.stored.name}, {wider.stored.name}"
    return about_tensors(
        RULE,
        context,
        [external.stored for _, (_, _, external) in pairs],
        f"{counted(len(pairs), 'tensor')} of {location} {what}; first {names}",
        severity=severity,
        ranges=[first, second],
    )
