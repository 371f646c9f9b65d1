"""`graphcount export MODEL --format dot`: the graph for other tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from graphcount.cli.command import Command
from graphcount.cli.options import (
    COUNT,
    cost_options,
    counting_options,
    model_argument,
    output_options,
)
from graphcount.cli.output import OutputOptions
from graphcount.formats.graphs import EXPORTS

if TYPE_CHECKING:
    from graphcount.api import Counting

_WIDTH = max(map(len, EXPORTS))


def _formats() -> str:
    """Return one line for each export, in click's unwrapped form."""
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
@counting_options(cost_options)
@output_options(EXPORTS, "Format of the export; see below.", sizes=False)
def command(model: str, depth: int | None, options: Counting, output: OutputOptions) -> int:
    """Write the graph in the language of another tool, with what was counted at each node.

    MODEL is an .onnx file, ONNX text or JSON, or - for standard input. Weights are not read.
    """
    from graphcount.api.drawing import drawn
    from graphcount.formats.graphs import export

    drawing = drawn(model, depth=depth, **options)
    output.write_formats(lambda name, _: export(name, drawing), output.view())
    return 0
