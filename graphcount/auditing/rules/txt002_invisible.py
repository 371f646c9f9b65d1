"""Text has characters that hide or reorder it.

What it does:
    Looks for bidirectional controls, zero-width and tag characters in names; in documentation and
    metadata for overrides and tags only (low), since other languages need the rest.

Why it matters:
    Two names that look the same are different ones, a name reads backwards, or a sentence is there
    that no one sees.

Example:
    `weight` with a zero-width space in it.

What to do:
    Rename; ask who made the name.

References:
    Unicode TR 36, TR 39; CVE-2021-42574 (Trojan Source).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import and_more
from graphcount.auditing.rule import Rule
from graphcount.characters import BIDI, INVISIBLE, TAG
from graphcount.report.finding_rows import Finding

RULE = Rule("TXT002", "invisible-characters", "medium")


IN_NAMES = re.compile(f"[{BIDI}{INVISIBLE}{TAG}]")
IN_TEXT = re.compile(f"[\u202a-\u202e\u2066-\u2069{TAG}]")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for names, one for text."""
    for kinds, pattern, severity in (
        (("name",), IN_NAMES, RULE.severity),
        (("doc", "value"), IN_TEXT, "low"),
    ):
        places = [place for place in context.texts.unexpected(*kinds) if pattern.search(place.text)]
        if places:
            first = places[0]
            code = ord(pattern.findall(first.text)[0])
            yield RULE.finding(
                f"U+{code:04X} in {first.text[:80]!r}{and_more(len(places) - 1, 'string')}",
                context.texts.where(first),
                severity="low" if severity == "low" else None,
                strings=len(places),
                found=f"U+{code:04X}",
            )
