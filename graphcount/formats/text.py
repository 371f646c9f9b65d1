"""Text that is safe to show: names in a model are written by whoever made it.

Control characters, bidirectional overrides, zero-width and tag characters become visible escapes,
so that a name cannot move the cursor, hide itself or forge a log line (Unicode TR 36, TR 39).

Names that are longer than their place are cut in the middle, so that both ends stay and neighbours
differ.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from graphcount.characters import UNSAFE
from graphcount.credentials import mask
from graphcount.report.pass_rows import MomentRow
from graphcount.report.rows import Dim

LEVELS = "▁▂▃▄▅▆▇█"
"""Heights in a line that draws a run."""

MAX_LENGTH = 120
"""Names are cut here in text formats; machine formats keep them whole."""

_UNSAFE = re.compile(
    f"[{UNSAFE}\ufffe\uffff]"
    r"|(?<=\#)\#(?=(?:[vV][sS][oO])?\[)"  # `##[…]` and `##vso[…]` are commands of CI runners
    r"|\A\s*:(?=:)"  # so is `::…::` where a line begins
)
_COMMAND = re.compile(r"^(\s*):(?=:)", re.MULTILINE)


def safe(text: str, limit: int | None = MAX_LENGTH) -> str:
    """Make a name visible and harmless, credentials masked, and cut it at `limit` characters."""
    plain = _UNSAFE.sub(_escape, mask(text))
    if limit is not None and len(plain) > limit:
        return f"{plain[: limit - 3]}..."
    return plain


def inert(text: str) -> str:
    """Return lines of which none is a command of a CI runner, wherever a name was wrapped.

    GitHub's trims a line and looks for `::` at its beginning (actions/runner, ActionCommand).
    """
    return _COMMAND.sub(r"\1\\x3a", text)


def shape(dims: tuple[Dim, ...] | None) -> str:
    """Return `[batch, 3, ?]`; empty when no shape is stated."""
    if dims is None:
        return ""
    return f"[{', '.join('?' if dim is None else safe(str(dim), 40) for dim in dims)}]"


def one_line(text: str, limit: int | None = 300) -> str:
    """Return an error message on one line, harmless, of at most `limit` characters."""
    return safe(text, limit)


def _escape(match: re.Match[str]) -> str:
    matched = match.group()
    if len(matched) > 1:  # blanks before `::`
        return "".join(_UNSAFE.sub(_escape, part) for part in matched[:-1]) + "\\x3a"
    code = ord(matched)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


_ASCII = str.maketrans(
    {
        "─": "-", "━": "=", "│": "|", "…": "~", "·": "*", "×": "x", "→": ">", "≥": ">", "−": "-",
        "█": "#", "▉": "#", "▊": "#", "▋": "#", "▌": "#", "▍": " ", "▎": " ", "▏": " ",
        "▁": "_", "▂": ".", "▃": ":", "▄": "-", "▅": "=", "▆": "+", "▇": "*",
    }
)  # fmt: skip
"""Signs of our own, for terminals that have only ASCII."""


def ascii_only(text: str) -> str:
    """Replace our signs by similar ASCII ones, and escape everything else beyond ASCII."""
    return text.translate(_ASCII).encode("ascii", "backslashreplace").decode("ascii")


MARKDOWN_ESCAPES = str.maketrans({sign: f"\\{sign}" for sign in "\\`*_{}[]()#+-.!|~>@:$"})
"""Characters that mean something in Markdown."""


def escape(text: str, limit: int | None = MAX_LENGTH) -> str:
    """Escape a name so that Markdown shows it as it is, in a table or out of one."""
    plain = safe(text, limit).translate(MARKDOWN_ESCAPES)
    return plain.replace("&", "&amp;").replace("<", "&lt;")


def sparkline(timeline: Sequence[MomentRow], width: int) -> str:
    """Draw bytes alive over the run in one line: the highest moment of each stretch."""
    most = max((moment.nbytes for moment in timeline), default=0)
    if not most:
        return ""
    width = min(width, len(timeline))
    highest = (
        max(moment.nbytes for moment in timeline[start:end])
        for start, end in (
            (place * len(timeline) // width, (place + 1) * len(timeline) // width)
            for place in range(width)
        )
    )
    return "".join(LEVELS[min(7, 8 * height // most)] for height in highest)


# -------------------------------------------------------------------- long names in little room

CUT = "…"
"""What stands for characters that are left out."""

LEAST_END = 3
"""Characters of an end that are worth showing."""


def text_columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def middle(text: str, width: int) -> str:
    """Return a text of at most `width` columns, its middle left out when it is longer."""
    return _cut(text, width, max(0, width - 1) // 2)


def end(text: str, width: int) -> str:
    """Return a text of at most `width` columns, its end left out when it is longer."""
    return _cut(text, width, width)


def distinct(texts: Sequence[str], width: int) -> list[str]:
    """Return texts of at most `width` columns, different where the texts are different.

    Names that would look the same when their middles are cut are cut elsewhere: where they differ
    stays. When no cut keeps them apart, they are numbered.
    """
    short = {text: middle(text, width) for text in texts}
    clashes = _clashes(short)
    if clashes:
        for text in clashes:
            del short[text]
        short.update(_apart(clashes, width, set(short.values())))
    return [short[text] for text in texts]


def _clashes(short: dict[str, str]) -> list[str]:
    counts = Counter(short.values())
    return [text for text, cut in short.items() if counts[cut] > 1]


def _apart(texts: list[str], width: int, taken: set[str]) -> dict[str, str]:
    """Cut texts that clash: at another place, else around where they differ, else numbered."""
    best: dict[str, str] = {}
    for head in sorted(range(width), key=lambda head: abs(head - width // 2)):
        best = {text: _cut(text, width, head) for text in texts}
        if not _clashes(best) and taken.isdisjoint(best.values()):
            return best
    start, end = _common(texts)
    best = {text: _window(text, width, start, end) for text in texts}
    if not _clashes(best) and taken.isdisjoint(best.values()):
        return best
    return _numbered(texts, width, taken)


def _common(texts: list[str]) -> tuple[int, int]:
    """Return how many characters texts share at their beginnings, and at their ends."""
    start = _shared(texts)
    return start, _shared([text[start:][::-1] for text in texts])


def _shared(texts: list[str]) -> int:
    """Return how many first characters all texts share."""
    first, last = min(texts), max(texts)
    pairs = zip(first, last, strict=False)
    least = min(len(first), len(last))
    return next((place for place, (one, two) in enumerate(pairs) if one != two), least)


def _window(text: str, width: int, start: int, end: int) -> str:
    """Return the part in which texts differ, and of what is around it what fits."""
    inner = text[start : len(text) - end]
    before = min(start, max(0, width - 2 - len(inner)) // 2)
    part = text[start - before :]
    return CUT + _cut(part, width - 1, max(LEAST_END, width - 1 - LEAST_END - 1))


def _numbered(texts: list[str], width: int, taken: set[str]) -> dict[str, str]:
    """Return names with a number in the place of their middle."""
    numbered: dict[str, str] = {}
    used, number = set(taken), 0
    for text in texts:
        while True:
            number += 1
            mark = f"{CUT}{number}{CUT}"
            room = max(0, width - len(mark))
            ends = _ends(text, room, room // 2)
            cut = f"{ends[0]}{mark}{ends[1]}"
            if cut not in used:
                break
        numbered[text] = cut
        used.add(cut)
    return numbered


def _cut(text: str, width: int, head: int) -> str:
    """Return a text of at most `width` columns, `head` of them before what is left out."""
    if text_columns(text) <= width:
        return text
    before, after = _ends(text, max(0, width - 1), head)
    return f"{before}{CUT}{after}"


def _ends(text: str, room: int, head: int) -> tuple[str, str]:
    """Return the beginning of a text, of at most `head` columns, and as much of its end as fits."""
    before = _take(text, min(head, room))
    after = _take(text[::-1], room - text_columns(before))[::-1]
    return before, after


def _take(text: str, room: int) -> str:
    """Return the first characters of a text that fit into so many columns."""
    part = text[: max(0, room)]
    while text_columns(part) > room:
        part = part[:-1]
    return part
