"""Text that is safe to show: names in a model are written by whoever made it.

Control characters, bidirectional overrides, zero-width and tag characters become visible escapes,
so that a name cannot move the cursor, hide itself or forge a log line (Unicode TR 36, TR 39).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphcount.characters import UNSAFE
from graphcount.credentials import mask
from graphcount.report.rows import Dim, MomentRow

LEVELS = "▁▂▃▄▅▆▇█"
"""Heights in a line that draws a run."""

MAX_LENGTH = 120
"""Names are cut here in text formats; machine formats keep them whole."""

_UNSAFE = re.compile(
    f"[{UNSAFE}\ufffe\uffff]"
    r"|(?<=\#)\#(?=\[)|\A\s*:(?=:)"  # `##[…]` and `::…::` are commands in the logs of CI runners
)


def safe(text: str, limit: int | None = MAX_LENGTH) -> str:
    """Make a name visible and harmless, credentials masked, and cut it at `limit` characters."""
    plain = _UNSAFE.sub(_escape, mask(text))
    if limit is not None and len(plain) > limit:
        return f"{plain[: limit - 3]}..."
    return plain


def shape(dims: tuple[Dim, ...] | None) -> str:
    """Return `[batch, 3, ?]`; empty when no shape is stated."""
    if dims is None:
        return ""
    return f"[{', '.join('?' if dim is None else safe(str(dim), 40) for dim in dims)}]"


def one_line(text: str, limit: int = 300) -> str:
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
        "─": "-", "━": "=", "│": "|", "…": "~", "·": "*", "×": "x", "→": ">", "−": "-",
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
