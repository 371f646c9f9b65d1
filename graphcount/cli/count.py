"""`graphcount count MODEL...`, which is also `graphcount MODEL...`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from graphcount.cli.command import Command
from graphcount.cli.options import (
    COUNT,
    config_options,
    cost_options,
    counting,
    deep_option,
    hash_option,
    models_argument,
    output_options,
    read_config,
    strict_option,
    top_option,
)
from graphcount.cli.output import emit, make_view, read_all
from graphcount.errors import GraphcountError
from graphcount.formats import STYLES
from graphcount.report.records import Report
from graphcount.report.rollup import BY, SORT, By, Sort
from graphcount.units import exact

if TYPE_CHECKING:
    from graphcount.api import MacsConvention


@click.command(
    "count",
    cls=Command,
    examples=(
        "model.onnx --by op_type --top 10",
        "model.onnx --dim batch=16 --shape input=16x3x224x224",
        "a.onnx b.onnx --format jsonl -o models.jsonl",
    ),
)
@models_argument
@click.option("--by", type=click.Choice(BY), help="One table: a row a module, node, operator, ...")
@click.option("--depth", type=COUNT, metavar="N", help="Levels of modules to show.")
@top_option
@click.option("--sort", type=click.Choice(SORT), help="Order of the rows.")
@click.option(
    "--style",
    type=click.Choice(["default", *STYLES]),
    default="default",
    show_default=True,
    help="Look of the table; torchinfo: as torchinfo prints it, with its numbers.",
)
@click.option("--bars", is_flag=True, help="The same as --style bars.")
@click.option(
    "--expect-parameters",
    type=click.IntRange(0),
    metavar="N",
    help="Exit 1 unless the model has exactly N parameters.",
)
@strict_option
@config_options
@cost_options
@deep_option
@hash_option
@output_options()
def command(
    models: tuple[str, ...],
    by: By | None,
    depth: int | None,
    top: int | None,
    sort: Sort | None,
    style: str,
    bars: bool,
    expect_parameters: int | None,
    strict: bool,
    config_file: str | None,
    no_config: bool,
    cost: bool | None,
    dims: dict[str, int],
    shapes: dict[str, tuple[int | str | None, ...]],
    macs_convention: MacsConvention,
    in_place: bool,
    deep: bool | None,
    hash_file: bool,
    format_name: str,
    output: str | None,
    quiet: bool,
    no_color: bool,
    binary: bool,
) -> int:
    """Count what is in a model: parameters, bytes by type, operators, shapes, MACs, memory.

    MODEL is an .onnx file, ONNX text or JSON, or - for standard input. Weights are not read.
    """
    from graphcount.api import count

    if bars and style == "torchinfo":
        raise click.UsageError("--bars and --style torchinfo exclude each other")
    style = "bars" if bars else style
    if style != "default" and format_name != "table":
        raise click.UsageError(f"--style {style} and --format {format_name} exclude each other")
    if style == "torchinfo":
        if by or top or sort:
            raise click.UsageError("--style torchinfo takes --depth, but not --by, --top or --sort")
        cost, macs_convention = cost is not False, "torchinfo"
    if by is None and style == "default":
        ignored = {"table": ("--sort", sort), "csv": ("--sort or --top", sort or top)}
        name, given = ignored.get(format_name, ("", None))
        if given:
            raise click.UsageError(f"{name} needs --by: it is about the rows of one table")
    if style != "default":
        format_name = style

    configured = counting(read_config(config_file, no_config))

    def read(path: str) -> Report:
        return count(
            path,
            deep=deep,
            hash_file=hash_file or format_name == "cyclonedx",
            cost=cost,
            dims=dims,
            shapes=shapes,
            macs_convention=macs_convention,
            **configured,
            in_place=in_place,
            timeline=format_name in ("table", "bars"),
        )

    outcomes = list(read_all(models, read))
    view = make_view(output, no_color, binary, by=by, depth=depth, top=top, sort=sort)
    emit(outcomes, format_name, view, output)
    return _exit_code(outcomes, expect_parameters, strict)


def _exit_code(outcomes: list[Report | GraphcountError], expected: int | None, strict: bool) -> int:
    """2 for what could not be read, else 1 for what is not as expected, else 0."""
    code = 0
    for outcome in outcomes:
        if not isinstance(outcome, Report):
            return 2
        complaint = _unexpected(outcome, expected, strict)
        if complaint:
            from graphcount.formats.text import one_line

            message = f"graphcount: {outcome.model.path}: {complaint}"
            click.echo(one_line(message, 400), err=True)
            code = 1
    return code


def _unexpected(report: Report, expected: int | None, strict: bool) -> str:
    found = report.totals.parameters
    if expected is not None and found != expected:
        word = "more" if found > expected else "fewer"
        return (
            f"{exact(found)} parameters, expected {exact(expected)}"
            f" ({exact(abs(found - expected))} {word})"
        )
    unknown = report.unknown if strict else report.doubts if expected is not None else ()
    if unknown:
        first = unknown[0]
        return f"not exact: {first.where}: {first.what}: {first.why}"
    return ""
