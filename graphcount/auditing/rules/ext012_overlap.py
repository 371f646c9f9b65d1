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

from graphcount.auditing.context import Context
from graphcount.auditing.external_ranges import Used, used_range
from graphcount.auditing.grouping import about_tensors, counted
from graphcount.auditing.rule import Rule, Severity
from graphcount.report.rows import Finding

RULE = Rule("EXT012", "external-data-overlap", "medium")


def check(context: Context) -> Iterable[Finding]:
    """At most two findings a file: ranges that overlap, ranges that are the same."""
    for tensors in context.side_files.values():
        ranges = sorted(
            (used_range(external) for external in tensors if not external.data.problems),
            key=lambda used: (used.begin, used.end),
        )
        ranges = [used for used in ranges if used.end > used.begin]
        partly: list[tuple[Used, Used]] = []
        same: list[tuple[Used, Used]] = []
        widest = None
        for used in ranges:
            if widest is not None and used.begin < widest.end:
                alike = (used.begin, used.end) == (widest.begin, widest.end)
                (same if alike else partly).append((widest, used))
            if widest is None or used.end > widest.end:
                widest = used
        if partly:
            yield _finding(context, partly, "share bytes with another tensor", None)
        if same:
            yield _finding(context, same, "have the bytes of another tensor", "info")


def _finding(
    context: Context,
    pairs: Sequence[tuple[Used, Used]],
    what: str,
    severity: Severity | None,
) -> Finding:
    first, second = pairs[0]
    location = second.external.data.location
    names = f"{second.external.stored.name}, {first.external.stored.name}"
    return about_tensors(
        RULE,
        context,
        [used.external.stored for _, used in pairs],
        f"{counted(len(pairs), 'tensor')} of {location} {what}; first {names}",
        severity=severity,
        ranges=[[first.begin, first.end], [second.begin, second.end]],
    )
