"""Files behind HTTP, through the session of fsspec (aiohttp).

Ranges are asked for here, not by fsspec's own reader: the first answer brings size and stamp along
with the head, so that a small model is one request; each answer must carry the stamp of the first;
a server that ignores ranges is noticed before it sends gigabytes. Redirects are followed here, too,
by the rules of `graphcount.loading.redirects`.
"""

from __future__ import annotations

import asyncio
import re
import weakref
from collections.abc import Sequence
from typing import Any

import aiohttp
from yarl import URL

from graphcount.errors import NotReadableError
from graphcount.loading import redirects
from graphcount.loading.readahead import Range
from graphcount.loading.transfer import (
    STATUSES,
    TIMEOUT_S,
    UNRANGED_NBYTES,
    Opened,
    Transient,
    changed,
    ends_early,
    run,
    too_large,
)

_CONTENT_RANGE = re.compile(r"bytes (?:([0-9]{1,19})-[0-9]{1,19}|\*)/([0-9]{1,19})\Z")

TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Status codes that may be others at the next try."""


class HttpPlace:
    """A URL of http or https.

    Attributes:
        host: Another host that its server redirects to; empty where there is none.
    """

    def __init__(self, fs: Any, url: str) -> None:
        self.fs = fs
        self.url = url
        self.host = ""
        self._stranger: Any = None

    def open(self, head_nbytes: int) -> Opened:
        """Ask for the first bytes; the answer tells size and stamp."""
        wanted = (0, max(1, head_nbytes))
        opened: Opened = run(self.fs, lambda: self._open(wanted), UNRANGED_NBYTES)
        return opened._replace(host=self.host)

    def fetch(self, ranges: Sequence[Range], stamp: str) -> list[bytes]:
        """Return the bytes of ranges, asked for together."""

        async def together() -> list[bytes]:
            return list(await asyncio.gather(*(self._range(piece, stamp) for piece in ranges)))

        answers: list[bytes] = run(self.fs, together, sum(b - a for a, b in ranges))
        return answers

    def changed(self, stamp: str) -> bool:
        """Return False: every answer was checked already."""
        return False

    async def _open(self, wanted: Range) -> Opened:
        async with await self._get(wanted) as response:
            if response.status == 416:  # an empty file has no first byte
                return Opened(_total(response) or 0, _stamp(response), b"")
            if response.status == 206:
                nbytes = _total(response)
                if nbytes is None:
                    raise NotReadableError("the server does not say how large it is")
                head = await _read(response, min(wanted[1], nbytes))
                return Opened(nbytes, _stamp(response), head)
            length = response.headers.get("Content-Length", "")
            coded = response.headers.get("Content-Encoding", "identity") != "identity"
            nbytes = int(length) if length.isdecimal() and not coded else None
            if nbytes is not None and wanted[1] == 1:
                return Opened(nbytes, _stamp(response), b"")
            if nbytes is not None and nbytes > UNRANGED_NBYTES:
                raise too_large(nbytes)
            whole = await _read(response, UNRANGED_NBYTES + 1)
            if len(whole) > UNRANGED_NBYTES:
                raise too_large(nbytes)
            if nbytes is not None and len(whole) != nbytes:
                raise ends_early(len(whole), nbytes)
            return Opened(len(whole), _stamp(response), whole)

    async def _range(self, wanted: Range, stamp: str) -> bytes:
        async with await self._get(wanted) as response:
            if response.status in (200, 416):
                if _stamp(response) != stamp or response.status == 416:
                    raise changed()
                raise too_large(_total(response))
            match = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
            if match is None or match[1] != str(wanted[0]):
                raise NotReadableError("the server answers with other bytes than were asked for")
            if _stamp(response) != stamp:
                raise changed()
            return await _read(response, wanted[1] - wanted[0])

    async def _get(self, wanted: Range) -> Any:
        """Ask for a range; the caller reads the answer and closes it."""
        named = url = self.fs.encode_url(self.url)
        for _ in range(redirects.MOST + 1):
            response = await self._ask(url, wanted, redirects.is_elsewhere(named, url))
            location = response.headers.get("Location")
            if response.status not in redirects.STATUSES or location is None:
                break
            response.close()
            led = redirects.target(url, location)
            if redirects.is_elsewhere(named, led):
                await redirects.refuse_inward(asyncio.get_running_loop(), named, led)
            url = led
        else:
            raise NotReadableError(f"more than {redirects.MOST} redirects")
        self.host = url.authority if redirects.is_elsewhere(named, url) else ""
        status = response.status
        if status in (200, 206, 416):
            return response
        response.close()
        words = STATUSES.get(status, f"the server answers with status {status}")
        raise Transient(words) if status in TRY_AGAIN else NotReadableError(words)

    async def _ask(self, url: URL, wanted: Range, elsewhere: bool) -> Any:
        """Ask one server; one that the user did not name learns nothing of the user."""
        session = await (self._strangers_session() if elsewhere else self.fs.set_session())
        options = dict(self.fs.kwargs)
        own = options.pop("headers", {})
        if elsewhere:
            own, options = {}, {k: v for k, v in options.items() if k not in redirects.SECRETS}
        headers = {
            **own,
            "Range": f"bytes={wanted[0]}-{wanted[1] - 1}",
            "Accept-Encoding": "identity",
        }
        asked = session.get(url, headers=headers, allow_redirects=False, **options)
        try:
            return await asyncio.wait_for(asked, TIMEOUT_S)
        except aiohttp.InvalidURL as error:
            raise NotReadableError(f"cannot be reached ({type(error).__name__})") from None
        except aiohttp.ClientError as error:
            raise Transient(f"cannot be reached ({type(error).__name__})") from None

    async def _strangers_session(self) -> Any:
        """Return a session without what that of the file system says of the user."""
        known = self.fs.client_kwargs
        if not known.keys() & set(redirects.SECRETS):
            return await self.fs.set_session()
        if self._stranger is None:
            rest = {key: value for key, value in known.items() if key not in redirects.SECRETS}
            self._stranger = await self.fs.get_client(loop=self.fs.loop, **rest)
            weakref.finalize(self, self.fs.close_session, self.fs.loop, self._stranger)
        return self._stranger


def _stamp(response: Any) -> str:
    """Return the size, ETag and time of change as one text."""
    headers = (response.headers.get(name) for name in ("ETag", "Last-Modified"))
    return "; ".join((str(_total(response)), *(text for text in headers if text)))


def _total(response: Any) -> int | None:
    """Size of the whole file."""
    match = _CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    if match is not None:
        return int(match[2])
    length = response.headers.get("Content-Length", "")
    return int(length) if response.status == 200 and length.isdecimal() else None


async def _read(response: Any, nbytes: int) -> bytes:
    """Return up to so many bytes of an answer, however long it is."""
    parts = []
    wanted = nbytes
    try:
        while nbytes > 0 and (part := await response.content.read(nbytes)):
            parts.append(part)
            nbytes -= len(part)
    except aiohttp.ClientPayloadError:
        raise ends_early(wanted - nbytes, wanted) from None
    return b"".join(parts)
