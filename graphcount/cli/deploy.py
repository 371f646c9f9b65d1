"""`graphcount deploy PATH`: several models that are run as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from graphcount.cli.command import FILE, Command
from graphcount.cli.options import (
    COUNT,
    output_options,
    size_options,
)
from graphcount.cli.output import OutputOptions
from graphcount.formats.progress import progress

if TYPE_CHECKING:
    from graphcount.report.deployment import Deployment

Item = TypeVar("Item")


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
@size_options
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
