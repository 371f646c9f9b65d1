"""A check: demands on some models under one name, and what a model makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from graphcount.gates.allow import AllowList, Ignored, OpsetRange, judge_list, judge_opset
from graphcount.gates.budgets import Budget, Earlier, Origin, Standing, judge
from graphcount.gates.loads import RuntimeDemand, judge_runtime
from graphcount.gates.subject import Subject
from graphcount.report.finding_rows import SEVERITIES, CheckRow, Finding, VerdictRow
from graphcount.report.rows import UNCOVERED, Dim


class Check(NamedTuple):
    """Demands on models.

    Attributes:
        name: Stands in every message.
        folder: What `paths` and `baseline` are relative to.
        paths: Files, folders or globs; none: every model that is named.
        deployment: A folder whose models are held against it as one; then it has no paths.
        dims: Sizes of dynamic dimensions.
        ranges: Ranges of dynamic dimensions: budgets hold over all of them.
        shapes: Shapes of inputs.
        values: Elements of small inputs that decide what is computed.
        runtime: Runtimes that have to load the model.
        ignored: Nodes and tensors that the lists leave alone.
        severity: Of its findings.
        baseline: File with earlier numbers; empty for none.
        uncovered: It stands for the check that a model lacks, and is never kept.
    """

    name: str
    origin: Origin = Origin()
    folder: str = ""
    paths: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    deployment: str = ""
    dims: dict[str, int] = {}  # noqa: RUF012 (never changed)
    shapes: dict[str, tuple[Dim, ...]] = {}  # noqa: RUF012
    ranges: dict[str, tuple[int, int]] = {}  # noqa: RUF012
    values: dict[str, tuple[int | float, ...]] = {}  # noqa: RUF012
    budgets: tuple[Budget, ...] = ()
    lists: tuple[AllowList, ...] = ()
    opset: OpsetRange | None = None
    runtime: tuple[RuntimeDemand, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    severity: str = "high"
    baseline: str = ""
    uncovered: bool = False

    @property
    def growth(self) -> tuple[str, ...]:
        """Measures whose growth is limited."""
        return tuple(b.measure.name for b in self.budgets if b.bound == "max_increase")

    @property
    def demands(self) -> int:
        """The number of limits it has."""
        lists = len(self.lists) + (self.opset is not None)
        return len(self.budgets) + lists + len(self.runtime)

    @property
    def needs_cost(self) -> bool:
        """Whether shapes and costs must be worked out for it."""
        return any(budget.measure.needs_cost for budget in self.budgets)

    @property
    def reads_data(self) -> bool:
        """Whether tensor data must be read for it."""
        return any(budget.measure.reads_data for budget in self.budgets)


class Uncovered(NamedTuple):
    """What becomes of a named model that no check applies to.

    Attributes:
        action: `fail` (a finding of high severity), `warn` (of low severity), or `ignore`: it is
            not read.
    """

    action: str = "fail"
    origin: Origin = Origin(option="uncovered")

    @property
    def check(self) -> Check | None:
        """The check that such a model does not keep; None where it is ignored."""
        if self.action == "ignore":
            return None
        severity = "high" if self.action == "fail" else "low"
        return Check("uncovered", self.origin, severity=severity, uncovered=True)


def run(check: Check, subject: Subject, earlier: Earlier | None = None) -> CheckRow:
    """Hold a model against a check.

    Args:
        check: The demands.
        subject: The model.
        earlier: The model as it was, for limits on growth.
    """
    standing = Standing(check.name, check.severity)
    verdicts = judge(subject, check.budgets, standing, earlier)
    for allow in check.lists:
        verdicts += judge_list(subject, allow, check.ignored, standing)
    if check.opset is not None:
        verdicts.append(judge_opset(subject, check.opset, standing))
    for demand in check.runtime:
        verdicts.append(judge_runtime(subject.loads, demand, standing))
    if check.uncovered:
        verdicts.append(_not_covered(check))
    return CheckRow(check.name, check.origin.text, tuple(verdicts))


def _not_covered(check: Check) -> VerdictRow:
    """Return the verdict on a model that no check applies to."""
    return VerdictRow(
        rule=UNCOVERED,
        measure="checks",
        kept=False,
        severity=check.severity,
        value=None,
        unit="count",
        bound="allowed",
        limit=None,
        written="",
        message="no check applies to it",
        note="",
        origin=check.origin.text,
        where={"check": check.name, "measure": "checks", "limit": check.origin.place},
        contributors=(),
    )


def findings(rows: Iterable[CheckRow]) -> tuple[Finding, ...]:
    """Return the limits that are broken, in the order of the checks."""
    return tuple(_finding(verdict) for row in rows for verdict in row.verdicts if not verdict.kept)


def fails(findings: Sequence[Finding], fail_on: str) -> bool:
    """Return whether a finding is at or above a severity."""
    level = SEVERITIES.index(fail_on)
    return any(SEVERITIES.index(finding.severity) >= level for finding in findings)


def _finding(verdict: VerdictRow) -> Finding:
    value, limit = verdict.value, verdict.limit
    known = value is not None and limit is not None
    return Finding(
        rule=verdict.rule,
        severity=verdict.severity,
        message=f"{verdict.message}. {verdict.note}" if verdict.note else verdict.message,
        where=verdict.where,
        evidence={
            "value": value,
            "bound": verdict.bound,
            "limit": limit,
            "written": verdict.written,
            "difference": abs(value - limit) if known else None,  # type: ignore[operator]
            "contributors": [row._asdict() for row in verdict.contributors],
        },
    )
