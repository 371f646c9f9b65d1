"""`graphcount scan TARGET...`: many models, an inventory, one exit code."""

from __future__ import annotations

import gc
import io
import os
import sys
import tempfile
from typing import TYPE_CHECKING

import click

from graphcount.cli.command import FILE, Command
from graphcount.cli.options import (
    AMOUNT,
    COUNT,
    audit_options,
    binary_option,
    cost_option,
    deep_option,
    dim_option,
    fail_on_option,
    format_option,
    max_option,
    min_option,
    no_color_option,
    quiet_option,
    strict_option,
)
from graphcount.cli.output import make_view, write
from graphcount.errors import NotReadableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphcount.scanning.inventory import Inventory
    from graphcount.scanning.targets import Target
    from graphcount.scanning.work import Analysis

BUG = 70


@click.command(
    "scan",
    cls=Command,
    examples=(
        "scan models/ -o inventory.sqlite -o index.html",
        "scan @list.txt --resume -o inventory.sqlite --audit",
        "scan s3://bucket/models/ --max nbytes=100MB --format csv",
    ),
)
@click.argument("targets", nargs=-1, metavar="[TARGET]...", type=FILE)
@click.option(
    "--from",
    "lists",
    multiple=True,
    metavar="FILE",
    type=FILE,
    help="Targets, one a line; - is stdin. May be repeated.",
)
@click.option(
    "--glob",
    "globs",
    multiple=True,
    metavar="PATTERN",
    help="Names that are models in folders and archives. May be repeated.  [default: *.onnx]",
)
@click.option("--jobs", type=COUNT, metavar="N", help="Processes.  [default: one a core]")
@click.option("--cluster", metavar="ADDRESS", help="Dask: tcp://host:port, or local:N to try it.")
@click.option("--resume", is_flag=True, help="Go on with a .sqlite inventory; read what changed.")
@click.option(
    "--hash", "hash_file", is_flag=True, help="SHA-256 of each file; it decides what changed."
)
@click.option("--audit", is_flag=True, help="Run the rules of an audit.")
@audit_options
@max_option
@min_option
@fail_on_option()
@strict_option
@cost_option
@dim_option
@deep_option
@click.option(
    "--timeout",
    type=AMOUNT,
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="Give up on a model after so long.",
)
@format_option(("table", "jsonl", "csv"), "What stdout shows: a summary, or all rows.")
@click.option(
    "-o",
    "--output",
    "outputs",
    multiple=True,
    metavar="FILE",
    type=FILE,
    help="The inventory: .sqlite, .jsonl, .csv, .parquet or .html. May be repeated.",
)
@quiet_option
@no_color_option
@binary_option
def command(
    targets: tuple[str, ...],
    lists: tuple[str, ...],
    globs: tuple[str, ...],
    jobs: int | None,
    cluster: str | None,
    outputs: tuple[str, ...],
    resume: bool,
    timeout: float,
    cost: bool | None,
    dims: dict[str, int],
    deep: bool | None,
    hash_file: bool,
    audit: bool,
    select: tuple[str, ...],
    ignore: dict[str, str],
    fail_on: str,
    maxima: tuple[str, ...],
    minima: tuple[str, ...],
    strict: bool,
    format_name: str,
    quiet: bool,
    no_color: bool,
    binary: bool,
) -> int:
    """Count many models, and audit them or hold them against budgets.

    TARGET is a folder, a glob, an .onnx file, a zip archive, a URL (https://, s3://, gs://, hf://,
    az://) or @FILE with one of these a line. A model that cannot be read is a row with its error.
    """
    from graphcount.scanning.work import Analysis

    gc.enable()  # the program runs without, and this command runs for long
    if (select or ignore) and not audit:
        raise click.UsageError("--select and --ignore need --audit")
    analysis = Analysis(
        cost=cost,
        deep=deep,
        hash_file=hash_file,
        dims=dims,
        audit=audit,
        select=select,
        ignore=ignore,
        maxima=maxima,
        minima=minima,
        fail_on=fail_on,
        timeout_s=timeout,
    )
    _check(analysis)
    named = (*targets, *(f"@{name}" for name in lists))
    if not named:
        raise click.UsageError("TARGET is missing: name a folder, a file, a URL or a list")
    from graphcount.scanning.targets import DEFAULT_GLOBS, expand

    found = expand(named, globs or DEFAULT_GLOBS)
    database = _database(outputs, resume)
    exports = [path for path in outputs if path != database]
    with tempfile.TemporaryDirectory(prefix="graphcount-") as folder:
        from graphcount.scanning.inventory import Inventory

        path = database or os.path.join(folder, "inventory.sqlite")
        inventory = Inventory(path, analysis.fingerprint())
        try:
            try:
                _work(inventory, found, analysis, jobs or _cores(), cluster, quiet)
            except KeyboardInterrupt:
                _export(inventory, exports, binary)
                _say_interrupted(inventory, database)
                return 130
            _export(inventory, exports, binary)
            _show(inventory, format_name, no_color, binary)
            return _exit_code(inventory, strict)
        finally:
            inventory.close()


