"""What all ways to a remote file share: what they answer, their patience, and what they say."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from graphcount.errors import GraphcountError, LimitError, NotReadableError
from graphcount.loading.readahead import Range
from graphcount.loading.source import public_path

Answer = TypeVar("Answer")

PAUSES_S = (0.25, 1.0, 3.0)
"""Seconds before each further try."""
TIMEOUT_S = 30.0
"""Seconds for an answer, and for each further 3 MB of it."""
UNRANGED_NBYTES = 32 * 2**20
"""A server that cannot serve ranges is read from up to this size."""

STATUSES = {
    401: "the server asks for credentials (401)",
    403: "the server refuses access (403)",
    404: "no such file (404)",
    407: "the proxy asks for credentials (407)",
    410: "no longer there (410)",
    429: "the server has too many requests (429)",
}
"""Words for HTTP status codes."""


class Opened(NamedTuple):
    """What opening a remote file answered.

    Attributes:
        nbytes: Its size.
        stamp: Tells whether it is still the same file: size, ETag, time of the last change.
        head: Its first bytes, as far as they came with it.
        host: Another host that the one in its address redirects to; empty where there is none.
    """

    nbytes: int
    stamp: str
    head: bytes
    host: str = ""


class RemoteFile(Protocol):
    """One remote file, as `RemoteSource` needs it."""

    def open(self, head_nbytes: int) -> Opened:
        """Find out its size; may bring up to `head_nbytes` first bytes."""
        ...

    def fetch(self, ranges: Sequence[Range], stamp: str) -> list[bytes]:
        """Return the bytes of ranges, in one round trip."""
        ...

    def changed(self, stamp: str) -> bool:
        """Return whether it is known to be another file now."""
        ...


class Transient(Exception):
    """It may work at the next try; the text is what to say when it does not."""


def run(fs: Any, call: Callable[[], Any], nbytes: int) -> Any:
    """Run a coroutine on fsspec's loop, with a timeout that fits what it brings."""
    from fsspec.asyn import sync

    async def waited() -> Any:
        return await call()

    return sync(fs.loop, waited, timeout=TIMEOUT_S * (1 + nbytes / 3e6))


def patiently(call: Callable[[], Answer], path: str) -> Answer:
    """Call again after failures that may pass.

    Raises:
        GraphcountError: It failed for good, or too often; with the path.
    """
    tries = 0
    while True:
        try:
            return call()
        except GraphcountError as error:
            raise error.at(public_path(path)) from None
        except Exception as error:
            if tries == len(PAUSES_S) or not _may_pass(error, tries):
                raise failure(error, path) from None
            time.sleep(PAUSES_S[tries])
            tries += 1


def _may_pass(error: Exception, tries: int) -> bool:
    if isinstance(error, TimeoutError):
        return tries == 0
    if isinstance(error, (FileNotFoundError, PermissionError, IsADirectoryError)):
        return False
    return isinstance(error, (Transient, OSError))  # aiohttp's connection errors too


def failure(error: Exception, path: str) -> NotReadableError:
    """Return a library's error by its kind, never its text, which may tell secrets."""
    words: tuple[tuple[type[Exception], str], ...] = (
        (Transient, str(error) if isinstance(error, Transient) else ""),
        (FileNotFoundError, "no such file"),
        (PermissionError, "access is refused"),
        (IsADirectoryError, "is a folder, not a file"),
        (TimeoutError, f"no answer within {TIMEOUT_S:.0f} s"),
        (ImportError, "a package that fsspec needs is missing"),
    )
    for kind, text in words:
        if isinstance(error, kind):
            return NotReadableError(text, public_path(path))
    return NotReadableError(f"cannot be reached ({type(error).__name__})", public_path(path))


def changed() -> NotReadableError:
    """Return the error for bytes of two files."""
    return NotReadableError("the file changed while it was read")


def ends_early(received: int, wanted: int) -> Transient:
    """Return the error for an answer that was cut."""
    return Transient(f"the answer ends too early: {received} of {wanted} bytes")


def too_large(nbytes: int | None) -> LimitError:
    """Return the error for a server that can only send everything."""
    size = "a file of unknown size" if nbytes is None else f"a file of {nbytes:,} bytes"
    limit = f"{UNRANGED_NBYTES // 2**20} MiB"
    return LimitError(f"the server does not serve ranges, and {size} is above {limit}: download it")
