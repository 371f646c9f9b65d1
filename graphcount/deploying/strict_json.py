"""JSON of strangers: bounded, and refused where two readers could differ."""

from __future__ import annotations

import json
import math
from typing import Any

from graphcount.errors import DamagedError
from graphcount.loading.folder import Folder
from graphcount.loading.source import public_path

MOST_NBYTES = 16 * 2**20
"""A manifest names files; the largest published ones have some kilobytes."""


def read_object(folder: Folder, name: str) -> dict[str, Any]:
    """Read a JSON object of a folder.

    Raises:
        NotReadableError: There is no such file.
        LimitError: It is too large.
        DamagedError: It is no JSON object (RFC 8259), has a key twice or no number where one is.
    """
    return parse_object(folder.read(name, MOST_NBYTES), public_path(folder.path_of(name)))


def parse_object(data: bytes, path: str | None = None) -> dict[str, Any]:
    """Return a JSON object.

    Raises:
        DamagedError: It is no JSON object (RFC 8259), has a key twice or no number where one is.
    """
    try:
        value = json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=_once,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except RecursionError:
        raise DamagedError("JSON that is nested too deeply", path) from None
    except ValueError as error:  # UnicodeError and JSONDecodeError are
        raise DamagedError(f"no JSON: {_reason(error)}", path) from None
    if not isinstance(value, dict):
        raise DamagedError("no JSON object", path)
    return value


def _reason(error: ValueError) -> str:
    return "its text is not UTF-8" if isinstance(error, UnicodeError) else str(error)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; readers differ in what a key that stands twice means."""
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice[:80]!r} stands twice")
    return made


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:40]} is too large for a number")
    return number
