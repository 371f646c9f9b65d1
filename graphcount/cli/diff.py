"""`graphcount diff OLD NEW`: what changed between two models, or two saved reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import click

from graphcount.cli.command import FILE, Command
from graphcount.cli.options import (
    cost_options,
    counting_options,
    gathered,
    max_increase_option,
    output_options,
    top_option,
)
from graphcount.cli.output import OutputOptions, say
from graphcount.cli.sizes import dim_of
from graphcount.formats.diff import FORMATS
from graphcount.formats.diff.view import SORT, DiffSort, DiffView
from graphcount.formats.view import View
from graphcount.report.rollup import BY, By

if TYPE_CHECKING:
    from graphcount.api import Counting


class RowOptions(NamedTuple):
    """Options that choose rows."""

    by: By | None
    top: int | None
    sort: DiffSort


@click.command(
    "diff",
    cls=Command,
    examples=(
        "diff old.onnx new.onnx",
        "diff old.json new.onnx --by tensor --sort parameters",
        "diff old.onnx new.onnx --max-increase nbytes=5%",
    ),
)
@click.argument("old", metavar="OLD", type=FILE)
@click.argument("new", metavar="NEW", type=FILE)
@gathered(
    "table",
    RowOptions,
    click.option(
        "--by", type=click.Choice(BY), help="One table: a row a module, node, operator, ..."
    ),
    top_option,
    click.option(
        "--sort",
        type=click.Choice(SORT),
        default="nbytes",
        show_default=True,
        help="Which difference chooses and orders the rows.",
    ),
)
@click.option("--values", is_flag=True, help="Compare tensor data, too: all of it is read.")
@counting_options(
    cost_options,
    click.option("--hash", "hash_file", is_flag=True, help="Compare fingerprints of the content."),
    dim_of("old"),
    dim_of("new"),
)
@max_increase_option
@click.option("--fail-on-change", is_flag=True, help="Exit 1 when anything differs.")
@output_options(FORMATS)
def command(
    old: str,
    new: str,
    table: RowOptions,
    values: bool,
    increases: tuple[str, ...],
    fail_on_change: bool,
    options: Counting,
    output: OutputOptions,
) -> int:
    """Show what changed: totals, operators, modules and tensors.

    OLD and NEW are models (.onnx, ONNX text or JSON, one of them - for standard input) or saved
    reports (--format json). Exit 0 whatever differs, unless a limit is given.
    """
    from graphcount.api import diff
    from graphcount.formats.diff import render
    from graphcount.gates.budgets import parse_budget

    limits = [parse_budget(text, "max_increase") for text in increases]
    difference = diff(old, new, values=values, max_increase=limits, **options)

    def render_as(name: str, view: View) -> str:
        return render(name, difference, DiffView(*table, view.binary, view.color, view.width))

    output.write_formats(render_as, output.view())
    changed = fail_on_change and not difference.empty
    if changed:
        say(f"{new} is not the same as {old}")
    return int(bool(difference.findings or changed))
