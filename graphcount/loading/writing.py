"""Text files that are written whole or not at all."""

from __future__ import annotations

import os

from graphcount.errors import not_writable


def write_file(text: str, path: str) -> None:
    """Write text to a file, whole or not at all.

    A link keeps being one; what is no regular file (a device, a FIFO) is written to as it is.

    Raises:
        NotReadableError: The file cannot be written.
    """
    target = os.path.realpath(path)
    try:
        if os.path.exists(target) and not os.path.isfile(target):
            with open(target, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            return
        _replace(target, text)
    except OSError as error:
        raise not_writable(path, error) from None


def _replace(target: str, text: str) -> None:
    """Write a file beside the target and put it in its place; leave nothing behind on failure."""
    temporary = f"{target}.tmp{os.getpid()}"
    try:
        with open(temporary, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.replace(temporary, target)
    except OSError:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
