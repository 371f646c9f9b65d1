"""`graphcount plan MODEL`: what if it were stored, trained or built differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from graphcount.cli.command import Command
from graphcount.cli.options import (
    COUNT,
    config_options,
    dim_option,
    model_argument,
    output_options,
    read_config,
    shape_option,
)
from graphcount.cli.output import make_view, write

if TYPE_CHECKING:
    from graphcount.report.plan import Optimizer, TargetDType

DTYPES = ("float16", "bfloat16", "int8", "int4")
OPTIMIZERS = ("sgd", "momentum", "adam", "adamw")


@click.command(
    "plan",
    cls=Command,
    examples=(
        "plan model.onnx --dim batch=1 --samples 10000",
        "plan model.onnx --dtype int8 --per-channel --optimizer adamw",
    ),
)
@model_argument
@click.option(
    "--dtype", "dtypes", multiple=True, type=click.Choice(DTYPES), help="Store as.  [default: all]"
)
@click.option(
    "--block",
    type=click.INT,
    default=32,
    show_default=True,
    metavar="N",
    help="Numbers that share a scale in int4.",
)
@click.option("--per-channel", is_flag=True, help="int8: one scale for each output channel.")
@click.option("--asymmetric", is_flag=True, help="int4: with zero points.")
@click.option(
    "--optimizer",
    "optimizers",
    multiple=True,
    type=click.Choice(OPTIMIZERS),
    help="Train with.  [default: all]",
)
@click.option("--mixed-precision", is_flag=True, help="Train in float16 with float32 masters.")
@click.option("--samples", type=click.IntRange(0), metavar="N", help="Size of a data set to judge.")
@click.option(
    "--layers",
    multiple=True,
    type=COUNT,
    metavar="N",
    help="Hidden layers of networks of the same size.  [default: the model's, 1 fewer, 1 more]",
)
@config_options
@dim_option
@shape_option
@output_options(("table", "json"))
def command(
    model: str,
    dtypes: tuple[TargetDType, ...],
    block: int,
    per_channel: bool,
    asymmetric: bool,
    optimizers: tuple[Optimizer, ...],
    mixed_precision: bool,
    samples: int | None,
    layers: tuple[int, ...],
    config_file: str | None,
    no_config: bool,
    dims: dict[str, int],
    shapes: dict[str, tuple[int | str | None, ...]],
    format_name: str,
    output: str | None,
    quiet: bool,
    no_color: bool,
    binary: bool,
) -> int:
    """What if: size in other types, memory of training, data, other widths of the same size.

    MODEL is an .onnx file, ONNX text or JSON, or - for standard input. Weights are not read.
    """
    from graphcount.api import plan
    from graphcount.formats.plan import render

    found = plan(
        model,
        dtypes=dtypes or None,
        block=block,
        per_channel=per_channel,
        asymmetric=asymmetric,
        optimizers=optimizers or None,
        mixed_precision=mixed_precision,
        samples=samples,
        layers=layers,
        limits=read_config(config_file, no_config).limits,
        dims=dims,
        shapes=shapes,
    )
    write(render(format_name, found, make_view(output, no_color, binary)), output)
    return 0
