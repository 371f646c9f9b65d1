"""Text has control characters.

What it does:
    Looks for C0, DEL and C1 characters in every string: any of them in names, all but tab and line
    ends in documentation and metadata. Terminal escape sequences there are high: they draw. In
    strings the model computes with they are low.

Why it matters:
    Printed as they are, they move the cursor, erase lines, forge the lines of a log or commands of
    a CI system. graphcount prints them as visible escapes.

Example:
    A node whose name clears the line and prints a green PASS.

What to do:
    Do not print names of this model with other tools; ask who named them.

References:
    CWE-150; CVE-2021-42574.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import and_more
from graphcount.auditing.rule import Rule, Severity
from graphcount.auditing.texts import StoredString
from graphcount.characters import CONTROL
from graphcount.report.finding_rows import Finding

RULE = Rule("TXT001", "control-characters", "medium")

IN_NAMES = re.compile(f"[{CONTROL}]")
IN_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
SEQUENCE = re.compile("\x1b[\\[\\]P]|\x9b")
"""CSI, OSC and DCS of ECMA-48: they colour, move the cursor, erase, set titles."""


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for what draws, one for other text, one for the model's strings."""
    texts = context.texts
    hits = [place for place in texts.unexpected("name") if IN_NAMES.search(place.text)]
    hits += [place for place in texts.unexpected("doc", "value") if IN_TEXT.search(place.text)]
    drawing = [place for place in hits if SEQUENCE.search(place.text)]
    others = [place for place in hits if not SEQUENCE.search(place.text)]
    data = [place for place in texts.unexpected("data") if SEQUENCE.search(place.text)]
    by_severity: tuple[tuple[list[StoredString], Severity], ...] = (
        (drawing, "high"),
        (others, "medium"),
        (data, "low"),
    )
    for places, severity in by_severity:
        if places:
            first = places[0]
            yield RULE.finding(
                f"control characters in {first.text[:80]!r}{and_more(len(places) - 1, 'string')}",
                context.texts.where(first),
                severity=severity,
                strings=len(places),
            )
