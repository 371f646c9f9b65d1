"""Many models: one after the other, or kept in an inventory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graphcount.api.arguments import several
from graphcount.api.auditing import AuditOptions, audited
from graphcount.api.model import load
from graphcount.errors import GraphcountError, NotReadableError, UsageError
from graphcount.verbose import note

if TYPE_CHECKING:
    from graphcount.gates.budgets import Budget
    from graphcount.report.records import Report
    from graphcount.scanning.inventory import Inventory
    from graphcount.scanning.row import InventoryRow
    from graphcount.scanning.summary import Summary
    from graphcount.scanning.targets import Target
    from graphcount.scanning.work import Analysis

BUG = 70
"""Exit code of a scan that met an error of ours."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """What a scan with an inventory comes to.

    Attributes:
        inventory: The rows; open as long as the `with` that made it.
        models: How many there are.
        bugs: Models that met an error of ours.
        errors: Models that could not be read.
        failed: Models over a budget, or with a finding that is severe enough.
        unknown: Models of which something is not known.
        strict: What is unknown fails, too.
        excluded: Models that were left out.
        unused: Why a size that was given is of no use: no model has such a dimension; or empty.
    """

    inventory: Inventory
    models: int
    bugs: int
    errors: int
    failed: int
    unknown: int
    strict: bool
    unused: str = ""
    excluded: int = 0

    def rows(self) -> Iterator[InventoryRow]:
        """Yield a row a model, in order."""
        return self.inventory.rows()

    def summary(self) -> Summary:
        """Return what the table of `graphcount scan` says."""
        from graphcount.scanning.summary import summarize

        return summarize(self.inventory)

    @property
    def exit_code(self) -> int:
        """Return the command's: 70, 2, 1 or 0, the worst of all models."""
        if self.bugs:
            return BUG
        return (
            2
            if self.errors or self.unused
            else int(bool(self.failed or (self.strict and self.unknown)))
        )


MOST_NAMES = 1_000
"""Names of dimensions from which an error chooses the nearest."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a scan, after what is done was written.

    Attributes:
        done: Models that are done.
        kept: They are in an inventory, from which `resume` goes on.
    """

    def __init__(self, done: int, kept: bool) -> None:
        super().__init__()
        self.done = done
        self.kept = kept


def examine(path: str, analysis: Analysis) -> Report:
    """Count a model, and audit it and hold it against budgets where `analysis` asks for that.

    Args:
        path: The model.
        analysis: See `graphcount.scanning.work.Analysis`.

    Raises:
        GraphcountError: The model cannot be read, or an option makes no sense.
    """
    from graphcount.gates.checks import Check, findings, run
    from graphcount.gates.subject import Subject

    analysis = analysis.of(path)
    budgets = _budgets(analysis)
    check = Check("scan", budgets=budgets)
    model = load(path, limits=analysis.limits)
    measured = model.measured(
        deep=analysis.deep,
        hash_file=analysis.hash_file,
        cost=True if check.needs_cost and analysis.cost is None else analysis.cost,
        sparsity=check.reads_data,
        dims=analysis.dims,
        where_present=analysis.dims.keys(),
        operators=analysis.operators or None,
        assume=analysis.assume,
    )
    report = measured.report
    if analysis.audit:
        how = AuditOptions(analysis.deep, analysis.select, analysis.ignore)
        report = audited(model, measured, how, limits=analysis.limits)
    if budgets:
        row = run(check, Subject(report))
        report = replace(report, checks=(row,), findings=(*findings([row]), *report.findings))
    return report


def _budgets(analysis: Analysis) -> tuple[Budget, ...]:
    """Return the budgets that every model is held against."""
    from graphcount.gates.budgets import parse_budget

    upper = [parse_budget(text, "max") for text in analysis.maxima]
    return (*upper, *(parse_budget(text, "min") for text in analysis.minima))


