"""Rows of an audit and of checks, in the words of the JSON contract.

Rules and findings, what an audit did, and what became of each demand.
"""

from __future__ import annotations

import re
from typing import NamedTuple

SEVERITIES = ("info", "low", "medium", "high", "critical")
"""Severities of findings, mildest first."""


class Finding(NamedTuple):
    """Something that should not be so; carries its rule from birth."""

    rule: str
    severity: str
    message: str
    where: dict[str, object]
    evidence: dict[str, object]


class RuleInfo(NamedTuple):
    """What a rule looks for, for formats that publish rules beside findings.

    Attributes:
        id: `EXT002`.
        name: Kebab-case name: `external-data-traversal`.
        severity: Of its findings, unless a finding says otherwise.
        summary: One line.
        help: The whole documentation.
        remedy: What to do about a finding.
        reads_payload: It runs in a deep audit only.
        tags: `security` for rules about hostile models.
    """

    id: str
    name: str
    severity: str
    summary: str
    help: str
    remedy: str = ""
    reads_payload: bool = False
    tags: tuple[str, ...] = ()

    @property
    def cves(self) -> tuple[str, ...]:
        """Ids of published vulnerabilities (cve.org) that its documentation refers to."""
        return tuple(dict.fromkeys(re.findall(r"\bCVE-\d{4}-\d{4,}\b", self.help)))

    @classmethod
    def of(
        cls,
        id: str,
        name: str,
        severity: str,
        summary: str,
        does: str,
        why: str,
        example: str,
        todo: str,
    ) -> RuleInfo:
        """Return a rule whose documentation has the sections of an audit's."""
        sections = {
            "What it does": does,
            "Why it matters": why,
            "Example": example,
            "What to do": todo,
        }
        text = "\n\n".join(f"{heading}:\n    {body}" for heading, body in sections.items())
        return cls(id, name, severity, summary, f"{summary}.\n\n{text}", todo)


class SkippedRow(NamedTuple):
    """A rule that did not run, and why."""

    rule: str
    why: str


class IgnoredRow(NamedTuple):
    """Rules that were ignored (an id or its beginning), why, and how many findings that hid."""

    rule: str
    reason: str
    findings: int


class AuditRow(NamedTuple):
    """What an audit did.

    Attributes:
        rules: Ids of the rules that ran.
        skipped: Rules that did not.
        ignored: Rules whose findings were suppressed.
        complete: No rule failed.
    """

    rules: tuple[str, ...]
    skipped: tuple[SkippedRow, ...]
    ignored: tuple[IgnoredRow, ...]
    complete: bool


class ContributorRow(NamedTuple):
    """A module, node, tensor or operator, and its part of a measure."""

    name: str
    number: int


class VerdictRow(NamedTuple):
    """What became of one demand of a check.

    Attributes:
        rule: The rule it keeps or breaks: `BUD001`.
        measure: Name of the measure, or of the list: `operators`.
        kept: Whether the demand is met; only by what is known exactly.
        value: The measured number; None when it is not known, or the demand is a list.
        unit: `count`, `bytes` or `time` (nanoseconds).
        bound: `max`, `min`, `max_increase` or `allowed`.
        limit: The limit in the same unit.
        written: The limit as the user wrote it.
        message: One sentence with exact numbers.
        note: The user's text for a failure.
        origin: Where the limit lives: `graphcount.toml:12` or `--max`.
        where: The check, the measure, and the node or tensor it is about.
        contributors: The largest parts of the value.
        base: The value before, where there is something to compare with and it is known there.
    """

    rule: str
    measure: str
    kept: bool
    severity: str
    value: int | None
    unit: str
    bound: str
    limit: int | None
    written: str
    message: str
    note: str
    origin: str
    where: dict[str, object]
    contributors: tuple[ContributorRow, ...]
    base: int | None = None

    @property
    def is_new(self) -> bool:
        """Whether it limits growth, and there was no such model before."""
        return self.bound == "max_increase" and self.kept and self.limit is None


class CheckRow(NamedTuple):
    """A check that was made of a model."""

    name: str
    origin: str
    verdicts: tuple[VerdictRow, ...]
