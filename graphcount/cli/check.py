"""`graphcount check [MODEL...]`: a gate that fails closed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from graphcount.cli.command import FILE, Command
from graphcount.cli.options import (
    BENCH_HELP,
    config_options,
    cost_options,
    deep_option,
    fail_on_option,
    max_increase_option,
    max_option,
    min_option,
    output_options,
    read_config,
)
from graphcount.cli.output import make_view, read_all, write
from graphcount.errors import GraphcountError, UsageError, not_writable
from graphcount.formats import CHECK_FORMATS, render
from graphcount.formats.text import one_line
from graphcount.formats.view import View
from graphcount.report.records import Report

if TYPE_CHECKING:
    from graphcount.config import Config
    from graphcount.gates.checks import Check
    from graphcount.gates.examine import Baselines, Examined
    from graphcount.gates.select import Target


def _print_measures(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if not asked or context.resilient_parsing:
        return
    from graphcount.gates.measures import list_measures

    rows = list_measures()
    width = max(len(name) for name, _, _ in rows)
    lines = [f"{name:{width}}  {unit:5}  {about}\n" for name, unit, about in rows]
    write("".join(lines), None)
    context.exit()


def _parse_also(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Read `junit=report.xml`."""
    pairs = []
    for text in texts:
        name, _, file = text.partition("=")
        if not file or name not in CHECK_FORMATS:
            known = ", ".join(CHECK_FORMATS)
            raise click.BadParameter(f"{text!r}: write it as FORMAT=FILE; formats are {known}")
        pairs.append((name, file))
    return tuple(pairs)


@click.command(
    "check",
    cls=Command,
    examples=(
        "check model.onnx --max parameters=30M --max nbytes=100MB",
        "check                        # what graphcount.toml says",
        "check --format github --also junit=graphcount.xml",
    ),
)
@click.argument("models", nargs=-1, metavar="[MODEL]...", type=FILE)
@click.option(
    "--list-measures",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_measures,
    help="Print what a budget can be set on.",
)
@max_option
@min_option
@max_increase_option
@click.option("--baseline", metavar="FILE", type=FILE, help="Numbers to compare with.")
@click.option("--write-baseline", metavar="FILE", type=FILE, help="Write today's numbers to FILE.")
@click.option("--bench", metavar="FILE", type=FILE, help=BENCH_HELP)
@fail_on_option()
@click.option(
    "--also",
    multiple=True,
    metavar="FORMAT=FILE",
    callback=_parse_also,
    help="Write the result to FILE in another format too. May be repeated.",
)
@click.option(
    "--marker",
    default="check",
    show_default=True,
    metavar="NAME",
    help="Hidden name of the Markdown comment, to update it in place.",
)
@config_options
@cost_options
@deep_option
@output_options(CHECK_FORMATS)
def command(
    models: tuple[str, ...],
    maxima: tuple[str, ...],
    minima: tuple[str, ...],
    increases: tuple[str, ...],
    baseline: str | None,
    write_baseline: str | None,
    bench: str | None,
    fail_on: str,
    also: tuple[tuple[str, str], ...],
    marker: str,
    config_file: str | None,
    no_config: bool,
    format_name: str,
    output: str | None,
    quiet: bool,
    no_color: bool,
    binary: bool,
    **options: Any,
) -> int:
    """Pass or fail against budgets, given as options or in a configuration.

    MODEL is a file or a folder; none: the models that configured checks choose. A budget is kept
    only by a number that is exact: what is unknown, incomplete or damaged fails.
    """
    from graphcount.gates.checks import fails
    from graphcount.gates.examine import Baselines, joined
    from graphcount.gates.rules import RULES
    from graphcount.gates.select import targets

    config = read_config(config_file, no_config)
    everywhere = _from_options(maxima, minima, increases)
    if not config.checks and not everywhere.demands and not write_baseline:
        raise UsageError(
            "nothing to check: give a budget, e.g. --max parameters=30M, or configure checks"
            " (graphcount init MODEL writes them)"
        )
    extra = everywhere if everywhere.demands or write_baseline else None
    sizes = {"dims": options.pop("dims"), "shapes": options.pop("shapes")}
    checks, extra = [_sized(c, sizes) for c in config.checks], extra and _sized(extra, sizes)
    chosen = targets(models, checks, extra)
    baselines = Baselines(baseline or "", _conventions(options))
    hashing = write_baseline is not None
    examined = list(
        _examine_all(chosen, config, baselines, bench, {**options, "hash_file": hashing}, quiet)
    )
    if not quiet:
        for note in baselines.notes:
            click.echo(f"graphcount: {one_line(note, 400)}", err=True)
    if write_baseline is not None:
        _write_baseline(write_baseline, examined, baselines)
    outcomes = [item if isinstance(item, GraphcountError) else joined(item) for item in examined]
    view = make_view(output, no_color, binary, rules=RULES, fail_on=fail_on, marker=marker)
    _print(outcomes, format_name, view, output, also)
    if any(isinstance(item, GraphcountError) for item in outcomes):
        return 2
    return int(any(fails(item.findings, fail_on) for item in outcomes if isinstance(item, Report)))


