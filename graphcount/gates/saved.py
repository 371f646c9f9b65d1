"""Reports that were saved as JSON (`--format json`), read back from a file."""

from __future__ import annotations

from contextlib import closing

from graphcount.errors import DamagedError, GraphcountError, LimitError
from graphcount.loading import open_source
from graphcount.report.records import Report
from graphcount.report.serial import loads

REPORT_NBYTES = 512 * 2**20
"""A saved report is parsed as a whole, so its size is bounded."""

HEAD_NBYTES = 4096


def read_report(path: str) -> Report | None:
    """Read a saved report; None when the file is something else, or standard input.

    Raises:
        NotReadableError: Missing, or no regular file.
        DamagedError: It begins like a report and is none, or holds several.
        LimitError: It is larger than `REPORT_NBYTES`.
    """
    if path == "-":
        return None
    with closing(open_source(path)) as source:
        head = source.read(0, HEAD_NBYTES)
        if head.lstrip()[:1] not in (b"{", b"[") or b'"graphcount.report/' not in head:
            return None
        if source.nbytes > REPORT_NBYTES:
            size = REPORT_NBYTES // 2**20
            raise LimitError(f"saved reports are read up to {size} MiB", path)
        text = source.read(0, source.nbytes)
    try:
        return loads(text.decode())
    except UnicodeDecodeError:
        raise DamagedError("a saved report that is not UTF-8", path) from None
    except GraphcountError as error:
        raise error.at(path) from None
