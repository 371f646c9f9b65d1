"""`graphcount deploy PATH`: several models that are run as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from graphcount.cli.command import FILE, Command
from graphcount.cli.options import (
    COUNT,
    config_options,
    gathered,
    output_options,
    read_config,
)
from graphcount.cli.output import OutputOptions
from graphcount.cli.sizes import dim_option, shape_option, sizes_alone, split_sizes, value_option
from graphcount.formats.progress import progress

if TYPE_CHECKING:
    from graphcount.report.deployment import Deployment

Item = TypeVar("Item")


def _sizes(
    config_file: str | None, no_config: bool, limits: Mapping[str, int], **sizes: Any
) -> dict[str, Any]:
    config = read_config(config_file, no_config, limits)
    return {"limits": config.limits, **split_sizes(sizes_alone(**sizes), config.sizes)}


@click.command(
    "deploy",
    cls=Command,
    examples=(
        "deploy phi-4-mini/ --context 8192",
        "deploy hf://onnx-community/whisper-base/ --variant q4",
    ),
)
@click.argument("path", metavar="PATH", type=FILE)
@click.option("--variant", metavar="NAME", help="Variant of the components that have it.")
@click.option(
    "--context",
    type=COUNT,
    default=2048,
    show_default=True,
    metavar="N",
    help="Tokens that states and steps are worked out for.",
)
@click.option("--deep", is_flag=True, help="Compare tensor data and digests: all of it is read.")
@gathered("options", _sizes, config_options, dim_option, shape_option, value_option)
@output_options(("table", "json", "markdown"))
def command(
    path: str,
    variant: str | None,
    context: int,
    deep: bool,
    options: dict[str, Any],
    output: OutputOptions,
) -> int:
    """Show what a folder of models needs: components, what they share, states, cost of a token.

    PATH is a folder, here or in a store (s3://, hf://). Weights are not read without --deep.
    """
    from graphcount.api import deployment
    from graphcount.formats.deployment import render

    def watch(parts: Sequence[Item]) -> Iterator[Item]:
        with progress(output.quiet or len(parts) < 2) as bar:
            yield from bar.working(parts, len(parts))

    made = deployment(path, variant=variant, context=context, deep=deep, progress=watch, **options)
    output.write_formats(lambda name, view: render(name, made, view), output.view())
    return _exit_code(made)


def _exit_code(made: Deployment) -> int:
    """Return 2 where a model could not be read."""
    return 2 if any(row.error for row in made.variants) else 0
