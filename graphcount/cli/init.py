"""`graphcount init MODEL...`: measures models and writes a configuration that they pass."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from graphcount.cli.command import FILE, FORCE_HELP, Command
from graphcount.cli.options import (
    cost_option,
    deep_option,
    formatted,
    gathered,
    limit_option,
    models_argument,
    schema_option,
)
from graphcount.cli.output import OutputOptions, complain, say
from graphcount.cli.sizes import dim_option, shape_option, split_sizes, value_option
from graphcount.errors import NotReadableError
from graphcount.loading.limits import Limits

TABLES = ("toml", "pyproject")
"""Formats of a configuration."""


def _options(limits: Mapping[str, int], **options: Any) -> dict[str, Any]:
    return {**split_sizes(options), "limits": Limits(**limits)}


@click.command(
    "init",
    cls=Command,
    examples=(
        "init models/ --dim batch=1:8",
        "init model.onnx --headroom 5% --format pyproject >> pyproject.toml",
    ),
)
@models_argument
@click.option(
    "--headroom",
    default="10%",
    show_default=True,
    metavar="SHARE",
    help="Headroom over today's values.",
)
@schema_option
@click.option("--force", is_flag=True, help=FORCE_HELP)
@gathered(
    "options",
    _options,
    cost_option,
    dim_option,
    shape_option,
    value_option,
    deep_option,
    limit_option,
)
@formatted(
    TABLES,
    "pyproject: tables for pyproject.toml, on stdout.",
    click.option(
        "-o",
        "--output",
        "file",
        default="graphcount.toml",
        show_default=True,
        metavar="FILE",
        type=FILE,
        help="Where to write it; - is stdout.",
    ),
)
def command(
    models: tuple[str, ...],
    headroom: str,
    force: bool,
    options: dict[str, Any],
    output: OutputOptions,
) -> int:
    """Write a configuration with today's numbers and headroom; graphcount check then passes.

    MODEL is a file, a folder or a glob. Dimensions without a size get one that is assumed and
    marked so. Models that cannot be read are listed, and have no check; the exit code is 2 then.
    """
    from graphcount.api import init

    if output.format_name == "pyproject":
        output = replace(output, file="-")
    file = None if output.file == "-" else output.file
    if file is not None and os.path.lexists(file) and not force:
        raise NotReadableError("is there already; --force overwrites it", file)
    started = init(
        models,
        headroom=headroom,
        output=file or "graphcount.toml",
        format=output.format_name,
        on_error=complain,
        **options,
    )
    if started.text:
        output.write(started.text)
        if file is not None and not output.quiet:
            say(f"{file}: {_checks(len(started.reports))}; graphcount check runs them")
    return started.exit_code


def _checks(number: int) -> str:
    return "1 check" if number == 1 else f"{number} checks"
