"""Results are written here, each in its format, and errors of models that cannot be read."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from graphcount.errors import GraphcountError, UsageError
from graphcount.formats import FORMATS, STYLES, WITH_DIGESTS, render
from graphcount.formats.text import one_line
from graphcount.formats.view import View, is_terminal
from graphcount.report.records import Report
from graphcount.verbose import LOGGER
from graphcount.version import __version__

if TYPE_CHECKING:
    from graphcount.api import Counting

PIPE_WIDTH = 100
"""Columns when the output is no terminal and COLUMNS does not say."""

SHOW_ERRORS = frozenset({"json", "jsonl", "sarif", "github", "gitlab"})
"""Formats with a place for models that could not be read."""


SUFFIXES: dict[str, tuple[str, ...]] = {
    "table": (),
    "text": (),
    "json": (".json",),
    "jsonl": (".jsonl", ".ndjson"),
    "csv": (".csv",),
    "markdown": (".md", ".markdown"),
    "html": (".html", ".htm"),
    "sarif": (".sarif", ".sarif.json", ".json"),
    "junit": (".xml",),
    "github": (),
    "gitlab": (".json",),
    "gitlab-metrics": (),
    "cyclonedx": (".cdx.json", ".json"),
    "spdx": (".spdx.json", ".json"),
    "report": (".json",),
    "mermaid": (".mmd", ".mermaid"),
    "mermaid-state": (".mmd", ".mermaid"),
    "dot": (".dot", ".gv"),
    "svg": (".svg",),
    "graphml": (".graphml", ".xml"),
    "gexf": (".gexf", ".xml"),
    "node-link": (".json",),
    "netron": (".json",),
    "toml": (".toml",),
    "pyproject": (".toml",),
}
"""Suffixes of every format of any command; of those that share one, the first is meant."""

ENVIRONMENT = "GRAPHCOUNT_FORMAT"
"""Names the format of commands that have it, where neither --format nor a suffix does."""


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What is asked of a command's output.

    Attributes:
        format_name: How to print the result.
        file: Where to write it; None and `-`: to stdout.
        also: More formats, and the file of each.
        quiet: Nothing on stderr but errors.
        no_color: No colours.
        binary: Sizes in KiB, MiB, GiB.
    """

    format_name: str = ""
    file: str | None = None
    quiet: bool = False
    no_color: bool = False
    also: tuple[tuple[str, str], ...] = ()
    binary: bool = False

    @property
    def formats(self) -> frozenset[str]:
        """Every format that is written."""
        return frozenset((self.format_name, *(name for name, _ in self.also)))

    @property
    def has_digests(self) -> bool:
        """Whether one of them states the SHA-256 of every file."""
        return not WITH_DIGESTS.isdisjoint(self.formats)

    def view(self, **view: Any) -> View:
        """Return how to show results, given the terminal (or its absence)."""
        colored = self.file in (None, "-") and not self.no_color
        width = shutil.get_terminal_size((PIPE_WIDTH, 24)).columns
        return View(
            color=colored and _wants_color(os.environ, is_terminal(sys.stdout)),
            width=max(40, width),
            binary=self.binary,
            ascii=self.file is None and not _speaks_unicode(),
            **view,
        )

    def write(self, text: str) -> None:
        """Write the result."""
        write(text, self.file)

    def write_formats(self, render_as: Callable[[str, View], str], view: View) -> None:
        """Write the result in every format that is asked for.

        Args:
            render_as: Returns it in a format; nothing is written where the text is empty.
            view: How to show it on stdout; files have no colours.
        """
        plain = view._replace(color=False, ascii=False)
        files = ((name, file, plain) for name, file in self.also)
        for name, file, how in ((self.format_name, self.file, view), *files):
            text = render_as(name, how)
            if text:
                write(text, file)

    def emit(
        self,
        outcomes: Sequence[Report | GraphcountError],
        view: View,
        formats: Mapping[str, str] | None = None,
    ) -> None:
        """Render and write; models that could not be read are only in formats that have them."""
        readable = any(isinstance(item, Report) for item in outcomes)

        def render_as(name: str, view: View) -> str:
            if not readable and name not in SHOW_ERRORS:
                return ""
            return render(name, outcomes, view, formats or {**FORMATS, **STYLES})

        self.write_formats(render_as, view)


