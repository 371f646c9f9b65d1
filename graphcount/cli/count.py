"""`graphcount count MODEL...`, which is also `graphcount MODEL...`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from graphcount.cli.command import Command
from graphcount.cli.options import (
    COUNT,
    arena_option,
    cost_options,
    counting_options,
    deep_option,
    gathered,
    hash_option,
    models_argument,
    output_options,
    sparsity_option,
    strict_option,
    top_option,
)
from graphcount.cli.output import OutputOptions, complain, say, watched
from graphcount.formats import STYLES
from graphcount.report.columns import COLUMNS, WITH_NODES
from graphcount.report.outline import ORDER, Order
from graphcount.report.rollup import BY, SORT, By, Sort

if TYPE_CHECKING:
    from graphcount.api import Counting


@dataclass(frozen=True, slots=True)
class TableOptions:
    """Options that choose rows and their look."""

    by: By | None
    depth: int | None
    top: int | None
    all: bool
    sort: Sort | None
    order: Order | None
    style: str
    bars: bool
    columns: tuple[str, ...]

    def style_of(self, format_name: str) -> str:
        """Return the style asked for.

        Raises:
            click.UsageError: Two options exclude each other, or one would do nothing.
        """
        for name, other, both in (
            ("--bars", "--style torchinfo", self.bars and self.style == "torchinfo"),
            ("--all", "--top", self.all and self.top),
            ("--sort", "--order", self.sort and self.order),
        ):
            if both:
                raise click.UsageError(f"{name} and {other} exclude each other")
        style = "bars" if self.bars else self.style
        if style != "default" and format_name != "table":
            raise click.UsageError(f"--style {style} and --format {format_name} exclude each other")
        if style == "torchinfo" and (self.by or self.top or self.all or self.sort or self.order):
            raise click.UsageError(
                "--style torchinfo takes --depth, but not --by, --top, --all, --sort or --order"
            )
        self._check_columns(format_name)
        if self.by is None and style == "default":
            table, csv = ("--sort", self.sort), ("--sort or --top", self.sort or self.top)
            name, given = {"table": table, "csv": csv}.get(format_name, ("", None))
            if given:
                raise click.UsageError(f"{name} needs --by: it is about the rows of one table")
        return style

    def _check_columns(self, format_name: str) -> None:
        """Refuse columns that nothing shows.

        Raises:
            click.UsageError: There is no such table.
        """
        if not self.columns:
            return
        if self.by is None or format_name not in ("table", "csv"):
            raise click.UsageError("--columns needs --by, and --format table or csv")
        of_nodes = [name for name in self.columns if COLUMNS[name].of_nodes]
        if of_nodes and self.by not in WITH_NODES:
            raise click.UsageError(f"--columns {of_nodes[0]} needs --by node, module or op_type")

    def view(self) -> dict[str, Any]:
        """Return what they say of a view."""
        names = ("by", "depth", "top", "all", "sort", "order", "columns")
        return {name: getattr(self, name) for name in names}


def _parse_columns(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[str, ...]:
    """Read `types,read_nbytes`."""
    names = tuple(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r} is none of {', '.join(COLUMNS)}")
    return names


table_options = gathered(
    "table",
    TableOptions,
    click.option(
        "--by", type=click.Choice(BY), help="One table: a row a module, node, operator, ..."
    ),
    click.option("--depth", type=COUNT, metavar="N", help="Levels of modules to show."),
    top_option,
    click.option("--all", is_flag=True, help="Show everything, not only what fits one screen."),
    click.option("--sort", type=click.Choice(SORT), help="Order of the rows of --by."),
    click.option(
        "--order",
        type=click.Choice(ORDER),
        help="The largest rows first (by bytes; by MACs in a model without parameters), or as in"
        " the file.  [default: size]",
    ),
    click.option(
        "--style",
        type=click.Choice(["default", *STYLES]),
        default="default",
        show_default=True,
        help="Look of the table; torchinfo: as torchinfo prints it, with its numbers.",
    ),
    click.option("--bars", is_flag=True, help="The same as --style bars."),
    click.option(
        "--columns",
        callback=_parse_columns,
        metavar="NAME,...",
        help=f"Columns of --by: {', '.join(COLUMNS)}.",
    ),
)


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
@table_options
@click.option(
    "--expect-parameters",
    type=click.IntRange(0),
    metavar="N",
    help="Exit 1 unless the model has exactly N parameters.",
)
@strict_option
@counting_options(
    cost_options, arena_option, deep_option, hash_option, sparsity_option, ranges=True
)
@output_options()
def command(
    models: tuple[str, ...],
    table: TableOptions,
    expect_parameters: int | None,
    strict: bool,
    options: Counting,
    output: OutputOptions,
) -> int:
    """Count what is in a model: parameters, bytes by type, operators, shapes, MACs, memory.

    MODEL is an .onnx file, ONNX text or JSON, or - for standard input. Weights are not read,
    except for --deep, --hash and --sparsity.
    """
    from graphcount.api import counts

    style = table.style_of(output.format_name)
    if "zeros" in table.columns and not options.get("sparsity"):
        raise click.UsageError("--columns zeros needs --sparsity")
    if style == "torchinfo":
        options["cost"] = options.get("cost") is not False
        options["macs_convention"] = "torchinfo"
    if style != "default":
        output = replace(output, format_name=style)
    options["assume"] = True
    options["timeline"] = not output.formats.isdisjoint(("table", "bars"))
    options["hash_file"] = options.get("hash_file", False) or output.has_digests
    with watched(options, output.quiet):
        counted = counts(
            models, expect_parameters=expect_parameters, strict=strict, on_error=complain, **options
        )
    view = output.view(**table.view())
    output.emit(counted.outcomes, view)
    for complaint in counted.complaints:
        say(complaint)
    return counted.exit_code
