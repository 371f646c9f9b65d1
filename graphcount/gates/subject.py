"""What is measured: a report, and what lies outside of it."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import IO

from graphcount.errors import GraphcountError
from graphcount.loading.external import look, open_external_file
from graphcount.loading.source import open_regular
from graphcount.report.loading import Ask, nobody
from graphcount.report.records import Report

ZLIB_LEVEL = 6
"""Compression is that of `gzip -6`: zlib's own default."""

CHUNK_NBYTES = 1 << 20


@dataclass(frozen=True)
class Subject:
    """A model that is held against demands.

    Attributes:
        report: What was counted.
        latency: Nanoseconds by percentile (`p50`) from a result of a benchmark; `ratio_least` and
            `ratio_most`: bounds of the ratio to another model, in millionths.
        loads: Says whether a runtime loads it.
    """

    report: Report
    latency: dict[str, int] = field(default_factory=dict)
    loads: Ask = nobody

    @cached_property
    def compressed_nbytes(self) -> int | None:
        """Bytes of the model and its external data files, deflated one by one at level 6.

        None when a file cannot be read again, or may not be read. Read in chunks, and only when
        someone asks.
        """
        path = self.report.model.path
        if path == "-" or self.report.doubts:
            return None
        total = _deflated(partial(open_regular, path))
        for file in self.report.model.side_files:
            size = _deflated(partial(open_external_file, look(file.location, path)))
            if total is None or size is None:
                return None
            total += size
        return total


def _deflated(opening: Callable[[], IO[bytes] | None]) -> int | None:
    """Return bytes of a file after zlib; None when it cannot be opened."""
    try:
        file = opening()
        if file is None:
            return None
        with file:
            squeeze = zlib.compressobj(ZLIB_LEVEL)
            total = 0
            while chunk := file.read(CHUNK_NBYTES):
                total += len(squeeze.compress(chunk))
            return total + len(squeeze.flush())
    except (GraphcountError, OSError):
        return None
