"""CycloneDX 1.6, a machine-learning bill of materials: models, external data files, findings.

One component a model (`machine-learning-model`) with its SHA-256, its external data files as
components of their own, inputs and outputs in the model card, counts as properties `graphcount:*`;
findings are vulnerabilities that affect the component. The same report gives the same document:
there is no time in it and its serial number is made of its content. Specification:
cyclonedx.org, ECMA-424.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from graphcount.errors import GraphcountError
from graphcount.formats.findings import place
from graphcount.formats.materials import datasets, properties
from graphcount.formats.text import one_line, safe, shape
from graphcount.formats.view import View
from graphcount.report.finding_rows import Finding
from graphcount.report.records import Report
from graphcount.report.rows import ValueRow
from graphcount.report.serial import dumps

CYCLONEDX_SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"


def render(outcomes: Sequence[Report | GraphcountError], view: View) -> str:
    """Render all models that could be read as one bill of materials."""
    reports = [item for item in outcomes if isinstance(item, Report)]
    refs = [f"model-{number}" for number in range(1, len(reports) + 1)]
    document: dict[str, Any] = {
        "$schema": CYCLONEDX_SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"tools": {"components": [_tool()]}},
        "components": [_model(report, ref) for report, ref in zip(reports, refs, strict=True)],
    }
    vulnerabilities = [
        _vulnerability(finding, f"{ref}-finding-{number}", ref, view)
        for report, ref in zip(reports, refs, strict=True)
        for number, finding in enumerate(report.findings, 1)
    ]
    if any(report.audit is not None for report in reports):
        document["vulnerabilities"] = vulnerabilities
    serial = uuid5(NAMESPACE_URL, dumps(document, indent=None))
    return dumps({**document, "serialNumber": f"urn:uuid:{serial}"}) + "\n"


def _tool() -> dict[str, Any]:
    from graphcount.version import __version__

    return {"type": "application", "name": "graphcount", "version": __version__}


def _model(report: Report, ref: str) -> dict[str, Any]:
    model = report.model
    component: dict[str, Any] = {
        "type": "machine-learning-model",
        "bom-ref": ref,
        "name": safe(os.path.basename(model.path) or model.path, None),
        "properties": [_property(*pair) for pair in properties(report)],
        "modelCard": {"modelParameters": _parameters(report)},
    }
    if model.sha256:
        component["hashes"] = [_sha256(model.sha256)]
    files = []
    for number, file in enumerate(model.side_files, 1):
        part: dict[str, Any] = {
            "type": "file",
            "bom-ref": f"{ref}-file-{number}",
            "name": safe(file.location, None) or "(no location)",
        }
        if file.sha256:
            part["hashes"] = [_sha256(file.sha256)]
        if file.nbytes is not None:
            part["properties"] = [_property("graphcount:nbytes", str(file.nbytes))]
        files.append(part)
    if files:
        component["components"] = files
    return component


def _parameters(report: Report) -> dict[str, Any]:
    """Return what a model takes and returns, and the data that its author names."""
    parameters: dict[str, Any] = {
        "inputs": [_value(row) for row in report.model.inputs],
        "outputs": [_value(row) for row in report.model.outputs],
    }
    stated = datasets(report)
    if stated:
        parameters["datasets"] = [{"type": "dataset", "name": name} for name in stated]
    return parameters


def _property(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value}


def _sha256(digest: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest}


def _value(row: ValueRow) -> dict[str, str]:
    """Return a graph input or output, as the format the schema has a field for."""
    return {"format": f"{safe(row.name)}: {row.dtype}{shape(row.shape)}"}


def _vulnerability(finding: Finding, ref: str, component: str, view: View) -> dict[str, Any]:
    info = view.rules.get(finding.rule)
    vulnerability: dict[str, Any] = {
        "bom-ref": ref,
        "id": finding.rule,
        "source": {"name": "graphcount"},
        "ratings": [{"severity": finding.severity, "method": "other"}],
        "description": one_line(finding.message, 2000),
        "affects": [{"ref": component}],
    }
    where = place(finding.where)
    if where:
        vulnerability["detail"] = f"at {where}"
    if info and info.remedy:
        vulnerability["recommendation"] = info.remedy
    if info and info.cves:
        vulnerability["references"] = [
            {"id": cve, "source": {"name": "CVE", "url": f"https://www.cve.org/CVERecord?id={cve}"}}
            for cve in info.cves
        ]
    return vulnerability
