"""Names of dimensions: in formulas, where each reads back as one name, and in options."""

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


PLAIN = re.compile(r"[\w.:,/\[\]\u2026+-]+")
"""Names that a shell takes as they are."""


def option(name: str, size: object = "N") -> str:
    """Return how a size is given: `--dim batch=N`, in quotes where a shell wants them."""
    text = f"{name}={size}"
    if PLAIN.fullmatch(name):
        return f"--dim {text}"
    quoted = text.replace("'", "'\\''")
    return f"--dim '{quoted}'"
