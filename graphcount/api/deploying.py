"""Several models that are run as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Unpack

from graphcount.api.arguments import model_path
from graphcount.api.model import CountOptions, Model, gc_paused
from graphcount.errors import GraphcountError, UsageError
from graphcount.loading import read_model
from graphcount.loading.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from graphcount.deploying import MeasuredPart
    from graphcount.deploying.records import DeployedPart, RecognisedFolder
    from graphcount.loading.folder import Folder
    from graphcount.report.deployment import Deployment
    from graphcount.report.drawing import FlowRow
    from graphcount.report.records import Report

PartBar = Callable[[Sequence["DeployedPart"]], Iterable["DeployedPart"]]
"""Goes over the models while they are read, as `tqdm` does."""

CONTEXT = 2048
"""Tokens that states and steps are worked out for, when nobody says otherwise."""


class Deployed(NamedTuple):
    """A deployment, and what it was put together from."""

    deployment: Deployment
    folder: Folder
    recognised: RecognisedFolder
    measured: tuple[MeasuredPart, ...]


def deployment(
    path: str,
    *,
    variant: str | None = None,
    context: int = CONTEXT,
    progress: PartBar | None = None,
    limits: Limits = DEFAULT_LIMITS,
    **options: Unpack[CountOptions],
) -> Deployment:
    """Put together what a folder of models is; see docs/deploy.md.

    Args:
        path: A folder, here or in a store (`s3://`, `hf://`).
        variant: Variant of each component that has it; None: the usual ones.
        context: Tokens that states and steps are worked out for.
        progress: Goes over the models, as `tqdm` does.
        limits: What a file may ask of us.
        options: How models are counted; see `CountOptions`. A size applies where a model has what
            it is of. `deep` compares tensor data of components, and shared assets with the digests
            that name them: all of it is read.

    Returns:
        Components, variants, files, what they share, states, and the cost of a token.

    Raises:
        GraphcountError: The folder cannot be listed, is no deployment, or its configuration cannot
            be used; or an option makes no sense. A model that cannot be read is a row with its
            error.
    """
    return deployed(path, variant, context, progress, limits, options).deployment


def deployed(
    path: str,
    variant: str | None,
    context: int,
    progress: PartBar | None,
    limits: Limits,
    options: CountOptions,
) -> Deployed:
    """Return a deployment with its reports; see `deployment`."""
    from graphcount.api.sizes import given, optional, refuse_unused
    from graphcount.deploying import DeploymentOptions, MeasuredPart, choose
    from graphcount.deploying import deployment as put_together
    from graphcount.deploying.layouts import recognise
    from graphcount.loading.folder import list_folder

    if context < 1:
        raise UsageError(f"context: {context} is no number of tokens")
    folder = list_folder(model_path(path))
    recognised = recognise(folder)
    choose(recognised, variant or "")
    deep = bool(options.get("deep"))
    sized: CountOptions = {"assume": True, **optional(options, several=True)}
    parts = recognised.parts
    with gc_paused():
        measured = tuple(
            _measured(folder, part, sized, deep, limits) if part.model else MeasuredPart(part)
            for part in (progress(parts) if progress else parts)
        )
        named = given(options) - frozenset(options.get("where_present", ()))
        refuse_unused([one.report for one in measured if one.report is not None], named)
        digests = _digests(folder, recognised) if deep else {}
        whole = put_together(
            folder, recognised, measured, digests, DeploymentOptions(variant or "", context, deep)
        )
    return Deployed(whole, folder, recognised, measured)


def whole_report(path: str, limits: Limits, options: CountOptions, variant: str = "") -> Report:
    """Return one report of a deployment; see `graphcount.deploying.whole`.

    Without a variant it is of the usual ones.

    Raises:
        GraphcountError: It is none, or cannot be read.
    """
    return whole_of(deployed(path, variant, CONTEXT, None, limits, options))


def whole_of(made: Deployed) -> Report:
    """Return one report of a deployment, at assumed sizes where its models have some."""
    from graphcount.deploying import shares
    from graphcount.deploying.whole import WholePart, whole

    models = _running(made)
    shared = zip(models, shares(made.folder, models), strict=True)
    parts = [
        WholePart(one.part.component, one.report.in_numbers, both)
        for one, both in shared
        if one.report is not None
    ]
    return whole(made.deployment, parts)


def _running(made: Deployed) -> list[MeasuredPart]:
    """Return the models that run, in the order of their components."""
    from graphcount.deploying import running

    place = {row.component: at for at, row in enumerate(made.deployment.components)}
    models = running(made.recognised, made.measured, made.deployment.variant)
    return sorted(models, key=lambda one: place[one.part.component])


def flows_of_whole(made: Deployed, limits: Limits) -> tuple[FlowRow, ...]:
    """Return what flows between the nodes of `whole_of`: each model is read once more."""
    from graphcount.deploying.flows import PartFlows, whole_flows

    parts = []
    for one in _running(made):
        if one.report is not None and one.part.model is not None:
            model = Model(read_model(made.folder.path_of(one.part.model), limits), limits)
            parts.append(PartFlows(one.part.component, one.report, model.flows(one.report)))
    return whole_flows(made.deployment, parts)


def model_files(made: Deployed) -> tuple[str, ...]:
    """Return the paths of all models of a deployment and of their external data."""
    files = made.deployment.files
    return tuple(made.folder.path_of(file.path) for file in files if file.kind in ("model", "data"))


def audited_deployment(made: Deployed, audit: Callable[[str], Report]) -> Report:
    """Return one report of a deployment with what audits of all its models find, and of itself.

    Args:
        made: The deployment.
        audit: Audits a model.
    """
    audits: dict[str, Report] = {}
    failed = False
    for name in dict.fromkeys(row.model for row in made.deployment.variants if row.model):
        try:
            audits[name] = audit(made.folder.path_of(name))
        except UsageError:
            raise
        except GraphcountError:  # the deployment says why
            failed = True
    return with_audits(whole_of(made), audits, failed)


def with_audits(report: Report, audits: Mapping[str, Report], failed: bool) -> Report:
    """Return the report of a deployment with findings of its models, by their names.

    Args:
        report: The report.
        audits: Reports of audits.
        failed: A model could not be audited.
    """
    from graphcount.deploying.rules import RULES
    from graphcount.report.finding_rows import AuditRow

    rows = [audited.audit for audited in audits.values() if audited.audit is not None]
    rules = {rule for row in rows for rule in row.rules}
    findings = [
        finding._replace(where={"model": name, **finding.where})
        for name, audited in audits.items()
        for finding in audited.findings
    ]
    audit = AuditRow(
        (*sorted(rules), *RULES),
        tuple(dict.fromkeys(item for row in rows for item in row.skipped)),
        tuple(dict.fromkeys(item for row in rows for item in row.ignored)),
        not failed and all(row.complete for row in rows),
    )
    return replace(report, findings=(*report.findings, *findings), audit=audit)


def _measured(
    folder: Folder, part: DeployedPart, options: CountOptions, deep: bool, limits: Limits
) -> MeasuredPart:
    """Read and count a model."""
    from graphcount.deploying import MeasuredPart

    assert part.model is not None
    file = folder.by_name[part.model]
    if file.problem:
        return MeasuredPart(part, error=file.problem)
    structure: CountOptions = {**options, "deep": False}
    try:
        read = read_model(folder.path_of(part.model), limits)
        if part.weights is not None:  # external data is looked for beside the path of a model
            beside = folder.path_of(f"{part.weights}/{part.model.rpartition('/')[2]}")
            return MeasuredPart(part, Model(replace(read, path=beside), limits).report(**structure))
        model = Model(read, limits)
        digests = model.hashes().digests if deep else None
        return MeasuredPart(part, model.report(**structure), digests=digests)
    except UsageError:
        raise
    except GraphcountError as error:
        return MeasuredPart(part, error=error.message)


def _digests(folder: Folder, recognised: RecognisedFolder) -> dict[str, str]:
    """Return digests of the content of shared assets; a link in one makes another digest."""
    from graphcount.deploying.files import asset_uri

    digests = {}
    for asset in recognised.assets:
        if asset.path is not None:
            try:
                digests[asset.uri] = asset_uri(folder, asset.path)
            except GraphcountError as error:
                digests[asset.uri] = error.message
    return digests