def _wants_color(environment: Mapping[str, str], terminal: bool) -> bool:
    """Return whether the environment wants colours; without a word, where it is a terminal.

    NO_COLOR wins (no-color.org: present and not empty), then FORCE_COLOR (force-color.org: the
    same) and CLICOLOR_FORCE (bixense.com/clicolors: set, and not to 0).
    """
    if environment.get("NO_COLOR"):
        return False
    asked = environment.get("CLICOLOR_FORCE", "0") not in ("", "0")
    return asked or bool(environment.get("FORCE_COLOR")) or terminal


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


@contextmanager
def listening() -> Iterator[None]:
    """Say on stderr what is done along the way: what `graphcount.verbose` notes."""
    import logging
    import platform
    from importlib.metadata import PackageNotFoundError, version

    packages = {}
    for name in ("click", "msgspec", "numpy", "onnx", "onnxruntime"):
        with suppress(PackageNotFoundError):
            packages[name] = version(name)
    names = ", ".join(f"{name} {number}" for name, number in packages.items())
    say(f"{__version__}, Python {platform.python_version()}, {platform.platform()}; {names}")
    handler = logging.Handler()
    handler.emit = lambda record: say(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger(LOGGER)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


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


def format_of(formats: Sequence[str], given: str | None, file: str | None) -> str:
    """Return the format of a result: as given, or by the file's suffix, or the default.

    Args:
        formats: What the command can write, the default first.
        given: What `--format` says.
        file: Where it goes; None and `-`: to stdout.

    Raises:
        UsageError: The suffix belongs to other formats, or to none of this command.
    """
    suffix, meant = _meant(file)
    if not meant:
        return given or _by_environment(formats) or formats[0]
    able = [name for name in meant if name in formats]
    if given is not None and given not in meant:
        raise UsageError(f"{suffix} is for {' or '.join(able or meant)}, not for {given}", file)
    if not able:
        words = f"{suffix} is for {' or '.join(meant)}; formats here are {', '.join(formats)}"
        raise UsageError(words, file)
    return given or able[0]


def _meant(file: str | None) -> tuple[str, list[str]]:
    """Return the suffix of a file, the longest that is known, and the formats that have it."""
    name = os.path.basename(file or "").lower()
    known = {suffix for suffixes in SUFFIXES.values() for suffix in suffixes}
    suffix = max((row for row in known if name.endswith(row)), key=len, default="")
    return suffix, [name for name, suffixes in SUFFIXES.items() if suffix in suffixes]


def _by_environment(formats: Sequence[str]) -> str | None:
    """Return what the environment asks for, where this command has it.

    Raises:
        UsageError: No command has it.
    """
    asked = os.environ.get(ENVIRONMENT)
    if asked and asked not in SUFFIXES:
        from graphcount.cli.usage import nearest

        near = nearest(asked, SUFFIXES)
        raise UsageError(f"{ENVIRONMENT}: {asked!r} is no format{near and f'; {near}'}")
    return asked if asked in formats else None


def parse_also(formats: Sequence[str], texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield format and file of each `junit=report.xml`.

    Raises:
        UsageError: The suffix of a file belongs to other formats.
        ValueError: It is written otherwise, or the command has no such format.
    """
    for text in texts:
        name, _, file = text.partition("=")
        if not file or name not in formats:
            known = ", ".join(formats)
            raise ValueError(f"{text!r}: write it as FORMAT=FILE; formats are {known}")
        yield format_of(formats, name, file), file
