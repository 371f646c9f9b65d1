"""A first configuration, with budgets that models keep today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

from graphcount.api.arguments import path_texts
from graphcount.api.model import CountOptions, count
from graphcount.api.outcomes import Judged, OnError, read_each
from graphcount.api.sizes import given, optional, refuse_unused
from graphcount.errors import GraphcountError, UsageError
from graphcount.loading.limits import DEFAULT_LIMITS, Limits
from graphcount.report.records import Report

if TYPE_CHECKING:
    from graphcount.gates.subject import Subject

TABLES = {"toml": "", "pyproject": "tool.graphcount."}
"""What stands before every table, by format."""


@dataclass(frozen=True, slots=True, repr=False)
class Started(Judged):
    """A configuration that was made.

    Attributes:
        text: The configuration; empty when a model could not be read.
    """

    text: str = ""

    def __str__(self) -> str:
        """Return the configuration."""
        return self.text.rstrip("\n")


def init(
    path: str | Sequence[str],
    *,
    headroom: str = "10%",
    output: str = "graphcount.toml",
    format: str = "toml",
    on_error: OnError | None = None,
    limits: Limits = DEFAULT_LIMITS,
    **options: Unpack[CountOptions],
) -> Started:
    """Make a configuration with one check a model; nothing is written.

    Args:
        path: A model, a folder or a glob, or several.
        headroom: Headroom over today's values, as a percentage: `10%`.
        output: Where the text will be: paths in it are relative to its folder.
        format: `toml`, or `pyproject` for tables of pyproject.toml.
        on_error: Called with the error of a model that cannot be read; None: its error is raised.
        limits: What a file may ask of us.
        options: How the models are counted; see `CountOptions`. No budget comes of assumed sizes:
            they stand in a comment, as an example.

    Returns:
        The text of the configuration, and the reports it was made from.

    Raises:
        GraphcountError: A model cannot be read, or an option makes no sense.
    """
    from graphcount.config.starter import starter
    from graphcount.gates.checks import Check
    from graphcount.gates.select import targets
    from graphcount.gates.subject import Subject
    from graphcount.units import share

    models = path_texts(path)
    if "-" in models:
        raise UsageError("a configuration needs a path, not standard input; name a file")
    if format not in TABLES:
        raise UsageError(f"format: {format!r} is none of {', '.join(TABLES)}")
    try:
        room = share(headroom)
    except ValueError as error:
        raise UsageError(f"--headroom: {error}") from None
    paths = [target.path for target in targets(models, (), Check("init")).models]
    sized: CountOptions = {"assume": True, **optional(options, len(paths) > 1)}
    outcomes = tuple(read_each(paths, lambda path: count(path, limits=limits, **sized), on_error))
    subjects = [Subject(item) for item in outcomes if isinstance(item, Report)]
    if len(subjects) < len(outcomes):
        return Started(outcomes, False)
    refuse_unused([subject.report for subject in subjects], given(options))
    sizes = options.get("dims") or {}, options.get("shapes") or {}
    text = starter(subjects, output, room, *sizes, TABLES[format])
    _verify(text, output, subjects, TABLES[format])
    return Started(outcomes, False, text=text)


def _verify(text: str, file: str, subjects: Sequence[Subject], table: str) -> None:
    """Read back what was made: it passes, or it is a bug of ours."""
    from graphcount.config import read_config
    from graphcount.gates.checks import findings, run

    try:
        checks = read_config(text, file, table).checks
    except GraphcountError as error:
        raise RuntimeError(f"init wrote what it cannot read: {error}") from None
    for check, subject in zip(checks, subjects, strict=True):
        broken = findings([run(check, subject)])
        if broken:
            raise RuntimeError(f"init wrote what does not pass: {broken[0].message}")
