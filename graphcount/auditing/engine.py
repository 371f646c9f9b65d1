"""Runs rules over a model: which, in what order, and what becomes of one that fails."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from graphcount.auditing.context import Context
from graphcount.auditing.rule import Rule, RuleModule
from graphcount.auditing.rules import int001_rule_failed, load_rules
from graphcount.errors import GraphcountError, UsageError
from graphcount.report.finding_rows import SEVERITIES, AuditRow, Finding, IgnoredRow, SkippedRow
from graphcount.units import nbytes

KEPT_PER_RULE = 20
"""Findings of one rule that are kept; the last one tells how many more there were."""


class Selection(NamedTuple):
    """Which rules run, and which findings are suppressed.

    Attributes:
        select: Ids or beginnings of ids (`EXT`, `EXT002`); empty for all.
        ignore: Ids or beginnings of ids, with the reason they are ignored for.
    """

    select: tuple[str, ...] = ()
    ignore: Mapping[str, str] = {}


class Audited(NamedTuple):
    """Findings of an audit, worst first, and what it did."""

    findings: tuple[Finding, ...]
    audit: AuditRow


def audit(
    context: Context,
    selection: Selection = Selection(),  # noqa: B008 (immutable)
    progress: Callable[[str], None] = lambda rule: None,
) -> Audited:
    """Run the selected rules over a model.

    Args:
        context: The model.
        selection: Rules to run and to ignore.
        progress: Told the id of each rule before it runs.

    Raises:
        UsageError: The selection names no rule.
    """
    modules = load_rules()
    refuse_unknown((*selection.select, *selection.ignore), [m.RULE.id for m in modules])
    kept: list[Finding] = []
    ran, skipped, failed = [], [], False
    suppressed: Counter[str] = Counter()
    for module in modules:
        rule = module.RULE
        if not rule.id.startswith(selection.select or ""):
            continue
        if why := _not_run(rule, context):
            skipped.append(SkippedRow(rule.id, why))
            continue
        progress(rule.id)
        findings, whole, lacking = _run(module, context)
        failed |= not whole
        if lacking:
            skipped.append(SkippedRow(rule.id, f"the package {lacking} is not installed"))
        else:
            ran.append(rule.id)
        if (pattern := _match(rule.id, selection.ignore)) is None:
            kept += findings
        else:
            suppressed[pattern] += len(findings)
    ignored = tuple(
        IgnoredRow(pattern, reason, suppressed[pattern])
        for pattern, reason in selection.ignore.items()
    )
    row = AuditRow(tuple(ran), tuple(skipped), ignored, not failed)
    return Audited(tuple(sorted(kept, key=_order)), row)


SMALL_NBYTES = 1 << 16
"""A slow rule takes as long for a small tensor as for so many bytes of a large one."""


def _not_run(rule: Rule, context: Context) -> str:
    """Return why a rule does not run; empty when it does."""
    if rule.reads_payload and not context.deep:
        return "tensors were not read; --deep reads them"
    if rule.unasked_nbytes is not None and context.unasked:
        held = sum(max(stored.nbytes, SMALL_NBYTES) for stored in context.stored)
        if held > rule.unasked_nbytes:
            most = nbytes(rule.unasked_nbytes)
            return f"it is slow, and there are more than {most} of tensors, or many; --deep runs it"
    return ""


def _run(module: RuleModule, context: Context) -> tuple[list[Finding], bool, str]:
    """Return the findings of a rule, whether it came to its end, and the package that it lacks.

    That it failed is a finding, too; that a package is not installed (in a browser) is none.
    """
    findings: list[Finding] = []
    more = 0
    try:
        for finding in module.check(context):
            if len(findings) < KEPT_PER_RULE:
                findings.append(finding)
            else:
                more += 1
    except GraphcountError as error:
        return [*findings, int001_rule_failed.not_finished(module.RULE, str(error))], False, ""
    except ModuleNotFoundError as error:
        return findings, False, error.name or "that it needs"
    except (Exception, RecursionError) as error:
        why = f"{type(error).__name__}: {error}"
        return [*findings, int001_rule_failed.not_finished(module.RULE, why)], False, ""
    if more:
        last = findings[-1]
        findings[-1] = last._replace(
            message=f"{last.message}; and {more} more of {module.RULE.id}",
            evidence={**last.evidence, "more": more},
        )
    return findings, True, ""


def _match(rule: str, patterns: Iterable[str]) -> str | None:
    return next((pattern for pattern in patterns if rule.startswith(pattern)), None)


def refuse_unknown(patterns: Sequence[str], known: Sequence[str]) -> None:
    """Refuse patterns that fit no rule.

    Raises:
        UsageError: One does; the message names the nearest.
    """
    for pattern in patterns:
        if not pattern or not any(rule.startswith(pattern) for rule in known):
            near = get_close_matches(pattern, known, 1)
            hint = f"; did you mean {near[0]}?" if near else "; see graphcount rules"
            raise UsageError(f"{pattern!r} is no rule{hint}")


def _order(finding: Finding) -> tuple[int, str, str]:
    return -SEVERITIES.index(finding.severity), finding.rule, finding.message
