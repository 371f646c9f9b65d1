"""Stamps: whether a file is still the one that was read, without reading it.

A stamp is a short text: size and time of the last change, or what a store or server tells (ETag,
generation). A member of an archive has the stamp of the archive.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from graphcount.errors import GraphcountError, NotReadableError
from graphcount.loading import open_again
from graphcount.loading.external import Way, look
from graphcount.loading.source import has_scheme, sha256_of

MOST_EXTERNAL_FILES = 64
"""A model with more external data files has no stamp: it is read again."""


def stamp(path: str) -> str:
    """Return the stamp of one file.

    Raises:
        NotReadableError: There is no such file.
    """
    if path.startswith("zip://"):
        from graphcount.loading.archive import split_member

        return stamp(split_member(path)[1])
    if has_scheme(path):
        from graphcount.loading.remote import stamp_of

        return stamp_of(path)
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        raise NotReadableError("no such file", path) from None
    return f"{status.st_size}; {status.st_mtime_ns}"


def external_stamps(model_path: str, locations: Iterable[str]) -> dict[str, str] | None:
    """Return stamps of a model's external data files by location; None when there are too many.

    A file that is missing or must not be looked at has its reason instead.
    """
    wanted = sorted(set(locations))
    if len(wanted) > MOST_EXTERNAL_FILES:
        return None
    stamps = {}
    way = Way(model_path)
    for location in wanted:
        data = look(location, model_path, way=way)
        try:
            stamps[location] = stamp(data.path) if data.path else data.problems[0].why
        except GraphcountError as error:
            stamps[location] = error.message
    return stamps


def sha256(path: str) -> str:
    """Return SHA-256 of a whole file, in chunks.

    Raises:
        NotReadableError: It cannot be read, or not a second time (standard input).
    """
    with open_again(path) as file:
        return sha256_of(file)
