"""Characters that look like ASCII ones: a small table after Unicode TR 39 (confusables.txt).

Only what can be taken for an ASCII letter or digit matters for names of models: Cyrillic, Greek,
Latin variants and, by compatibility decomposition, fullwidth and mathematical letters.
"""

from __future__ import annotations

import unicodedata

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
"""ASCII character by the code of the one that looks like it."""


def skeleton(text: str) -> str:
    """What a name looks like in ASCII."""
    return unicodedata.normalize("NFKC", text).translate(LOOKALIKES)
