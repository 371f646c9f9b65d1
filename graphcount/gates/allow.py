"""Allow lists: which element types, operators, domains and opsets a model may have."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from graphcount.domains import STANDARD
from graphcount.gates.budgets import Origin, Standing
from graphcount.gates.contributors import TOP, is_node, operator
from graphcount.gates.subject import Subject
from graphcount.report.finding_rows import ContributorRow, VerdictRow
from graphcount.units import exact


class Ignored(NamedTuple):
    """A rule that does not apply to nodes or tensors whose name matches `where`."""

    rule: str
    where: str
    reason: str


class AllowList(NamedTuple):
    """Names that are allowed, or those that are not.

    Attributes:
        key: The list: a key of `LISTS`.
        names: Names in it.
        forbids: The list says what must not be there.
    """

    key: str
    names: frozenset[str]
    origin: Origin
    forbids: bool = False


class OpsetRange(NamedTuple):
    """The opset of the standard operators, from `low` to `high`; None leaves a side open."""

    low: int | None
    high: int | None
    origin: Origin


class ListRow(NamedTuple):
    """What a list is about: its rule, its word, and whether it names tensors or nodes."""

    rule: str
    word: str
    about: str


LISTS: dict[str, ListRow] = {
    "dtypes": ListRow("BUD010", "element type", "tensor"),
    "operators": ListRow("BUD011", "operator", "node"),
    "forbidden_operators": ListRow("BUD011", "operator", "node"),
    "domains": ListRow("BUD012", "domain", "node"),
}
"""Every list by its key in a configuration."""


def judge_list(
    subject: Subject, allow: AllowList, ignored: Iterable[Ignored], standing: Standing
) -> list[VerdictRow]:
    """Return one verdict for each name that is not allowed, or one that all are."""
    row = LISTS[allow.key]
    doubts = subject.report.doubts
    patterns = [entry.where for entry in ignored if entry.rule == row.rule]
    by_name: dict[str, list[str]] = {}
    for name, owner in _named(subject, allow.key):
        if (name in allow.names) == allow.forbids and not _matches(owner, patterns):
            by_name.setdefault(name, []).append(owner)
    verdicts = [_refused(name, owners, allow, standing) for name, owners in sorted(by_name.items())]
    if verdicts:
        return verdicts
    seen = sorted({name for name, _ in _named(subject, allow.key)})
    if doubts:
        first = doubts[0]
        why = f"{first.where}: {first.what}: {first.why}"
        message = f"{allow.key} are not all known: {why}"
        return [_row("BUD002", message, allow, standing, kept=False)]
    message = f"{allow.key} {', '.join(seen) or 'none'}"
    return [_row(row.rule, message, allow, standing, kept=True)]


def judge_opset(subject: Subject, demand: OpsetRange, standing: Standing) -> VerdictRow:
    """Return whether the opset of the standard operators is within the range."""
    opset = subject.report.model.opset_imports.get("")
    low, high = demand.low, demand.high
    written = f"{'' if low is None else low}..{'' if high is None else high}"
    allow = AllowList("opset", frozenset(), demand.origin)
    if opset is None:
        message = f"opset is not known: no {STANDARD} is imported (allowed {written})"
        return _row("BUD002", message, allow, standing, kept=False, written=written)
    kept = (low is None or opset >= low) and (high is None or opset <= high)
    message = f"opset {opset} is {'within' if kept else 'outside'} {written}"
    row = _row("BUD013", message, allow, standing, kept=kept, written=written)
    return row._replace(value=opset, limit=high if low is None or opset >= low else low)


def _named(subject: Subject, key: str) -> Iterable[tuple[str, str]]:
    """Yield the names that the list is about, with the tensor or node that has each."""
    report = subject.report
    if key == "dtypes":
        return ((row.dtype, row.name) for row in report.tensors)
    if key == "domains":
        return ((n.domain or STANDARD, n.id) for n in report.nodes if is_node(n))
    return ((operator(node), node.id) for node in report.nodes if is_node(node))


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _refused(name: str, owners: list[str], allow: AllowList, standing: Standing) -> VerdictRow:
    row = LISTS[allow.key]
    more = f" and {exact(len(owners) - 1)} more" if len(owners) > 1 else ""
    verb = "forbidden" if allow.forbids else "not allowed"
    message = f"{row.word} {name} is {verb}: {row.about} {owners[0]}{more}"
    verdict = _row(row.rule, message, allow, standing, kept=False)
    where = {**verdict.where, row.about: owners[0], "name": name, "count": len(owners)}
    first = tuple(ContributorRow(owner, 1) for owner in owners[:TOP])
    return verdict._replace(value=len(owners), where=where, contributors=first)


def _row(
    rule: str,
    message: str,
    allow: AllowList,
    standing: Standing,
    *,
    kept: bool,
    written: str | None = None,
) -> VerdictRow:
    return VerdictRow(
        rule=rule,
        measure=allow.key,
        kept=kept,
        severity=standing.severity,
        value=None,
        unit="count",
        bound="allowed",
        limit=None,
        written=", ".join(sorted(allow.names)) if written is None else written,
        message=message,
        note="",
        origin=allow.origin.text,
        where={"check": standing.check, "measure": allow.key, "limit": allow.origin.place},
        contributors=(),
    )
