"""SARIF 2.1.0 (OASIS), for code scanning: every finding of every report, with its rule.

Written as plain data: the object library for Python (sarif-om) has had no release since 2019, and
the format is JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphcount.errors import GraphcountError
from graphcount.formats.findings import footnotes
from graphcount.formats.places import clean, fingerprint, limit_place, uri
from graphcount.formats.text import safe
from graphcount.formats.view import View
from graphcount.report.finding_rows import Finding, RuleInfo
from graphcount.report.records import Report
from graphcount.report.serial import dumps

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
BASE = "%SRCROOT%"
"""Id of the folder that relative paths start at: where the program ran, the root of a checkout."""

LEVELS = {"info": "note", "low": "note", "medium": "warning", "high": "error", "critical": "error"}
"""Levels of SARIF by severity."""

SECURITY = {"info": "0.0", "low": "3.0", "medium": "5.5", "high": "8.0", "critical": "9.5"}
"""Scores of GitHub's `security-severity` by severity (its bands: 0.1, 4.0, 7.0, 9.0)."""

LOGICAL = ("node", "tensor", "module")
"""Keys of `where` that name a part of the graph."""


def render(outcomes: Sequence[Report | GraphcountError], view: View) -> str:
    """Render one run.

    A model that could not be read is a notification of the tool, and so is what an audit did not
    look at, or suppressed for a reason.
    """
    from graphcount.version import __version__

    reports = [item for item in outcomes if isinstance(item, Report)]
    errors = [item for item in outcomes if not isinstance(item, Report)]
    pairs = [(report, finding) for report in reports for finding in report.findings]
    used = sorted({finding.rule for _, finding in pairs})
    run = {
        "tool": {
            "driver": {
                "name": "graphcount",
                "version": __version__,
                "rules": [_rule(name, view.rules) for name in used],
            }
        },
        "invocations": [
            {
                "executionSuccessful": not errors and all(map(_is_complete, reports)),
                "toolExecutionNotifications": [
                    *(_notification(error) for error in errors),
                    *(_note(report, text) for report in reports for text in footnotes(report)),
                ],
            }
        ],
        "artifacts": [_artifact(report) for report in reports],
        "results": [
            _result(report, finding, used.index(finding.rule)) for report, finding in pairs
        ],
    }
    return dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}) + "\n"


def message(text: str) -> dict[str, str]:
    """Return a plain message without brackets, which would make links (SARIF 3.11.6)."""
    plain = safe(text, None).replace("\\", "\\\\")
    return {"text": plain.replace("[", "\\[").replace("]", "\\]")}


def _rule(name: str, rules: Mapping[str, RuleInfo]) -> dict[str, Any]:
    rule = rules.get(name)
    if rule is None:
        return {"id": name}
    properties: dict[str, Any] = {"tags": list(rule.tags), "severity": rule.severity}
    if "security" in rule.tags:
        properties["security-severity"] = SECURITY[rule.severity]
    if rule.cves:
        properties["cve"] = list(rule.cves)
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": rule.summary},
        "fullDescription": {"text": rule.summary},
        "help": {"text": rule.help},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
        "properties": properties,
    }


def _result(report: Report, finding: Finding, index: int) -> dict[str, Any]:
    path = report.model.path
    physical: dict[str, Any] = {"artifactLocation": _location(path), "region": _region(finding)}
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": LEVELS[finding.severity],
        "message": message(finding.message),
        "locations": [{"physicalLocation": physical, "logicalLocations": _logical(finding)}],
        "partialFingerprints": {"graphcount/v1": fingerprint(path, finding)},
        "properties": {
            "severity": finding.severity,
            "where": clean(finding.where),
            "evidence": clean(finding.evidence),
        },
    }
    place = limit_place(finding)
    if place is not None:
        related = {"artifactLocation": _location(place.path), "region": {"startLine": place.line}}
        note = {"text": "the limit"}
        result["relatedLocations"] = [{"id": 1, "physicalLocation": related, "message": note}]
    return result


def _region(finding: Finding) -> dict[str, int]:
    """Return the bytes it is about, or the first line: GitHub needs a region."""
    offset = finding.where.get("offset")
    if isinstance(offset, int) and offset >= 0:
        return {"byteOffset": offset}
    return {"startLine": 1}


def _logical(finding: Finding) -> list[dict[str, str]]:
    rows = []
    for kind in LOGICAL:
        name = finding.where.get(kind)
        if isinstance(name, str) and name:
            plain = safe(name, None)
            rows.append({"name": plain, "fullyQualifiedName": plain, "kind": kind})
    return rows


def _location(path: str) -> dict[str, str]:
    address = uri(path)
    return {"uri": address} if address.startswith("file:") else {"uri": address, "uriBaseId": BASE}


def _artifact(report: Report) -> dict[str, Any]:
    model = report.model
    row: dict[str, Any] = {"location": _location(model.path), "length": model.file_nbytes}
    if model.sha256:
        row["hashes"] = {"sha-256": model.sha256}
    return row


def _is_complete(report: Report) -> bool:
    return report.audit is None or report.audit.complete


def _note(report: Report, text: str) -> dict[str, Any]:
    place = {"physicalLocation": {"artifactLocation": _location(report.model.path)}}
    note = {"level": "note", "message": message(text), "descriptor": {"id": "audit"}}
    return {**note, "locations": [place]}


def _notification(error: GraphcountError) -> dict[str, Any]:
    row: dict[str, Any] = {
        "level": "error",
        "message": message(str(error)),
        "descriptor": {"id": error.slug},
    }
    if error.path:
        row["locations"] = [{"physicalLocation": {"artifactLocation": _location(error.path)}}]
    return row