def _check(analysis: Analysis) -> None:
    """Refuse options that make no sense before anything is read."""
    from graphcount.gates.budgets import parse_budget

    budgets = [parse_budget(text, "max") for text in analysis.maxima]
    budgets += [parse_budget(text, "min") for text in analysis.minima]
    for budget in budgets:
        if budget.measure.unit == "time":
            name = budget.measure.name
            raise UsageError(f"{name}: a scan runs no model; graphcount check --bench judges it")


def _database(outputs: tuple[str, ...], resume: bool) -> str | None:
    """The output that is the inventory itself, or None."""
    from graphcount.scanning.exports import DATABASES, suffix

    databases = [path for path in outputs if suffix(path) in DATABASES]
    if len(databases) > 1:
        raise UsageError("one inventory is enough: give one -o with .sqlite")
    if resume and not databases:
        raise UsageError("--resume needs the inventory: -o FILE.sqlite")
    if databases and not resume and os.path.exists(databases[0]):
        raise NotReadableError("is there already; --resume goes on with it", databases[0])
    for path in outputs:
        folder = os.path.dirname(path)
        if folder and not os.path.isdir(folder):
            raise NotReadableError(f"cannot be written: there is no folder {folder}", path)
    return databases[0] if databases else None


def _work(
    inventory: Inventory,
    found: Iterator[Target],
    analysis: Analysis,
    jobs: int,
    cluster: str | None,
    quiet: bool,
) -> None:
    from graphcount.api import examine
    from graphcount.scanning.progress import progress
    from graphcount.scanning.run import work

    with progress(quiet) as shown:
        total = inventory.begin(shown.listing(found))
        if not total:
            raise NotReadableError("no model found; --glob says which names are models")
        results = work(inventory.tasks(), examine, analysis, jobs, cluster)
        for done in shown.working(results, total):
            inventory.put(done)
    inventory.finish()


def _export(inventory: Inventory, exports: list[str], binary: bool) -> None:
    from graphcount.scanning.exports import export

    for path in exports:
        export(inventory.rows(), path, binary)


def _show(inventory: Inventory, format_name: str, no_color: bool, binary: bool) -> None:
    from graphcount.scanning.exports import jsonl_lines, write_csv

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if format_name == "jsonl":
        sys.stdout.writelines(jsonl_lines(inventory.rows()))
    elif format_name == "csv":
        write_csv(inventory.rows(), sys.stdout)
    else:
        from graphcount.scanning.summary import render, summarize

        write(render(summarize(inventory), make_view(None, no_color, binary)), None)


def _say_interrupted(inventory: Inventory, database: str | None) -> None:
    ((done,),) = inventory.query("SELECT count(*) FROM inventory")
    kept = "; --resume goes on" if database else ""
    click.echo(f"graphcount: interrupted: {done:,} models are done{kept}", err=True)


def _exit_code(inventory: Inventory, strict: bool) -> int:
    """70 for a bug of ours, else 2 for what was not read, 1 for what failed, 0."""
    from graphcount.scanning.row import ERROR, FAILED
    from graphcount.scanning.work import BUG as SLUG

    found = inventory.query(
        "SELECT total(error = ?), total(status = ?), total(status = ?), total(unknown > 0)"
        " FROM inventory",
        *(SLUG, ERROR, FAILED),
    )
    bugs, errors, failed, unknown = found[0]
    if bugs:
        return BUG
    return 2 if errors else 1 if failed or (strict and unknown) else 0


def _cores() -> int:
    """Cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
