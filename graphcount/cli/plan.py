"""`graphcount plan MODEL`: what if it were stored, trained or built differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from graphcount.cli.command import Command
from graphcount.cli.options import (
    COUNT,
    gathered,
    model_argument,
    output_options,
    size_options,
)
from graphcount.cli.output import OutputOptions

if TYPE_CHECKING:
    from graphcount.report.plan import Optimizer, TargetDType

DTYPES = ("float16", "bfloat16", "int8", "int4")
OPTIMIZERS = ("sgd", "momentum", "adam", "adamw")


def _changes(
    dtypes: tuple[TargetDType, ...], optimizers: tuple[Optimizer, ...], **others: Any
) -> dict[str, Any]:
    """Return what changes, as arguments of the API: none named are all."""
    return {"dtypes": dtypes or None, "optimizers": optimizers or None, **others}


@click.command(
    "plan",
    cls=Command,
    examples=(
        "plan model.onnx --dim batch=1 --samples 10000",
        "plan model.onnx --dtype int8 --per-channel --optimizer adamw",
        "plan decoder.onnx --memory 8GB --dim batch_size=4",
    ),
)
@model_argument
@gathered(
    "changes",
    _changes,
    click.option(
        "--dtype",
        "dtypes",
        multiple=True,
        type=click.Choice(DTYPES),
        help="Element type of the weights.  [default: all]",
    ),
    click.option(
        "--block",
        type=click.INT,
        default=32,
        show_default=True,
        metavar="N",
        help="Elements that share a scale in int4.",
    ),
    click.option("--per-channel", is_flag=True, help="int8: one scale for each output channel."),
    click.option("--asymmetric", is_flag=True, help="int4: with zero points."),
    click.option(
        "--optimizer",
        "optimizers",
        multiple=True,
        type=click.Choice(OPTIMIZERS),
        help="Optimizer.  [default: all]",
    ),
    click.option("--mixed-precision", is_flag=True, help="Train in float16 with float32 masters."),
    click.option(
        "--samples", type=click.IntRange(0), metavar="N", help="Samples of a data set to judge."
    ),
    click.option(
        "--layers",
        multiple=True,
        type=COUNT,
        metavar="N",
        help="Hidden layers of networks of the same size.  [default: the model's, 1 fewer, 1 more]",
    ),
)
@click.option(
    "--memory",
    metavar="SIZE",
    help="Find the longest context and the largest batch that fit: 8GB, 512MiB.",
)
@size_options
@output_options(("table", "json"))
def command(
    model: str,
    changes: dict[str, Any],
    memory: str | None,
    options: dict[str, Any],
    output: OutputOptions,
) -> int:
    """Estimate the size in other types, training memory, data and widths of the same size.

    MODEL is an .onnx file, ONNX text or JSON, or - for standard input. Weights are not read.
    """
    from graphcount.api import plan
    from graphcount.formats.plan import render

    planned = plan(model, memory=memory, **changes, **options)
    output.write_formats(lambda name, view: render(name, planned, view), output.view())
    return 0
