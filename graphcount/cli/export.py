"""`graphcount export MODEL --format dot`: the graph for other tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from graphcount.cli.command import Command
from graphcount.cli.options import (
    COUNT,
    config_options,
    cost_options,
    counting,
    model_argument,
    output_options,
    read_config,
)
from graphcount.cli.output import write
from graphcount.formats.graphs import EXPORTS

if TYPE_CHECKING:
    from graphcount.api import MacsConvention

_WIDTH = max(map(len, EXPORTS))


def _formats() -> str:
    """One line for each export, as click leaves it alone."""
    lines = (f"  {name:{_WIDTH}}  {text}" for name, (_, _, text) in EXPORTS.items())
    return "\b\n" + "\n".join(lines)


@click.command(
    "export",
    cls=Command,
    examples=(
        "export model.onnx --depth 2",
        "export model.onnx --format svg -o model.svg",
    ),
    epilog=_formats(),
)
@model_argument
@click.option("--depth", type=COUNT, metavar="N", help="Fold modules of this depth into one node.")
@config_options
@cost_options
@output_options(EXPORTS, "The language; see below.", sizes=False)
def command(
    model: str,
    depth: int | None,
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
) -> int:
    """Write the graph in the language of another tool, with what was counted at each node.

    MODEL is an .onnx file, ONNX text or JSON, or - for standard input. Weights are not read.
    """
    from graphcount.api import export

    text = export(
        model,
        format_name,
        depth=depth,
        cost=cost,
        dims=dims,
        shapes=shapes,
        macs_convention=macs_convention,
        in_place=in_place,
        **counting(read_config(config_file, no_config)),
    )
    write(text, output)
    return 0
