"""External data: where a tensor's file is, without opening it.

Sizing a tensor needs its dims only, so the file is looked at (`lstat`, `stat`), never opened,
while counting. A location is contained: relative, without `..`, and after links inside the folder
of the model or the folder of the file the model's own path resolves to (Hugging Face caches keep
both the model and its data as links into one folder of blobs). The attacks behind each check:
CVE-2022-25882, CVE-2024-27318, CVE-2025-51480, CVE-2026-34446, CVE-2026-34447.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from math import prod
from typing import IO, NamedTuple

from graphcount.errors import GraphcountError, NotReadableError, Problem
from graphcount.loading import open_again
from graphcount.loading.model import Tensor
from graphcount.loading.source import has_scheme, is_nameless, open_regular

KEYS = ("location", "offset", "length", "checksum")
"""Keys of external_data that onnx.proto defines."""

REMOTE_FILES = 1000
"""Files of a remote model that are looked at: each is a request that a model can cause."""

_NUMBER = re.compile(r"[0-9]{1,19}\Z")
_SHA1 = re.compile(r"[0-9A-Fa-f]{40}\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:")


class ExternalData(NamedTuple):
    """The external data of one tensor.

    Attributes:
        location: As stated.
        offset: First byte in the file.
        length: Stated bytes, or None; 0 is None, as onnxruntime has it.
        path: The file, absolute; None when it must not be touched.
        nbytes: Size of the file, or None when it is missing or must not be touched.
        problems: Why the data cannot be trusted to be there; empty when all is well.
        notes: Worth saying, but the data is there (a link inside the folder).
        checksum: As stated, or None.
        host: Another host that it comes from, by a redirect of the model's.
    """

    location: str
    offset: int = 0
    length: int | None = None
    path: str | None = None
    nbytes: int | None = None
    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    checksum: str | None = None
    host: str = ""

    @property
    def problem(self) -> str:
        """The first problem in words; empty when there is none."""
        return self.problems[0].why if self.problems else ""

    @property
    def is_model(self) -> bool:
        """Whether the file is the model file itself."""
        return any(note.rule == "EXT019" for note in self.notes)

    @property
    def note(self) -> str:
        """The first note in words; empty when there is none."""
        return self.notes[0].why if self.notes else ""


def locate(
    tensor: Tensor, model_path: str, cache: dict[str, ExternalData], way: Way | None = None
) -> ExternalData:
    """Find the external data of a tensor.

    Args:
        tensor: A tensor whose `is_external` is true.
        model_path: Path of the model as given; `-` has no folder.
        cache: Files already looked at, by location; filled here.
        way: The way to them, as far as it is known; filled here.
    """
    entries: Mapping[str, str] = dict(reversed(tensor.external))  # the first of duplicates
    location = entries.get("location", "")
    data = cache.get(location)
    if data is None:
        data = cache[location] = look(location, model_path, len(cache), way)
    problems, notes = [*data.problems], [*data.notes]
    numbers: dict[str, int | None] = {"offset": None, "length": None}
    for key in numbers:
        text = entries.get(key)
        if text is not None and _NUMBER.match(text):
            numbers[key] = int(text)
        elif text is not None:
            problems.append(_problem("EXT008", f"{key} {text[:40]!r} is not a number"))
    offset, length = numbers["offset"] or 0, numbers["length"]
    if len(entries) < len(tensor.external):
        problems.append(_problem("EXT013", "an external_data key is given twice"))
    strange = sorted(set(entries) - set(KEYS))
    if strange:
        notes.append(_problem("EXT013", f"external_data has the unknown key {strange[0][:80]!r}"))
    if length == 0:
        length = None
        notes += _zero_length(tensor)
    problems += _range_problems(tensor, offset, length, data.nbytes)
    checksum = entries.get("checksum")
    if checksum is not None and not _SHA1.match(checksum):
        notes.append(_problem("EXT010", f"checksum {checksum[:60]!r} is not a SHA-1"))
    return data._replace(
        offset=offset,
        length=length,
        problems=tuple(problems),
        notes=tuple(notes),
        checksum=checksum,
    )


def _range_problems(
    tensor: Tensor, offset: int, length: int | None, size: int | None
) -> Iterator[Problem]:
    """Yield whether offset and length fit the tensor and the file."""
    asked = _asked_nbytes(tensor)
    needed = length or 0 if asked is None else asked
    if asked is not None and length is not None and length != asked:
        why = f"length {length} is not the {asked} bytes of dims and dtype"
        yield _problem("EXT014", why, expected=asked, found=length)
    end = offset + max(needed, length or 0)
    if size is not None and end > size:
        why = f"needs bytes {offset} to {end} of a file of {size}"
        yield _problem("EXT007", why, end=end, size=size)


def _asked_nbytes(tensor: Tensor) -> int | None:
    """Return the bytes that dims and type ask for; None where they say nothing."""
    dtype = tensor.dtype
    if dtype is None or not dtype.bits or any(dim < 0 for dim in tensor.dims):
        return None
    return dtype.nbytes(prod(tensor.dims))


def _zero_length(tensor: Tensor) -> Iterator[Problem]:
    """Yield that readers differ in a length of 0.

    onnxruntime takes it as not stated (seen in 1.32: such a model runs); onnx.load reads no byte.
    """
    asked = _asked_nbytes(tensor)
    if asked:
        why = f"length 0: onnxruntime reads the {asked} bytes of dims and dtype, onnx reads none"
        yield _problem("EXT014", why, expected=asked, found=0)


def _problem(rule: str, why: str, **evidence: int) -> Problem:
    return Problem(rule, "external data", why, evidence)


def open_external_file(data: ExternalData) -> IO[bytes] | None:
    """Open a contained external data file for reading, or return None when it must not be read.

    Nothing that is missing, escapes, or has another hard link is opened.
    """
    if data.path is None or data.problems:
        return None
    if has_scheme(data.path):
        try:
            return open_again(data.path)
        except GraphcountError:
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


def look(location: str, model_path: str, others: int = 0, way: Way | None = None) -> ExternalData:
    """Contain a location and size what it names; `others` were looked at before."""
    problems = _refused(location)
    if not problems and is_nameless(model_path):
        why = "the model came from standard input or memory, which has no folder"
        problems = [_problem("EXT006", why)]
    if problems:
        return ExternalData(location, problems=tuple(problems))
    if has_scheme(model_path):
        return _look_elsewhere(location, model_path, others)
    try:
        return _resolve(location, way or Way(model_path))
    except FileNotFoundError:
        problem = _problem("EXT006", f"{location} is missing")
    except (OSError, ValueError) as error:
        is_loop = isinstance(error, OSError) and error.errno == errno.ELOOP
        problem = _problem("EXT003" if is_loop else "EXT006", f"{location} cannot be looked at")
    return ExternalData(location, problems=(problem,))


class Way:
    """The way from a model's folder to its external data: each step of it is looked up one time.

    Args:
        model_path: Path of the model as given.
    """

    def __init__(self, model_path: str) -> None:
        self.model_path = model_path
        self._known: dict[str, str | None] = {}

    @cached_property
    def folder(self) -> str:
        """The folder of the model's path, without links."""
        return os.path.realpath(os.path.dirname(os.path.abspath(self.model_path)))

    @cached_property
    def model(self) -> str:
        """The model's path, without links."""
        return os.path.realpath(self.model_path)

    def follow(self, parts: Sequence[str]) -> str:
        """Return where a path in the folder leads; nothing beyond a missing step is looked at."""
        here = self.folder
        for index, part in enumerate(parts):
            step = _below(here, [part])
            if step not in self._known:
                self._known[step] = _step(step)
            real = self._known[step]
            if real is None:
                return _below(here, parts[index:])
            here = real
        return here


