"""Rich renderables → text: one console, set up the same way for every screen."""

from __future__ import annotations

import io
from collections.abc import Iterable

from rich.console import Console, RenderableType

DEFAULT_WIDTH = 100


def to_text(parts: Iterable[RenderableType], width: int | None, color: bool) -> str:
    """Print parts below each other; no markup is read from anything, no line ends in spaces."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=width or DEFAULT_WIDTH,
        color_system="standard" if color else None,
        force_terminal=color,
        no_color=not color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    for part in parts:
        console.print(part)
    return "\n".join(line.rstrip() for line in out.getvalue().split("\n")).rstrip() + "\n"
