"""Several models: a report or an error of each, and the exit code that these come to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, TypeVar, Unpack

from graphcount.api.arguments import model_paths
from graphcount.api.model import CountOptions, count
from graphcount.errors import GraphcountError
from graphcount.loading.limits import DEFAULT_LIMITS, Limits
from graphcount.report.printable import PrintableResult
from graphcount.report.records import Report
from graphcount.units import counted, exact

if TYPE_CHECKING:
    from graphcount.api.arguments import ModelLike
    from graphcount.formats.view import View
    from graphcount.report.finding_rows import Finding

Item = TypeVar("Item")
OnError = Callable[[GraphcountError], None]
"""Called with the error of a model that could not be read; it then is an outcome."""

DONE, FAILED, COULD_NOT = 0, 1, 2
"""Exit codes of commands that judge; 2 wins over 1."""


@dataclass(frozen=True, slots=True, repr=False)
class Judged(PrintableResult):
    """What became of several models; it prints as its command does.

    Attributes:
        outcomes: The report of each model, or why it could not be read, in the order asked for.
        failed: A limit is broken, a finding is severe enough, or an expectation is not met.
        complete: Everything was read and looked at.
        complaints: Expectations that are not met, one line each.
    """

    outcomes: tuple[Report | GraphcountError, ...]
    failed: bool
    complete: bool = True
    complaints: tuple[str, ...] = ()

    @property
    def reports(self) -> tuple[Report, ...]:
        """Reports of the models that were read."""
        return tuple(item for item in self.outcomes if isinstance(item, Report))

    @property
    def errors(self) -> tuple[GraphcountError, ...]:
        """Errors of the models that were not."""
        return tuple(item for item in self.outcomes if isinstance(item, GraphcountError))

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Findings of all reports, of any severity."""
        return tuple(finding for report in self.reports for finding in report.findings)

    @property
    def exit_code(self) -> int:
        """Return the command's: 2 when something was not read, 1 when something fails, or 0."""
        if self.errors or not self.complete:
            return COULD_NOT
        return FAILED if self.failed else DONE

    def __str__(self) -> str:
        """Return what the command prints, without colours."""
        from graphcount.api.results import written_reports

        return written_reports(self.outcomes, "table", self._view()).rstrip("\n")

    def _view(self) -> View:
        from graphcount.formats.view import View

        return View()

    def to_json(self) -> str:
        """Return an object: the exit code, all else that is known, and a report each model."""
        from graphcount.report.serial import dumps, error_dict, to_dict

        own = {item.name: getattr(self, item.name) for item in fields(self)}
        models = [
            to_dict(item) if isinstance(item, Report) else error_dict(item)
            for item in own.pop("outcomes")
        ]
        return dumps({"exit_code": self.exit_code, **own, "models": models})


def read_each(
    paths: Iterable[str], read: Callable[[str], Item], on_error: OnError | None
) -> Iterator[Item | GraphcountError]:
    """Read models one by one.

    Args:
        paths: The models.
        read: Reads one.
        on_error: Called with the error of a model that cannot be read, which then is an outcome;
            None: it is raised.

    Raises:
        GraphcountError: A model cannot be read, and `on_error` is None.
    """
    for path in paths:
        item: Item | GraphcountError
        try:
            item = read(path)
        except GraphcountError as error:
            if on_error is None:
                raise
            item = error if error.path is not None else error.at(path)
            on_error(item)
        yield item


def counts(
    models: ModelLike | Sequence[ModelLike],
    *,
    expect_parameters: int | None = None,
    strict: bool = False,
    on_error: OnError | None = None,
    limits: Limits = DEFAULT_LIMITS,
    **options: Unpack[CountOptions],
) -> Judged:
    """Count several models, and hold them against what is expected.

    Args:
        models: What `load` takes, once or several times.
        expect_parameters: Each has exactly so many parameters, and nothing spoils that number.
        strict: Nothing of any model is unknown.
        on_error: Called with the error of a model that cannot be read; None: its error is raised.
        limits: What a file may ask of us.
        options: How the models are counted; see `CountOptions`.

    Returns:
        Reports and errors in the order of the models, and the exit code of `graphcount count`.

    Raises:
        GraphcountError: A model cannot be read, and `on_error` is None.
    """
    paths = model_paths(models)
    read = _counted_together if len(paths) > 1 else _counted
    outcomes = read(paths, options, limits, on_error)
    complaints = [
        f"{report.model.path}: {why}"
        for report in outcomes
        if isinstance(report, Report) and (why := _unexpected(report, expect_parameters, strict))
    ]
    return Judged(outcomes, bool(complaints), complaints=tuple(complaints))


def _counted(
    paths: Sequence[str], options: CountOptions, limits: Limits, on_error: OnError | None
) -> tuple[Report | GraphcountError, ...]:
    return tuple(read_each(paths, lambda path: count(path, limits=limits, **options), on_error))


def _counted_together(
    paths: Sequence[str], options: CountOptions, limits: Limits, on_error: OnError | None
) -> tuple[Report | GraphcountError, ...]:
    """Count several models: a size applies where a model has what it is of, and to one at least."""
    from graphcount.api.sizes import given, optional, refuse_unused

    outcomes = _counted(paths, optional(options, several=True), limits, on_error)
    named = given(options) - frozenset(options.get("where_present", ()))
    refuse_unused([item for item in outcomes if isinstance(item, Report)], named)
    return outcomes


def _unexpected(report: Report, expected: int | None, strict: bool) -> str:
    """Return what is not as expected; empty when all is."""
    parameters = report.totals.parameters
    if expected is not None and parameters != expected:
        word = "more" if parameters > expected else "fewer"
        return (
            f"{counted(parameters, 'parameter')}, expected {exact(expected)}"
            f" ({exact(abs(parameters - expected))} {word})"
        )
    unknown = report.unknown if strict else report.doubts if expected is not None else ()
    if unknown:
        first = unknown[0]
        return f"not exact: {first.where}: {first.what}: {first.why}"
    return ""
