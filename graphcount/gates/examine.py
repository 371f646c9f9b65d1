"""One model, all its checks: counted once for each set of circumstances they ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from os.path import isdir, join, lexists, pardir, relpath
from typing import NamedTuple

from graphcount.errors import GraphcountError, UsageError
from graphcount.gates.baseline import (
    Baseline,
    Conventions,
    has_model,
    lookup,
    read_baseline,
    valued,
)
from graphcount.gates.budgets import Earlier
from graphcount.gates.checks import Check, findings, run
from graphcount.gates.doubts import doubt, measured
from graphcount.gates.subject import Subject
from graphcount.loading.source import has_scheme, is_nameless
from graphcount.report.finding_rows import CheckRow
from graphcount.report.loading import Ask, nobody
from graphcount.report.records import Report
from graphcount.report.rows import Dim
from graphcount.symbolic.names import option

Count = Callable[[Check, bool], Report]
"""Counts a model with the sizes of a check, and its cost or not."""

Counter = Callable[[str], Count]
"""Reads the model at a path."""


class Examined(NamedTuple):
    """A model under one set of circumstances, and the checks made there."""

    subject: Subject
    dims: dict[str, int]
    shapes: dict[str, tuple[Dim, ...]]
    values: dict[str, tuple[int | float, ...]]
    rows: tuple[CheckRow, ...]


class Baselines:
    """Earlier numbers: of baselines by file, each read when it is first needed, and of a base.

    Args:
        file: The baseline that counts for every check; empty: each check's own.
        base: A folder with the models as they were, at the same paths below it as now below the
            current folder, or a baseline; for checks without a baseline. What it lacks is new.
        conventions: How is counted, where that is not the usual way.
    """

    def __init__(
        self, file: str = "", base: str = "", conventions: Conventions | None = None
    ) -> None:
        self._file = file
        self._base = base
        self.conventions = conventions or {}
        self._read: dict[str, Baseline] = {}
        self._not_compared: list[str] = []

    def earlier(self, check: Check, path: str, counter: Counter) -> Earlier:
        """Return a model as it was, for a check of it.

        Raises:
            UsageError: The check limits growth, and there is no baseline, or a stale one; or the
                growth is that of a cost over a range of sizes, which is measured at one size.
            GraphcountError: It limits growth, and the model as it was cannot be read.
        """
        if check.growth:
            _refuse_ranges(check)
        file = self._file or (join(check.folder, check.baseline) if check.baseline else "")
        if check.growth and file:
            return self._remembered(file, check, path)
        if not self._base:
            if check.growth:
                raise UsageError(_no_baseline(check))
            return Earlier()
        base = "" if isdir(self._base) else self._load(self._base).file
        try:
            return self._from_base(base, check, path, counter)
        except GraphcountError as error:
            if check.growth:
                raise
            self._not_compared.append(f"{path}: not compared: {error}")
            return Earlier()

    def _from_base(self, file: str, check: Check, path: str, counter: Counter) -> Earlier:
        if file:
            if not has_model(self._load(file), path):
                return Earlier(is_new=True)
            return self._remembered(file, check, path)
        place = _below(self._base, path)
        if not lexists(place):
            return Earlier(is_new=True)
        return _measured(place, check, counter)

    def _remembered(self, file: str, check: Check, path: str) -> Earlier:
        names = [budget.measure.name for budget in check.budgets]
        sizes = check.dims, check.shapes
        baseline = self._load(file)
        conventions = {**self.conventions, **valued(check.values)}
        return Earlier(lookup(baseline, path, *sizes, check.growth, conventions, names))

    def _load(self, file: str) -> Baseline:
        if file not in self._read:
            self._read[file] = read_baseline(file)
        return self._read[file]

    @property
    def notes(self) -> list[str]:
        """Notes on the baselines that were used, and on models that were not compared."""
        ages = [baseline.note for baseline in self._read.values() if baseline.note]
        return [*ages, *self._not_compared]


def _refuse_ranges(check: Check) -> None:
    for budget in check.budgets:
        if budget.bound == "max_increase" and budget.measure.is_cost and check.ranges:
            name = next(iter(check.ranges))
            raise UsageError(
                f"{budget.measure.name}: growth is measured at one size, and {name} has a"
                f" range; give {option(name)}"
            )


def _no_baseline(check: Check) -> str:
    limit = next(row for row in check.budgets if row.bound == "max_increase")
    asked = limit.origin.option or f"{check.origin.text}: max_increase"
    return f"{asked} needs a baseline; give --baseline FILE, or --base FOLDER"


def _below(folder: str, path: str) -> str:
    """Return where a model below the current folder is in another folder.

    Raises:
        UsageError: It is not below the current folder.
    """
    relative = relpath(path)
    if has_scheme(path) or is_nameless(path) or relative.startswith(pardir):
        raise UsageError(f"{path}: not below the current folder, so not below {folder}")
    return join(folder, relative)


def _measured(place: str, check: Check, counter: Counter) -> Earlier:
    """Return what a model comes to, where each number is certain.

    Raises:
        GraphcountError: It cannot be read, or a number whose growth is limited is not known.
    """
    before = Subject(counter(place)(check, check.needs_cost))
    values = {}
    for budget in check.budgets:
        measure, least = budget.measure, budget.bound == "min"
        value = measured(before, measure, least)
        unsure = doubt(before, measure, value, least)
        if unsure and budget.bound == "max_increase":
            raise UsageError(f"{measure.name} of {place} {unsure}")
        if value is not None and not unsure:
            values[measure.name] = value
    return Earlier(values)


def examine(
    counter: Counter,
    path: str,
    checks: Sequence[Check],
    baselines: Baselines,
    latency: dict[str, int],
    loads: Ask = nobody,
) -> list[Examined]:
    """Make all checks of one model.

    Args:
        counter: Reads the model, and the same one as it was.
        path: Its path, as baselines know it.
        checks: What it has to pass.
        baselines: Earlier numbers.
        latency: Nanoseconds by percentile, if there was a benchmark.
        loads: Says whether a runtime loads the model.

    Raises:
        GraphcountError: It cannot be counted, or compared.
    """
    count = counter(path)
    groups: dict[str, list[Check]] = {}
    for check in checks:
        groups.setdefault(repr((check.dims, check.shapes, check.ranges, check.values)), []).append(
            check
        )
    examined = []
    for group in groups.values():
        sizes = group[0].dims, group[0].shapes, group[0].values
        earlier = [baselines.earlier(check, path, counter) for check in group]
        report = count(group[0], any(check.needs_cost for check in group))
        subject = Subject(report, latency, loads)
        rows = tuple(
            run(check, subject, before) for check, before in zip(group, earlier, strict=True)
        )
        examined.append(Examined(subject, *sizes, rows))
    return examined


def joined(examined: Sequence[Examined]) -> Report:
    """Return one report of a model with all its checks and findings; numbers are of the first."""
    rows = tuple(row for item in examined for row in item.rows)
    return replace(examined[0].subject.report, checks=rows, findings=findings(rows))
