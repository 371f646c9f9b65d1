"""`graphcount check [MODEL...]`: a gate that fails closed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypedDict, cast

import click

from graphcount.cli.command import FILE, Command
from graphcount.cli.options import (
    BENCH_HELP,
    configuration,
    cost_options,
    deep_option,
    fail_on_option,
    gathered,
    max_increase_option,
    max_option,
    min_option,
    output_options,
)
from graphcount.cli.output import OutputOptions, complain, say, write
from graphcount.cli.sizes import split_sizes
from graphcount.errors import GraphcountError, not_writable
from graphcount.formats import CHECK_FORMATS, render
from graphcount.formats.progress import progress
from graphcount.formats.view import View
from graphcount.report.records import Report

if TYPE_CHECKING:
    from graphcount.api import CountOptions
    from graphcount.config import Config
    from graphcount.gates.budgets import Budget


SUMS_UP = ("table", "markdown", "github")
"""Formats that say how many models were held, and how many were not."""


class Demanded(TypedDict):
    """What models are held against, in the words of the API's `check`."""

    max: Sequence[Budget]
    min: Sequence[Budget]
    max_increase: Sequence[Budget]
    baseline: str | None
    base: str | None
    write_baseline: str | None
    bench: str | None
    runtime: Sequence[str]
    fail_on: str


def _demanded(
    maxima: Sequence[str], minima: Sequence[str], increases: Sequence[str], **others: Any
) -> Demanded:
    """Read limits: `parameters=30M`."""
    from graphcount.gates.budgets import parse_budget

    limits: Any = {
        "max": [parse_budget(text, "max") for text in maxima],
        "min": [parse_budget(text, "min") for text in minima],
        "max_increase": [parse_budget(text, "max_increase") for text in increases],
    }
    return cast("Demanded", {**limits, **others})


def _options(**options: Any) -> dict[str, Any]:
    return split_sizes(options)


def _print_measures(context: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if not asked or context.resilient_parsing:
        return
    from graphcount.gates.measures import list_measures

    rows = list_measures()
    width = max(len(name) for name, _, _ in rows)
    lines = [f"{name:{width}}  {unit:5}  {about}\n" for name, unit, about in rows]
    write("".join(lines), None)
    context.exit()


@click.command(
    "check",
    cls=Command,
    examples=(
        "check model.onnx --max disk_nbytes=100MB --max parameters=30M",
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
@click.option(
    "--deployment",
    "deployment",
    multiple=True,
    metavar="FOLDER",
    type=FILE,
    help="Hold the models of a folder, which run as one, against limits as one. May be repeated.",
)
@gathered(
    "demanded",
    _demanded,
    max_option,
    min_option,
    max_increase_option,
    click.option("--baseline", metavar="FILE", type=FILE, help="Numbers to compare with."),
    click.option(
        "--base",
        metavar="FOLDER|FILE",
        type=FILE,
        help="Models as they were (a checkout, or a baseline), where a check has no baseline.",
    ),
    click.option(
        "--write-baseline", metavar="FILE", type=FILE, help="Write today's numbers to FILE."
    ),
    click.option("--bench", metavar="FILE", type=FILE, help=BENCH_HELP),
    click.option(
        "--runtime",
        multiple=True,
        metavar="NAME",
        help="A runtime that has to load every model: onnxruntime, onnxruntime:1.32/cpu. It need"
        " not be installed. May be repeated.",
    ),
    fail_on_option(),
)
@gathered(
    "look",
    dict,
    click.option(
        "--marker",
        default="check",
        show_default=True,
        metavar="NAME",
        help="Hidden name of the Markdown comment, to update it in place.",
    ),
    click.option(
        "--hide-passed", is_flag=True, help="Tables and comments show only what is not kept."
    ),
)
@configuration
@gathered("options", _options, cost_options, deep_option)
@output_options(CHECK_FORMATS)
def command(
    models: tuple[str, ...],
    deployment: tuple[str, ...],
    demanded: Demanded,
    config: Config,
    options: CountOptions,
    look: dict[str, Any],
    output: OutputOptions,
) -> int:
    """Pass or fail against budgets, given as options or in a configuration.

    MODEL is a file, a folder or a glob; none: the models that configured checks choose. A budget is
    kept only by a number that is exact: what is unknown, incomplete or damaged fails.
    """
    from graphcount.api import check
    from graphcount.gates.rules import RULES

    watch = None if output.quiet else _progress
    asked: dict[str, Any] = {"config": config, "on_error": complain, "progress": watch}
    checked = check(models, deployment=deployment, **asked, **demanded, **options)
    for note in () if output.quiet else checked.notes:
        say(note)
    file = demanded["write_baseline"]
    if file is not None and not checked.written:
        say(f"{file}: not written: not all was read")
    left_out = {"ignored": len(checked.ignored), "excluded": len(checked.excluded)}
    view = output.view(rules=RULES, fail_on=demanded["fail_on"], **look, **left_out)
    if not (checked.outcomes or output.quiet) and output.format_name not in SUMS_UP:
        from graphcount.formats.verdict_sentences import verdicts_sentence

        say(verdicts_sentence((), view))
    _print(checked.outcomes, view, output)
    return checked.exit_code


def _progress(paths: Sequence[str]) -> Iterator[str]:
    """Go over the paths, with a bar when there are several."""
    with progress(quiet=len(paths) < 2) as bar:
        yield from bar.working(paths, len(paths))


def _print(
    outcomes: Sequence[Report | GraphcountError],
    view: View,
    output: OutputOptions,
) -> None:
    """Write the result in every format asked for; errors alone are no table."""
    readable = not outcomes or any(isinstance(item, Report) for item in outcomes)

    def render_as(name: str, view: View) -> str:
        if name == "table" and not readable:
            return ""
        return render(name, outcomes, view, CHECK_FORMATS)

    output.write_formats(render_as, view)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if output.format_name == "github" and summary:
        text = render_as("markdown", view._replace(color=False))
        try:
            with open(summary, "a", encoding="utf-8", newline="") as stream:
                stream.write(f"{text}\n")
        except OSError as error:
            raise not_writable(summary, error) from None
