"""`graphcount page MODEL -o model.html`: one page to look at."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from graphcount.cli.command import FILE, Command
from graphcount.cli.options import (
    BENCH_HELP,
    binary_option,
    cost_options,
    counting_options,
    deep_option,
    gathered,
    model_argument,
    no_color_option,
    output_option,
    quiet_option,
    sparsity_option,
)
from graphcount.cli.output import OutputOptions, format_of, watched
from graphcount.units import nbytes

if TYPE_CHECKING:
    from graphcount.api import Counting


def _output(file: str | None, **options: Any) -> OutputOptions:
    return OutputOptions(format_of(("html",), None, file), file, **options)


@click.command(
    "page",
    cls=Command,
    examples=(
        "page model.onnx -o model.html",
        "page new.onnx --against old.onnx -o diff.html",
    ),
)
@model_argument
@click.option(
    "--against",
    metavar="OLD",
    type=FILE,
    help="Another model, or a report saved as JSON: show what grew since.",
)
@click.option("--bench", metavar="FILE", type=FILE, help=BENCH_HELP)
@click.option(
    "--history",
    "past",  # it is read here; `history` is one that is written
    metavar="FILE",
    type=FILE,
    help="What graphcount bench --history wrote: show latency over time.",
)
@click.option("--audit/--no-audit", default=True, help="Show findings.  [default: audit]")
@counting_options(cost_options, deep_option, sparsity_option)
@gathered("output", _output, output_option, quiet_option, no_color_option, binary_option)
def command(
    model: str,
    against: str | None,
    bench: str | None,
    past: str | None,
    audit: bool,
    options: Counting,
    output: OutputOptions,
) -> int:
    """Make one self-contained HTML page: map, tables, memory over the run, findings.

    MODEL is an .onnx file, ONNX text or JSON, or - for standard input. The page loads nothing and
    opens from disk. Weights are not read but by the audit, and with --deep and --sparsity.
    """
    from graphcount.api import page

    if output.file is None and sys.stdout.isatty():
        raise click.UsageError("say where the page goes, e.g. -o model.html")
    how = {"against": against, "bench": bench, "history": past}
    with watched(options, output.quiet):
        text = page(model, audit=audit, binary=output.binary, **how, **options)
    output.write(text)
    if output.file not in (None, "-") and not output.quiet:
        click.echo(f"graphcount: {output.file}: {nbytes(len(text.encode()))}, open it", err=True)
    return 0
