"""What a path names, and its bytes, read by position: of a file, in memory, of a kept stream.

A path is opened only when it is a regular file: FIFOs and devices block or never end, and opening
them can have effects. Nothing is memory-mapped, since a file truncated by someone else would then
kill the process.
"""

from __future__ import annotations

import io
import os
import re
import stat
from types import TracebackType
from typing import IO, NamedTuple, Protocol, cast

from graphcount.errors import DamagedError, LimitError, NotReadableError
from graphcount.verbose import note

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")

PLAIN_PARAMETERS = frozenset({"download", "generation", "raw", "ref", "revision", "versionId"})
"""Parameters of a URL whose values are shown; all others may be signatures or tokens."""

STDIN_NBYTES = 2**31 - 1
"""Piped models are spooled up to protobuf's own limit for a message, so no pipe fills the disk."""


def has_scheme(path: str) -> bool:
    """Return whether a path names something else than a local file: `https://…`, `zip://…::…`."""
    return _SCHEME.match(path) is not None


def is_remote(path: str) -> bool:
    """Return whether the bytes of a path come from another machine."""
    inner = path.rpartition("::")[2] if path.startswith("zip://") else path
    return has_scheme(inner)


def public_path(path: str) -> str:
    """Return a path as it may be shown: without passwords and signatures of URLs."""
    if not is_remote(path):
        return str(path)
    head, separator, rest = path.partition("://")
    if head == "zip":
        member, colons, archive = rest.rpartition("::")
        return f"zip://{member}{colons}{public_path(archive)}"
    place, mark, query = rest.partition("?")
    authority, slash, name = place.partition("/")
    user, _, host = authority.rpartition("@")
    if head.lower() in ("http", "https") or ":" in user:
        authority = host
    masked = []
    for parameter in query.partition("#")[0].split("&") if mark else ():
        key, equals, _ = parameter.partition("=")
        hidden = equals and key not in PLAIN_PARAMETERS
        masked.append(f"{key}=***" if hidden else parameter if equals else "***")
    return f"{head}{separator}{authority}{slash}{name.partition('#')[0]}{mark}{'&'.join(masked)}"


class InMemory(str):
    """The name of a model that is held in memory; it stands where a path does.

    Attributes:
        data: The model's bytes.
    """

    data: bytes

    def __new__(cls, kind: str, data: bytes) -> InMemory:
        """Name bytes by what held them, and by their content: `<bytes 5d41402a>`.

        Args:
            kind: What held them: a type in Python.
            data: The model's bytes.
        """
        import hashlib

        made = super().__new__(cls, f"<{kind} {hashlib.sha256(data).hexdigest()[:8]}>")
        made.data = data
        return made


def is_nameless(path: str) -> bool:
    """Return whether a model is in no folder: on standard input, or held in memory."""
    return path == "-" or isinstance(path, InMemory)


class Beside(NamedTuple):
    """A file beside a model that is remote, or in an archive.

    Attributes:
        path: Under which it is opened.
        nbytes: Size; None where there is none.
        why: Why there is none.
        host: Another host that it comes from, by a redirect.
    """

    path: str
    nbytes: int | None
    why: str = ""
    host: str = ""


# ------------------------------------------------------------------------------------------ bytes


class Readable(Protocol):
    """Bytes that can be read by position."""

    nbytes: int

    def read(self, offset: int, nbytes: int) -> bytes:
        """Return up to `nbytes` bytes from `offset`; fewer only at the end."""
        ...


class Source(Protocol):
    """Bytes that can be read by position, of a file that has a name."""

    path: str
    nbytes: int

    def read(self, offset: int, nbytes: int) -> bytes:
        """Return up to `nbytes` bytes from `offset`; fewer only at the end."""
        ...

    def close(self) -> None:
        """Release what is held.

        Raises:
            NotReadableError: The bytes changed while they were read, as far as that can be seen.
        """
        ...


class FileSource:
    """A regular file, opened for positioned reads."""

    def __init__(self, file: IO[bytes], path: str) -> None:
        self._file = file
        self.path = path
        self.nbytes = file.seek(0, os.SEEK_END)

    def read(self, offset: int, nbytes: int) -> bytes:
        """Return up to `nbytes` bytes from `offset`.

        Raises:
            DamagedError: The file became shorter while it was read.
        """
        nbytes = max(0, min(nbytes, self.nbytes - offset))
        self._file.seek(offset)
        data = self._file.read(nbytes)
        while len(data) < nbytes:
            more = self._file.read(nbytes - len(data))
            if not more:
                raise DamagedError("the file became shorter while it was read", self.path, offset)
            data += more
        return data

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> FileSource:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class BytesSource:
    """Bytes in memory."""

    def __init__(self, data: bytes, path: str) -> None:
        self._data = data
        self.path = path
        self.nbytes = len(data)

    def read(self, offset: int, nbytes: int) -> bytes:
        """Return up to `nbytes` bytes from `offset`."""
        return self._data[offset : offset + nbytes]

    def close(self) -> None:
        """Release nothing."""


class SourceFile(io.RawIOBase):
    """A source as a file object, for code that seeks and reads."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._position = 0

    def readable(self) -> bool:
        """Return True: it is there to be read."""
        return True

    def seekable(self) -> bool:
        """Return True: any position can be read."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a position, counted from the start, from here or from the end."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._source.nbytes}
        self._position = max(0, base[whence] + offset)
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill a buffer as far as there are bytes."""
        data = self._source.read(self._position, len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        """Close the source."""
        if not self.closed:
            super().close()
            self._source.close()


def open_regular(path: str) -> IO[bytes]:
    """Open a regular file unbuffered; refuse everything else without opening it."""
    try:
        kind = irregular(os.stat(path).st_mode)
        if kind:
            raise NotReadableError(f"is {kind}, not a file", path)
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags | getattr(os, "O_CLOEXEC", 0))
    except (OSError, ValueError) as error:
        raise NotReadableError(_reason(error), path) from None
    file = os.fdopen(descriptor, "rb", buffering=0)
    kind = irregular(os.fstat(descriptor).st_mode)
    if kind:  # it was exchanged between the two looks
        file.close()
        raise NotReadableError(f"is {kind}, not a file", path)
    note("%s: opened: %s bytes", path, f"{os.fstat(descriptor).st_size:,}")
    return file


def sha256_of(file: IO[bytes]) -> str:
    """Return SHA-256 of a whole file, in chunks."""
    import hashlib  # loads OpenSSL, which most counts do not need

    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


def irregular(mode: int) -> str:
    """Return what a path is when it is not a regular file; empty when it is one."""
    kinds = {
        stat.S_IFDIR: "a directory",
        stat.S_IFIFO: "a FIFO (named pipe)",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return "" if stat.S_ISREG(mode) else kinds.get(stat.S_IFMT(mode), "something else")


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "is not a usable path"


def spool(stream: IO[bytes], path: str, name: str) -> FileSource:
    """Keep a stream that cannot seek; beyond 64 MiB in a temporary file.

    Raises:
        LimitError: It is longer than protobuf allows a message to be.
    """
    from tempfile import SpooledTemporaryFile

    kept = SpooledTemporaryFile(max_size=64 * 2**20)  # noqa: SIM115 (closed by its source)
    spooled = 0
    try:
        while chunk := stream.read(2**20):
            spooled += len(chunk)
            if spooled > STDIN_NBYTES:
                why = f"{name} is longer than {STDIN_NBYTES:,} bytes"
                raise LimitError(why, path, rule="FMT004")
            kept.write(chunk)
    except BaseException:
        kept.close()
        raise
    return FileSource(cast("IO[bytes]", kept), path)
