"""One finding a cause: many tensors with the same problem are one thing to look at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from graphcount.analysis.counts import Row
from graphcount.analysis.stored import UNNAMED, Stored
from graphcount.auditing.context import Context, External
from graphcount.auditing.rule import Rule, Severity
from graphcount.errors import Problem
from graphcount.report.finding_rows import Finding
from graphcount.units import counted

LISTED = 10
"""Names that evidence lists; the number beside them is complete."""

LONGEST = 12
"""Nodes of a way that a message names."""

MATTERS_SHARE = 0.1
MATTERS_NBYTES = 1024
"""Less than this share, or than this many bytes, is only low."""


def place(context: Context, stored: Stored) -> dict[str, object]:
    """Return where a tensor stands: its name, its path in the file, its byte."""
    frame = context.strings.frames_at([stored.key]).get(stored.key)
    path = context.strings.frame_path(frame) if frame is not None else ""
    return {"tensor": stored.name or UNNAMED, "path": path, "offset": stored.key}


def and_more(number: int, noun: str) -> str:
    """Return what follows the first of several things: `; and 11 more tensors`."""
    return f"; and {counted(number, f'more {noun}')}" if number else ""


def shortened(path: Sequence[str]) -> str:
    """Return a way over nodes, without the middle of a long one."""
    long = len(path) > LONGEST
    nodes = [*path[: LONGEST // 2], "...", *path[-LONGEST // 2 :]] if long else path
    return " -> ".join(nodes)


def names(tensors: Iterable[Stored]) -> list[str]:
    """Return the first different names, for evidence."""
    return list(dict.fromkeys(stored.name or UNNAMED for stored in tensors))[:LISTED]


def about_tensors(
    rule: Rule,
    context: Context,
    tensors: Sequence[Stored],
    message: str,
    *,
    severity: Severity | None = None,
    **evidence: object,
) -> Finding:
    """Return a finding about one or more tensors: the place is that of the first."""
    return rule.finding(
        message,
        place(context, tensors[0]),
        severity=severity,
        tensors=len(tensors),
        names=names(tensors),
        **evidence,
    )


def tensor_findings(rule: Rule, context: Context) -> Iterator[Finding]:
    """Yield one finding for all tensors that have the rule's problem."""
    hits = [
        (stored, problem)
        for stored in context.stored
        for problem in stored.problems
        if problem.rule == rule.id
    ]
    if hits:
        stored, problem = hits[0]
        tensors = list({stored.key: stored for stored, _ in hits}.values())
        message = f"{stored.name or UNNAMED}: {problem.why}{and_more(len(tensors) - 1, 'tensor')}"
        evidence = problem.evidence
        yield about_tensors(rule, context, tensors, message, severity=None, **evidence)


def external_findings(
    rule: Rule,
    context: Context,
    *,
    notes: bool = False,
    per_location: bool = False,
    severity: Severity | None = None,
) -> Iterator[Finding]:
    """Yield one finding for all external tensors that have the rule's problem.

    Args:
        rule: The rule.
        context: The model.
        notes: Look at what is worth saying instead of at problems.
        per_location: One finding for each location: every one is an attempt of its own.
        severity: When it differs from the rule's.
    """
    groups: defaultdict[str, list[tuple[External, Problem]]] = defaultdict(list)
    for external in context.external:
        for problem in external.data.notes if notes else external.data.problems:
            if problem.rule == rule.id:
                groups[external.data.location if per_location else ""].append((external, problem))
    for hits in groups.values():
        external, problem = hits[0]
        tensors = list({hit.stored.key: hit.stored for hit, _ in hits}.values())
        locations = list(dict.fromkeys(hit.data.location for hit, _ in hits))
        first = tensors[0].name or UNNAMED
        message = f"{first}: {problem.why}{and_more(len(tensors) - 1, 'tensor')}"
        if len(locations) > 1:
            message += f" in {counted(len(locations), 'external data file')}"
        finding = about_tensors(
            rule, context, tensors, message, severity=severity, **problem.evidence
        )
        where = {"location": external.data.location, **finding.where}
        yield finding._replace(where=where)


def dead_nbytes(rows: Iterable[Row], *, used: bool) -> tuple[int, int, list[Row]]:
    """Return the bytes of dead tensors, those of all, and the dead tensors, largest first.

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
    """Return medium from a tenth of all bytes (and a kilobyte) on, else low."""
    return "medium" if nbytes >= max(MATTERS_NBYTES, total * MATTERS_SHARE) else "low"
