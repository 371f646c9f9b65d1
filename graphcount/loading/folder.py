"""The files of a folder, here or in a store: nothing outside it is named, looked at or opened.

A link to a file counts where it leads into the folder, or, in a snapshot of a Hugging Face cache,
into the blobs of that cache. Any other link is listed with what is wrong, and never followed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import cached_property
from posixpath import normpath
from typing import NamedTuple

from graphcount.errors import LimitError, NotReadableError
from graphcount.loading import open_source
from graphcount.loading.source import has_scheme, irregular, public_path

MOST_FILES = 10_000
"""Files of a folder; each may become a row, and in a store a page of a listing."""

MOST_DEPTH = 20
"""Folders within folders."""

TO_FOLDER = "is a link to a folder"


class FolderFile(NamedTuple):
    """A file of a folder.

    Attributes:
        name: From the folder, with `/` between parts.
        nbytes: Size; None where it must not be looked at.
        place: Its name without links; two names of one file have the same.
        problem: Why it must not be read; empty when it may.
    """

    name: str
    nbytes: int | None
    place: str
    problem: str = ""


class Folder:
    """A folder that was listed.

    Attributes:
        path: As given.
        files: Its files, by name.
        folders: Folders in it, by name.
        links: Links to folders in it: what is there is listed once, under its own name.
    """

    def __init__(
        self,
        path: str,
        files: tuple[FolderFile, ...],
        folders: frozenset[str],
        links: frozenset[str] = frozenset(),
    ) -> None:
        self.path = path
        self.files = files
        self.folders = folders
        self.links = links

    @cached_property
    def by_name(self) -> dict[str, FolderFile]:
        """Files by name."""
        return {file.name: file for file in self.files}

    def real(self, name: str) -> str | None:
        """Return what a name stands for in the folder, links followed; None: it leaves it."""
        if has_scheme(self.path):
            plain = normpath(name)
            return None if plain.startswith(("..", "/")) else "" if plain == "." else plain
        root = os.path.realpath(self.path)
        try:
            below = os.path.relpath(os.path.realpath(os.path.join(root, name)), root)
        except (OSError, ValueError):
            return None
        if below.split(os.sep)[0] == os.pardir:
            return None
        return "" if below == os.curdir else below.replace(os.sep, "/")

    def inside(self, folder: str) -> tuple[FolderFile, ...]:
        """Return the files of a folder of it, and of all below; `""` is the whole."""
        return tuple(f for f in self.files if not folder or f.name.startswith(f"{folder}/"))

    def path_of(self, name: str) -> str:
        """Return the path under which a file of it is opened."""
        return f"{self.path.rstrip('/')}/{name}" if name else self.path

    def read(self, name: str, most: int) -> bytes:
        """Return the bytes of a file.

        Raises:
            NotReadableError: There is none of the name, or it must not be read.
            LimitError: It is larger than `most` bytes.
        """
        file, path = self.by_name.get(name), public_path(self.path_of(name))
        if file is None or file.problem:
            raise NotReadableError(file.problem if file else "no such file", path)
        source = open_source(self.path_of(name))
        try:
            if source.nbytes > most:
                raise LimitError(f"larger than {most:,} bytes", path)
            return source.read(0, source.nbytes)
        finally:
            source.close()


def is_folder(path: str) -> bool:
    """Return whether a path names a folder: one that is here, or one in a store by a last `/`."""
    return path.endswith("/") if has_scheme(path) else os.path.isdir(path)


def list_folder(path: str) -> Folder:
    """List a folder and all below it.

    Raises:
        NotReadableError: It is no folder, or cannot be listed.
        LimitError: It has more than `MOST_FILES` files, or is nested deeper than `MOST_DEPTH`.
    """
    if not has_scheme(path) and not os.path.isdir(path):
        missing = not os.path.lexists(path)
        raise NotReadableError("no such folder" if missing else "is a file, not a folder", path)
    list_one = _stored if has_scheme(path) else _local
    files: list[FolderFile] = []
    folders: list[str] = []
    waiting = [""]
    while waiting:
        below = waiting.pop()
        if below.count("/") >= MOST_DEPTH:
            raise LimitError(f"folders are nested deeper than {MOST_DEPTH}", public_path(path))
        for entry in list_one(path, below):
            if isinstance(entry, str):
                folders.append(entry)
                waiting.append(entry)
            else:
                files.append(entry)
        if len(files) + len(folders) > MOST_FILES:
            raise LimitError(f"more than {MOST_FILES:,} files in the folder", public_path(path))
    links = frozenset(file.name for file in files if file.problem == TO_FOLDER)
    kept = sorted(file for file in files if file.problem != TO_FOLDER)
    return Folder(path, tuple(kept), frozenset(folders), links)


def _stored(path: str, below: str) -> Iterator[FolderFile | str]:
    """Yield files, and names of folders, of a folder in a store."""
    from graphcount.loading.remote import listing

    for entry in listing(f"{path.rstrip('/')}/{below}".rstrip("/")):
        name = f"{below}/{entry.name}".lstrip("/")
        yield name if entry.is_folder else FolderFile(name, entry.nbytes, name)


def _local(path: str, below: str) -> Iterator[FolderFile | str]:
    """Yield files, and names of folders, of a local folder."""
    root = os.path.realpath(path)
    roots = (root, *_blobs(root))
    try:
        with os.scandir(os.path.join(root, below)) as entries:
            for entry in entries:
                name = f"{below}/{entry.name}".lstrip("/")
                if entry.is_dir(follow_symlinks=False):
                    yield name
                else:
                    yield _file(name, entry.path, roots)
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise NotReadableError(f"the folder cannot be listed: {reason}", path) from None


def _blobs(root: str) -> tuple[str, ...]:
    """Return the blobs of a Hugging Face cache, when the folder is a snapshot of it.

    huggingface_hub, "Understand caching": `models--X/snapshots/REVISION/file` is a link to
    `models--X/blobs/DIGEST`.
    """
    snapshots = os.path.dirname(root)
    cache = os.path.dirname(snapshots)
    known = os.path.basename(snapshots) == "snapshots" and "--" in os.path.basename(cache)
    return (os.path.join(cache, "blobs"),) if known else ()


def _file(name: str, path: str, roots: tuple[str, ...]) -> FolderFile:
    try:
        real = os.path.realpath(path, strict=True)
        if not any(os.path.commonpath((root, real)) == root for root in roots):
            return FolderFile(name, None, name, "is a link that leaves the folder")
        status = os.stat(real)
    except (OSError, ValueError):
        return FolderFile(name, None, name, "is a link that leads nowhere")
    if stat.S_ISDIR(status.st_mode):
        return FolderFile(name, None, name, TO_FOLDER)
    kind = irregular(status.st_mode)
    place = os.path.relpath(real, roots[0]).replace(os.sep, "/")
    return FolderFile(name, None if kind else status.st_size, place, kind and f"is {kind}")
