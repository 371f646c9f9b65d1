"""How results leave the program, and how models that cannot be read are told."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, TypeVar

import click

from graphcount.errors import GraphcountError, not_writable
from graphcount.formats import FORMATS, STYLES, render
from graphcount.formats.text import one_line
from graphcount.formats.view import View
from graphcount.report.records import Report

Item = TypeVar("Item")

PIPE_WIDTH = 100
"""Columns when the output is no terminal and COLUMNS does not say."""


def make_view(output: str | None, no_color: bool, binary: bool, **view: Any) -> View:
    """How to show results, given the terminal (or its absence)."""
    terminal = output is None and _is_terminal(sys.stdout)
    color = terminal and not no_color and not os.environ.get("NO_COLOR")
    width = shutil.get_terminal_size((PIPE_WIDTH, 24)).columns
    return View(
        color=color,
        width=max(40, width),
        binary=binary,
        ascii=output is None and not _speaks_unicode(),
        **view,
    )


def _speaks_unicode() -> bool:
    """Whether stdout may show more than ASCII: not in another encoding, nor in the C locale.

    In the C locale Python writes UTF-8 all the same (PEP 540), whatever the terminal can show.
    """
    if not (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf"):
        return False
    locale = os.environ.get("LC_ALL") or os.environ.get("LANG")
    asked = os.environ.get("PYTHONUTF8") == "1"
    return asked or not (sys.flags.utf8_mode and locale in ("C", "POSIX"))


def read_all(
    models: Iterable[str], read: Callable[[str], Item], *, show_rule: bool = False
) -> Iterator[Item | GraphcountError]:
    """Read models one by one; an error becomes an outcome and a line on stderr.

    Args:
        models: Paths.
        read: Reads one.
        show_rule: Begin the line with the id of the rule that documents the error.
    """
    for path in models:
        try:
            yield read(path)
        except GraphcountError as error:
            if error.path is None:
                error = error.at(path)
            rule = f"{error.rule} " if show_rule and error.rule else ""
            line = f"{error.path}: {rule}{error.message}"
            click.echo(f"graphcount: {one_line(line, 400)}", err=True)
            yield error


SHOW_ERRORS = frozenset({"json", "jsonl", "sarif", "github", "gitlab"})
"""Formats with a place for models that could not be read."""


def emit(
    outcomes: Sequence[Report | GraphcountError],
    format_name: str,
    view: View,
    output: str | None,
    formats: Mapping[str, str] | None = None,
) -> None:
    """Render and write; a model that could not be read is only shown by formats that can."""
    readable = [item for item in outcomes if isinstance(item, Report)]
    if readable or format_name in SHOW_ERRORS:
        write(render(format_name, outcomes, view, formats or {**FORMATS, **STYLES}), output)


def write(text: str, output: str | None) -> None:
    """Write text to stdout, or whole or not at all to a file.

    A link keeps being one; what is no regular file (a device, a FIFO) is written to as it is.

    Raises:
        NotReadableError: The file cannot be written.
    """
    if output is None or output == "-":
        stream = sys.stdout
        encoding = stream.encoding or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        return
    target = os.path.realpath(output)
    try:
        if os.path.exists(target) and not os.path.isfile(target):
            with open(target, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            return
        _replace(target, text)
    except OSError as error:
        raise not_writable(output, error) from None


def _replace(target: str, text: str) -> None:
    """Write a file beside the target and put it in its place; leave nothing behind on failure."""
    temporary = f"{target}.tmp{os.getpid()}"
    try:
        with open(temporary, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        os.replace(temporary, target)
    except OSError:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


class Progress:
    """One line on the terminal about what takes long; nothing where there is no terminal."""

    def __init__(self, quiet: bool) -> None:
        self.shown = 0
        self.enabled = not quiet and _is_terminal(sys.stderr)

    def __call__(self, text: str) -> None:
        """Replace the line."""
        if self.enabled:
            line = one_line(text, 70)
            sys.stderr.write(f"\r{line:<{self.shown}}")
            sys.stderr.flush()
            self.shown = len(line)

    def clear(self) -> None:
        """Take the line away."""
        if self.shown:
            sys.stderr.write(f"\r{'':<{self.shown}}\r")
            sys.stderr.flush()
            self.shown = 0


def _is_terminal(stream: IO[str]) -> bool:
    try:
        return stream.isatty()
    except ValueError:
        return False
