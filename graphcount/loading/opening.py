"""Open what a path names: a file, standard input, a member of an archive, something remote."""

from __future__ import annotations

import io
import os
import stat
import sys
from typing import IO, cast

from graphcount.errors import NotReadableError
from graphcount.loading.paths import has_scheme
from graphcount.loading.source import FileSource, Source, SourceFile, irregular, open_regular, spool


def open_source(path: str) -> Source:
    """Open a model: a path, `-` for standard input, a URL, a member of an archive.

    Raises:
        NotReadableError: Missing, not a regular file, or refused; FIFOs and devices are not opened.
    """
    if path == "-":
        return _stdin()
    if not has_scheme(path):
        return FileSource(open_regular(path), path)
    if path.startswith("zip://"):
        from graphcount.loading.archive import open_member

        return open_member(path)
    from graphcount.loading.remote import open_remote

    return open_remote(path)


def open_again(path: str) -> IO[bytes]:
    """Open what a path names for reading and seeking; the one way to the data of a model.

    Raises:
        NotReadableError: It cannot be opened, or not twice (standard input).
    """
    if path == "-":
        raise NotReadableError("standard input cannot be read twice; name a file", path)
    if not has_scheme(path):
        return open_regular(path)
    return cast("IO[bytes]", io.BufferedReader(SourceFile(open_source(path)), 8192))


def _stdin() -> FileSource:
    """Standard input; what comes through a pipe is spooled."""
    if sys.stdin is None:  # started with a closed standard input
        raise NotReadableError("is closed", "-")
    stream = sys.stdin.buffer
    try:
        mode = os.fstat(stream.fileno()).st_mode
        if stat.S_ISREG(mode):
            return FileSource(os.fdopen(os.dup(stream.fileno()), "rb", buffering=0), "-")
    except (OSError, ValueError):
        mode = stat.S_IFIFO  # no descriptor behind it (a test double): read it as a stream
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):  # a terminal, or one that never ends
        raise NotReadableError(f"is {irregular(mode)}, not a file", "-")
    return spool(stream, "-", "standard input")
