"""Budgets and lists that models are held against."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, Unpack

from graphcount.api.arguments import (
    budgets,
    configured,
    elements,
    model_paths,
    refuse_others,
    several,
)
from graphcount.api.model import CountOptions, load
from graphcount.api.outcomes import Judged, OnError, read_each
from graphcount.api.sizes import given, optional, refuse_unused
from graphcount.errors import GraphcountError, UsageError
from graphcount.loading.limits import Limits
from graphcount.report.deployment import Deployment
from graphcount.report.records import Report
from graphcount.verbose import note

if TYPE_CHECKING:
    from graphcount.api.arguments import Demands, ModelLike
    from graphcount.config import Config
    from graphcount.formats.view import View
    from graphcount.gates.budgets import Bound
    from graphcount.gates.checks import Check
    from graphcount.gates.examine import Baselines, Count, Counter, Examined
    from graphcount.gates.select import ModelChecks
    from graphcount.report.loading import Ask

NOTHING_ASKED = (
    "nothing to check: give a budget, e.g. --max disk_nbytes=100MB, or configure checks"
    " (graphcount init MODEL writes them)"
)

ProgressBar = Callable[[Sequence[str]], Iterable[str]]
"""Goes over the paths while their models are read, as `tqdm` does."""


@dataclass(frozen=True, slots=True, repr=False)
class Checked(Judged):
    """What a check comes to; it passes when `exit_code` is 0.

    Attributes:
        notes: Notes on the baselines that were used.
        written: A baseline was written.
        ignored: Models that no check applies to, where the configuration ignores that.
        excluded: Models that the configuration excludes.
        fail_on: Mildest severity that fails.
    """

    notes: tuple[str, ...] = ()
    written: bool = False
    ignored: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    fail_on: str = "high"

    def _view(self) -> View:
        from graphcount.formats.view import View

        ignored, excluded = len(self.ignored), len(self.excluded)
        return View(fail_on=self.fail_on, ignored=ignored, excluded=excluded)


class _Asked(NamedTuple):
    """What every model is examined with.

    `variants` are those of deployments that were named; with `several` models a size applies where
    a model has what it is of.
    """

    options: CountOptions
    limits: Limits
    baselines: Baselines
    latencies: dict[str | None, dict[str, int]]
    loads: Callable[[str], Ask]
    remembers: bool
    variants: dict[str, str]
    several: bool


def check(
    path: ModelLike | Deployment | Sequence[ModelLike | Deployment] = (),
    *,
    deployment: str | Sequence[str] = (),
    max: Demands = (),
    min: Demands = (),
    max_increase: Demands = (),
    checks: Sequence[Check] = (),
    config: Config | str | None = None,
    baseline: str | None = None,
    base: str | None = None,
    write_baseline: str | None = None,
    bench: str | None = None,
    runtime: str | Sequence[str] = (),
    fail_on: str = "high",
    on_error: OnError | None = None,
    progress: ProgressBar | None = None,
    limits: Limits | None = None,
    **options: Unpack[CountOptions],
) -> Checked:
    """Hold models against budgets; the words are those of `graphcount check`.

    Args:
        path: A model (as `load` takes it), a folder or a glob, or several; none: those that
            configured checks choose.
            What `deployment` returned is held against its limits as one.
        deployment: A folder whose models run as one and are held against limits as one, or several.
        max: Largest allowed values: `{"parameters": "30M", "nbytes": "100MB", "nodes.Loop": 0}`.
        min: Smallest allowed values.
        max_increase: Largest growth since the baseline: `{"parameters": "5%"}`.
        checks: Checks beside those of `config`.
        config: A configuration, or its file: its checks, its operators, its limits. None: none;
            `graphcount.config.load_config()` is the nearest one.
        baseline: File to compare with, for every check; empty or None: each check's own.
        base: Folder with the models as they were, at the same paths below it as now below the
            current folder, or a baseline; for checks without a baseline. What it lacks is new.
        write_baseline: File to write today's numbers to; not written unless all models were read.
        bench: File with the result of `graphcount bench --format json`.
        runtime: A runtime that has to load every model, or several: `onnxruntime:1.32/cpu`,
            `onnxruntime` for the newest release in the tables. None need be installed.
        fail_on: Mildest severity that fails.
        on_error: Called with the error of a model that cannot be read; None: its error is raised.
        progress: Goes over the paths, as `tqdm` does.
        limits: What a file may ask of us; None: what `config` says.
        options: How the models are counted; see `CountOptions`. `dims` and `shapes` win over those
            of configured checks.

    Returns:
        Reports with verdicts, findings of broken limits, and the exit code of `graphcount check`.

    Raises:
        GraphcountError: A model cannot be read, a measure does not exist, a baseline is stale,
            nothing is asked for, or no model.
        TypeError: There is no such option.
        ValueError: A limit is no quantity.
    """
    from graphcount.gates.checks import Uncovered, fails
    from graphcount.gates.examine import Baselines, joined
    from graphcount.gates.latency import read_latencies
    from graphcount.gates.select import targets
    from graphcount.runtimes.process import Runtimes

    refuse_others(options, CountOptions)
    settings = configured(config)
    remembers = write_baseline is not None
    demands: dict[Bound, Demands] = {"max": max, "min": min, "max_increase": max_increase}
    own = _own_check(demands, several(runtime), remembers)
    known = [_sized(row, options, settings) for row in (*settings.checks, *checks)]
    if own is None and not any(row.demands for row in known):
        raise UsageError(NOTHING_ASKED)
    uncovered = (settings.uncovered or Uncovered()).check
    own, uncovered = (row and _sized(row, options, settings) for row in (own, uncovered))
    paths, variants = _named_models(path)
    variants |= dict.fromkeys(model_paths(deployment), "")
    selected = targets(paths, known, own, uncovered, settings.excludes, list(variants))
    for path_left_out in selected.excluded:
        note("%s: not checked: excluded by the configuration", path_left_out)
    for path_left_out in selected.ignored:
        note("%s: not checked: no check applies to it, which is ignored", path_left_out)
    chosen = selected.models
    options = {
        **options,
        "operators": options.get("operators") or settings.operators or None,
        "hash_file": options.get("hash_file", False) or remembers,
        "where_present": settings.dims.keys() - given(options),
    }
    latencies = read_latencies(bench) if bench else {}
    baselines = Baselines(baseline or "", base or "", _conventions(options))
    bounds = limits or settings.limits
    with Runtimes(bounds) as runtimes:
        asked = _Asked(
            options,
            bounds,
            baselines,
            latencies,
            runtimes.about,
            remembers,
            variants,
            len(chosen) > 1,
        )
        examined = _examined(chosen, asked, on_error, progress)
    if len(chosen) > 1:
        named = given(options).union(*(_named(row) for target in chosen for row in target.checks))
        refuse_unused(
            [one.subject.report for item in examined if isinstance(item, list) for one in item],
            named - settings.dims.keys(),
        )
    written = write_baseline is not None and _write_baseline(write_baseline, examined, asked)
    outcomes = [item if isinstance(item, GraphcountError) else joined(item) for item in examined]
    failed = any(fails(item.findings, fail_on) for item in outcomes if isinstance(item, Report))
    return Checked(
        tuple(outcomes),
        failed,
        notes=tuple(baselines.notes),
        written=written,
        ignored=selected.ignored,
        excluded=selected.excluded,
        fail_on=fail_on,
    )


def _named_models(
    named: ModelLike | Deployment | Sequence[ModelLike | Deployment],
) -> tuple[list[str], dict[str, str]]:
    """Return paths of models, and of deployments with the variant that was asked for."""
    rows = named if isinstance(named, list | tuple) else (named,)
    variants = {row.path: row.variant for row in rows if isinstance(row, Deployment)}
    return model_paths([row for row in rows if not isinstance(row, Deployment)]), variants


def _own_check(
    demands: Mapping[Bound, Demands], runtimes: Sequence[str], remembers: bool
) -> Check | None:
    """Return the check that arguments make for every model; None when they ask for nothing."""
    from graphcount.gates.budgets import Origin
    from graphcount.gates.checks import Check
    from graphcount.gates.loads import RuntimeDemand

    limits = tuple(budget for bound, rows in demands.items() for budget in budgets(bound, rows))
    loads: tuple[RuntimeDemand, ...] = ()
    if runtimes:
        from graphcount.runtimes.tables import target

        origin = Origin(option="--runtime")
        loads = tuple(RuntimeDemand(target(name).text, origin) for name in runtimes)
    check = Check("options", Origin(option="options"), budgets=limits, runtime=loads)
    return check if check.demands or remembers else None


def _named(check: Check) -> frozenset[str]:
    """Return names of dimensions and inputs that a check gives a size."""
    return frozenset((*check.dims, *check.shapes, *check.ranges, *check.values))


def _sized(check: Check, sizes: CountOptions, settings: Config) -> Check:
    """Return a check with the sizes of a configuration, and those that arguments give; these win.

    A name has a size or a range: the one that is nearest.
    """
    named = (*check.dims, *check.ranges)
    general = {name: size for name, size in settings.dims.items() if name not in named}
    fixed = {name: size for name, size in general.items() if isinstance(size, int)}
    ranged = {name: ends for name, ends in general.items() if not isinstance(ends, int)}
    check = check._replace(dims={**fixed, **check.dims}, ranges={**ranged, **check.ranges})
    dims = sizes.get("dims") or {}
    shapes = {name: tuple(shape) for name, shape in (sizes.get("shapes") or {}).items()}
    ranges = sizes.get("ranges") or {}
    values = {name: elements(row) for name, row in (sizes.get("input_values") or {}).items()}
    kept = {name: ends for name, ends in check.ranges.items() if name not in dims}
    fixed = {name: size for name, size in check.dims.items() if name not in ranges}
    return check._replace(
        dims={**fixed, **dims},
        shapes={**check.shapes, **shapes},
        ranges={**kept, **ranges},
        values={**check.values, **values},
    )


def _conventions(options: CountOptions) -> dict[str, str | bool]:
    """Return how is counted, where that is not the usual way."""
    conventions: dict[str, str | bool] = {}
    if options.get("in_place"):
        conventions["in_place"] = True
    if options.get("macs_convention", "graphcount") != "graphcount":
        conventions["macs_convention"] = options["macs_convention"]
    return conventions


def _examined(
    chosen: Sequence[ModelChecks],
    asked: _Asked,
    on_error: OnError | None,
    progress: ProgressBar | None,
) -> list[list[Examined] | GraphcountError]:
    """Return what each model comes to: read once, counted for each set of sizes."""
    from graphcount.gates.examine import examine
    from graphcount.gates.latency import latency_of

    checks = {target.path: target.checks for target in chosen}
    folders = {target.path for target in chosen if target.is_deployment}

    def read(path: str) -> list[Examined]:
        counter = _counter(path, checks[path], asked, path in folders)
        latency = latency_of(asked.latencies, path)
        loads = asked.loads(path)
        return examine(counter, path, checks[path], asked.baselines, latency, loads)

    paths = list(checks)
    return list(read_each(progress(paths) if progress else paths, read, on_error))


def _counter(own: str, checks: Sequence[Check], asked: _Asked, is_deployment: bool) -> Counter:
    """Return what reads a model, and the same one elsewhere, where sizes may be of nothing."""
    cost = asked.options.get("cost")
    by_default = None if asked.remembers else False  # a baseline remembers costs too
    zeros = asked.options.get("sparsity") or any(row.reads_data for row in checks)

    @cache
    def counter(path: str) -> Count:
        model = None if is_deployment else load(path, limits=asked.limits)

        def count(check: Check, need: bool) -> Report:
            needed = (need or by_default) if cost is None else cost
            sized: CountOptions = {
                **asked.options,
                "dims": check.dims,
                "shapes": check.shapes,
                "input_values": check.values,
                "ranges": check.ranges,
                "cost": needed,
                "sparsity": zeros,
            }
            if model is None:
                from graphcount.api.deploying import whole_report

                variant = asked.variants.get(own, "")
                return whole_report(path, asked.limits, {**sized, "assume": False}, variant)
            return model.report(**optional(sized, asked.several or path != own))

        return count

    return counter


def _write_baseline(
    file: str, examined: Sequence[list[Examined] | GraphcountError], asked: _Asked
) -> bool:
    """Write what was measured; nothing when a model could not be read."""
    from graphcount.gates.baseline import entry, valued, write_text
    from graphcount.loading.writing import write_file

    entries = {}
    for item in examined:
        if isinstance(item, GraphcountError):
            return False
        for one in item:
            measures = {verdict.measure for row in one.rows for verdict in row.verdicts}
            conventions = {**asked.baselines.conventions, **valued(one.values)}
            row = entry(file, one.subject, one.dims, one.shapes, measures, conventions)
            entries[row.path, str(row.dims), str(row.shapes), str(conventions)] = row
    write_file(write_text(entries.values()), file)
    return True
