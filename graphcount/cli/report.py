"""`graphcount report MODEL -o model.html`: one page to look at."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from graphcount.cli.command import FILE, Command
from graphcount.cli.options import (
    BENCH_HELP,
    binary_option,
    config_options,
    cost_options,
    counting,
    deep_option,
    model_argument,
    no_color_option,
    output_option,
    quiet_option,
    read_config,
)
from graphcount.cli.output import write
from graphcount.errors import DamagedError, GraphcountError
from graphcount.units import nbytes

if TYPE_CHECKING:
    from graphcount.api import MacsConvention

MAX_BENCH_NBYTES = 256 * 2**20
"""Results of benchmarks are read up to this size."""


@click.command(
    "report",
    cls=Command,
    examples=(
        "report model.onnx -o model.html",
        "report new.onnx --against old.onnx -o diff.html",
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
@click.option("--audit/--no-audit", default=True, help="Show findings.  [default: audit]")
@cost_options
@deep_option
@output_option
@quiet_option
@no_color_option
@binary_option
@config_options
def command(
    model: str,
    against: str | None,
    bench: str | None,
    audit: bool,
    cost: bool | None,
    dims: dict[str, int],
    shapes: dict[str, tuple[int | str | None, ...]],
    macs_convention: MacsConvention,
    in_place: bool,
    deep: bool | None,
    output: str | None,
    quiet: bool,
    no_color: bool,
    binary: bool,
    config_file: str | None,
    no_config: bool,
) -> int:
    """Make one self-contained HTML page: map, tables, memory over the run, findings.

    MODEL is an .onnx file, ONNX text or JSON, or - for standard input. The page loads nothing and
    opens from disk. Weights are not read but by the audit.
    """
    from graphcount.api import page

    if output is None and sys.stdout.isatty():
        raise click.UsageError("say where the page goes, e.g. -o model.html")
    text = page(
        model,
        against=against,
        bench=_read_bench(bench) if bench else None,
        audit=audit,
        deep=deep,
        cost=cost,
        dims=dims,
        shapes=shapes,
        macs_convention=macs_convention,
        in_place=in_place,
        binary=binary,
        **counting(read_config(config_file, no_config)),
    )
    write(text, output)
    if output not in (None, "-") and not quiet:
        click.echo(f"graphcount: {output}: {nbytes(len(text.encode()))}, open it", err=True)
    return 0


def _read_bench(path: str) -> Any:
    """The JSON of a benchmark.

    Raises:
        GraphcountError: It cannot be read, or is none.
    """
    from graphcount.formats.page.bench import times
    from graphcount.loading.source import open_regular

    try:
        with open_regular(path) as file:
            data = file.read(MAX_BENCH_NBYTES + 1)
    except GraphcountError as error:
        raise error.at(path) from None
    if len(data) > MAX_BENCH_NBYTES:
        raise DamagedError(f"more than {nbytes(MAX_BENCH_NBYTES)} of JSON", path)
    try:
        result = json.loads(data)
        times(result)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"not JSON: {error}", path) from None
    except GraphcountError as error:
        raise error.at(path) from None
    return result