def _refuse_senseless(analysis: Analysis) -> None:
    """Refuse options that make no sense before anything is read.

    Raises:
        UsageError: A budget is none, or one on time; rules are chosen, but no audit is asked for.
    """
    if (analysis.select or analysis.ignore) and not analysis.audit:
        raise UsageError("--select and --ignore need --audit")
    for budget in _budgets(analysis):
        if budget.measure.unit in ("time", "ratio"):
            name = budget.measure.name
            raise UsageError(f"{name}: a scan runs no model; graphcount check --bench judges it")


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

    A size that no model has any use for is a `UsageError` after the last of them.
    """
    from graphcount.scanning.run import stream
    from graphcount.scanning.targets import expand
    from graphcount.scanning.work import Analysis

    analysis = analysis or Analysis(timeout_s=None)
    _refuse_senseless(analysis)
    models = expand([targets] if isinstance(targets, str) else targets, globs)
    return _used(stream(models, examine, analysis, jobs, cluster), _needed(analysis))


def _needed(analysis: Analysis) -> set[str]:
    """Return names of dimensions that one model at least has to have."""
    return set(analysis.dims) - analysis.optional_dims - {"*"}


def _used(
    outcomes: Iterator[Report | GraphcountError], dims: set[str]
) -> Iterator[Report | GraphcountError]:
    """Yield outcomes; a size that none of them had any use for is an error then.

    Raises:
        UsageError: There is such a size.
    """
    from graphcount.report.records import Report

    unused = set(dims)
    known: set[str] = set()
    counted = False
    for outcome in outcomes:
        if isinstance(outcome, Report):
            unused -= outcome.dims.keys()
            counted = counted or _has_cost(outcome)
            if unused and len(known) < MOST_NAMES:
                known |= outcome.dims.keys() | {row.name for row in outcome.dimensions}
        yield outcome
    if unused and counted:
        raise UsageError(_no_such(sorted(unused), known))


def _has_cost(report: Report) -> bool:
    """Return whether sizes were looked at."""
    return report.totals.macs is not None or report.totals.macs_expression is not None


def _no_such(unused: Sequence[str], known: Iterable[str]) -> str:
    from graphcount.analysis.shapes.sizes import no_such

    return no_such("dimension", unused[0], sorted(known), "no model")


@contextmanager
def inventory(
    targets: Iterable[str] | str,
    outputs: Sequence[str] = (),
    *,
    globs: Sequence[str] = (),
    jobs: int | None = None,
    cluster: str | None = None,
    resume: bool = False,
    strict: bool = False,
    binary: bool = False,
    analysis: Analysis | None = None,
    quiet: bool = True,
    exclude: Callable[[str], bool] | None = None,
) -> Iterator[Scanned]:
    """Examine many models into an inventory; the words are those of `graphcount scan`.

        with graphcount.inventory(["models/"], ["inventory.sqlite"], jobs=4) as scanned:
            assert scanned.exit_code == 0, scanned.summary().errors

    Args:
        targets: Folders, globs, files, URLs, zip archives, `@list.txt`.
        outputs: Files to write: `.sqlite` is the inventory itself, `.jsonl`, `.csv`, `.parquet` and
            `.html` are made of it. None: it is gone after the `with`.
        globs: Names that are models inside folders and archives; none: `*.onnx`.
        jobs: Processes, as for `scan`; None: one a core.
        cluster: Address of a Dask scheduler, or `local:N`.
        resume: Go on with the `.sqlite` that is there; models that did not change are not read.
        strict: What is unknown fails, too.
        binary: Sizes of the page in KiB, MiB, GiB.
        analysis: What to find out about each model; by default a count, in at most 300 seconds.
        quiet: Show no progress; False: on stderr, where it is a terminal.
        exclude: Whether the model at a path is left out; `Config.excludes` is what a configuration
            says.

    Raises:
        UsageError: A target or an option makes no sense.
        NotReadableError: A file cannot be written, there is no model, or a package is missing.
        Interrupted: Ctrl-C; what is done was written.
    """
    from graphcount.scanning.inventory import Inventory
    from graphcount.scanning.targets import DEFAULT_GLOBS, expand
    from graphcount.scanning.work import Analysis

    analysis = replace(analysis or Analysis(), assume=True)
    _refuse_senseless(analysis)
    models = expand([targets] if isinstance(targets, str) else targets, globs or DEFAULT_GLOBS)
    left_out: list[str] = []
    if exclude is not None:
        models = _included(models, exclude, left_out)
    outputs = several(outputs)
    database = _database(outputs, resume)
    exports = [path for path in outputs if path != database]
    with nullcontext("") if database else tempfile.TemporaryDirectory("", "graphcount-") as folder:
        path = database or os.path.join(folder, "inventory.sqlite")
        with closing(Inventory(path, analysis.fingerprint())) as kept:
            try:
                _work(kept, models, analysis, jobs or _cores(), cluster, quiet)
            except KeyboardInterrupt:
                _export(kept, exports, binary)
                ((done,),) = kept.query("SELECT count(*) FROM inventory")
                raise Interrupted(done, database is not None) from None
            _export(kept, exports, binary)
            yield _scanned(kept, strict, _needed(analysis), len(left_out))


def _included(
    models: Iterator[Target], exclude: Callable[[str], bool], left_out: list[str]
) -> Iterator[Target]:
    """Yield the models that are not excluded; the paths of the others are added to a list."""
    for model in models:
        if exclude(model.path):
            note("%s: not scanned: excluded by the configuration", model.path)
            left_out.append(model.path)
        else:
            yield model


def _database(outputs: Sequence[str], resume: bool) -> str | None:
    """Return the output that is the inventory itself, or None."""
    from graphcount.scanning.exports import DATABASES, suffix

    databases = [path for path in outputs if suffix(path) in DATABASES]
    if len(databases) > 1:
        raise UsageError("one inventory is enough: give one -o with .sqlite")
    if resume and not databases:
        raise UsageError("--resume needs the inventory: -o FILE.sqlite")
    if databases and not resume and os.path.exists(databases[0]):
        raise NotReadableError("is there already; --resume goes on with it", databases[0])
    for path in outputs:
        folder = os.path.dirname(path)
        if folder and not os.path.isdir(folder):
            raise NotReadableError(f"cannot be written: there is no folder {folder}", path)
    return databases[0] if databases else None


def _work(
    kept: Inventory,
    models: Iterator[Target],
    analysis: Analysis,
    jobs: int,
    cluster: str | None,
    quiet: bool,
) -> None:
    """List the models and look at each."""
    from graphcount.formats.progress import progress
    from graphcount.scanning.run import work

    with progress(quiet) as watch:
        total = kept.begin(watch.listing(models))
        if not total:
            raise NotReadableError("no model found; --glob says which names are models")
        results = work(kept.tasks(), examine, analysis, jobs, cluster)
        for done in watch.working(results, total):
            if done.row is not None:
                note("%s: %s", done.row["path"], done.row["status"])
            kept.put(done)
    kept.finish()


def _export(kept: Inventory, exports: Sequence[str], binary: bool) -> None:
    from graphcount.scanning.exports import export

    for path in exports:
        export(kept.rows(), path, binary)


def _scanned(kept: Inventory, strict: bool, needed: set[str], excluded: int) -> Scanned:
    from graphcount.scanning.row import ERROR, FAILED
    from graphcount.scanning.work import BUG as SLUG

    ((models, *facts),) = kept.query(
        "SELECT count(*), total(error = ?), total(status = ?), total(status = ?),"
        " total(unknown > 0) FROM inventory",
        *(SLUG, ERROR, FAILED),
    )
    bugs, errors, failed, unknown = map(int, facts)
    unused = _unused(kept, needed)
    return Scanned(kept, models, bugs, errors, failed, unknown, strict, unused, excluded)


def _unused(kept: Inventory, wanted: set[str]) -> str:
    """Return that no model has a dimension of which a size was given; or empty."""
    counted = (
        "SELECT 1 FROM inventory WHERE macs IS NOT NULL OR macs_expression IS NOT NULL LIMIT 1"
    )
    if not wanted or not kept.query(counted):
        return ""
    used = {name for name in wanted if kept.query(_HAS, name)}
    if used == wanted:
        return ""
    known = {name for (name,) in kept.query(_NAMES, MOST_NAMES)}
    return _no_such(sorted(wanted - used), known)


_COUNTED = "SELECT 1 FROM inventory WHERE macs IS NOT NULL OR macs_expression IS NOT NULL LIMIT 1"
_HAS = "SELECT 1 FROM inventory, json_each(inventory.dims) AS size WHERE size.key = ? LIMIT 1"
_NAMES = (
    "SELECT DISTINCT size.key FROM inventory, json_each(inventory.sizes_assumed) AS size LIMIT ?"
)


def _cores() -> int:
    """Return how many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
