"""Names are longer than 1 KiB.

What it does:
    Reports names of more than 1,024 bytes.

Why it matters:
    No exporter writes them. They fill logs and tables, and data can be kept in them.

Example:
    A node name of one megabyte.

What to do:
    Look at what the name holds; rename.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding
from graphcount.units import counted

RULE = Rule("TXT003", "long-names", "medium")


LONG_NBYTES = 1024


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all names."""
    long = list(context.texts.distinct("name", that=lambda raw: len(raw) > LONG_NBYTES))
    if long:
        longest = max(long, key=lambda place: len(place.raw))
        yield RULE.finding(
            f"{counted(len(long), 'name')} of more than {LONG_NBYTES:,} bytes; "
            f"the longest has {len(longest.raw):,} and begins {longest.text[:40]!r}",
            context.texts.where(longest),
            names=len(long),
            nbytes=len(longest.raw),
        )
