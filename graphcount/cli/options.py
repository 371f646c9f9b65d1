"""Options that several commands share: each has one name, one metavar and one help text.

`gathered` makes one argument of several options, so that a command takes few.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from functools import partial, wraps
from math import isnan
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from graphcount.cli.command import AUDIT_RULE, FILE
from graphcount.cli.output import OutputOptions, format_of, parse_also, write
from graphcount.cli.sizes import dim_option, shape_option, sizes_alone, split_sizes, value_option
from graphcount.formats import FORMATS
from graphcount.loading.limits import Limits
from graphcount.report.finding_rows import SEVERITIES
from graphcount.verbose import note

if TYPE_CHECKING:
    from graphcount.api import Counting
    from graphcount.config import Config

Function = TypeVar("Function", bound=Callable[..., Any])
Decorator = Callable[[Function], Function]

COUNT = click.IntRange(1)
"""A number of things to show or to do; its metavar is N."""


class Amount(click.FloatRange):
    """A positive number that clocks and timers can take: neither NaN nor more than a million."""

    def __init__(self) -> None:
        super().__init__(0, 1_000_000, min_open=True)

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Refuse NaN too, which is on no side of a limit."""
        amount: float = super().convert(value, param, ctx)
        if isnan(amount):
            self.fail(f"{value!r} is not a number", param, ctx)
        return amount


AMOUNT = Amount()

LIMITS = tuple(field.name for field in fields(Limits))
"""Names that --limit takes."""


