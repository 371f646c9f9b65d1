"""What a model hides, and the rules that look for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from graphcount.api.arguments import path_text, several
from graphcount.api.model import Model, gc_paused
from graphcount.errors import UsageError
from graphcount.loading import read_model
from graphcount.loading.limits import DEFAULT_LIMITS, Limits
from graphcount.loading.paths import is_remote

if TYPE_CHECKING:
    from graphcount.report.records import Report
    from graphcount.report.rows import RuleInfo

DEEP_AUDIT_NBYTES = 512 * 10**6
"""Up to so many bytes of stored tensors an audit reads them by default, and with them side files
that state a checksum."""


def audit(
    path: str,
    *,
    deep: bool | None = None,
    select: Sequence[str] = (),
    ignore: Mapping[str, str] | None = None,
    hash_file: bool = False,
    progress: Callable[[str], None] = lambda rule: None,
    limits: Limits = DEFAULT_LIMITS,
) -> Report:
    """Look for what a model hides; see `graphcount.auditing`.

    Args:
        path: The model.
        deep: Run the rules that read payload and side files: None up to 512 MB of them, and
            not of a remote model.
        select: Ids of rules to run, or their beginnings; empty for all.
        ignore: Ids of rules (or their beginnings) whose findings are set aside, with the reason.
        hash_file: Put the SHA-256 of the model and its side files into the report.
        progress: Called with what is being done: the id of a rule, or how far a long one is.
        limits: What the file may ask of us.

    Returns:
        The report of the model without its cost, with `findings` and `audit`.

    Raises:
        GraphcountError: The model cannot be read, a selection names no rule, or a rule is set aside
            without a reason.
    """
    with gc_paused():
        model = Model(read_model(path_text(path), limits, keep_thin=True), limits)
    report = model.report(deep=False, hash_file=hash_file, cost=False)
    return audited(model, report, deep, select, ignore, progress, limits)


def audited(
    model: Model,
    report: Report,
    deep: bool | None = None,
    select: Sequence[str] = (),
    ignore: Mapping[str, str] | None = None,
    progress: Callable[[str], None] = lambda rule: None,
    limits: Limits = DEFAULT_LIMITS,
) -> Report:
    """A model's report with what an audit of it finds; see `audit`."""
    from graphcount.auditing.context import Context
    from graphcount.auditing.engine import Selection
    from graphcount.auditing.engine import audit as run

    for rule, reason in (ignore or {}).items():
        if not reason.strip():
            raise UsageError(f"ignore: {rule}: give a reason; it is kept")
    unasked_nbytes = DEEP_AUDIT_NBYTES - report.totals.nbytes.total
    whole_files_nbytes = max(0, unasked_nbytes) if deep is None else 1 << 62
    if deep is None:
        deep = unasked_nbytes >= 0 and model.file.is_at_hand and not is_remote(model.path)
    context = Context(
        model.file,
        model.model_graph,
        deep=deep,
        counted=model.counted,
        limits=limits,
        progress=progress,
        whole_files_nbytes=whole_files_nbytes,
    )
    try:
        with gc_paused():
            found = run(context, Selection(several(select), dict(ignore or {})), progress)
    finally:
        context.close()
    return replace(report, findings=found.findings, audit=found.audit)


def rules() -> tuple[RuleInfo, ...]:
    """Every rule that a finding can carry, with its documentation, by id: audits' and checks'."""
    from graphcount.gates.rules import RULES

    return tuple(sorted((*audit_rules(), *RULES.values())))


def audit_rules() -> tuple[RuleInfo, ...]:
    """The rules that an audit runs, by id."""
    from graphcount.auditing.rule import info
    from graphcount.auditing.rules import load_rules

    return tuple(info(module) for module in load_rules())
