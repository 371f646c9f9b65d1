"""`graphcount explain MODEL [NODE...]`: where the numbers of single nodes come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from graphcount.cli.command import Command
from graphcount.cli.options import (
    config_options,
    cost_options,
    counting,
    model_argument,
    output_options,
    read_config,
)
from graphcount.cli.output import make_view, write
from graphcount.formats.explain import to_json, to_text
from graphcount.formats.text import ascii_only

if TYPE_CHECKING:
    from graphcount.api import MacsConvention


@click.command(
    "explain",
    cls=Command,
    examples=(
        "explain model.onnx",
        "explain model.onnx node_conv2d --dim batch=16",
    ),
)
@model_argument
@click.argument("nodes", nargs=-1, metavar="[NODE]...")
@cost_options
@output_options(("text", "json"), sizes=False)
@config_options
def command(
    model: str,
    nodes: tuple[str, ...],
    cost: bool | None,
    dims: dict[str, int],
    shapes: dict[str, tuple[int | str | None, ...]],
    macs_convention: MacsConvention,
    in_place: bool,
    format_name: str,
    output: str | None,
    quiet: bool,
    no_color: bool,
    config_file: str | None,
    no_config: bool,
) -> int:
    """Say where the numbers of nodes come from: shapes, tensors with reasons, formula, MACs.

    MODEL is an .onnx file, ONNX text or JSON, or - for standard input. NODE is an id, a name, or a
    part of one that no other has; without it, every node with parameters or MACs.
    """
    from graphcount.api import explain

    found = explain(
        model,
        nodes,
        cost=cost,
        dims=dims,
        shapes=shapes,
        macs_convention=macs_convention,
        in_place=in_place,
        **counting(read_config(config_file, no_config)),
    )
    if format_name == "json":
        write(to_json(found), output)
    else:
        view = make_view(output, no_color, False)
        text = to_text(found, view.width)
        write(ascii_only(text) if view.ascii else text, output)
    return 0
