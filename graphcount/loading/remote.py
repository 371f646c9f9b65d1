"""Models on other machines, by fsspec: https, S3, Google Cloud Storage, Hugging Face, Azure.

A remote file is read in ranges through `graphcount.loading.readahead`, so that a model of gigabytes
costs a few round trips. Every answer is bounded: a request has a timeout, is tried again when the
network fails, and no more bytes are taken than were asked for. Credentials are found by the
libraries' own means (environment, profiles, netrc); nothing of them, nor of a URL's user and
signature, is ever shown: messages are made here, the libraries' own are dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from posixpath import dirname
from typing import Any, NamedTuple
from urllib.parse import quote

from graphcount.errors import GraphcountError, NotReadableError
from graphcount.loading.limits import Limits
from graphcount.loading.readahead import HEAD_NBYTES, JUMP_NBYTES, Range, ReadAhead
from graphcount.loading.source import Beside, public_path
from graphcount.loading.transfer import RemoteFile, changed, ends_early, failure, patiently
from graphcount.verbose import note

PACKAGES: dict[str, str] = {
    "http": "aiohttp",
    "https": "aiohttp",
    "s3": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "hf": "huggingface_hub",
    "az": "adlfs",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "memory": "fsspec",
}
"""Schemes that are read, with the package that fsspec needs for each.

