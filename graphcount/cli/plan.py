"""`graphcount plan MODEL`: what if it were stored, trained or built differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from graphcount.cli.options import _parse_dims, _parse_shapes, make_view, write

if TYPE_CHECKING:
    from graphcount.analysis.plan.records import Optimizer, TargetDType

DTYPES = ("float16", "bfloat16", "int8", "int4")
OPTIMIZERS = ("sgd", "momentum", "adam", "adamw")


@click.command("plan")
@click.argument("model", metavar="MODEL")
@click.option(
    "--dtype", "dtypes", multiple=True, type=click.Choice(DTYPES), help="Store as.  [default: all]"
)
@click.option(
    "--block", type=int, default=32, show_default=True, help="Numbers that share a scale in int4."
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
    type=click.IntRange(1),
    metavar="N",
    help="Hidden layers of networks of the same size.  [default: the model's, 1 fewer, 1 more]",
)
@click.option(
    "--dim",
    "dims",
    multiple=True,
    metavar="NAME=N",
    callback=_parse_dims,
    help="Size of a dimension the model leaves free, e.g. batch=8. May be repeated.",
)
@click.option(
    "--shape",
    "shapes",
    multiple=True,
    metavar="INPUT=DIMS",
    callback=_parse_shapes,
    help="Shape of an input, e.g. input=1x3x224x224. May be repeated.",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(("table", "json")),
    default="table",
    show_default=True,
    help="How to print the result.",
)
@click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of stdout.")
@click.option("--no-color", is_flag=True, help="No colours (NO_COLOR does the same).")
@click.option("--binary", is_flag=True, help="Sizes in KiB, MiB, GiB (1024-based).")
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
    dims: dict[str, int],
    shapes: dict[str, tuple[int | str | None, ...]],
    format_name: str,
    output: str | None,
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
        dims=dims,
        shapes=shapes,
    )
    write(render(format_name, found, make_view(output, no_color, binary)), output)
    return 0
