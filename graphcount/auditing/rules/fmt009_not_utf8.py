"""Text that is not UTF-8.

What it does:
    Checks every string field of the file: names, types, documentation, metadata. Surrogates are not
    UTF-8 either.

Why it matters:
    onnx.proto says that strings are UTF-8. Python raises where C++ goes on, so tools disagree about
    the same file, and names can be made that some of them cannot say.

Example:
    A node name with the byte 0xFF.

What to do:
    Write the model again with valid names.

References:
    protobuf.dev/programming-guides/proto3, string.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.auditing.context import Context
from graphcount.auditing.grouping import and_more
from graphcount.auditing.rule import Rule
from graphcount.report.finding_rows import Finding

RULE = Rule("FMT009", "not-utf8", "medium")


def check(context: Context) -> Iterable[Finding]:
    """Yield one finding for all strings."""
    bad = [
        place for place in context.texts.unexpected("name", "doc", "value") if not _valid(place.raw)
    ]
    if bad:
        first = bad[0]
        yield RULE.finding(
            f"{first.text[:80]!r} is not UTF-8{and_more(len(bad) - 1, 'string')}",
            context.texts.where(first),
            strings=len(bad),
            found=first.raw[:40].hex(),
        )


def _valid(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
