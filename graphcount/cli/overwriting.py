"""What no result is written over: what is read, external data that it names, what links lead to."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from graphcount.errors import GraphcountError, UsageError

DEVICES = "/dev/"
"""Links in here (`/dev/stdout`) are the system's own."""


def refuse_overwriting(given: Mapping[str, Any], outputs: Sequence[str], read: set[str]) -> None:
    """Refuse to write over a file that is read, or twice.

    Without --force, neither over external data of a model, nor over what a link leads to. A
    baseline may be written again by the run that compares with it.

    Args:
        given: Parameters of a command.
        outputs: Names of those that name files to write.
        read: Names of those that name files to read.

    Raises:
        UsageError: With the file.
    """
    written: set[str] = set()
    for name in outputs:
        kept = read - {"baseline"} if name == "write_baseline" else read
        sources = [path for key in given if key in kept for path in _files(given[key])]
        for path in _files(given.get(name)):
            real = os.path.realpath(path)
            if os.path.exists(real) and not os.path.isfile(real):
                continue  # a device, a FIFO: nothing of it is lost
            if any(_is_same(source, real) for source in map(_plain, sources)):
                raise UsageError("is read, and would be overwritten; write to another file", path)
            if real in written:
                raise UsageError("is named for two results; write to another file", path)
            written.add(real)
            why = "" if given.get("force") else _forced(path, real, sources, given)
            if why:
                raise UsageError(f"{why}; write to another file, or give --force", path)


def _files(value: Any) -> Iterator[str]:
    """Yield the paths in a value: itself, several, or of pairs (`junit=FILE`) the last."""
    for item in value if isinstance(value, tuple) else (value,):
        path = item[-1] if isinstance(item, tuple) else item
        if path and path != "-":
            yield path


def _plain(source: str) -> str:
    """Return the file in `@LIST`, `NAME=FILE` and `zip://MEMBER::FILE`; any other as it is."""
    if os.path.lexists(source):
        return source
    if source.startswith("zip://"):
        return source.rpartition("::")[2]
    return source[1:] if source.startswith("@") else source.partition("=")[2] or source


def _is_same(source: str, target: str) -> bool:
    try:
        return os.path.samefile(source, target)
    except (OSError, ValueError):  # one of them is not there, or no path of this machine
        return False


def _forced(path: str, real: str, sources: list[str], given: Mapping[str, Any]) -> str:
    """Return why a file is written with --force only; empty where it is not so."""
    if os.path.islink(path) and not os.path.abspath(path).startswith(DEVICES):
        return f"is a link to {real}, which would be overwritten"
    if not os.path.isfile(real) or given.get("resume"):  # an inventory that is gone on with
        return ""
    limits = given.get("limits") or {}
    for model in _models(sources, real):
        if _is_same(model, real):
            return "is one of the models, and would be overwritten"
        if any(_is_same(data, real) for data in _external_data(model, limits)):
            return f"is external data of {model}, and would be overwritten"
    return ""


def _models(sources: list[str], real: str) -> Iterator[str]:
    """Yield the models that may name a file: those that are given, and of folders those near it.

    External data lies in the folder of its model, or below.
    """
    from graphcount.loading.source import has_scheme
    from graphcount.scanning.targets import expand

    for source in sources:
        if has_scheme(source):
            continue  # remote, or in an archive: what it names is there, too
        if os.path.isfile(source):
            yield source
            continue
        try:
            for model in expand([source]):
                folder = os.path.realpath(os.path.dirname(os.path.abspath(model.path)))
                if not model.problem and os.path.commonpath((folder, real)) == folder:
                    yield model.path
        except GraphcountError:
            continue  # the command says so


def _external_data(model: str, limits: Mapping[str, int]) -> Iterator[str]:
    """Yield the external data files of a model; none of what cannot be read."""
    from graphcount.analysis.stored import find_stored
    from graphcount.loading import read_model
    from graphcount.loading.limits import Limits

    try:
        proto = read_model(model, Limits(**limits)).proto
    except GraphcountError:
        return  # the command says so
    for path in {data.path for row in find_stored(proto, model) for data in row.externals}:
        if path is not None:
            yield path
