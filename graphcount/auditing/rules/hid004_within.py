"""A program, archive or script lies within tensor data.

What it does:
    Searches all tensors, at every place, not only at their beginnings: their bytes, also
    backwards, in another byte order or combined with a constant by exclusive or; each byte of the
    elements on its own; the lowest 1 to 16 bits of each element; each bit plane. Beginnings of
    tensors are also read by columns, some elements apart, from several tensors in turn, and as
    numbers that stand for bytes. Models with more than 64 MB of tensors are searched with `--deep`
    only, as it takes some seconds for each 100 MB. What stands there must be whole: a header that
    fits, an archive that unpacks, readable text. Scripts, pages, credentials and other text are
    medium.

Why it matters:
    Weights keep working when their low bits are replaced. A program travels there unseen, and
    something else takes it out.

Example:
    A zip archive in the lowest 4 bits of a layer's weights.

What to do:
    Do not load the model. Round the weights, or cut the bytes out (their place is stated), and
    look at them apart from everything else. Encrypted bytes have no sign: they cannot be told from
    trained weights, here or anywhere.

References:
    CWE-506; arXiv 2310.01969.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.analysis.stored import UNNAMED
from graphcount.auditing.context import Context
from graphcount.auditing.grouping import about_tensors, and_more
from graphcount.auditing.hidden import Payload, look
from graphcount.auditing.rule import Rule
from graphcount.auditing.signs import TEXTS
from graphcount.report.finding_rows import Finding
from graphcount.units import counted

RULE = Rule(
    "HID004", "hidden-within-tensors", "high", reads_payload=True, unasked_nbytes=64 * 10**6
)


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding a kind, and one for what was not searched."""
    searched = look(context.stored, context.files)
    by_kind: dict[str, list[Payload]] = {}
    for payload in searched.payloads:
        by_kind.setdefault(payload.kind, []).append(payload)
    for kind, payloads in by_kind.items():
        first = payloads[0]
        tensors = list({payload.stored.key: payload.stored for payload in payloads}.values())
        yield about_tensors(
            RULE,
            context,
            tensors,
            f"{first.stored.name or UNNAMED} holds {kind} in {first.how}, from byte {first.at:,} "
            f"of its data{and_more(len(tensors) - 1, 'tensor')}",
            severity="medium" if kind in TEXTS else None,
            looks_like=kind,
            bits=first.how,
            data_offset=first.at,
        )
    crowded = len({stored.key for stored in searched.crowded})
    if searched.left or crowded:
        yield RULE.finding(
            f"not all was searched: {searched.left:,} bytes in many pieces or too large, "
            f"{counted(crowded, 'tensor')} with more than is followed",
            {},
            severity="low",
            nbytes=searched.left,
            tensors=crowded,
        )
