"""Many models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from graphcount.api.auditing import audited
from graphcount.api.model import load
from graphcount.errors import GraphcountError

if TYPE_CHECKING:
    from graphcount.report.records import Report
    from graphcount.scanning.work import Analysis


def examine(path: str, analysis: Analysis) -> Report:
    """Count a model, and audit it and hold it against budgets where `analysis` asks for that.

    Args:
        path: The model.
        analysis: See `graphcount.scanning.work.Analysis`.

    Raises:
        GraphcountError: The model cannot be read, or an option makes no sense.
    """
    from graphcount.gates.budgets import parse_budget
    from graphcount.gates.checks import Check, findings, run
    from graphcount.gates.subject import Subject

    budgets = [parse_budget(text, "max") for text in analysis.maxima]
    budgets += [parse_budget(text, "min") for text in analysis.minima]
    check = Check("scan", budgets=tuple(budgets))
    model = load(path, limits=analysis.limits)
    report = model.report(
        deep=analysis.deep,
        hash_file=analysis.hash_file,
        cost=True if check.needs_cost and analysis.cost is None else analysis.cost,
        dims=analysis.dims,
    )
    if analysis.audit:
        report = audited(
            model, report, analysis.deep, analysis.select, analysis.ignore, limits=analysis.limits
        )
    if budgets:
        row = run(check, Subject(report))
        report = replace(report, checks=(row,), findings=(*findings([row]), *report.findings))
    return report


def scan(
    targets: Iterable[str] | str,
    *,
    globs: Sequence[str] = ("*.onnx",),
    jobs: int = 1,
    cluster: str | None = None,
    analysis: Analysis | None = None,
) -> Iterator[Report | GraphcountError]:
    """Examine many models; see `graphcount.scanning`.

    Args:
        targets: Folders, globs, files, URLs, zip archives, `@list.txt`; taken as they are needed.
        globs: Names that are models inside folders and archives.
        jobs: Processes. One reads the models in this process; more need the usual
            `if __name__ == "__main__":` around a script's own code.
        cluster: Address of a Dask scheduler, or `local:N`.
        analysis: What to find out about each model; by default a count.

    Yields:
        A report, or the error of a model that could not be read, in the order of the targets.

    Raises:
        UsageError: A target or an option makes no sense.
        NotReadableError: The cluster, a list or a package is not there.
    """
    from graphcount.scanning.run import stream
    from graphcount.scanning.targets import expand
    from graphcount.scanning.work import Analysis

    targets = [targets] if isinstance(targets, str) else targets
    found = expand(targets, globs)
    return stream(found, examine, analysis or Analysis(timeout_s=None), jobs, cluster)
