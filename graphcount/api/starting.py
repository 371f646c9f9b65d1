"""A first configuration, with budgets that models keep today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack, cast

from graphcount.api.arguments import elements, file_path
from graphcount.api.model import CountOptions, load
from graphcount.api.outcomes import Judged, OnError, read_each
from graphcount.api.sizes import given, names_of, optional, refuse_unused
from graphcount.errors import GraphcountError, UsageError
from graphcount.loading.limits import DEFAULT_LIMITS, Limits
from graphcount.report.records import Report

if TYPE_CHECKING:
    from graphcount.config.starter import SizedModel

TABLES = {"toml": "", "pyproject": "tool.graphcount."}
"""What stands before every table, by format."""


@dataclass(frozen=True, slots=True, repr=False)
class Started(Judged):
    """A configuration that was made.

    Attributes:
        text: The configuration: a check of each model that could be read; empty where none could.
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
        options: How the models are counted; see `CountOptions`. Of dimensions that then have no
            size and no range, the check has assumed sizes, marked so.

    Returns:
        The text of the configuration, and the reports it was made from.

    Raises:
        GraphcountError: A model cannot be read, or an option makes no sense.
    """
    from graphcount.config.starter import starter
    from graphcount.gates.checks import Check
    from graphcount.gates.select import targets
    from graphcount.units import share

    rows = path if isinstance(path, list | tuple) else (cast("str", path),)
    models = [file_path(model, "a configuration") for model in rows]
    if format not in TABLES:
        raise UsageError(f"format: {format!r} is none of {', '.join(TABLES)}")
    try:
        room = share(headroom)
    except ValueError as error:
        raise UsageError(f"--headroom: {error}") from None
    paths = [target.path for target in targets(models, (), Check("init")).models]
    common = optional(options, len(paths) > 1)
    outcomes = tuple(read_each(paths, lambda path: _sized(path, common, limits), on_error))
    sized = [item for item in outcomes if not isinstance(item, GraphcountError)]
    reports = tuple(
        item if isinstance(item, GraphcountError) else item.subject.report for item in outcomes
    )
    if not sized:
        return Started(reports, False)
    refuse_unused([item.subject.report for item in sized], given(options))
    text = starter(sized, output, room, TABLES[format])
    _verify(text, output, sized, TABLES[format])
    return Started(reports, False, text=text)


def _sized(path: str, options: CountOptions, limits: Limits) -> SizedModel:
    """Return a model at the sizes that are given, and assumed ones of what then is dynamic.

    It is counted as the check will count it. Where operators cannot take what is assumed, nothing
    is assumed.

    Raises:
        GraphcountError: It cannot be read, or takes no size that is given.
    """
    from graphcount.config.starter import SizedModel
    from graphcount.gates.subject import Subject

    model = load(path, limits=limits)
    asked = options.get("cost")
    costed: CountOptions = {**options, "cost": True if asked is None else asked}
    looked: CountOptions = {**costed, "assume": True}
    first = model.report(**looked)
    dims, ranges = (_own(first, options.get(key)) for key in ("dims", "ranges"))
    shapes, values = (_own(first, options.get(key)) for key in ("shapes", "input_values"))
    ranged = first.ranges.lowest if first.ranges is not None else {}
    names = {row.name for row in first.dimensions} - ranged.keys()
    sizes = first.assumed.dims if first.assumed is not None else {}
    assumed = {name: size for name, size in sizes.items() if name in names}
    report, why = first, ""
    if assumed:
        fixed: CountOptions = {
            **costed,
            "dims": {**dims, **assumed},
            "ranges": ranges,
            "shapes": shapes,
            "input_values": values,
            "where_present": (),
        }
        try:
            report = model.report(**fixed)
        except GraphcountError as error:
            assumed, why = {}, error.message
    every = {**dims, **ranges, **assumed}
    fed = {name: elements(row) for name, row in values.items()}
    return SizedModel(Subject(report), every, shapes, fed, frozenset(assumed), why)


def _own(report: Report, sizes: object) -> dict[str, Any]:
    """Return those sizes by name that are of something in a model; an axis is of its input."""
    known = {*names_of(report), "*"}
    items = cast("Mapping[str, Any]", sizes or {}).items()
    return {name: row for name, row in items if {name, name.rpartition("[")[0]} & known}


def _verify(text: str, file: str, models: Sequence[SizedModel], table: str) -> None:
    """Read back what was made: it has the sizes and passes, or it is a bug of ours."""
    from graphcount.config import read_config
    from graphcount.gates.checks import findings, run

    try:
        checks = read_config(text, file, table).checks
    except GraphcountError as error:
        raise RuntimeError(f"init wrote what it cannot read: {error}") from None
    for check, model in zip(checks, models, strict=True):
        if {**check.dims, **check.ranges} != model.dims or check.values != model.values:
            raise RuntimeError(f"init wrote other sizes: {check.dims}, {check.ranges}")
        broken = findings([run(check, model.subject)])
        if broken:
            raise RuntimeError(f"init wrote what does not pass: {broken[0].message}")
