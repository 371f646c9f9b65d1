"""Text has web and e-mail addresses.

What it does:
    Lists how many strings of names, documentation and metadata have URLs or e-mail addresses, and
    the first.

Why it matters:
    Mostly a licence or an author. Worth a look when an address is unexpected; nothing here is ever
    fetched.

Example:
    `https://example.org/model-card` in metadata.

What to do:
    Nothing, unless the address is a surprise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import and_more
from graphcount.auditing.rule import Rule
from graphcount.auditing.texts import SCANNED_NBYTES, StoredString, Wanted
from graphcount.credentials import mask, may_hold
from graphcount.report.finding_rows import Finding

RULE = Rule("PRV003", "addresses", "info")


PATTERNS = (
    ("web address", rb"\b(?:https?|ftp|s3|gs|wss?)://[\w.~:/?#@!$&()*+,;=%-]{3,200}", (b"://",)),
    (
        "e-mail address",
        rb"(?<![\w.+-])[\w.+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}\b",
        (b"@",),
    ),
)


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for each kind."""
    for what, pattern, needs in PATTERNS:
        wanted = Wanted(re.compile(pattern), needs)
        hits = list(_hits(context, wanted))
        if hits:
            place, match = hits[0]
            yield RULE.finding(
                f"{what} {match.decode('utf-8', 'replace')}{and_more(len(hits) - 1, 'string')}",
                context.texts.where(place),
                strings=len(hits),
            )


def _hits(context: Context, wanted: Wanted) -> Iterator[tuple[StoredString, bytes]]:
    """Yield what stands where credentials are masked: `user:password@host` is no e-mail address."""
    for place, first in context.texts.matching(wanted, "name", "doc", "value"):
        text = place.raw[:SCANNED_NBYTES].decode("utf-8", "surrogateescape")
        if not may_hold(text):
            yield place, first
            continue
        match = wanted.pattern.search(mask(text).encode("utf-8", "surrogateescape"))
        if match is not None:
            yield place, match.group()
