"""The path is no regular file.

What it does:
    Looks at what a path is before it is opened: missing, a folder, a FIFO, a device, a socket, or a
    loop of links is an error (exit 2). FIFOs and devices are never opened.

Why it matters:
    A FIFO blocks a reader for ever, a device may never end, and opening either can have effects.

Example:
    `model.onnx` that is a named pipe.

What to do:
    Give the path of a file.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("FMT011", "not-a-file", "high")


def check(context: Context) -> Iterable[Finding]:
    """Yield nothing: the error itself says it."""
    return ()
