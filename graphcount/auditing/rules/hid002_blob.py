"""Text that is large, or is no text.

What it does:
    Reports strings of names, documentation and metadata larger than 1 MiB (low; the rest of them is
    not searched) and runs of base64 or hexadecimal digits longer than 1 KiB.

Why it matters:
    Text fields are where anything can be kept that is no weight; no tool looks there.

Example:
    A doc_string of 20 MB; a metadata value of base64.

What to do:
    Look at what it is, and whether the model needs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import and_more
from graphcount.auditing.rule import Rule
from graphcount.auditing.texts import SCANNED_NBYTES, SEARCHED_NBYTES, StoredString, Texts
from graphcount.loading.messages import MESSAGES
from graphcount.report.finding_rows import Finding

RULE = Rule("HID002", "blob-in-text", "medium")


BLOB = re.compile(
    rb"(?<![A-Za-z0-9+/=_-])[A-Za-z0-9+/=_-]{1025,}"
    rb"|(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{60,}+\r?\n){17,}+"
)
VARIETY = 12
"""Different bytes a run has at least; hexadecimal digits are 16."""


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for large text, one for blobs."""
    texts = context.texts
    large = [
        (len(p.raw), texts.where(p))
        for p in texts.distinct("name", "doc", "value", that=lambda raw: len(raw) > SCANNED_NBYTES)
    ]
    for cut in context.strings.left_out:
        field = MESSAGES[cut.message][cut.number].name
        large.append((cut.nbytes, {"path": f"{cut.message}.{field}", "offset": cut.offset}))
    if large:
        nbytes, where = max(large, key=lambda item: item[0])
        yield RULE.finding(
            f"a string of {nbytes:,} bytes; only its first {SCANNED_NBYTES:,} were searched"
            f"{and_more(len(large) - 1, 'string')}",
            where,
            severity="low",
            nbytes=nbytes,
            strings=len(large),
        )
    unsearched = texts.unsearched_nbytes("name", "doc", "value", "data")
    if unsearched:
        message = f"{unsearched:,} bytes of text beyond what is searched"
        yield RULE.finding(message, {}, severity="low", nbytes=unsearched)
    blobs = list(_blobs(texts))
    if blobs:
        place, run = blobs[0]
        yield RULE.finding(
            f"{len(run):,} base64 or hexadecimal digits in a row"
            f"{and_more(len(blobs) - 1, 'string')}",
            texts.where(place),
            nbytes=len(run),
            strings=len(blobs),
        )


def _blobs(texts: Texts) -> Iterator[tuple[StoredString, bytes]]:
    """Return the strings with a run that is no filler, each with its first one."""
    left = SEARCHED_NBYTES
    for place in texts.distinct("name", "doc", "value", that=lambda raw: len(raw) > 1024):
        raw = place.raw[: min(SCANNED_NBYTES, left)]
        left -= len(raw)
        for match in BLOB.finditer(raw):
            if len(set(match.group())) >= VARIETY:
                yield place, match.group()
                break
