"""`graphcount diff OLD NEW`: what changed between two models, or two saved reports."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from graphcount.cli.command import FILE, Command
from graphcount.cli.options import (
    config_options,
    cost_options,
    counting,
    max_increase_option,
    output_options,
    read_config,
    top_option,
)
from graphcount.cli.output import make_view, write
from graphcount.formats.diff import FORMATS
from graphcount.formats.diff.view import BY, SORT, By, DiffView, Sort
from graphcount.formats.text import one_line

if TYPE_CHECKING:
    from graphcount.api import MacsConvention


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
@click.option("--by", type=click.Choice(BY), help="One table: a row a module, node, operator, ...")
@top_option
@click.option(
    "--sort",
    type=click.Choice(SORT),
    default="nbytes",
    show_default=True,
    help="Which difference decides what is shown.",
)
@click.option("--values", is_flag=True, help="Compare the numbers of tensors, too: all are read.")
@click.option("--hash", "hash_file", is_flag=True, help="Compare fingerprints of the content.")
@max_increase_option
@click.option("--fail-on-change", is_flag=True, help="Exit 1 when anything differs.")
@config_options
@cost_options
@output_options(FORMATS)
def command(
    old: str,
    new: str,
    by: By | None,
    top: int | None,
    sort: Sort,
    values: bool,
    hash_file: bool,
    increases: tuple[str, ...],
    fail_on_change: bool,
    config_file: str | None,
    no_config: bool,
    cost: bool | None,
    dims: dict[str, int],
    shapes: dict[str, tuple[int | str | None, ...]],
    macs_convention: MacsConvention,
    in_place: bool,
    format_name: str,
    output: str | None,
    quiet: bool,
    no_color: bool,
    binary: bool,
) -> int:
    """What changed: totals, operators, modules, tensors added, removed, renamed, retyped, reshaped.

    OLD and NEW are models (.onnx, ONNX text or JSON, one of them - for standard input) or saved
    reports (--format json). Exit 0 whatever differs, unless a limit is given.
    """
    from graphcount.api import compared
    from graphcount.formats.diff import render
    from graphcount.gates.budgets import parse_budget
    from graphcount.gates.growth import judge_growth

    limits = [parse_budget(text, "max_increase") for text in increases]
    needs_cost = any(limit.measure.depends_on == "cost" for limit in limits)
    found, before, after = compared(
        old,
        new,
        values=values,
        hash_file=hash_file,
        cost=True if needs_cost and cost is None else cost,
        dims=dims,
        shapes=shapes,
        macs_convention=macs_convention,
        in_place=in_place,
        **counting(read_config(config_file, no_config)),
    )
    found = replace(found, findings=judge_growth(before, after, limits))
    shown = make_view(output, no_color, binary)
    view = DiffView(by, top, sort, binary, shown.color, shown.width)
    write(render(format_name, found, view), output)
    changed = fail_on_change and not found.empty
    if changed:
        click.echo(one_line(f"graphcount: {new} is not the same as {old}", 400), err=True)
    return 1 if found.findings or changed else 0
