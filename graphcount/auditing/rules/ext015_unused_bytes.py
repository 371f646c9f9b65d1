"""Bytes of an external data file that no tensor owns.

What it does:
    Adds up what no tensor of an external data file owns. It is reported when alignment does not
    explain it: a gap of more than 64 KiB, or gaps with other bytes than zero of more than 64 KiB in
    all. A deep audit also looks whether a program, an archive, a pickle or a script lies in the
    gaps, each alone and all joined, at any place.

Why it matters:
    Bytes that no tensor names travel unseen with the weights.

Example:
    A megabyte behind the last tensor; a zip archive in pieces of 40 bytes between 100 tensors.

What to do:
    Save the model again; what no tensor names is left out then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from graphcount.auditing.context import Context, External
from graphcount.auditing.hidden import first_in
from graphcount.auditing.rule import Rule
from graphcount.auditing.signs import within
from graphcount.report.finding_rows import Finding

RULE = Rule("EXT015", "external-data-unused-bytes", "medium")


ALIGNMENT_NBYTES = 64 * 1024


SEARCHED_NBYTES = 1 << 26
"""So many bytes of the gaps of a file are searched."""


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a file."""
    for tensors in context.external_files.values():
        size = tensors[0].data.nbytes or 0
        if any(external.data.problems for external in tensors):
            continue  # its ranges are not known
        gaps = _unused(tensors, size)
        nbytes = sum(end - begin for begin, end in gaps)
        large = [gap for gap in gaps if gap[1] - gap[0] > ALIGNMENT_NBYTES]
        read = context.deep and nbytes <= SEARCHED_NBYTES
        pieces = list(_pieces(context, tensors[0], gaps)) if read else []
        hidden = _hidden(gaps, pieces)
        filled = sum(len(piece) for piece in pieces if piece.strip(b"\0"))
        if large or hidden or filled > ALIGNMENT_NBYTES:
            begin, end, kind = hidden or (*(large or gaps)[0], None)
            location = tensors[0].data.location
            looks = f", with {kind}" if kind else ""
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


def _pieces(context: Context, external: External, gaps: list[tuple[int, int]]) -> Iterator[bytes]:
    """Yield the bytes of gaps."""
    whole = context.files.whole(external.data)
    for begin, end in gaps if whole else ():
        yield whole.read(begin, end - begin) if whole else b""


def _hidden(gaps: list[tuple[int, int]], pieces: list[bytes]) -> tuple[int, int, str] | None:
    """Return the gap in which something begins, and what: in one gap, or in all of them joined.

    Joined, they are also read without the zeros around each, which may be of alignment.
    """
    for (begin, end), piece in zip(gaps, pieces, strict=False):
        seen = within(piece) if len(piece) >= SMALLEST_NBYTES else None
        if seen:
            return begin + seen.at, end, seen.kind
    for joined in (b"".join(pieces), b"".join(piece.strip(b"\0") for piece in pieces)):
        seen = within(joined)
        if seen:
            return (*gaps[0], f"{seen.kind} in pieces")
    kind = first_in(b"".join(pieces)) if any(pieces) else None
    return (*gaps[0], kind) if kind else None


SMALLEST_NBYTES = 32
