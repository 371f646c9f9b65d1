"""Words for what a step hands to the next."""

from __future__ import annotations

from collections import Counter

from graphcount.report.pass_rows import StatesRow
from graphcount.units import exact, nbytes


def states_words(states: StatesRow, binary: bool = False, room: int | None = None) -> str:
    """Return bytes that a step hands to the next: of a token, of a sequence, in all, by kind."""
    parts = [
        f"{nbytes(number, binary)} a {what}"
        for number, what in (
            (states.nbytes_per_token, "token"),
            (states.nbytes_per_sequence, "sequence"),
        )
        if isinstance(number, int) and number
    ]
    kinds = Counter(row.kind for row in states.rows)
    named = ", ".join(f"{exact(count)} {kind}" for kind, count in kinds.most_common())
    if isinstance(states.nbytes, int):
        whole = [f"{nbytes(states.nbytes, binary)} in all"]
    else:
        whole = [f"{states.nbytes} bytes" if states.nbytes is not None else "bytes not known"]
    words = f"{'; '.join(parts + whole)} ({named})"
    if isinstance(states.nbytes, int) or room is None or len(words) <= room or not parts:
        return words
    return f"{'; '.join(parts)} ({named})"
