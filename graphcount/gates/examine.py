"""One model, all its checks: counted once for each set of circumstances they ask for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from os.path import join
from typing import NamedTuple

from graphcount.errors import UsageError
from graphcount.gates.baseline import Baseline, Conventions, lookup, read_baseline
from graphcount.gates.checks import Check, findings, run
from graphcount.gates.subject import Subject
from graphcount.report.finding_rows import CheckRow
from graphcount.report.records import Report
from graphcount.report.rows import Dim
from graphcount.symbolic.names import option

Count = Callable[[Check, bool], Report]
"""Counts a model with the sizes of a check, and its cost or not."""


class Examined(NamedTuple):
    """A model under one set of circumstances, and the checks made there."""

    subject: Subject
    dims: dict[str, int]
    shapes: dict[str, tuple[Dim, ...]]
    rows: tuple[CheckRow, ...]


class Baselines:
    """Baselines by file, each read when it is first needed.

    Args:
        file: The one that counts for every check; empty: each check's own.
        conventions: How is counted, where that is not the usual way.
    """

    def __init__(self, file: str = "", conventions: Conventions | None = None) -> None:
        self._file = file
        self.conventions = conventions or {}
        self._read: dict[str, Baseline] = {}

    def values(self, check: Check, path: str) -> dict[str, int]:
        """Return earlier values of what a check limits the growth of.

        Raises:
            UsageError: It has no baseline, or a stale one; or it limits the growth of a cost over a
            range of sizes, which no baseline has.
        """
        if not check.growth:
            return {}
        for budget in check.budgets:
            if budget.bound == "max_increase" and budget.measure.needs_cost and check.ranges:
                name = next(iter(check.ranges))
                raise UsageError(
                    f"{budget.measure.name}: growth is measured at one size, and {name} has a"
                    f" range; give {option(name)}"
                )
        file = self._file or (join(check.folder, check.baseline) if check.baseline else "")
        if not file:
            limit = next(row for row in check.budgets if row.bound == "max_increase")
            asked = limit.origin.option or f"{check.origin.text}: max_increase"
            raise UsageError(f"{asked} needs a baseline; give --baseline FILE")
        if file not in self._read:
            self._read[file] = read_baseline(file)
        sizes = check.dims, check.shapes
        return lookup(self._read[file], path, *sizes, check.growth, self.conventions)

    @property
    def notes(self) -> list[str]:
        """Notes on the baselines that were used."""
        return [baseline.note for baseline in self._read.values() if baseline.note]


def examine(
    count: Count,
    path: str,
    checks: Sequence[Check],
    baselines: Baselines,
    latency: dict[str, int],
) -> list[Examined]:
    """Make all checks of one model.

    Args:
        count: Counts the model.
        path: Its path, as baselines know it.
        checks: What it has to pass.
        baselines: Earlier numbers.
        latency: Nanoseconds by percentile, if there was a benchmark.

    Raises:
        GraphcountError: It cannot be counted, or compared.
    """
    groups: dict[str, list[Check]] = {}
    for check in checks:
        groups.setdefault(repr((check.dims, check.shapes, check.ranges)), []).append(check)
    examined = []
    for group in groups.values():
        dims, shapes = group[0].dims, group[0].shapes
        earlier = [baselines.values(check, path) for check in group]
        subject = Subject(count(group[0], any(check.needs_cost for check in group)), latency)
        rows = tuple(
            run(check, subject, values) for check, values in zip(group, earlier, strict=True)
        )
        examined.append(Examined(subject, dims, shapes, rows))
    return examined


def joined(examined: Sequence[Examined]) -> Report:
    """Return one report of a model with all its checks and findings; numbers are of the first."""
    rows = tuple(row for item in examined for row in item.rows)
    return replace(examined[0].subject.report, checks=rows, findings=findings(rows))
