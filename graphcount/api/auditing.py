"""What a model hides, and the rules that look for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, TypedDict, Unpack

from graphcount.api.arguments import configured, model_path, model_paths, several, silent
from graphcount.api.model import CountedReport, Model, gc_paused
from graphcount.api.outcomes import Judged, OnError, read_each
from graphcount.api.signatures import asked_signature, files_of, with_signature
from graphcount.errors import UsageError
from graphcount.loading import read_model
from graphcount.loading.folder import is_folder
from graphcount.loading.limits import DEFAULT_LIMITS, Limits
from graphcount.loading.source import is_remote
from graphcount.report.records import Report

if TYPE_CHECKING:
    from graphcount.api.arguments import ModelLike
    from graphcount.config import Config
    from graphcount.config.audits import Asked

DEEP_AUDIT_NBYTES = 512 * 10**6
"""Up to so many bytes of stored tensors an audit reads them by default, and with them external
data files that state a checksum."""


FAIL_ON = "high"
"""Mildest severity that fails, when nobody says otherwise."""


class AuditOptions(NamedTuple):
    """What an audit looks for; see `audit`."""

    deep: bool | None = None
    select: Sequence[str] = ()
    ignore: Mapping[str, str] = {}


class AuditWords(TypedDict, total=False):
    """What `audit` is given by name, beside the configuration."""

    deep: bool | None
    select: Sequence[str]
    ignore: Mapping[str, str] | None
    hash_file: bool
    progress: Callable[[str], None]
    limits: Limits | None
    signature: str | None
    public_key: str | None
    certificate_chain: Sequence[str]
    identity: str | None
    issuer: str | None


def audit(
    path: ModelLike,
    *,
    deep: bool | None = None,
    select: Sequence[str] = (),
    ignore: Mapping[str, str] | None = None,
    hash_file: bool = False,
    config: Config | str | None = None,
    progress: Callable[[str], None] = silent,
    limits: Limits | None = None,
    signature: str | None = None,
    public_key: str | None = None,
    certificate_chain: Sequence[str] = (),
    identity: str | None = None,
    issuer: str | None = None,
) -> Report:
    """Look for what a model hides; see `graphcount.auditing`.

    Args:
        path: The model, as `load` takes it, or a folder of models that run as one: all of them are
            audited, and the deployment.
        deep: Run the rules that read tensor data and external data files: None up to 512 MB of
            them, and not of a remote model.
        select: Ids of rules to run, or their beginnings; empty for all.
        ignore: Ids of rules (or their beginnings) whose findings are suppressed, with the reason.
        hash_file: Put the SHA-256 of the model and its external data files into the report.
        config: A configuration, or its file: it selects and ignores what the arguments do not, and
            has limits. None: none.
        progress: Called with what is being done: the id of a rule, or how far a long one is.
        limits: What the file may ask of us; None: what `config` says.
        signature: A signature of the model or of its folder (OpenSSF Model Signing), verified with
            one of the following; see docs/bill-of-materials.md, "Signatures".
        public_key: File of the elliptic-curve key that it must be of.
        certificate_chain: Files of certificates that are trusted to have signed.
        identity: Who must have signed, with sigstore, which is asked over the network.
        issuer: OpenID Connect provider of the identity.

    Returns:
        The report of the model without its cost, with `findings`, `audit` and `signature`.

    Raises:
        GraphcountError: The model cannot be read, a selection names no rule, a rule is suppressed
            without a reason, or a signature cannot be verified for want of a package or key.
    """
    signed = asked_signature(signature, public_key, certificate_chain, identity, issuer)
    settings = configured(config)
    path = model_path(path)
    asked = _asked_of(settings, path)
    bounds = limits or settings.limits
    how = AuditOptions(deep, select or asked.select, {**asked.ignore, **(ignore or {})})
    if is_folder(path):
        from graphcount.api.deploying import CONTEXT, audited_deployment, deployed, model_files

        made = deployed(path, None, CONTEXT, None, bounds, {"deep": deep, "cost": False})
        report = audited_deployment(
            made, lambda model: _audit(model, how, hash_file, progress, bounds)
        )
        return with_signature(report, model_files(made), signed)
    with gc_paused():  # over the call: what it made and does not return is gone before it ends
        report = _audit(path, how, hash_file, progress, bounds)
    return with_signature(report, files_of(report), signed)


def _audit(
    path: str,
    how: AuditOptions,
    hash_file: bool,
    progress: Callable[[str], None],
    limits: Limits,
) -> Report:
    model = Model(read_model(path, limits, keep_thin=True), limits)
    measured = model.measured(deep=False, hash_file=hash_file, cost=False)
    return audited(model, measured, how, progress, limits)


def audits(
    models: ModelLike | Sequence[ModelLike],
    *,
    fail_on: str | None = None,
    config: Config | str | None = None,
    on_error: OnError | None = None,
    **options: Unpack[AuditWords],
) -> Judged:
    """Audit several models; the words are those of `graphcount audit`.

    Args:
        models: What `audit` takes, once or several times.
        fail_on: Mildest severity that fails; None: what `config` says of the model, or `high`.
        config: A configuration, or its file; None: none.
        on_error: Called with the error of a model that cannot be read; None: its error is raised.
        options: Those of `audit`.

    Returns:
        Reports and errors in the order of the models, and the exit code of `graphcount audit`.

    Raises:
        GraphcountError: A model cannot be read, and `on_error` is None, or an option makes no
            sense.
    """
    from graphcount.gates.checks import fails

    settings = configured(config)
    paths = model_paths(models)
    outcomes = tuple(
        read_each(paths, lambda path: audit(path, config=settings, **options), on_error)
    )
    reports = {
        path: outcome
        for path, outcome in zip(paths, outcomes, strict=True)
        if isinstance(outcome, Report)
    }
    levels = {path: fail_on or _asked_of(settings, path).fail_on or FAIL_ON for path in reports}
    failed = any(fails(report.findings, levels[path]) for path, report in reports.items())
    complete = all(report.audit and report.audit.complete for report in reports.values())
    return Judged(outcomes, failed, complete)


def _asked_of(settings: Config, path: str) -> Asked:
    from graphcount.config.audits import asked_of

    return asked_of(settings, path)


def audited(
    model: Model,
    measured: CountedReport,
    how: AuditOptions,
    progress: Callable[[str], None] = silent,
    limits: Limits = DEFAULT_LIMITS,
) -> Report:
    """Return a model's report with what an audit of it finds; see `audit`."""
    from graphcount.auditing.context import Context
    from graphcount.auditing.engine import Selection
    from graphcount.auditing.engine import audit as run

    for rule, reason in how.ignore.items():
        if not reason.strip():
            raise UsageError(f"ignore: {rule}: give a reason; it is kept")
    report, counted = measured
    unasked_nbytes = DEEP_AUDIT_NBYTES - report.totals.nbytes.total
    by_default = unasked_nbytes >= 0 and model.file.is_at_hand and not is_remote(model.path)
    context = Context(
        model.file,
        model.model_graph,
        deep=by_default if how.deep is None else how.deep,
        counted=counted,
        limits=limits,
        progress=progress,
        unasked=how.deep is None,
        whole_files_nbytes=max(0, unasked_nbytes) if how.deep is None else 1 << 62,
    )
    try:
        with gc_paused():
            audit_of = run(context, Selection(several(how.select), dict(how.ignore)), progress)
    finally:
        context.close()
    return replace(report, findings=audit_of.findings, audit=audit_of.audit)
