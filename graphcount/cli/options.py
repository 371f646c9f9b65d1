"""Options that several commands share, and how results leave the program."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from graphcount.errors import GraphcountError, NotReadableError
from graphcount.formats import FORMATS, STYLES, View, render
from graphcount.formats.text import one_line
from graphcount.report.records import Report
from graphcount.units import parse_shape

if TYPE_CHECKING:
    from graphcount.config import Config

Command = TypeVar("Command", bound=Callable[..., Any])
Item = TypeVar("Item")

PIPE_WIDTH = 100
"""Columns when the output is no terminal and COLUMNS does not say."""


def output_options(command: Command) -> Command:
    """--format, -o, --quiet, --no-color, --binary."""
    return output_options_of(FORMATS, command)


def output_options_of(formats: Iterable[str], command: Command) -> Command:
    """The same with other formats."""
    for option in reversed(
        (
            click.option(
                "--format",
                "format_name",
                type=click.Choice(list(formats)),
                default="table",
                show_default=True,
                help="How to print the result.",
            ),
            click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of stdout."),
            click.option("--quiet", is_flag=True, help="Nothing on stderr but errors."),
            click.option("--no-color", is_flag=True, help="No colours (NO_COLOR does the same)."),
            click.option("--binary", is_flag=True, help="Sizes in KiB, MiB, GiB (1024-based)."),
        )
    ):
        command = option(command)
    return command


def models_argument(command: Command) -> Command:
    """One or more models; `-` is standard input."""
    argument = click.argument("models", nargs=-1, required=True, metavar="MODEL...")
    return argument(command)


def config_options(command: Command) -> Command:
    """--config, --no-config."""
    for option in reversed(
        (
            click.option(
                "--config",
                "config_file",
                metavar="FILE",
                help="Configuration.  [default: the nearest graphcount.toml or pyproject.toml]",
            ),
            click.option("--no-config", is_flag=True, help="Read no configuration."),
        )
    ):
        command = option(command)
    return command


def read_config(config_file: str | None, no_config: bool) -> Config:
    """The configuration a command works with."""
    from graphcount.config import NO_CONFIG, load_config

    if config_file and no_config:
        raise click.UsageError("--config and --no-config exclude each other")
    return NO_CONFIG if no_config else load_config(config_file)


def counting(config: Config) -> dict[str, Any]:
    """What a configuration says about counting, as arguments of the API's `count`."""
    return {"operators": config.operators or None, "limits": config.limits}


def deep_option(command: Command) -> Command:
    """--deep / --no-deep."""
    option = click.option(
        "--deep/--no-deep",
        default=None,
        help="Read weights to find copies and duplicates: all, or none."
        "  [default: up to 64 MiB of candidates; of remote models none]",
    )
    return option(command)


def cost_options(command: Command) -> Command:
    """--cost / --no-cost, --dim, --shape, --macs-convention, --in-place."""
    for option in reversed(
        (
            click.option(
                "--cost/--no-cost",
                default=None,
                help="Work out shapes, MACs and activations.  [default: up to 50,000 nodes]",
            ),
            click.option(
                "--dim",
                "dims",
                multiple=True,
                metavar="NAME=N",
                callback=_parse_dims,
                help="Size of a dimension the model leaves free, e.g. batch=8. May be repeated.",
            ),
            click.option(
                "--shape",
                "shapes",
                multiple=True,
                metavar="INPUT=DIMS",
                callback=_parse_shapes,
                help="Shape of an input, e.g. input=1x3x224x224. May be repeated.",
            ),
            click.option(
                "--macs-convention",
                type=click.Choice(["graphcount", "torchinfo"]),
                default="graphcount",
                show_default=True,
                help="torchinfo counts additions of biases too.",
            ),
            click.option(
                "--in-place",
                is_flag=True,
                help="Peak of activations with results in the memory of inputs, as onnxruntime"
                " does it: renamed and reshaped values, and activation functions (Relu, Sigmoid,"
                " Softmax, ...) of a value that nobody reads afterwards.",
            ),
        )
    ):
        command = option(command)
    return command


def _parse_dims(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, int]:
    """Read `batch=8`."""
    found: dict[str, int] = {}
    for text in texts:
        name, equals, size = text.rpartition("=")
        if not equals or not name or not size.isdecimal() or not size.isascii():
            raise click.BadParameter(f"{text!r}: write it as name=size, e.g. batch=8")
        if found.setdefault(name, int(size)) != int(size):
            raise click.BadParameter(f"{name} is given two sizes: {found[name]} and {size}")
    return found


def _parse_shapes(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, tuple[int | str | None, ...]]:
    """Read `input=1x3x224x224`, `input=1,3,224,224`, `input=[1,3,224,224]`; `?` says nothing."""
    found: dict[str, tuple[int | str | None, ...]] = {}
    for text in texts:
        name, equals, dims = text.rpartition("=")
        shape = parse_shape(dims)
        if not equals or not name or shape is None:
            example = "input=1x3x224x224"
            raise click.BadParameter(f"{text!r}: write it as input=dims, e.g. {example}")
        if found.setdefault(name, shape) != shape:
            raise click.BadParameter(f"{name} is given two shapes")
    return found


def _parse_reasons(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str]:
    """Read `EXT002=known and accepted`."""
    found = {}
    for text in texts:
        rule, _, reason = text.partition("=")
        if not rule.strip() or not reason.strip():
            raise click.BadParameter(f"{text!r}: write it as RULE=reason; the reason is kept")
        found[rule.strip()] = reason.strip()
    return found


PARSERS = {"dims": _parse_dims, "shapes": _parse_shapes, "reasons": _parse_reasons}
"""Callbacks of options, by what they read."""


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


SHOW_ERRORS = frozenset({"jsonl", "sarif"})
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
        reason = (error.strerror or "cannot be written").lower()
        raise NotReadableError(f"cannot be written: {reason}", output) from None


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
