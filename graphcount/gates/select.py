"""Which models are checked, and by which checks."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import PurePath, PurePosixPath
from typing import NamedTuple

from graphcount.errors import NotReadableError, UsageError
from graphcount.gates.checks import Check
from graphcount.loading.source import has_scheme

SUFFIX = ".onnx"
"""What a model in a folder is called."""


class ModelChecks(NamedTuple):
    """A model, or a folder of models that run as one, and the checks it has to pass."""

    path: str
    checks: tuple[Check, ...]
    is_deployment: bool = False


class Selected(NamedTuple):
    """Which models are held against checks, and which are not.

    Attributes:
        models: Those that are, and what each has to pass.
        ignored: Those that no check applies to, where that is ignored.
        excluded: Those that the configuration excludes.
    """

    models: tuple[ModelChecks, ...]
    ignored: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()


def excluding(patterns: Sequence[str], folder: str) -> Callable[[str], bool]:
    """Return whether a path is excluded: it, or a folder that it is in, matches a pattern.

    Args:
        patterns: Globs, relative to `folder`; `*` matches any characters, slashes too.
        folder: Where the configuration is.
    """

    def excluded(path: str) -> bool:
        name = path
        if patterns and not has_scheme(path):
            name = PurePath(os.path.relpath(os.path.abspath(path), folder)).as_posix()
        names = (name, *map(str, PurePosixPath(name).parents))
        return any(fnmatchcase(row, glob.rstrip("/")) for glob in patterns for row in names)

    return excluded


def targets(
    models: Sequence[str],
    checks: Sequence[Check],
    everywhere: Check | None,
    uncovered: Check | None = None,
    excluded: Callable[[str], bool] = lambda path: False,
    deployments: Sequence[str] = (),
) -> Selected:
    """Return models in the given order, each once, each with all its checks.

    Args:
        models: Files, folders or globs; none, and no deployments: those that the checks choose.
        checks: Configured checks.
        everywhere: Demands given as options: on every model.
        uncovered: For models that no check applies to; None: they are left out.
        excluded: Whether a model is left out, whatever applies to it.
        deployments: Folders of models that are held against checks as one.

    Raises:
        UsageError: A pattern matches nothing, or a folder has no model.
        NotReadableError: A folder cannot be read.
    """
    extra = (everywhere,) if everywhere is not None else ()
    if not models and not deployments:
        return _configured(checks, extra, excluded)
    chosen = {id(check): _chosen(check, check.paths) for check in checks if check.paths}
    selected, ignored, left_out = [], [], []

    def applies(check: Check, path: str, as_one: bool) -> bool:
        if as_one or check.deployment:
            return as_one and bool(check.deployment) and _folder(check) == _shown_folder(path)
        return not check.paths or os.path.abspath(path) in chosen[id(check)]

    named = [(path, False) for path in _files(models)] + [(path, True) for path in deployments]
    for path, as_one in named:
        if excluded(path):
            left_out.append(path)
            continue
        own = tuple(check for check in checks if applies(check, path, as_one))
        applying = own + extra or ((uncovered,) if uncovered is not None else ())
        if applying:
            selected.append(ModelChecks(path, applying, as_one))
        else:
            ignored.append(path)
    return Selected(tuple(selected), tuple(ignored), tuple(left_out))


def _configured(
    checks: Sequence[Check], extra: tuple[Check, ...], excluded: Callable[[str], bool]
) -> Selected:
    """Return models that checks choose by their patterns."""
    held: dict[str, list[Check]] = {}
    folders: dict[str, list[Check]] = {}
    left_out: dict[str, None] = {}
    for check in checks:
        if check.deployment:
            folders.setdefault(_folder(check), []).append(check)
            continue
        if not check.paths:
            raise UsageError(f"{_title(check)} has no paths: name a MODEL")
        without = _chosen(check, check.exclude)
        for pattern in check.paths:
            matched = _match(check.folder, pattern)
            if not matched:
                raise UsageError(f"{_title(check)}: {pattern!r} matches no file")
            for path in matched:
                if excluded(path):
                    left_out[path] = None
                elif path not in without and check not in held.setdefault(path, []):
                    held[path].append(check)
        if not any(check in row for row in held.values()):
            raise UsageError(f"{_title(check)} excludes every file")
    if not held and not folders:
        raise UsageError("nothing to check: name a MODEL, or configure checks with paths")
    kept = [(path, row) for path, row in held.items() if row]
    models = [ModelChecks(_display_path(path), (*row, *extra)) for path, row in kept]
    whole = [ModelChecks(path, (*row, *extra), True) for path, row in folders.items()]
    return Selected((*models, *whole), excluded=tuple(map(_display_path, left_out)))


def _folder(check: Check) -> str:
    """Return the folder of a deployment, as it is shown."""
    if has_scheme(check.deployment):
        return check.deployment
    return _shown_folder(os.path.join(check.folder, check.deployment))


def _shown_folder(path: str) -> str:
    return path if has_scheme(path) else _display_path(os.path.abspath(path))


def _title(check: Check) -> str:
    """Return `graphcount.toml:3: check edge`; a check without a name is `check 1` already."""
    word = "" if check.name.startswith("check ") else "check "
    return f"{check.origin.text}: {word}{check.name}"


def _chosen(check: Check, patterns: Iterable[str]) -> set[str]:
    """Return absolute paths that patterns of a check match, without those it excludes."""
    paths = {path for pattern in patterns for path in _match(check.folder, pattern)}
    if patterns is not check.exclude:
        paths -= _chosen(check, check.exclude)
    return paths


def _match(folder: str, pattern: str) -> list[str]:
    """Return absolute paths of the models a pattern matches, sorted."""
    plain = os.path.join(folder, pattern)
    if os.path.isdir(plain):
        return [os.path.abspath(path) for path in _walk(plain)]
    matches = glob.glob(pattern, root_dir=folder, recursive=True)
    paths = (os.path.abspath(os.path.join(folder, path)) for path in matches)
    return sorted(path for path in paths if not os.path.isdir(path))


def _files(models: Sequence[str]) -> Iterator[str]:
    """Yield files as given, those of folders, and those that globs match; each once."""
    seen = set()
    for model in models:
        paths = [model]
        if model != "-" and os.path.isdir(model):
            paths = _walk(model)
            if not paths:
                raise UsageError(f"{model}: no {SUFFIX} file in it")
        elif glob.has_magic(model) and not has_scheme(model) and not os.path.lexists(model):
            paths = sorted(
                path for path in glob.glob(model, recursive=True) if not os.path.isdir(path)
            )
            if not paths:
                raise UsageError(f"{model!r} matches no file")
        for path in paths:
            if os.path.abspath(path) not in seen:
                seen.add(os.path.abspath(path))
                yield path


def _walk(folder: str) -> list[str]:
    """Return models in a folder and below, sorted; links to folders are not followed."""

    def refuse(error: OSError) -> None:
        raise NotReadableError((error.strerror or "cannot be read").lower(), error.filename)

    models = []
    for here, folders, names in os.walk(folder, onerror=refuse):
        folders.sort()
        models += [os.path.join(here, n) for n in sorted(names) if n.lower().endswith(SUFFIX)]
    return models


def _display_path(path: str) -> str:
    """Return a relative path where the file is below the current folder."""
    try:
        relative = os.path.relpath(path)
    except ValueError:  # another drive
        return path
    return path if relative.startswith("..") else relative