Not read on purpose: `file` (give the path, which is opened with care), and schemes that fsspec
turns into others, runs code for or writes to disk for (`reference`, `filecache`, `dask`, …).
"""

REMOTE_WHOLE_NBYTES = 2**20
"""Remote files up to this size are read whole; larger ones are walked."""


class RemoteSource:
    """A remote file that can be read by position.

    Attributes:
        path: As given, with what it needs to be opened again.
        nbytes: Size.
        stamp: Size, ETag and time of the last change, as far as the place tells them.
        round_trips: Requests that had to be waited for.
    """

    def __init__(self, place: RemoteFile, path: str) -> None:
        self.path = path
        self._place = place
        opened = patiently(lambda: place.open(HEAD_NBYTES), path)
        self.nbytes, self.stamp = opened.nbytes, opened.stamp
        if opened.host:
            note("%s: its server redirects to %s", public_path(path), opened.host)
        self.round_trips = 1
        self._ahead = ReadAhead(self._fetch, self.nbytes, opened.head)

    def read(self, offset: int, nbytes: int) -> bytes:
        """Return up to `nbytes` bytes from `offset`.

        Raises:
            NotReadableError: The place does not answer, or the file changed while it was read.
        """
        return self._ahead.read(offset, max(0, nbytes))

    def _fetch(self, ranges: Sequence[Range]) -> list[bytes]:
        self.round_trips += 1
        return patiently(lambda: self._whole(ranges), self.path)

    def _whole(self, ranges: Sequence[Range]) -> list[bytes]:
        answers = self._place.fetch(ranges, self.stamp)
        for (start, end), data in zip(ranges, answers, strict=True):
            if len(data) != end - start:
                raise ends_early(len(data), end - start)
        return answers

    def close(self) -> None:
        """Make sure that all bytes were of one file.

        Raises:
            NotReadableError: They were not.
        """
        several, self.round_trips = self.round_trips > 1, 0
        if several and patiently(lambda: self._place.changed(self.stamp), self.path):
            raise changed()


def open_remote(path: str) -> RemoteSource:
    """Open a URL.

    Raises:
        NotReadableError: The scheme is unknown, a package is missing, or there is no such file.
    """
    return RemoteSource(place_of(path), path)


def stamp_of(path: str) -> str:
    """Return the stamp of a remote file; one small request.

    Raises:
        NotReadableError: There is no such file, or no answer.
    """
    return patiently(lambda: place_of(path).open(0), path).stamp


class StoreEntry(NamedTuple):
    """A name in a folder of a store; `nbytes` is None where the store does not say a size."""

    name: str
    is_folder: bool
    nbytes: int | None


def entries(folder: str) -> list[tuple[str, bool]]:
    """Return names in a folder of a store, and whether each is a folder.

    Raises:
        NotReadableError: It cannot be listed.
    """
    return [(entry.name, entry.is_folder) for entry in listing(folder)]


def listing(folder: str) -> list[StoreEntry]:
    """Return what a folder of a store has in it.

    Raises:
        NotReadableError: It cannot be listed.
    """
    if folder.lower().startswith("http"):
        raise NotReadableError("folders are not listed over HTTP; give a list", public_path(folder))
    _refuse(folder)
    fs, name = filesystem(folder)
    rows = patiently(lambda: fs.ls(name, detail=True), folder)
    own = name.rstrip("/")
    paths = ((str(row["name"]).rstrip("/"), row) for row in rows)
    return [
        StoreEntry(path.rpartition("/")[2], row.get("type") == "directory", _size(row.get("size")))
        for path, row in paths
        if path != own
    ]


def _size(stated: object) -> int | None:
    return stated if type(stated) is int else None


def place_of(path: str) -> RemoteFile:
    """Return the remote file a path names; nothing is asked of the network yet."""
    _refuse(path)
    fs, name = filesystem(path)
    if path.lower().startswith("http"):
        from graphcount.loading.http import HttpPlace

        return HttpPlace(fs, name)
    from graphcount.loading.store import StorePlace

    return StorePlace(fs, name)


def _refuse(path: str) -> None:
    """Refuse schemes that are not in the table, and chains of them."""
    scheme = path.partition("://")[0].lower()
    if scheme not in PACKAGES:
        hint = "; give the path itself" if scheme in ("file", "local") else ""
        known = ", ".join(PACKAGES)
        raise NotReadableError(
            f"{scheme}:// is not read here{hint}; known are {known}", public_path(path)
        )
    if "::" in path:
        raise NotReadableError(
            "chained URLs are not read, but zip://member::URL", public_path(path)
        )


def filesystem(path: str) -> tuple[Any, str]:
    """Return the fsspec file system of a path, and the path as that names it.

    Raises:
        NotReadableError: A package is missing, or the file system cannot be set up.
    """
    scheme = path.partition("://")[0].lower()
    try:
        from fsspec.core import url_to_fs

        fs, name = url_to_fs(path, use_listings_cache=False)
    except ImportError:
        package = PACKAGES[scheme]
        extra = "" if package in ("aiohttp", "fsspec") else f" {package}"
        install = f"pip install 'graphcount[remote]'{extra}"
        why = f"reading {scheme}:// needs packages that are not installed: {install}"
        raise NotReadableError(why, public_path(path)) from None
    except Exception as error:
        raise failure(error, path) from None
    return fs, str(name)


def remote_limits(limits: Limits) -> Limits:
    """Return limits for a walk that pays for each byte."""
    return replace(
        limits,
        whole_file_nbytes=min(limits.whole_file_nbytes, REMOTE_WHOLE_NBYTES),
        window_nbytes=min(limits.window_nbytes, JUMP_NBYTES),
    )


def external_file(model_path: str, location: str) -> Beside:
    """Return external data beside a remote model.

    The URL's query goes: a signature is for one file. A location is quoted, so that a server sees
    no `..`, query or host in it.
    """
    url = f"{dirname(model_path)}/{location}"
    if model_path.lower().startswith("http"):
        place = model_path.partition("?")[0].partition("#")[0]
        url = f"{dirname(place)}/{quote(location, safe='/')}"
    try:
        opened = patiently(lambda: place_of(url).open(0), url)
    except GraphcountError as error:
        missing = error.message.startswith("no such file")
        return Beside(
            url, None, "is missing" if missing else f"cannot be looked at: {error.message}"
        )
    if opened.host:
        note("%s: its server redirects to %s", public_path(url), opened.host)
    return Beside(url, opened.nbytes, host=opened.host)
