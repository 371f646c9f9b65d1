"""`graphcount export MODEL --format dot`: the graph for other tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from graphcount.cli.options import cost_options, write
from graphcount.formats.graphs import EXPORTS

if TYPE_CHECKING:
    from graphcount.api import MacsConvention

_WIDTH = max(map(len, EXPORTS))


def _formats() -> str:
    """One line for each export, as click leaves it alone."""
    lines = (f"  {name:{_WIDTH}}  {text}" for name, (_, _, text) in EXPORTS.items())
    return "\b\n" + "\n".join(lines)


@click.command("export", epilog=_formats())
@click.argument("model", metavar="MODEL")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(list(EXPORTS)),
    default="mermaid",
    show_default=True,
    help="The language; see below.",
)
@click.option(
    "--depth", type=click.IntRange(1), help="Fold modules of this depth into one node each."
)
@cost_options
@click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of stdout.")
def command(
    model: str,
    format_name: str,
    depth: int | None,
    cost: bool | None,
    dims: dict[str, int],
    shapes: dict[str, tuple[int | str | None, ...]],
    macs_convention: MacsConvention,
    in_place: bool,
    output: str | None,
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
    )
    write(text, output)
    return 0
