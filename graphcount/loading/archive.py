"""Members of zip archives: `zip://folder/model.onnx::archive.zip`, local or remote.

Nothing is unpacked to disk under a name of the archive's choice. A stored member is a range of the
archive and is read like a file of its own, without payload; a deflated one is inflated as a stream
into a bounded spool. Archives within archives, encryption and rarer compression are refused.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from graphcount.errors import DamagedError, LimitError, NotReadableError
from graphcount.loading.paths import has_scheme, public_path
from graphcount.loading.source import FileSource, Source, SourceFile, open_regular, spool

DIRECTORY_NBYTES = 16 * 2**20
"""Largest central directory that is read (about 200,000 members): zipfile keeps it in memory."""

_REFUSALS = (
    *(zipfile.BadZipFile, zlib.error, EOFError, struct.error, ValueError),
    *(NotImplementedError, RuntimeError, OverflowError),
)
"""What zipfile raises on damaged archives."""

_LOCAL_HEADER = struct.Struct("<4s22xHH")


class Slice:
    """A range of another source."""

    def __init__(self, source: Source, offset: int, nbytes: int, path: str) -> None:
        self._source = source
        self._offset = offset
        self.nbytes = nbytes
        self.path = path

    def read(self, offset: int, nbytes: int) -> bytes:
        """Return up to `nbytes` bytes from `offset`; fewer only at the end."""
        nbytes = max(0, min(nbytes, self.nbytes - offset))
        return self._source.read(self._offset + offset, nbytes)

    def close(self) -> None:
        """Close the archive."""
        self._source.close()


def split_member(path: str) -> tuple[str, str]:
    """Member and archive of `zip://member::archive`.

    Raises:
        NotReadableError: It is not of that form.
    """
    member, separator, archive = path.removeprefix("zip://").rpartition("::")
    if not separator or not member or not archive or archive == "-":
        raise NotReadableError("write it as zip://member::archive.zip", public_path(path))
    return member, archive


def open_member(path: str) -> Source:
    """Open a member of an archive.

    Raises:
        NotReadableError: No such archive or member, or one that is not read.
        DamagedError: The archive is broken.
    """
    member, archive = split_member(path)
    source = _open(archive)
    try:
        with _said(path), _directory(source) as opened:
            info = _member(opened, member, path)
            if info.compress_type == zipfile.ZIP_STORED:
                offset = _stored_at(source, info)
                return Slice(source, offset, info.file_size, path)
            with opened.open(info) as stream:
                inflated = spool(stream, path, "the archive's member")
    except BaseException:
        source.close()
        raise
    source.close()
    return inflated


def members(archive: str) -> list[str]:
    """Names of an archive's files in the order of its directory, each once.

    Raises:
        NotReadableError: It cannot be read.
        DamagedError: It is no zip archive, or broken.
    """
    source = _open(archive)
    try:
        with _said(archive), _directory(source) as opened:
            return list(dict.fromkeys(i.filename for i in opened.infolist() if not i.is_dir()))
    finally:
        source.close()


def side_member(model_path: str, location: str) -> tuple[str, int | None, str]:
    """A side file in the same archive: its path, its size or None, and why there is none."""
    member, archive = split_member(model_path)
    folder = member.rpartition("/")[0]
    name = f"{folder}/{location}" if folder else location
    source = _open(archive)
    try:
        with _said(model_path), _directory(source) as opened:
            info = opened.NameToInfo.get(name)
    finally:
        source.close()
    if info is None:
        return "", None, "is missing"
    return f"zip://{name}::{archive}", info.file_size, ""


def _open(archive: str) -> Source:
    """The archive itself: a file, or something remote."""
    if not has_scheme(archive):
        return FileSource(open_regular(archive), archive)
    from graphcount.loading.remote import open_remote

    return open_remote(archive)


@contextmanager
def _directory(source: Source) -> Iterator[zipfile.ZipFile]:
    """The archive's directory; the source stays open."""
    tail = source.read(max(0, source.nbytes - 65_557), 65_557)
    end, wide = tail.rfind(b"PK\x05\x06"), tail.rfind(b"PK\x06\x06")
    size = int.from_bytes(tail[end + 12 : end + 16], "little") if end >= 0 else 0
    if wide >= 0:
        size = int.from_bytes(tail[wide + 40 : wide + 48], "little")
    if size > DIRECTORY_NBYTES:
        raise LimitError(f"the archive's directory is larger than {DIRECTORY_NBYTES:,} bytes")
    file = io.BufferedReader(_Borrowed(source), 8192)
    with zipfile.ZipFile(cast("IO[bytes]", file)) as opened:
        yield opened


class _Borrowed(SourceFile):
    def close(self) -> None:
        """Leave the source open: its owner closes it."""


@contextmanager
def _said(path: str) -> Iterator[None]:
    """Turn what zipfile raises into one line."""
    try:
        yield
    except _REFUSALS as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise DamagedError(f"damaged zip archive: {reason}", public_path(path)) from None


def _member(opened: zipfile.ZipFile, member: str, path: str) -> zipfile.ZipInfo:
    info = opened.NameToInfo.get(member)
    if info is None:
        raise NotReadableError("no such member in the archive", public_path(path))
    if info.flag_bits & 1:
        raise NotReadableError("the archive's member is encrypted", public_path(path))
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        why = f"the archive's member is compressed by method {info.compress_type}: unpack it"
        raise NotReadableError(why, public_path(path))
    return info


def _stored_at(source: Source, info: zipfile.ZipInfo) -> int:
    """First byte of a stored member."""
    header = source.read(info.header_offset, 30)
    if len(header) < 30:
        raise zipfile.BadZipFile("a member's header is beyond the end")
    magic, name, extra = _LOCAL_HEADER.unpack(header)
    start = info.header_offset + 30 + int(name) + int(extra)
    if magic != b"PK\x03\x04" or info.compress_size != info.file_size:
        raise zipfile.BadZipFile("a member's header does not fit the directory")
    if start + info.file_size > source.nbytes:
        raise zipfile.BadZipFile("a member runs past the end of the archive")
    return start
