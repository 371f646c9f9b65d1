"""A deployment: several models that are run as one, put together from their reports.

A pure function of a listed folder, of what its layout says (`layouts`) and of reports: no model is
read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from graphcount.deploying.files import asset_rows, deployed_files
from graphcount.deploying.joining import ComponentValues, in_order, joined
from graphcount.deploying.records import DeployedPart, RecognisedFolder
from graphcount.deploying.rules import finding
from graphcount.deploying.sharing import HeldTensors, SharedTensors, base_of, data_path, shared
from graphcount.deploying.steps import handed_on, states, steps
from graphcount.deploying.totals import disk_nbytes, totals
from graphcount.errors import Unknown, UsageError
from graphcount.loading.folder import Folder
from graphcount.loading.source import public_path
from graphcount.report.deployment import (
    AssetRow,
    DeployedFile,
    DeployedStates,
    Deployment,
    JoinRow,
    StepRow,
    VariantRow,
)
from graphcount.report.finding_rows import Finding
from graphcount.report.records import Report

MOST_NAMES = 20
"""Variants that a message names; a manifest may have any number."""


class MeasuredPart(NamedTuple):
    """A model of a deployment, counted.

    Attributes:
        part: What the layout says of it.
        report: Its report, at assumed sizes, too; None: it cannot be read, or nothing names it.
        error: Why it cannot be read.
        digests: Digests of its tensors, where tensor data was compared.
    """

    part: DeployedPart
    report: Report | None = None
    error: str = ""
    digests: tuple[str | None, ...] | None = None

    @property
    def data(self) -> tuple[str, ...]:
        """Its external data files, from the folder."""
        if self.report is None or self.part.model is None:
            return ()
        base = base_of(self.part.model, self.part.weights)
        return tuple(data_path(base, row.location) for row in self.report.model.side_files)


class DeploymentOptions(NamedTuple):
    """What is asked about a deployment.

    Attributes:
        variant: Variant of each component that has it; empty: the usual ones.
        context: Tokens that states and steps are worked out for.
        deep: Tensor data was compared, and digests of assets.
    """

    variant: str = ""
    context: int = 2048
    deep: bool = False


def choose(recognised: RecognisedFolder, variant: str) -> dict[str, str]:
    """Return the variant of each component that is chosen.

    Raises:
        UsageError: No component has the variant that is asked for.
    """
    chosen: dict[str, str] = {}
    known: dict[str, list[str]] = {}
    for part in recognised.parts:
        chosen.setdefault(part.component, recognised.usual.get(part.component, part.variant))
        known.setdefault(part.component, []).append(part.variant)
    if not variant:
        return chosen
    if not any(variant in names for names in known.values()):
        names = sorted({name for names in known.values() for name in names if name})
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        known_names = f"{', '.join(names[:MOST_NAMES]) or 'none'}{more}"
        raise UsageError(f"no variant {variant!r}; there are {known_names}")
    return {name: variant if variant in known[name] else usual for name, usual in chosen.items()}


def running(
    recognised: RecognisedFolder, measured: Sequence[MeasuredPart], variant: str
) -> list[MeasuredPart]:
    """Return the models that run: the chosen variants of components that nothing replaces."""
    chosen = choose(recognised, variant)
    return [
        one
        for one in measured
        if chosen[one.part.component] == one.part.variant
        and one.part.component not in recognised.replaces
    ]


def shares(folder: Folder, models: Sequence[MeasuredPart]) -> list[SharedTensors]:
    """Return what each model that runs shares with those before it."""
    held = [_held(one) for one in models if one.report is not None]
    rows = iter(shared(held, folder))
    nothing = SharedTensors(frozenset(), frozenset())
    return [next(rows) if one.report is not None else nothing for one in models]


def _held(one: MeasuredPart) -> HeldTensors:
    assert one.report is not None
    return HeldTensors(one.report, base_of(one.part.model or "", one.part.weights), one.digests)


def deployment(
    folder: Folder,
    recognised: RecognisedFolder,
    measured: Sequence[MeasuredPart],
    digests: Mapping[str, str],
    asked: DeploymentOptions,
) -> Deployment:
    """Put a deployment together.

    Args:
        folder: Its files.
        recognised: What its layout says.
        measured: Its models, in the order of the layout's parts.
        digests: Digests of shared assets by their URI, where they were computed.
        asked: What is asked.

    Raises:
        UsageError: There is no such variant.
    """
    chosen = choose(recognised, asked.variant)
    models = running(recognised, measured, asked.variant)
    joins = joined([_ends(one) for one in models], recognised.joins)
    place = {name: at for at, name in enumerate(in_order(list(chosen), joins))}
    measured = sorted(measured, key=lambda one: place[one.part.component])
    models = sorted(models, key=lambda one: place[one.part.component])
    both = dict(zip((one.part for one in models), shares(folder, models), strict=True))
    variants = tuple(
        _variant(folder, one, chosen[one.part.component], recognised, both.get(one.part))
        for one in measured
    )
    assets = asset_rows(folder, recognised.assets, digests)
    files = deployed_files(folder, recognised, variants, assets)
    rows = tuple(row for row in variants if row.chosen and row.used)
    own = [one.report for one in models if one.report is not None]
    state_rows, step_rows = _over_time(models, measured, recognised, chosen, asked.context)
    return Deployment(
        *(public_path(folder.path), recognised.layout, recognised.name, *asked),
        totals(folder, files, rows, state_rows, handed_on(own)),
        variants,
        step_rows,
        state_rows,
        joins,
        files,
        assets,
        (*recognised.findings, *_file_findings(folder, files, assets), *_misfits(joins)),
        tuple(_unknown(measured)),
    )


def _ends(one: MeasuredPart) -> ComponentValues:
    if one.report is None:
        return ComponentValues(one.part.component, (), ())
    model = one.report.model
    return ComponentValues(one.part.component, model.inputs, model.outputs)


def _misfits(joins: Iterable[JoinRow]) -> list[Finding]:
    return [
        finding(
            "DEP004",
            f"{row.producer}: {row.output} does not fit {row.input} of {row.consumer}:"
            f" {row.mismatch}",
            component=row.consumer,
            input=row.input,
        )
        for row in joins
        if row.mismatch
    ]


def _variant(
    folder: Folder,
    one: MeasuredPart,
    chosen: str,
    recognised: RecognisedFolder,
    both: SharedTensors | None,
) -> VariantRow:
    part, report = one.part, one.report
    named = [name for name in (part.model, *one.data, *part.others) if name is not None]
    numbers = report.in_numbers if report is not None else None
    held = _Held(report.totals.parameters, report.totals.nbytes.total) if report else _Held()
    surely = _tensors_at(report, both and both.surely)
    likely = _tensors_at(report, both and both.likely)
    return VariantRow(
        component=part.component,
        name=part.variant,
        chosen=part.variant == chosen,
        used=part.component not in recognised.replaces,
        model=part.model,
        why=part.why,
        ep=part.ep,
        device=part.device,
        files=tuple(dict.fromkeys(named)),
        parameters=held.parameters,
        shared_parameters=surely.parameters,
        likely_parameters=likely.parameters,
        nbytes=held.nbytes,
        shared_nbytes=surely.nbytes,
        likely_nbytes=likely.nbytes,
        disk_nbytes=disk_nbytes(folder, named),
        dims=report.in_numbers.dims if report else {},
        macs=numbers.totals.macs if numbers else None,
        peak_nbytes=numbers.totals.peak_activation_nbytes if numbers else None,
        at_least=numbers.totals.at_least if numbers else (),
        inputs=report.model.inputs if report else (),
        outputs=report.model.outputs if report else (),
        error=one.error,
    )


class _Held(NamedTuple):
    """Learned elements and bytes of a component's tensors; None: not known."""

    parameters: int | None = None
    nbytes: int | None = None