def together(*decorators: Decorator[Any]) -> Decorator[Any]:
    """Return several options as one decorator, in the order given."""

    def decorate(function: Function) -> Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def gathered(name: str, make: Callable[..., Any], *options: Decorator[Any]) -> Decorator[Any]:
    """Make several options one argument of a command.

    Args:
        name: The argument.
        make: Makes it of the values of the options, by their names.
        options: The options, in the order given.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(**values: Any) -> Any:
            made = make(**{key: values.pop(key) for key in keys})
            return function(**values, **{name: made})

        before = len(getattr(function, "__click_params__", ()))
        decorated: Any = together(*options)(call)
        keys = [parameter.name for parameter in decorated.__click_params__[before:]]
        return call

    return decorate


# ------------------------------------------------------------------------------ what options read


def _parse_reasons(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, str]:
    """Read `EXT002=known and accepted`."""
    reasons = {}
    for text in texts:
        rule, _, reason = text.partition("=")
        if not rule.strip() or not reason.strip():
            raise click.BadParameter(f"{text!r}: write it as RULE=reason; the reason is kept")
        reasons[AUDIT_RULE.convert(rule.strip(), parameter, context)] = reason.strip()
    return reasons


def _parse_limits(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, int]:
    """Read `work=50M`: names and units are those of `Limits`."""
    from graphcount.units import parse

    limits = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        if name not in LIMITS:
            raise click.BadParameter(f"{text!r}: write NAME=N; names are {', '.join(LIMITS)}")
        try:
            limits[name] = parse(value, "bytes" if name.endswith("nbytes") else "count")
        except ValueError as error:
            raise click.BadParameter(f"{name}: {error}") from None
    return limits


# ------------------------------------------------------------------------------ the models

models_argument = click.argument("models", nargs=-1, required=True, metavar="MODEL...", type=FILE)
model_argument = click.argument("model", metavar="MODEL", type=FILE)


# ------------------------------------------------------------------------------ sizes and costs

deep_option = click.option(
    "--deep/--no-deep",
    default=None,
    help="Read weights to find copies and duplicates: all, or none."
    "  [default: up to 64 MiB of candidates; of remote models none]",
)
cost_option = click.option(
    "--cost/--no-cost",
    default=None,
    help="Work out shapes, MACs and activations.  [default: up to 50,000 nodes]",
)
cost_options = together(
    cost_option,
    dim_option,
    shape_option,
    value_option,
    click.option(
        "--macs-convention",
        type=click.Choice(["graphcount", "torchinfo"]),
        default="graphcount",
        show_default=True,
        help="Whose rules of MACs; torchinfo counts additions of biases too.",
    ),
    click.option(
        "--in-place",
        is_flag=True,
        help="Peak of activations as onnxruntime shares memory: values renamed or reshaped, and"
        " activation functions of a value that nobody reads afterwards, take none.",
    ),
)
arena_option = click.option(
    "--arena",
    is_flag=True,
    help="Give every activation a place in one block: nbytes, lower bound and offsets in the JSON.",
)
BENCH_HELP = "Measured times: the JSON of graphcount bench."
hash_option = click.option(
    "--hash",
    "hash_file",
    is_flag=True,
    help="Put SHA-256 digests of the model and its external data files into the report.",
)
sparsity_option = click.option(
    "--sparsity",
    is_flag=True,
    help="Read weights to count their zeros, and the MACs without them.",
)


# ------------------------------------------------------------------------------ what fails

max_option = click.option(
    "--max",
    "maxima",
    multiple=True,
    metavar="MEASURE=LIMIT",
    help="Largest allowed value, e.g. disk_nbytes=100MB or parameters=30M. May be repeated.",
)
min_option = click.option(
    "--min",
    "minima",
    multiple=True,
    metavar="MEASURE=LIMIT",
    help="Smallest allowed value. May be repeated.",
)
max_increase_option = click.option(
    "--max-increase",
    "increases",
    multiple=True,
    metavar="MEASURE=LIMIT",
    help="Largest allowed growth, e.g. parameters=5% or disk_nbytes=200kB. May be repeated.",
)
strict_option = click.option("--strict", is_flag=True, help="Exit 1 when anything is unknown.")


def fail_on_option(default: str | None = "high") -> Decorator[Any]:
    """Return --fail-on; without a default where a configuration may say it."""
    return click.option(
        "--fail-on",
        type=click.Choice(SEVERITIES),
        default=default,
        help="Exit 1 for findings of this severity and above.  [default: high]",
    )


audit_options = together(
    click.option(
        "--select",
        multiple=True,
        metavar="RULE",
        type=AUDIT_RULE,
        help="Run this rule, or all of EXT, only. May be repeated.",
    ),
    click.option(
        "--ignore",
        multiple=True,
        metavar="RULE=REASON",
        callback=_parse_reasons,
        help="Suppress findings of a rule, for a reason. May be repeated.",
    ),
)


# ------------------------------------------------------------------------------ configuration


def _print_schema(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        from graphcount.config import schema_text

        write(schema_text(), None)
        context.exit()


schema_option = click.option(
    "--schema",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_schema,
    help="Print the JSON Schema of a configuration, for editors.",
)
limit_option = click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=N",
    callback=_parse_limits,
    help="What a file may ask for, e.g. work=50M or text_form_nbytes=1GB; a refusal names its"
    " limit. May be repeated.",
)
config_options = together(
    click.option(
        "--config",
        "config_file",
        metavar="FILE",
        type=FILE,
        help="Configuration.  [default: the nearest graphcount.toml or pyproject.toml]",
    ),
    click.option("--no-config", is_flag=True, help="Read no configuration."),
    limit_option,
)


def read_config(config_file: str | None, no_config: bool, limits: Mapping[str, int]) -> Config:
    """Return the configuration a command works with; `limits` win over those in the file."""
    from graphcount.config import NO_CONFIG, load_config

    if config_file and no_config:
        raise click.UsageError("--config and --no-config exclude each other")
    if no_config:
        note("configuration: none: --no-config")
    named = config_file or os.environ.get("GRAPHCOUNT_CONFIG") or None
    config = NO_CONFIG if no_config else load_config(named)
    return config._replace(limits=replace(config.limits, **limits)) if limits else config


def _counting(
    config_file: str | None,
    no_config: bool,
    limits: Mapping[str, int],
    *,
    ranges: bool,
    **options: Any,
) -> Counting:
    """Return options of counting, and what a configuration says of it, as arguments of the API."""
    config = read_config(config_file, no_config, limits)
    sizes = options if ranges else sizes_alone(**options)
    words: Any = split_sizes(sizes, config.dims if ranges else config.sizes)
    words["operators"] = config.operators or None
    return cast("Counting", {**words, "limits": config.limits})


def counting_options(*others: Decorator[Any], ranges: bool = False) -> Decorator[Any]:
    """Make the argument `options`: how models are counted, as arguments of the API.

    Args:
        others: The options.
        ranges: A dimension may have a range of sizes.
    """
    return gathered("options", partial(_counting, ranges=ranges), config_options, *others)


def _sizes(
    config_file: str | None, no_config: bool, limits: Mapping[str, int], **sizes: Any
) -> dict[str, Any]:
    """Return limits and sizes, of options and of the configuration, as arguments of the API."""
    config = read_config(config_file, no_config, limits)
    return {"limits": config.limits, **split_sizes(sizes_alone(**sizes), config.sizes)}


configuration = gathered("config", read_config, config_options)
"""The argument `config`."""

size_options = gathered("options", _sizes, config_options, dim_option, shape_option, value_option)
"""The argument `options`: limits and sizes alone."""


# ------------------------------------------------------------------------------ output

top_option = click.option(
    "--top", type=COUNT, metavar="N", help="Show the N largest rows; the rest becomes one row."
)
output_option = click.option(
    "-o", "--output", "file", metavar="FILE", type=FILE, help="Write to FILE instead of stdout."
)
quiet_option = click.option("-q", "--quiet", is_flag=True, help="Nothing on stderr but errors.")
no_color_option = click.option(
    "--no-color", is_flag=True, help="No colours (NO_COLOR does the same)."
)
binary_option = click.option("--binary", is_flag=True, help="Sizes in KiB, MiB, GiB (1024-based).")


FORMAT_HELP = "How to print the result."


def formatted(formats: Iterable[str], text: str, *others: Decorator[Any]) -> Decorator[Any]:
    """Make the argument `output` of --format (the first is the default) and others, as -o."""
    names = list(formats)

    def make(format_name: str | None, file: str | None = None, **values: Any) -> OutputOptions:
        return OutputOptions(format_of(names, format_name, file), file, **values)

    asked = click.option(
        "--format",
        "format_name",
        type=click.Choice(names),
        help=f"{text}  [default: {names[0]}, or by the suffix of -o]",
    )
    return gathered("output", make, asked, *others, quiet_option, no_color_option)


def output_options(
    formats: Iterable[str] = FORMATS, text: str = FORMAT_HELP, *, sizes: bool = True
) -> Decorator[Any]:
    """Make the argument `output` of a command with one result, in any of its formats.

    Args:
        formats: What it can write; the first is the default.
        text: Help of --format.
        sizes: It has sizes: --binary.
    """
    names = list(formats)

    def read(
        context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
    ) -> tuple[tuple[str, str], ...]:
        try:
            return tuple(parse_also(names, texts))
        except ValueError as error:
            raise click.BadParameter(str(error)) from None

    also = click.option(
        "--also",
        multiple=True,
        metavar="FORMAT=FILE",
        callback=read,
        help="Write the result to FILE in another format too. May be repeated.",
    )
    return formatted(names, text, output_option, also, *((binary_option,) if sizes else ()))
