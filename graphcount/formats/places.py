"""Where a finding is, for formats that point at files; and what tells it from others."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import PurePath
from typing import Any, NamedTuple
from urllib.parse import quote

from graphcount.formats.text import safe
from graphcount.report.finding_rows import Finding


class Location(NamedTuple):
    """A file and a line in it (1 where there are no lines)."""

    path: str
    line: int


def relative(path: str) -> str:
    """Return the path from the current folder with `/`, where the file is below it."""
    try:
        short = os.path.relpath(path)
    except ValueError:  # another drive
        short = path
    return PurePath(path if short.startswith("..") else short).as_posix()


def uri(path: str) -> str:
    """Return a relative path as a URI reference, an absolute one as a `file:` URI (RFC 3986)."""
    plain = relative(path)
    escaped = quote(os.fsencode(plain), safe="/")
    if plain.startswith("/"):
        return f"file://{escaped}"
    return f"file:///{escaped}" if PurePath(plain).drive else escaped


def limit_place(finding: Finding) -> Location | None:
    """Return the line of a configuration where the limit is written, if it is in one."""
    limit = finding.where.get("limit")
    if isinstance(limit, dict) and limit.get("file"):
        return Location(str(limit["file"]), int(limit.get("line") or 1))
    return None


def fingerprint(path: str, finding: Finding) -> str:
    """Return the identity of a finding: equal for the same finding with other numbers."""
    where = {key: value for key, value in finding.where.items() if key not in ("limit", "count")}
    text = json.dumps([relative(path), finding.rule, where], sort_keys=True, default=str)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:32]


def clean(value: Any) -> Any:
    """Return data with every text in it visible and without credentials."""
    if isinstance(value, str):
        return safe(value, None)
    if isinstance(value, dict):
        return {safe(str(key), None): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    return value
