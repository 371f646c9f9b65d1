"""External data: where a tensor's side file is, without opening it.

Sizing a tensor needs its dims only, so a side file is looked at (`lstat`, `stat`), never opened,
while counting. A location is contained: relative, without `..`, and after links inside the folder
of the model or the folder of the file the model's own path resolves to (Hugging Face caches keep
both the model and its side files as links into one folder of blobs). The attacks behind each check:
CVE-2022-25882, CVE-2024-27318, CVE-2025-51480, CVE-2026-34446, CVE-2026-34447.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from typing import IO, NamedTuple

from graphcount.errors import NotReadableError
from graphcount.loading.model import Tensor
from graphcount.loading.source import open_regular

KEYS = ("location", "offset", "length", "checksum")
"""Keys of external_data that onnx.proto defines."""

_NUMBER = re.compile(r"[0-9]{1,19}\Z")
_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:|[A-Za-z][A-Za-z0-9+.-]*://")


class ExternalData(NamedTuple):
    """The external data of one tensor.

    Attributes:
        location: As stated.
        offset: First byte in the side file.
        length: Stated bytes, or None.
        path: The side file, absolute; None when it must not be touched.
        nbytes: Size of the side file, or None when it is missing or must not be touched.
        problem: Why the data cannot be trusted to be there; empty when all is well.
        note: Worth saying, but harmless (a link inside the folder).
    """

    location: str
    offset: int
    length: int | None
    path: str | None
    nbytes: int | None
    problem: str
    note: str


def locate(tensor: Tensor, model_path: str, cache: dict[str, ExternalData]) -> ExternalData:
    """Find the external data of a tensor.

    Args:
        tensor: A tensor whose `is_external` is true.
        model_path: Path of the model as given; `-` has no folder.
        cache: Side files already looked at, by location; filled here.
    """
    entries: Mapping[str, str] = dict(reversed(tensor.external))  # the first of duplicates
    location = entries.get("location", "")
    found = cache.get(location)
    if found is None:
        found = cache[location] = _look(location, model_path)
    problem = found.problem
    offset, length = 0, None
    for key in ("offset", "length"):
        text = entries.get(key)
        if text is None:
            continue
        if not _NUMBER.match(text):
            problem = problem or f"{key} {text[:40]!r} is not a number"
            continue
        if key == "offset":
            offset = int(text)
        else:
            length = int(text)
    if len(entries) < len(tensor.external):
        problem = problem or "an external_data key is given twice"
    dtype = tensor.dtype
    if dtype is not None and dtype.bits and all(dim >= 0 for dim in tensor.dims):
        elements = 1
        for dim in tensor.dims:
            elements *= dim
        needed = dtype.nbytes(elements)
        if length is not None and length != needed:
            problem = problem or f"length {length} is not the {needed} bytes of dims and dtype"
        if found.nbytes is not None and offset + needed > found.nbytes:
            problem = problem or (
                f"needs bytes {offset} to {offset + needed} of a file of {found.nbytes}"
            )
    return found._replace(offset=offset, length=length, problem=problem)


def open_side_file(data: ExternalData) -> IO[bytes] | None:
    """Open a contained side file for reading, or return None when it must not be read.

    Nothing that is missing, escapes, or has another hard link is opened.
    """
    if data.path is None or data.problem:
        return None
    try:
        before = os.lstat(data.path)
        if not stat.S_ISREG(before.st_mode) or before.st_nlink > 1:
            return None
        file = open_regular(data.path)
    except (OSError, NotReadableError):
        return None
    after = os.fstat(file.fileno())
    if (before.st_dev, before.st_ino) != (after.st_dev, after.st_ino):
        file.close()
        return None
    return file


def _look(location: str, model_path: str) -> ExternalData:
    """Contain a location and size what it names."""
    problem = _refused(location)
    if not problem and model_path == "-":
        problem = "the model came from standard input, which has no folder"
    if problem:
        return ExternalData(location, 0, None, None, None, problem, "")
    folder = os.path.dirname(os.path.abspath(model_path))
    path = os.path.join(folder, *location.split("/"))
    roots = {os.path.realpath(folder), os.path.dirname(os.path.realpath(model_path))}
    note = ""
    try:
        resolved = os.path.realpath(path)
        if resolved != os.path.join(os.path.realpath(folder), *_parts(location)):
            note = f"{location} is reached through a link"
            if not any(os.path.commonpath((root, resolved)) == root for root in roots):
                problem = f"{location} is a link that leaves the model's folder"
                return ExternalData(location, 0, None, None, None, problem, "")
        status = os.stat(resolved)
        if not stat.S_ISREG(status.st_mode):
            problem = f"{location} is not a regular file"
            return ExternalData(location, 0, None, None, None, problem, "")
        if status.st_nlink > 1:
            note = note or f"{location} has another hard link"
    except FileNotFoundError:
        return ExternalData(location, 0, None, None, None, f"{location} is missing", "")
    except (OSError, ValueError):
        problem = f"{location} cannot be looked at"
        return ExternalData(location, 0, None, None, None, problem, "")
    return ExternalData(location, 0, None, resolved, status.st_size, "", note)


def _parts(location: str) -> list[str]:
    return [part for part in location.split("/") if part not in ("", ".")]


def _refused(location: str) -> str:
    """Why a location is refused by its text alone; empty when it may be looked at."""
    if not location:
        return "external data without a location"
    if len(location) > 4096:
        return "location is longer than 4,096 characters"
    if any(ord(character) < 32 or ord(character) == 127 for character in location):
        return "location has control characters"
    if "_ORT_MEM_ADDR_" in location:
        return "location is onnxruntime's in-memory marker"
    if _ABSOLUTE.match(location):
        return f"location {location[:200]} is absolute"
    if "\\" in location:
        return f"location {location[:200]} has a backslash"
    if ".." in location.split("/"):
        return f"location {location[:200]} leaves the model's folder"
    return ""
