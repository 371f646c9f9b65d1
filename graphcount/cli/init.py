"""`graphcount init MODEL...`: measures models and writes a configuration that they pass."""

from __future__ import annotations

import os
from typing import Any

import click

from graphcount.cli.command import FILE, Command
from graphcount.cli.options import (
    cost_option,
    deep_option,
    dim_option,
    format_option,
    models_argument,
    no_color_option,
    quiet_option,
    shape_option,
)
from graphcount.cli.output import read_all, write
from graphcount.errors import GraphcountError, NotReadableError, UsageError
from graphcount.formats.text import one_line
from graphcount.report.records import Report

PREFIXES = {"toml": "", "pyproject": "tool.graphcount."}
"""What stands before every table, by format."""


@click.command(
    "init",
    cls=Command,
    examples=(
        "init models/ --dim batch=1",
        "init model.onnx --headroom 5% --format pyproject >> pyproject.toml",
    ),
)
@models_argument
@click.option(
    "--headroom",
    default="10%",
    show_default=True,
    metavar="SHARE",
    help="How much more than today is allowed.",
)
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
@cost_option
@dim_option
@shape_option
@deep_option
@format_option(PREFIXES, "pyproject: tables for pyproject.toml, on stdout.")
@click.option(
    "-o",
    "--output",
    default="graphcount.toml",
    show_default=True,
    metavar="FILE",
    type=FILE,
    help="Where to write it; - is stdout.",
)
@quiet_option
@no_color_option
def command(
    models: tuple[str, ...],
    headroom: str,
    force: bool,
    format_name: str,
    output: str,
    quiet: bool,
    no_color: bool,
    **options: Any,
) -> int:
    """Write a configuration with today's numbers and headroom; graphcount check then passes.

    MODEL is a file or a folder.
    """
    from graphcount.api import count
    from graphcount.config.starter import starter
    from graphcount.gates.checks import Check
    from graphcount.gates.select import targets
    from graphcount.gates.subject import Subject
    from graphcount.units import share

    if format_name == "pyproject":
        output = "-"
    if output != "-" and os.path.lexists(output) and not force:
        raise NotReadableError("is there already; --force overwrites it", output)
    if "-" in models:
        raise UsageError("a configuration needs a path, not standard input; name a file")
    try:
        room = share(headroom)
    except ValueError as error:
        raise UsageError(f"--headroom: {error}") from None
    paths = [target.path for target in targets(models, (), Check("init"))]
    outcomes = list(read_all(paths, lambda path: count(path, **options)))
    subjects = [Subject(item) for item in outcomes if isinstance(item, Report)]
    if len(subjects) < len(outcomes):
        return 2
    file = output if output != "-" else "graphcount.toml"
    dims, shapes = options["dims"], options["shapes"]
    text = starter(subjects, file, room, dims, shapes, PREFIXES[format_name])
    _verify(text, file, subjects, format_name)
    write(text, output)
    if output != "-" and not quiet:
        checks = "1 check" if len(subjects) == 1 else f"{len(subjects)} checks"
        line = f"graphcount: {output}: {checks}; graphcount check runs them"
        click.echo(one_line(line, 400), err=True)
    return 0


def _verify(text: str, file: str, subjects: list[Any], format_name: str) -> None:
    """What was written is read back and passes, or it is a bug of ours."""
    from graphcount.config import read_config
    from graphcount.gates.checks import findings, run

    try:
        checks = read_config(text, file, PREFIXES[format_name]).checks
    except GraphcountError as error:
        raise RuntimeError(f"init wrote what it cannot read: {error}") from None
    for check, subject in zip(checks, subjects, strict=True):
        found = findings([run(check, subject)])
        if found:
            raise RuntimeError(f"init wrote what does not pass: {found[0].message}")
