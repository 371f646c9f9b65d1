"""`graphcount bench MODEL`: real latency with onnxruntime, beside what it should cost."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from graphcount.benchmarking.providers import PROVIDERS
from graphcount.cli.command import FILE, Command
from graphcount.cli.options import (
    AMOUNT,
    COUNT,
    counting_options,
    gathered,
    model_argument,
    output_options,
    top_option,
)
from graphcount.cli.output import OutputOptions, say
from graphcount.cli.sizes import shape_option, value_option
from graphcount.errors import UsageError
from graphcount.formats.progress import StatusLine
from graphcount.formats.view import View
from graphcount.units import parse, parse_size

if TYPE_CHECKING:
    from graphcount.benchmarking.measure import BenchOptions

FORMATS = ("table", "json", "report", "csv")
ONE_SIZE = "--save-inputs and --format report take one size of each --dim"
LEVELS = ("none", "basic", "extended", "all")


def _parse_sizes(
    context: click.Context, parameter: click.Parameter, texts: tuple[str, ...]
) -> dict[str, tuple[int, ...]]:
    """Read `batch=8` or `batch=1,8,32`."""
    given: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, equals, sizes = text.rpartition("=")
        parts = [parse_size(part) for part in sizes.split(",")]
        if not equals or not name or None in parts:
            raise click.BadParameter(f"{text!r}: write it as name=size, e.g. batch=8 or batch=1,8")
        if name in given:
            raise click.BadParameter(f"{name} is given twice; write {name}=1,8")
        given[name] = tuple(dict.fromkeys(part for part in parts if part is not None))
    return given


def _parse_nbytes(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> int | None:
    try:
        return None if text is None else parse(text, "bytes")
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _how(no_profile: bool, memory_limit: int | None, **others: Any) -> BenchOptions:
    from graphcount.benchmarking.measure import BenchOptions

    return BenchOptions(profile=not no_profile, memory_limit_nbytes=memory_limit, **others)


how_options = gathered(
    "how",
    _how,
    click.option(
        "--seed",
        type=int,
        default=0,
        show_default=True,
        metavar="N",
        help="Seed of the generated inputs.",
    ),
    click.option(
        "--save-inputs", metavar="FILE", type=FILE, help="Write the inputs to an .npz file."
    ),
    click.option(
        "--max-ratio",
        type=AMOUNT,
        metavar="R",
        help="With --vs: exit 1 when MODEL is more than R times as slow, 2 when that cannot be"
        " decided.  [default with --within: 1.025]",
    ),
    click.option(
        "--within",
        type=AMOUNT,
        metavar="SECONDS",
        help="Decide --max-ratio in so long, as soon as it can be.  [default: 60]",
    ),
    click.option(
        "--warmup",
        type=click.IntRange(0),
        metavar="N",
        help="Runs before the clock, after the first.  [default: 5; in each block of --vs 1]",
    ),
    click.option(
        "--runs",
        type=click.IntRange(1, 1_000_000),
        metavar="N",
        help="Timed runs.  [default: 1,000, within 5 s]",
    ),
    click.option(
        "--seconds",
        type=AMOUNT,
        metavar="SECONDS",
        help="Stop after so long, with ten runs at least.",
    ),
    click.option(
        "--concurrency",
        type=click.IntRange(1, 1024),
        default=1,
        show_default=True,
        metavar="N",
        help="Threads that call the model in parallel.",
    ),
    click.option(
        "--sessions",
        type=click.IntRange(1, 1024),
        default=1,
        show_default=True,
        metavar="N",
        help="Sessions that these threads share.",
    ),
    click.option("--no-profile", is_flag=True, help="Do not measure single operators."),
    click.option(
        "--provider",
        type=click.Choice(list(PROVIDERS)),
        default="cpu",
        show_default=True,
        metavar="NAME",
        help=f"Execution provider: {', '.join(PROVIDERS)}. Falling back to another is an error.",
    ),
    click.option("--threads", type=COUNT, metavar="N", help="Threads within an operator."),
    click.option("--inter-threads", type=COUNT, metavar="N", help="Operators run in parallel."),
    click.option(
        "--optimization",
        type=click.Choice(LEVELS),
        default="all",
        show_default=True,
        help="Optimization level of onnxruntime.",
    ),
    click.option(
        "--custom-ops",
        metavar="FILE",
        type=FILE,
        help="Load a library with custom operators: its code runs.",
    ),
    click.option(
        "--timeout",
        type=AMOUNT,
        default=600,
        show_default=True,
        metavar="SECONDS",
        help="Give up on a model after so long.",
    ),
    click.option(
        "--memory-limit",
        callback=_parse_nbytes,
        metavar="SIZE",
        help="Memory of the child process, e.g. 4GB.  [default on the CPU: 80 % of what is free]",
    ),
)
fed_options = gathered(
    "fed",
    dict,
    click.option(
        "--vs", "versus", metavar="MODEL", type=FILE, help="Take turns with another model."
    ),
    click.option(
        "--dim",
        "dims",
        multiple=True,
        metavar="NAME=N[,N...]",
        callback=_parse_sizes,
        help="Size of a dynamic dimension; several sizes are measured one by one. May be repeated.",
    ),
    shape_option,
    value_option,
    click.option(
        "--input",
        "inputs",
        multiple=True,
        metavar="FILE",
        type=FILE,
        help="NAME=FILE.npy, FILE.npz, or a folder with input_0.pb. May be repeated.",
    ),
    click.option("--trust", is_flag=True, help="Run in spite of severe findings of the audit."),
    click.option(
        "--history",
        metavar="FILE",
        type=FILE,
        help="Append a JSON line to FILE, and compare with those before: of this model on this"
        " machine.",
    ),
    click.option(
        "--commit",
        metavar="ID",
        help="Revision that the line is of.  [default: that of git here, if any]",
    ),
    click.option(
        "--changes",
        is_flag=True,
        help="Find where the history changed for good: pip install 'graphcount[history]'.",
    ),
)


@click.command(
    "bench",
    cls=Command,
    examples=(
        "bench model.onnx --dim batch=1,8 --runs 200",
        "bench new.onnx --vs old.onnx --within 60",
        "bench model.onnx --history bench.jsonl --changes",
    ),
)
@model_argument
@fed_options
@top_option
@click.option("--by-node", is_flag=True, help="CSV: one row for each operator.")
@how_options
@counting_options()
@output_options(FORMATS, "How to print the result; report: the count's JSON with a key bench.")
def command(
    model: str,
    fed: dict[str, Any],
    top: int | None,
    by_node: bool,
    how: BenchOptions,
    options: dict[str, Any],
    output: OutputOptions,
) -> int:
    """Run MODEL with onnxruntime and measure it: latency, throughput, memory, operators.

    The model is executed, in a child process with limits, after an audit of its structure. Needs
    the extra: pip install 'graphcount[bench]'.
    """
    from graphcount.api import bench_report, benches
    from graphcount.formats.bench import render, verdict

    several = any(len(sizes) > 1 for sizes in fed["dims"].values())
    if several and "report" in output.formats:
        raise UsageError(ONE_SIZE)
    if several and not (by_node or "json" in output.formats):
        how = replace(how, profile=how.provider != "cpu" and how.profile)
    with StatusLine(output.quiet) as status:
        benched = benches(model, how, progress=status, **fed, **options)

    def render_as(name: str, view: View) -> str:
        if name == "report":
            dims = {dim: sizes[0] for dim, sizes in fed["dims"].items()}
            return bench_report(benched.results[0], dims=dims, **options)
        return render(name, benched.results, view)

    output.write_formats(render_as, output.view(by="node" if by_node else None, top=top))
    for result in benched.undecided:
        say(f"{result.path}: {verdict(result)}")
    return benched.exit_code