def _from_options(maxima: Sequence[str], minima: Sequence[str], increases: Sequence[str]) -> Check:
    """The check that options make."""
    from graphcount.gates.budgets import Origin, parse_budget
    from graphcount.gates.checks import Check

    budgets = [parse_budget(text, "max") for text in maxima]
    budgets += [parse_budget(text, "min") for text in minima]
    budgets += [parse_budget(text, "max_increase") for text in increases]
    return Check("options", Origin(option="options"), budgets=tuple(budgets))


def _sized(check: Check, sizes: dict[str, Any]) -> Check:
    """A check with the sizes that options give; they win."""
    dims, shapes = sizes["dims"], sizes["shapes"]
    return check._replace(dims={**check.dims, **dims}, shapes={**check.shapes, **shapes})


def _examine_all(
    chosen: list[Target],
    config: Config,
    baselines: Any,
    bench: str | None,
    options: dict[str, Any],
    quiet: bool,
) -> Iterator[list[Examined] | GraphcountError]:
    """Every model after the other, with progress on a terminal."""
    from graphcount.api import load
    from graphcount.gates.examine import examine
    from graphcount.gates.latency import latency_of, read_latencies

    latencies = read_latencies(bench) if bench else {}
    checks = {target.path: target.checks for target in chosen}
    asked = options.pop("cost")
    unasked = None if options["hash_file"] else False  # a baseline remembers costs too

    def read(path: str) -> list[Examined]:
        model = load(path, limits=config.limits)

        def count(dims: Any, shapes: Any, needed: bool) -> Report:
            cost = (needed or unasked) if asked is None else asked
            operators = config.operators or None
            return model.report(dims=dims, shapes=shapes, cost=cost, operators=operators, **options)

        latency = latency_of(latencies, path)
        return examine(count, path, checks[path], baselines, latency)

    with _progress(list(checks), quiet) as paths:
        yield from read_all(paths, read)


@contextmanager
def _progress(paths: list[str], quiet: bool) -> Iterator[Any]:
    """The paths, with a bar on stderr when several are read at a terminal."""
    if quiet or len(paths) < 2 or not sys.stderr.isatty():
        yield paths
        return
    with click.progressbar(paths, label="models", file=sys.stderr, show_pos=True, width=0) as bar:
        yield bar


def _conventions(options: dict[str, Any]) -> dict[str, str | bool]:
    """How is counted, where that is not the usual way."""
    given = {name: options[name] for name in ("in_place", "macs_convention")}
    return {name: value for name, value in given.items() if value not in (False, "graphcount")}


def _write_baseline(
    file: str, examined: Sequence[list[Examined] | GraphcountError], baselines: Baselines
) -> None:
    """Write what was measured; nothing when a model could not be read."""
    from graphcount.gates.baseline import entry, write_text

    if any(isinstance(item, GraphcountError) for item in examined):
        click.echo(f"graphcount: {one_line(file)}: not written: not all was read", err=True)
        return
    entries = {}
    for item in examined:
        assert not isinstance(item, GraphcountError)
        for found in item:
            asked = {verdict.measure for row in found.rows for verdict in row.verdicts}
            sizes = found.dims, found.shapes
            row = entry(file, found.subject, *sizes, asked, baselines.conventions)
            entries[row.path, str(row.dims), str(row.shapes)] = row
    write(write_text(entries.values()), file)


def _print(
    outcomes: list[Report | GraphcountError],
    format_name: str,
    view: View,
    output: str | None,
    also: tuple[tuple[str, str], ...],
) -> None:
    """The result in every format asked for; errors alone are no table."""
    if format_name != "table" or any(isinstance(item, Report) for item in outcomes):
        write(render(format_name, outcomes, view, CHECK_FORMATS), output)
    plain = view._replace(color=False)
    for name, file in also:
        write(render(name, outcomes, plain, CHECK_FORMATS), file)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if format_name == "github" and summary:
        text = render("markdown", outcomes, plain, CHECK_FORMATS)
        try:
            with open(summary, "a", encoding="utf-8", newline="") as stream:
                stream.write(f"{text}\n")
        except OSError as error:
            raise not_writable(summary, error) from None
