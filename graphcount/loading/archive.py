"""Members of zip archives: `zip://folder/model.onnx::archive.zip`, local or remote.

Nothing is unpacked to disk under a name of the archive's choice. A stored member is a range of the
archive and is read like a file of its own, without tensor data; a deflated one is inflated as a
stream into a bounded spool. Archives within archives, encryption and rarer compression are refused.

Many members are read one after the other, so the directory that was read last is kept: what it says
follows from its bytes alone.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from itertools import pairwise
from typing import IO, NamedTuple, cast

from graphcount.errors import DamagedError, LimitError, NotReadableError
from graphcount.loading.source import (
    Beside,
    FileSource,
    Source,
    SourceFile,
    has_scheme,
    open_regular,
    public_path,
    spool,
)

DIRECTORY_NBYTES = 16 * 2**20
"""Largest central directory that is read (about 200,000 members): zipfile keeps it in memory."""

INFLATED_NBYTES, INFLATED_TIMES = 512 * 2**20, 20
"""Bytes that the members of an archive may inflate to in all, and how many times what they are
compressed to where that is more: deflate makes 1,032 bytes of one, models seldom 3."""

_REFUSALS = (
    *(zipfile.BadZipFile, zlib.error, EOFError, struct.error, ValueError),
    *(NotImplementedError, RuntimeError, OverflowError),
)
"""What zipfile raises on damaged archives."""

_LOCAL_HEADER = struct.Struct("<4s22xHH")
_END_NBYTES, _LOCATOR_NBYTES, _WIDE_END_NBYTES = 22, 20, 56
"""Records at the end of an archive: the last without its comment, two more in a zip64 archive."""

_UTF_8 = 0x800
_ENCRYPTED, _PATCHED = 0x41, 0x20
"""Bits of a member's flags."""


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
    """Return the member and archive of `zip://member::archive`.

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
        with _explained(path):
            info, offset = _member(source, member, path)
            if info.compress_type == zipfile.ZIP_STORED:
                return Slice(source, offset, info.file_size, path)
            file = io.BufferedReader(_Borrowed(source), 2**16)
            file.seek(offset)
            with zipfile.ZipExtFile(cast("IO[bytes]", file), "r", info) as stream:
                inflated = spool(cast("IO[bytes]", stream), path, "the archive's member")
    except BaseException:
        source.close()
        raise
    source.close()
    return inflated


def members(archive: str) -> list[str]:
    """Return names of an archive's files in the order of its directory, each once.

    Raises:
        NotReadableError: It cannot be read.
        DamagedError: It is no zip archive, or broken.
    """
    source = _open(archive)
    try:
        with _explained(archive):
            infos = _parsed(_directory(source).data)
            return [name for name, info in infos.items() if not info.is_dir()]
    finally:
        source.close()


def external_member(model_path: str, location: str) -> Beside:
    """Return external data beside a model in an archive."""
    member, archive = split_member(model_path)
    folder = member.rpartition("/")[0]
    name = f"{folder}/{location}" if folder else location
    source = _open(archive)
    try:
        with _explained(model_path):
            info = _parsed(_directory(source).data).get(name)
    finally:
        source.close()
    if info is None:
        return Beside("", None, "is missing")
    return Beside(f"zip://{name}::{archive}", info.file_size)


def _open(archive: str) -> Source:
    """Return the archive itself: a file, or something remote."""
    if not has_scheme(archive):
        return FileSource(open_regular(archive), archive)
    from graphcount.loading.remote import open_remote

    return open_remote(archive)


class _Directory(NamedTuple):
    """The bytes of an archive from its directory to its end, and where they begin."""

    data: bytes
    begin: int


def _directory(source: Source) -> _Directory:
    """Return the directory of an archive, found as zipfile finds it."""
    tail = source.read(max(0, source.nbytes - 65_557), 65_557)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + _END_NBYTES:
        raise zipfile.BadZipFile("File is not a zip file")
    nbytes = int.from_bytes(tail[at + 12 : at + 16], "little")
    wide = at - _LOCATOR_NBYTES - _WIDE_END_NBYTES
    if wide >= 0 and tail[at - _LOCATOR_NBYTES :].startswith(b"PK\x06\x07"):
        at = wide
        nbytes = int.from_bytes(tail[at + 40 : at + 48], "little")
    if nbytes > DIRECTORY_NBYTES:
        raise LimitError(f"the archive's directory is larger than {DIRECTORY_NBYTES:,} bytes")
    begin = source.nbytes - len(tail) + at - nbytes
    if begin < 0:
        raise zipfile.BadZipFile("Bad offset for central directory")
    return _Directory(source.read(begin, source.nbytes - begin), begin)


@lru_cache(maxsize=1)
def _parsed(directory: bytes) -> Mapping[str, zipfile.ZipInfo]:
    """Return the members by name (the last of two); offsets count from the directory.

    Raises:
        LimitError: They inflate to far more than they are.
    """
    with zipfile.ZipFile(io.BytesIO(directory)) as opened:
        infos = sorted(opened.filelist, key=lambda info: info.header_offset)
        for before, after in pairwise(infos):
            end = before.header_offset + _LOCAL_HEADER.size + before.compress_size
            if after.header_offset < end:
                raise zipfile.BadZipFile("members lie in each other")
        deflated = [info for info in infos if info.compress_type != zipfile.ZIP_STORED]
        inflated = sum(info.file_size for info in deflated)
        compressed = sum(info.compress_size for info in deflated)
        most = max(INFLATED_NBYTES, INFLATED_TIMES * compressed)
        if inflated > most:
            why = f"the archive inflates from {compressed:,} to {inflated:,} bytes"
            raise LimitError(f"{why}, more than {most:,}: unpack it first", rule="RES001")
        return opened.NameToInfo


class _Borrowed(SourceFile):
    def close(self) -> None:
        """Leave the source open: its owner closes it."""


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Turn what zipfile raises into one line."""
    try:
        yield
    except _REFUSALS as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise DamagedError(f"damaged zip archive: {reason}", public_path(path)) from None


