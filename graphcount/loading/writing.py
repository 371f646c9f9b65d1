"""Text files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from graphcount.errors import not_writable


def write_file(text: str, path: str) -> None:
    """Write text to a file, whole or not at all.

    A link keeps being one; what is no regular file (a device, a FIFO) is written to as it is.

    Raises:
        NotReadableError: The file cannot be written.
    """
    try:
        with replacing(path) as name, open(name, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise not_writable(path, error) from None


@contextmanager
def replacing(path: str) -> Iterator[str]:
    """Yield a name to write to, put in the place of `path` when all is written.

    A link keeps being one; what is no regular file (a device, a FIFO) is written to as it is.
    Nothing is left behind on failure. The temporary file has a name that nobody can foresee, and
    is made anew: a link that lies in wait for it is not followed.
    """
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target):
        yield target
        return
    temporary = os.path.join(os.path.dirname(target), f".{os.urandom(12).hex()}.tmp")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        os.replace(temporary, target)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)
