"""Files in stores (S3, Google Cloud Storage, Azure, Hugging Face, memory), by fsspec."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from graphcount.errors import NotReadableError
from graphcount.loading.readahead import Range
from graphcount.loading.transfer import Opened, run

STAMP_KEYS = (
    *("size", "ETag", "etag", "generation", "VersionId", "blob_id", "content_md5"),
    *("LastModified", "last_modified", "mtime", "created"),
)
"""What the file systems call the things that change with a file."""


class StorePlace:
    """A file in a store (S3, GCS, Azure, Hugging Face, memory): its info, and its ranges."""

    def __init__(self, fs: Any, name: str) -> None:
        self.fs = fs
        self.name = name

    def open(self, head_nbytes: int) -> Opened:
        """Ask for the file's info."""
        info = self._info()
        if info.get("type") == "directory":
            raise NotReadableError("is a folder, not a file")
        nbytes = info.get("size")
        if not isinstance(nbytes, int):
            raise NotReadableError("the store does not say how large it is")
        return Opened(nbytes, _stamp(info), b"")

    def fetch(self, ranges: Sequence[Range], stamp: str) -> list[bytes]:
        """Return the bytes of ranges, asked for together."""
        if getattr(self.fs, "async_impl", False):

            async def together() -> list[bytes]:
                pieces = (self.fs._cat_file(self.name, start=a, end=b) for a, b in ranges)
                return list(await asyncio.gather(*pieces))

            answers: list[bytes] = run(self.fs, together, sum(b - a for a, b in ranges))
            return answers
        if len(ranges) == 1:
            return [self._piece(ranges[0])]
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(len(ranges)) as threads:
            return list(threads.map(self._piece, ranges))

    def changed(self, stamp: str) -> bool:
        """Ask for the info again."""
        return _stamp(self._info()) != stamp

    def _piece(self, piece: Range) -> bytes:
        data: bytes = self.fs.cat_file(self.name, start=piece[0], end=piece[1])
        return data

    def _info(self) -> dict[str, Any]:
        self.fs.invalidate_cache(self.name)
        info: dict[str, Any]
        if getattr(self.fs, "async_impl", False):
            info = run(self.fs, lambda: self.fs._info(self.name), 0)
        else:
            info = self.fs.info(self.name)
        return info


def _stamp(info: dict[str, Any]) -> str:
    return "; ".join(f"{key}={info[key]}" for key in STAMP_KEYS if info.get(key) is not None)
