"""Names of dimensions as formulas have them, so that each reads back as one name."""

from __future__ import annotations

import re

NAME = re.compile(r"[^\W\d]\w*(?:[.:]\w+)*(?:\[\d+\])?")
"""Names that stand by themselves: `batch`, `past.0`, `images:0[2]`."""

WORDS = re.compile(r"\w[\w.:]*(?: [\w.:]+)+(?:\[\d+\])?")
"""Names of several words, which stand in parentheses: `(batch size)`. All others are quoted."""


def written(name: str) -> str:
    """Return a name as formulas have it."""
    if NAME.fullmatch(name):
        return name
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f"({name})" if WORDS.fullmatch(name) else f'"{quoted}"'