def _member(source: Source, member: str, path: str) -> tuple[zipfile.ZipInfo, int]:
    """Return what the directory says of a member, and where its content begins."""
    directory = _directory(source)
    info = _parsed(directory.data).get(member)
    if info is None:
        raise NotReadableError("no such member in the archive", public_path(path))
    if info.flag_bits & _ENCRYPTED:
        raise NotReadableError("the archive's member is encrypted", public_path(path))
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        why = f"the archive's member is compressed by method {info.compress_type}: unpack it"
        raise NotReadableError(why, public_path(path))
    if info.flag_bits & _PATCHED:
        raise zipfile.BadZipFile("a member is a patch of another file")
    return info, _content_at(source, info, directory.begin + info.header_offset)


def _content_at(source: Source, info: zipfile.ZipInfo, at: int) -> int:
    """Return the first byte of a member's content; its own header must agree with the directory."""
    header = source.read(at, 30) if at >= 0 else b""
    if len(header) < 30:
        raise zipfile.BadZipFile("a member's header is beyond the end")
    magic, name_nbytes, extra_nbytes = _LOCAL_HEADER.unpack(header)
    name = source.read(at + 30, name_nbytes)
    stored = info.compress_type == zipfile.ZIP_STORED
    if (
        magic != b"PK\x03\x04"
        or name.decode("utf-8" if info.flag_bits & _UTF_8 else "cp437") != info.orig_filename
        or (stored and info.compress_size != info.file_size)
    ):
        raise zipfile.BadZipFile("a member's header does not fit the directory")
    start: int = at + 30 + name_nbytes + extra_nbytes
    if start + info.compress_size > source.nbytes:
        raise zipfile.BadZipFile("a member runs past the end of the archive")
    return start
