"""Names that look like other names.

What it does:
    Compares what names look like: Cyrillic, Greek, fullwidth and mathematical letters are replaced
    by the ASCII letters they resemble. A name that then equals another one of the file is low; one
    that equals a standard operator is medium.

Why it matters:
    A reader takes one for the other: a node seems to be `Relu` and is not, a table seems to list a
    tensor twice.

Example:
    `Relu`, written with a Cyrillic e.

What to do:
    Rename; ask who made the name.

References:
    Unicode TR 39, confusables.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import and_more
from graphcount.auditing.rule import Rule
from graphcount.ops import operators
from graphcount.report.finding_rows import Finding

RULE = Rule("TXT005", "look-alike-names", "low")

_PAIRS = (
    "аaеeоoрpсcуyхxіiјjѕsһhԁdԛqԝwӏlᴦrɡgвʙ",  # Cyrillic, small
    "АAВBЕEКKМMНHОOРPСCТTХXУYІIЈJЅSԌGЗ3Ԛ​QԜW".replace("\u200b", ""),  # Cyrillic, capital
    "αaοoνvρpυuγyιiκkχxηn",  # Greek, small
    "ΑAΒBΕEΖZΗHΙIΚKΜMΝNΟOΡPΤTΥYΧX",  # Greek, capital
    "ıiɩiſsɑaƽ5ƨ2ǀlǃ!",  # Latin
)

LOOKALIKES: dict[int, str] = {
    ord(pair[i]): pair[i + 1] for pair in _PAIRS for i in range(0, len(pair), 2)
}
"""ASCII character by the code of the one that looks like it: a small table after Unicode TR 39
(confusables.txt). Only what can be taken for an ASCII letter or digit matters for names of models:
Cyrillic, Greek, Latin variants and, by compatibility decomposition, fullwidth and mathematical
letters."""


def skeleton(text: str) -> str:
    """Return what a name looks like in ASCII."""
    return unicodedata.normalize("NFKC", text).translate(LOOKALIKES)


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for operators, one for all other names."""
    suspects = [
        (place, skeleton(place.text))
        for place in context.texts.unexpected("name")
        if not place.raw.isascii()
    ]
    if not suspects:
        return
    names = {place.text for place in context.texts.distinct("name")}
    op_types = {op_type for _, op_type in operators()}
    imitating = [(p, s) for p, s in suspects if s != p.text and s in op_types]
    others = [(p, s) for p, s in suspects if s != p.text and s in names and s not in op_types]
    for hits, what in ((imitating, "the operator"), (others, "the name")):
        if hits:
            place, looks = hits[0]
            yield RULE.finding(
                f"{place.text[:80]!a} looks like {what} {looks[:80]}"
                f"{and_more(len(hits) - 1, 'name')}",
                context.texts.where(place),
                severity="medium" if what == "the operator" else None,
                strings=len(hits),
            )
