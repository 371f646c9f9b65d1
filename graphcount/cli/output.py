"""Results are written here, and errors of models that cannot be read."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from graphcount.errors import GraphcountError
from graphcount.formats import FORMATS, STYLES, render
from graphcount.formats.text import one_line
from graphcount.formats.view import View, is_terminal
from graphcount.report.records import Report

if TYPE_CHECKING:
    from graphcount.api import Counting

PIPE_WIDTH = 100
"""Columns when the output is no terminal and COLUMNS does not say."""

SHOW_ERRORS = frozenset({"json", "jsonl", "sarif", "github", "gitlab"})
"""Formats with a place for models that could not be read."""


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What is asked of a command's output.

    Attributes:
        format_name: How to print the result.
        file: Where to write it; None and `-`: to stdout.
        quiet: Nothing on stderr but errors.
        no_color: No colours.
        binary: Sizes in KiB, MiB, GiB.
    """

    format_name: str = ""
    file: str | None = None
    quiet: bool = False
    no_color: bool = False
    binary: bool = False

    def view(self, **view: Any) -> View:
        """Return how to show results, given the terminal (or its absence)."""
        terminal = self.file is None and is_terminal(sys.stdout)
        width = shutil.get_terminal_size((PIPE_WIDTH, 24)).columns
        return View(
            color=terminal and not self.no_color and not os.environ.get("NO_COLOR"),
            width=max(40, width),
            binary=self.binary,
            ascii=self.file is None and not _speaks_unicode(),
            **view,
        )

    def write(self, text: str) -> None:
        """Write the result."""
        write(text, self.file)

    def emit(
        self,
        outcomes: Sequence[Report | GraphcountError],
        view: View,
        formats: Mapping[str, str] | None = None,
    ) -> None:
        """Render and write; models that could not be read are only in formats that have them."""
        readable = [item for item in outcomes if isinstance(item, Report)]
        if readable or self.format_name in SHOW_ERRORS:
            self.write(render(self.format_name, outcomes, view, formats or {**FORMATS, **STYLES}))


def _speaks_unicode() -> bool:
    """Return whether stdout may show more than ASCII: not in another encoding, nor in the C locale.

    In the C locale Python writes UTF-8 all the same (PEP 540), whatever the terminal can show.
    """
    if not (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf"):
        return False
    locale = os.environ.get("LC_ALL") or os.environ.get("LANG")
    asked = os.environ.get("PYTHONUTF8") == "1"
    return asked or not (sys.flags.utf8_mode and locale in ("C", "POSIX"))


def complain(error: GraphcountError, show_rule: bool = False) -> None:
    """Write one line about a model that could not be read.

    Args:
        error: Why.
        show_rule: Begin with the id of the rule that documents the error.
    """
    rule = f"{error.rule} " if show_rule and error.rule else ""
    say(f"{error.path}: {rule}{error.message}")


def say(text: str) -> None:
    """Write one line to stderr, whatever the text has in it."""
    click.echo(f"graphcount: {one_line(text, 400)}", err=True)


def write(text: str, file: str | None) -> None:
    """Write text to stdout, or whole or not at all to a file.

    Raises:
        NotReadableError: The file cannot be written.
    """
    if file is None or file == "-":
        stream = sys.stdout
        encoding = stream.encoding or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        return
    from graphcount.loading.writing import write_file

    write_file(text, file)


@contextmanager
def watched(options: Counting, quiet: bool) -> Iterator[None]:
    """Say on the terminal how far it is, where weights are read."""
    if not options.get("sparsity"):
        yield
        return
    from graphcount.formats.progress import StatusLine

    with StatusLine(quiet) as status:
        options["sparsity"] = status
        yield
