"""From what a user names to models, one by one, in an order that depends on nothing else.

Folders are walked in the order of names; links to folders are not followed. Nothing is opened here
but folders and the directories of archives, so FIFOs and devices become rows of their own later.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import translate
from typing import IO, NamedTuple, cast

from graphcount.errors import GraphcountError, NotReadableError, UsageError
from graphcount.loading.source import has_scheme, open_regular

Matches = Callable[[str], bool]

DEFAULT_GLOBS = ("*.onnx",)
MOST_DEPTH = 100
"""Folders within folders."""
LINE_NBYTES = 64 * 1024
"""Longest line of a list."""


class Target(NamedTuple):
    """A model to look at; `problem` says why there is nothing to look at."""

    path: str
    problem: str = ""


def expand(targets: Iterable[str], globs: Sequence[str] = DEFAULT_GLOBS) -> Iterator[Target]:
    """Yield the models of folders, globs, lists (`@models.txt`), archives, URLs and files.

    Args:
        targets: In the order wanted.
        globs: Names that are models inside folders and archives; with a `/`, paths from there.

    Raises:
        UsageError: A target can be none of these.
    """
    wanted = [re.compile(translate(glob), re.IGNORECASE) for glob in globs]
    paths = [expression for expression, glob in zip(wanted, globs, strict=True) if "/" in glob]
    names = [expression for expression in wanted if expression not in paths]

    def matches(relative: str) -> bool:
        name = relative.rpartition("/")[2]
        return any(e.match(name) for e in names) or any(e.match(relative) for e in paths)

    for target in targets:
        if target == "-":
            raise UsageError("a scan cannot read standard input; --from - reads a list from it")
        if target.startswith("@"):
            yield from expand(read_list(target[1:]), globs)
        else:
            yield from _one(_plain(target), matches)


def read_list(path: str) -> Iterator[str]:
    """Yield the targets of a list, one a line; empty lines and comments (`#`) are skipped.

    Args:
        path: A file, or `-` for standard input.

    Raises:
        NotReadableError: It cannot be read, or is no list.
    """
    with sys.stdin.buffer if path == "-" else _buffered(path) as file:
        while line := file.readline(LINE_NBYTES):
            text = os.fsdecode(line.strip())
            if len(line) == LINE_NBYTES or "\0" in text:
                raise NotReadableError("is no list of models, one a line", path)
            if text.startswith("@"):
                raise NotReadableError("a list cannot name lists", path)
            if text and not text.startswith("#"):
                yield text


def _buffered(path: str) -> IO[bytes]:
    return cast("IO[bytes]", io.BufferedReader(cast("io.FileIO", open_regular(path))))


def _plain(target: str) -> str:
    """Return a local path without redundant parts: `./models//` is `models`."""
    if has_scheme(target):
        return target
    first, *parts = target.split("/")
    kept = [part for part in parts if part not in ("", ".")]
    return "/".join(kept if first == "." and kept else [first, *kept]) or target


def _one(target: str, matches: Matches) -> Iterator[Target]:
    remote = has_scheme(target)
    if target.startswith("zip://") or target.lower().startswith(("http://", "https://")):
        yield from _file(target, matches)
    elif not remote and os.path.isdir(target):
        yield from _walk(target, "", matches)
    elif remote and target.endswith("/"):
        yield from _walk(target.rstrip("/"), "", matches)
    elif re.search(r"[*?\[]", target) and (remote or not os.path.lexists(target)):
        yield from _glob(target)
    else:
        yield from _file(target, matches)


def _file(path: str, matches: Matches) -> Iterator[Target]:
    """Yield a file itself, or the members of an archive."""
    place = path.partition("?")[0] if has_scheme(path) else path
    if not place.lower().endswith(".zip") or path.startswith("zip://"):
        yield Target(path)
        return
    from graphcount.loading.archive import members

    try:
        names = members(path)
    except GraphcountError as error:
        yield Target(path, error.message)
        return
    for name in names:
        if matches(name):
            yield Target(f"zip://{name}::{path}")


def _glob(target: str) -> Iterator[Target]:
    """Yield files below the part without wildcards whose path matches; `**` is any folders."""
    match = re.search(r"[*?\[]", target)
    base = target[: match.start() if match else 0].rpartition("/")[0]
    if not base and target.startswith("/"):
        base = "/"
    pattern = re.compile(_regex(target[len(base) :].lstrip("/")))
    matched = False
    for item in _walk(base or ".", "", lambda path: pattern.match(path) is not None):
        matched = True
        yield item
    if not matched:
        raise NotReadableError("matches no file", target)


def _regex(pattern: str) -> str:
    """Return a glob over whole paths as a regular expression."""
    parts = []
    for token in re.split(r"(\*\*/|\*\*|\*|\?|\[[^]/]+\])", pattern):
        wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(token)
        if wild is None and token.startswith("[") and token.endswith("]"):
            inside = token[1:-1].replace("\\", "\\\\")
            wild = f"[{'^' + inside[1:] if inside.startswith('!') else inside}]"
        parts.append(wild if wild is not None else re.escape(token))
    return f"{''.join(parts)}\\Z"


def _walk(top: str, below: str, matches: Matches) -> Iterator[Target]:
    """Yield files below a folder, local or in a store, names in order."""
    stack = [iter([(below, True)])]
    while stack:
        try:
            relative, is_folder = next(stack[-1])
        except StopIteration:
            stack.pop()
            continue
        below = relative if top == "." else f"{top.rstrip('/')}/{relative}"
        path = below if relative else top
        if is_folder:
            if len(stack) > MOST_DEPTH:
                yield Target(path, f"folders are nested deeper than {MOST_DEPTH}")
                continue
            try:
                entries = _entries(path)
            except GraphcountError as error:
                yield Target(path, error.message)
                continue
            prefix = f"{relative}/" if relative else ""
            stack.append(iter([(prefix + name, folder) for name, folder in entries]))
        elif matches(relative):
            yield from _file(path, matches)


def _entries(folder: str) -> list[tuple[str, bool]]:
    """Return names in a folder, sorted, and whether each is a folder (a link to one is not)."""
    if has_scheme(folder):
        from graphcount.loading.remote import entries

        return sorted(entries(folder))
    try:
        with os.scandir(folder) as listing:
            return sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in listing)
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise NotReadableError(f"the folder cannot be listed: {reason}", folder) from None
