"""`graphcount scan TARGET...`: many models, an inventory, one exit code."""

from __future__ import annotations

import gc
import io
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from graphcount.cli.command import FILE, Command
from graphcount.cli.options import (
    AMOUNT,
    COUNT,
    audit_options,
    binary_option,
    configuration,
    cost_option,
    deep_option,
    fail_on_option,
    formatted,
    gathered,
    max_option,
    min_option,
    strict_option,
)
from graphcount.cli.output import OutputOptions, say
from graphcount.cli.sizes import dim_option, sizes_alone

if TYPE_CHECKING:
    from graphcount.api import Scanned
    from graphcount.config import Config
    from graphcount.scanning.work import Analysis


def _analysis(timeout: float, **options: Any) -> Analysis:
    from graphcount.scanning.work import Analysis

    return Analysis(timeout_s=timeout, **sizes_alone(**options))


def _configured(analysis: Analysis, config: Config) -> Analysis:
    """Return an analysis with what a configuration says of it; options win."""
    from graphcount.config.audits import asked_by

    return replace(
        analysis,
        asked=asked_by(config),
        dims={**config.sizes, **analysis.dims},
        optional_dims=frozenset(config.sizes).difference(analysis.dims),
        operators=config.operators,
        limits=config.limits,
    )


@click.command(
    "scan",
    cls=Command,
    examples=(
        "scan models/ -o inventory.sqlite -o index.html",
        "scan @list.txt --resume -o inventory.sqlite --audit",
        "scan s3://bucket/models/ --max disk_nbytes=100MB --format csv",
    ),
)
@click.argument("targets", nargs=-1, metavar="[TARGET]...", type=FILE)
@click.option(
    "--from",
    "lists",
    multiple=True,
    metavar="FILE",
    type=FILE,
    help="File of targets, one a line; - is stdin. May be repeated.",
)
@gathered(
    "how",
    dict,
    click.option(
        "--glob",
        "globs",
        multiple=True,
        metavar="PATTERN",
        help="Names that are models in folders and archives. May be repeated.  [default: *.onnx]",
    ),
    click.option("--jobs", type=COUNT, metavar="N", help="Processes.  [default: one a core]"),
    click.option(
        "--cluster", metavar="ADDRESS", help="Dask: tcp://host:port, or local:N to try it."
    ),
    click.option(
        "--resume", is_flag=True, help="Go on with a .sqlite inventory; read what changed."
    ),
    strict_option,
)
@gathered(
    "analysis",
    _analysis,
    click.option(
        "--hash", "hash_file", is_flag=True, help="SHA-256 of each file; it decides what changed."
    ),
    click.option("--audit", is_flag=True, help="Run the rules of an audit."),
    audit_options,
    max_option,
    min_option,
    fail_on_option(None),
    cost_option,
    dim_option,
    deep_option,
    click.option(
        "--timeout",
        type=AMOUNT,
        default=300,
        show_default=True,
        metavar="SECONDS",
        help="Give up on a model after so long.",
    ),
)
@configuration
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FILE",
    type=FILE,
    help="The inventory: .sqlite, .jsonl, .csv, .parquet or .html. May be repeated.",
)
@formatted(("table", "jsonl", "csv"), "What stdout shows: a summary, or all rows.", binary_option)
def command(
    targets: tuple[str, ...],
    lists: tuple[str, ...],
    outputs: tuple[str, ...],
    how: dict[str, Any],
    analysis: Analysis,
    config: Config,
    output: OutputOptions,
) -> int:
    """Count many models, and audit them or hold them against budgets.

    TARGET is a folder, a glob, an .onnx file, a zip archive, a URL (https://, s3://, gs://, hf://,
    az://) or @FILE with one of these a line. A model that cannot be read is a row with its error.
    """
    from graphcount.api import Interrupted, inventory

    gc.enable()  # the program runs without, and this command runs for long
    named = (*targets, *(f"@{name}" for name in lists))
    if not named:
        raise click.UsageError("TARGET is missing: name a folder, a file, a URL or a list")
    analysis = _configured(analysis, config)
    how.update(binary=output.binary, quiet=output.quiet, exclude=config.excludes)
    try:
        with inventory(named, outputs, analysis=analysis, **how) as scanned:
            _show(scanned, output)
            if not output.quiet:
                _say_what_is_written(scanned, outputs)
            if scanned.unused:
                say(scanned.unused)
            return scanned.exit_code
    except Interrupted as stop:
        kept = "; --resume goes on" if stop.kept else ""
        say(f"interrupted: {stop.done:,} models are done{kept}")
        return 130


def _say_what_is_written(scanned: Scanned, outputs: Sequence[str]) -> None:
    """Say on stderr what is in the files, and how many models are in none."""
    models = "1 model" if scanned.models == 1 else f"{scanned.models:,} models"
    written = f"{', '.join(outputs)}: {models} written" if outputs else ""
    excluded = f"{scanned.excluded:,} excluded" if scanned.excluded else ""
    if written or excluded:
        say("; ".join(filter(None, (written, excluded))))


def _show(scanned: Scanned, output: OutputOptions) -> None:
    """Write a summary, or all rows, one at a time."""
    from graphcount.scanning.exports import jsonl_lines, write_csv

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if output.format_name == "jsonl":
        sys.stdout.writelines(jsonl_lines(scanned.rows()))
    elif output.format_name == "csv":
        write_csv(scanned.rows(), sys.stdout)
    else:
        from graphcount.scanning.summary import render

        output.write(render(scanned.summary(), output.view()))
