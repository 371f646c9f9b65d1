"""What a rule is: an id, a severity, a function; its module's docstring is its documentation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Literal, NamedTuple, Protocol

from graphcount.auditing.context import Context
from graphcount.credentials import mask
from graphcount.errors import Problem
from graphcount.report.finding_rows import Finding, RuleInfo

HEADINGS = ("What it does", "Why it matters", "Example", "What to do", "References")
"""Sections of every rule's docstring, in this order; the last may be missing."""

SECURITY = frozenset({"BKD", "EXT", "FMT", "FUN", "HID", "OPS", "PRV", "RES", "TXT"})
"""Families about what a file can do to its reader; the others are about being right."""

Severity = Literal["info", "low", "medium", "high", "critical"]


class Rule(NamedTuple):
    """One thing an audit looks for.

    Attributes:
        id: Family and number: `EXT002`.
        name: Kebab-case name: `external-data-traversal`.
        severity: Of its findings, unless a finding says otherwise.
        reads_payload: It reads the numbers of tensors or the bytes of external data files, so it
            runs only in a deep audit.
        unasked_nbytes: Bytes of stored tensors up to which a slow one runs unless it is asked for.
    """

    id: str
    name: str
    severity: Severity
    reads_payload: bool = False
    unasked_nbytes: int | None = None

    def finding(
        self,
        message: str,
        where: Mapping[str, object],
        *,
        severity: Severity | None = None,
        **evidence: object,
    ) -> Finding:
        """Return a finding of this rule.

        Args:
            message: What is wrong, one sentence without a full stop; names as they are in the
                model (formats make them safe). Credentials are masked here.
            where: The place: `node`, `tensor`, `value`, `function`, `path`, `offset`, `field`, …
            severity: When it differs from the rule's.
            evidence: Expected and actual numbers, counts, bytes; JSON values only.
        """
        return Finding(
            self.id,
            severity or self.severity,
            mask(message),
            _masked(where),
            _masked(evidence),
        )

    def finding_of(self, problem: Problem, severity: Severity | None = None) -> Finding:
        """Return a finding of this rule about a field of the model that counting met, too."""
        where = {"field": problem.what}
        return self.finding(problem.why, where, severity=severity, **problem.evidence)


def _masked(values: Mapping[str, object]) -> dict[str, object]:
    """Return JSON values with every string in them masked."""
    return {key: _masked_value(value) for key, value in values.items()}


def _masked_value(value: object) -> object:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return _masked(value)
    return [_masked_value(item) for item in value] if isinstance(value, list) else value


class RuleModule(Protocol):
    """A file of `graphcount.auditing.rules`."""

    RULE: Rule
    __doc__: str | None

    def check(self, context: Context) -> Iterable[Finding]:
        """Look at a model and yield findings."""
        ...


def info(module: ModuleType | RuleModule) -> RuleInfo:
    """Return what formats and `graphcount rules` say of a rule: its first line, the whole text."""
    rule: Rule = module.RULE
    text = (module.__doc__ or "").strip()
    summary = text.split("\n", 1)[0].rstrip(".")
    remedy = " ".join(sections(text).get("What to do", "").split())
    deep = rule.reads_payload
    tags = ("security",) if rule.id[:3] in SECURITY else ()
    return RuleInfo(rule.id, rule.name, rule.severity, summary, text, remedy, deep, tags)


def sections(text: str) -> dict[str, str]:
    """Return the sections of a rule's docstring by heading; see `HEADINGS`."""
    parts = re.split(rf"^({'|'.join(HEADINGS)}):\s*$", text, flags=re.MULTILINE)
    return {
        heading: re.sub(r"^ {4}", "", body, flags=re.MULTILINE).strip()
        for heading, body in zip(parts[1::2], parts[2::2], strict=True)
    }
