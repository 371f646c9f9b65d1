"""Bytes of an external data file that no tensor owns.

What it does:
    Adds up the ranges of all tensors of an external data file and reports gaps of more than 64 KiB,
    which alignment does not explain. A deep audit also looks whether a gap of any size begins as a
    program, an archive or a pickle.

Why it matters:
    Bytes that no tensor names travel unseen with the weights.

Example:
    A megabyte behind the last tensor.

What to do:
    Save the model again; what no tensor names is left out then.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context, External
from graphcount.auditing.magic import identify
from graphcount.auditing.rule import Rule
from graphcount.loading.tensor_data import Part
from graphcount.report.finding_rows import Finding

RULE = Rule("EXT015", "external-data-unused-bytes", "medium")


ALIGNMENT_NBYTES = 64 * 1024


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a file."""
    for tensors in context.external_files.values():
        size = tensors[0].data.nbytes or 0
        if any(external.data.problems for external in tensors):
            continue  # its ranges are not known
        gaps = _unused(tensors, size)
        large = [gap for gap in gaps if gap[1] - gap[0] > ALIGNMENT_NBYTES]
        hidden = _hidden(context, tensors[0], gaps) if context.deep else None
        if large or hidden:
            begin, end, kind = hidden or (*large[0], None)
            nbytes = sum(end - begin for begin, end in gaps)
            location = tensors[0].data.location
            looks = f", beginning as {kind}" if kind else ""
            yield RULE.finding(
                f"no tensor owns {nbytes:,} bytes of {location}, first {end - begin:,} "
                f"at byte {begin:,}{looks}",
                {"location": location, "offset": begin},
                severity="high" if kind else None,
                nbytes=nbytes,
                size=size,
                gaps=len(gaps),
            )


def _unused(tensors: Iterable[External], size: int) -> list[tuple[int, int]]:
    """Return the gaps of a file of `size` bytes that no tensor owns, in order."""
    gaps, position = [], 0
    for begin, end in sorted(external.range for external in tensors):
        if begin > position:
            gaps.append((position, min(begin, size)))
        position = max(position, end)
    if position < size:
        gaps.append((position, size))
    return gaps


def _hidden(
    context: Context, external: External, gaps: list[tuple[int, int]]
) -> tuple[int, int, str] | None:
    whole = context.files.whole(external.data)
    for begin, end in gaps if whole else ():
        kind = identify(Part(whole.read, begin, end - begin)) if whole else None
        if kind:
            return begin, end, kind
    return None