def _below(folder: str, parts: Sequence[str]) -> str:
    """Return a path in a folder; in one step, for `os.path.join` copies the path for each part."""
    return os.path.join(folder, "") + os.sep.join(parts) if parts else folder


def _step(path: str) -> str | None:
    """Return a path in a folder without links, its own followed; None when it has no place."""
    try:
        is_link = stat.S_ISLNK(os.lstat(path).st_mode)
    except OSError:
        return None
    return os.path.realpath(path) if is_link else path


def _resolve(location: str, way: Way) -> ExternalData:
    """Follow links to an external data file, and look at what is there; raises OSError."""
    parts = _parts(location)
    resolved = way.follow(parts)
    notes = []
    if resolved != _below(way.folder, parts):
        notes.append(_problem("EXT003", f"{location} is reached through a link"))
        roots = {way.folder, os.path.dirname(way.model)}
        if not any(os.path.commonpath((root, resolved)) == root for root in roots):
            problem = _problem("EXT003", f"{location} is a link that leaves the model's folder")
            return ExternalData(location, problems=(problem,))
    status = os.stat(resolved)
    if not stat.S_ISREG(status.st_mode) or location.endswith(("/", "/.")):
        problem = _problem("EXT005", f"{location} is not a regular file")
        return ExternalData(location, problems=(problem,))
    if status.st_nlink > 1:
        notes.append(_problem("EXT004", f"{location} has another hard link"))
    if resolved == way.model:
        notes.append(_problem("EXT019", f"{location} is the model file itself"))
    return ExternalData(location, path=resolved, nbytes=status.st_size, notes=tuple(notes))


def _look_elsewhere(location: str, model_path: str, others: int) -> ExternalData:
    """Size an external data file beside a remote model, or in its archive."""
    if others >= REMOTE_FILES:
        why = f"more than {REMOTE_FILES:,} external data files; {location} is not looked at"
        return ExternalData(location, problems=(_problem("EXT006", why),))
    if model_path.startswith("zip://"):
        from graphcount.loading.archive import external_member as find
    else:
        from graphcount.loading.remote import external_file as find
    path, nbytes, why, host = find(model_path, "/".join(_parts(location)))
    if nbytes is None:
        return ExternalData(location, problems=(_problem("EXT006", f"{location} {why}"),))
    notes = [_problem("EXT003", f"{location} comes from {host}, by a redirect")] if host else []
    return ExternalData(location, path=path, nbytes=nbytes, notes=tuple(notes), host=host)


def _parts(location: str) -> list[str]:
    return [part for part in location.split("/") if part not in ("", ".")]


def _refused(location: str) -> list[Problem]:
    """Return why a location is refused by its text alone; empty when it may be looked at."""
    if not location:
        return [_problem("EXT009", "external data without a location")]
    if len(location) > 4096:
        return [_problem("EXT009", "location is longer than 4,096 characters")]
    name = location[:200]
    problems = []
    if _CONTROL.search(location):
        problems.append(_problem("EXT009", "location has control characters"))
    if "_ORT_MEM_ADDR_" in location:
        problems.append(_problem("EXT016", "location is onnxruntime's in-memory marker"))
    elif _URL.match(location):
        problems.append(_problem("EXT009", f"location {name} is absolute: a URL"))
    elif _ABSOLUTE.match(location):
        problems.append(_problem("EXT001", f"location {name} is absolute"))
    elif "\\" in location:
        problems.append(_problem("EXT009", f"location {name} has a backslash"))
    if ".." in re.split(r"[/\\]", location):
        problems.append(_problem("EXT002", f"location {name} leaves the model's folder"))
    return problems
