"""The rules that findings can carry."""

from __future__ import annotations

from collections.abc import Sequence

from graphcount.api.arguments import several
from graphcount.report.finding_rows import RuleInfo


def rules(names: Sequence[str] = ()) -> tuple[RuleInfo, ...]:
    """Return the rules that a finding can carry: of audits, checks, deployments, signatures.

    Args:
        names: Ids, or their beginnings (`EXT`); empty for all.
    """
    from graphcount.deploying.rules import RULES as DEPLOYMENT_RULES
    from graphcount.gates.rules import RULES
    from graphcount.signing.rules import RULES as SIGNATURE_RULES

    tables = (RULES, DEPLOYMENT_RULES, SIGNATURE_RULES)
    known = tuple(sorted((*audit_rules(), *(rule for rows in tables for rule in rows.values()))))
    return tuple(rule for rule in known if rule.id.startswith(several(names))) if names else known


def audit_rules() -> tuple[RuleInfo, ...]:
    """Return the rules that an audit runs, by id."""
    from graphcount.auditing.rule import info
    from graphcount.auditing.rules import load_rules

    return tuple(info(module) for module in load_rules())