def _tensors_at(report: Report | None, places: Iterable[int] | None) -> _Held:
    """Return what the tensors at some places of a report come to."""
    if report is None or places is None:
        return _Held()
    rows = [report.tensors[place] for place in places]
    learned = (row.elements for row in rows if row.kind == "parameter")
    return _Held(sum(learned), sum(row.nbytes for row in rows))


def _over_time(
    models: Sequence[MeasuredPart],
    measured: Sequence[MeasuredPart],
    recognised: RecognisedFolder,
    chosen: Mapping[str, str],
    context: int,
) -> tuple[tuple[DeployedStates, ...], tuple[StepRow, ...]]:
    """Return states and steps of the models that run."""
    reports = {
        one.part.component: one.report
        for one in measured
        if one.report is not None and one.part.variant == chosen[one.part.component]
    }
    state_rows: list[DeployedStates] = []
    step_rows: list[StepRow] = []
    for one in models:
        if one.report is None:
            continue
        component = one.part.component
        own = states(component, one.report, context)
        if own:
            opening = reports.get(recognised.prefill.get(component, ""))
            step_rows += steps(component, one.report, own, context, opening)
        state_rows += own
    return tuple(state_rows), tuple(step_rows)


def _file_findings(
    folder: Folder, files: Sequence[DeployedFile], assets: Sequence[AssetRow]
) -> list[Finding]:
    rows = [
        finding("DEP002", f"{file.name} {file.problem}", file=file.name)
        for file in folder.files
        if file.problem
    ]
    rows += [
        finding("DEP006", f"{file.path} belongs to nobody", file=file.path)
        for file in files
        if file.kind == "unknown"
    ]
    rows += [
        finding("DEP003", f"{asset.path} is not what {asset.uri} names", file=asset.path)
        for asset in assets
        if asset.digest is False
    ]
    return rows


def _unknown(measured: Sequence[MeasuredPart]) -> Iterable[Unknown]:
    """Yield what is not known of models, each with the component it is in."""
    for one in measured:
        if one.error:
            yield Unknown(one.part.label, "model", one.error)
        elif one.report is not None:
            for item in one.report.in_numbers.unknown:
                yield item._replace(where=f"{one.part.label}: {item.where}")
