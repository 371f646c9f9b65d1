"""`graphcount explain MODEL [NODE...]`: where the numbers of single nodes come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from graphcount.cli.command import Command
from graphcount.cli.options import cost_options, counting_options, model_argument, output_options
from graphcount.cli.output import OutputOptions
from graphcount.formats.explain import FORMATS, render

if TYPE_CHECKING:
    from graphcount.api import Counting


@click.command(
    "explain",
    cls=Command,
    examples=(
        "explain model.onnx",
        "explain model.onnx node_conv2d --dim batch=16",
        "explain model.onnx encoder.layers.0 Conv",
    ),
)
@model_argument
@click.argument("nodes", nargs=-1, metavar="[NAME]...")
@counting_options(cost_options)
@output_options(FORMATS, sizes=False)
def command(model: str, nodes: tuple[str, ...], options: Counting, output: OutputOptions) -> int:
    """Say where the counts of nodes come from: shapes, tensors with reasons, formula, MACs.

    MODEL is an .onnx file, ONNX text or JSON, or - for standard input. NAME is what tables show: a
    node, a module, an operator, a tensor; or a part of a node's name that no other has. Without it,
    every node with parameters or MACs.
    """
    from graphcount.api import explain

    explained = explain(model, nodes, **options)

    output.write_formats(lambda name, view: render(name, explained, view), output.view())
    return 0
