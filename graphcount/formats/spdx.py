"""SPDX 3.0.1 with the AI profile, as JSON-LD: models, their files, datasets, findings.

An `ai_AIPackage` a model, which contains a `software_File` with its SHA-256 for the model file and
for each external data file; what the author states it was trained on as a `dataset_DatasetPackage`;
findings of an audit as annotations of the package. Facts are hyperparameters, and the same
properties as in CycloneDX, in the extension that the specification has for those. The same report
gives the same document: its identifiers are made of its content, and its time is SOURCE_DATE_EPOCH
(reproducible-builds.org), or the epoch where that is not set. The document does not claim to
conform to the AI profile, which asks for supplier, license, version and origin: no file proves
these. Specification: spdx.github.io/spdx-spec/v3.0.1.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from graphcount.errors import GraphcountError, UsageError
from graphcount.formats.findings import place
from graphcount.formats.materials import datasets, properties
from graphcount.formats.text import one_line, safe
from graphcount.formats.view import View
from graphcount.ops import lookup
from graphcount.report.finding_rows import Finding
from graphcount.report.records import Report
from graphcount.report.serial import dumps

CONTEXT = "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"
EPOCH = "SOURCE_DATE_EPOCH"
"""Names the seconds since 1970 that a document states as its time."""

CREATION = "_:creation"

PROFILES = ["core", "software", "extension"]
"""Profiles that a document conforms to."""

FAMILIES = {
    "attention": "attention",
    "conv": "convolutional neural network",
    "recurrent": "recurrent neural network",
    "ml": "classical machine learning",
}
"""What a model is because it has operators of a family."""

Element = dict[str, Any]


def render(outcomes: Sequence[Report | GraphcountError], view: View) -> str:
    """Render all models that could be read as one bill of materials.

    Raises:
        UsageError: SOURCE_DATE_EPOCH is no number of seconds.
    """
    reports = [item for item in outcomes if isinstance(item, Report)]
    created = _created(os.environ)
    draft = dumps(_document(reports, "urn:uuid:", created), indent=None)
    base = f"urn:uuid:{uuid5(NAMESPACE_URL, draft)}"
    return dumps(_document(reports, base, created)) + "\n"


def _created(environment: Mapping[str, str]) -> Element:
    stated = environment.get(EPOCH, "")
    try:
        at = datetime.fromtimestamp(int(stated or 0), UTC)
    except (ValueError, OverflowError, OSError):
        at = None
    if at is None or at.year < 1970:
        raise UsageError(f"{EPOCH}: {stated[:40]!r} is no number of seconds since 1970")
    row: Element = {"created": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
    return row if stated else {**row, "comment": f"The time is not stated; {EPOCH} would."}


def _document(reports: Sequence[Report], base: str, created: Element) -> dict[str, Any]:
    """Return the graph: who made it, the document, and the elements of each model in order."""
    models = [f"model-{number}" for number in range(1, len(reports) + 1)]
    inside = [
        element
        for report, name in zip(reports, models, strict=True)
        for element in _elements(report, name, base)
    ]
    creation, *makers = _creation(base, created)
    bill = {
        **_element("software_Sbom", "bom", base),
        "software_sbomType": ["analyzed"],
        "rootElement": [_id(name, base) for name in models],
        "element": [element["spdxId"] for element in inside],
        "profileConformance": PROFILES,
    }
    document = {
        **_element("SpdxDocument", "document", base),
        "rootElement": [bill["spdxId"]],
        "element": [element["spdxId"] for element in (*makers, bill, *inside)],
        "profileConformance": PROFILES,
    }
    return {"@context": CONTEXT, "@graph": [creation, *makers, document, bill, *inside]}


def _creation(base: str, created: Element) -> Iterator[Element]:
    from graphcount.version import __version__

    agent, tool = _id("agent", base), _id("tool", base)
    yield {
        "type": "CreationInfo",
        "@id": CREATION,
        "specVersion": "3.0.1",
        **created,
        "createdBy": [agent],
        "createdUsing": [tool],
    }
    yield {**_element("SoftwareAgent", "agent", base), "name": "graphcount"}
    yield {**_element("Tool", "tool", base), "name": f"graphcount {__version__}"}


def _id(name: str, base: str) -> str:
    """Return the identifier of an element."""
    return f"{base}#{name}"


def _element(kind: str, name: str, base: str) -> Element:
    return {"type": kind, "spdxId": _id(name, base), "creationInfo": CREATION}


def _elements(report: Report, name: str, base: str) -> Iterator[Element]:
    """Yield a model, what it contains, what it was trained on, and what was found in it."""
    yield _package(report, name, base)
    files = list(_files(report, name, base))
    yield from files
    yield _relationship("contains", name, "contains", files, base)
    sets = [
        {
            **_element("dataset_DatasetPackage", f"{name}-dataset-{number}", base),
            "name": text,
            "comment": "As the model's metadata states it.",
            "dataset_datasetType": ["noAssertion"],
        }
        for number, text in enumerate(datasets(report), 1)
    ]
    if sets:
        yield from sets
        yield _relationship("trainedOn", name, "trained-on", sets, base)
    for number, finding in enumerate(report.findings, 1):
        yield {
            **_element("Annotation", f"{name}-finding-{number}", base),
            "annotationType": "review",
            "subject": _id(name, base),
            "statement": _statement(finding),
        }


def _package(report: Report, name: str, base: str) -> Element:
    rows = [*properties(report)]
    entry = {"type": "extension_CdxPropertyEntry"}
    facts = {
        "type": "extension_CdxPropertiesExtension",
        "extension_cdxProperty": [
            {**entry, "extension_cdxPropName": key, "extension_cdxPropValue": value}
            for key, value in rows
        ],
    }
    return {
        **_element("ai_AIPackage", name, base),
        "name": _name(report.model.path),
        "extension": [facts],
        "software_primaryPurpose": "model",
        "ai_typeOfModel": list(_types(report)),
        "ai_hyperparameter": [
            {"type": "DictionaryEntry", "key": key, "value": value}
            for key, value in rows
            if not key.startswith(
                ("graphcount:metadata:", "graphcount:audit:", "graphcount:signature:")
            )
        ],
    }


def _types(report: Report) -> Iterator[str]:
    yield "ONNX graph"
    known = (lookup(row.domain, row.op_type) for row in report.op_types)
    families = {operator.family for operator in known if operator is not None}
    yield from (text for family, text in FAMILIES.items() if family in families)


def _files(report: Report, name: str, base: str) -> Iterator[Element]:
    model = report.model
    rows = [(_name(model.path), model.sha256, "model")]
    for file in model.side_files:
        rows.append((safe(file.location, None) or "(no location)", file.sha256, "data"))
    for number, (text, digest, purpose) in enumerate(rows):
        element = {
            **_element("software_File", f"{name}-file-{number}", base),
            "name": text,
            "software_primaryPurpose": purpose,
        }
        if digest:
            hashed = {"type": "Hash", "algorithm": "sha256", "hashValue": digest}
            element["verifiedUsing"] = [hashed]
        yield element


def _relationship(kind: str, name: str, suffix: str, to: Sequence[Element], base: str) -> Element:
    return {
        **_element("Relationship", f"{name}-{suffix}", base),
        "relationshipType": kind,
        "from": _id(name, base),
        "to": [element["spdxId"] for element in to],
    }


def _statement(finding: Finding) -> str:
    where = place(finding.where)
    text = f"{finding.severity} {finding.rule}: {one_line(finding.message, 2000)}"
    return f"{text}; at {where}" if where else text


def _name(path: str) -> str:
    return safe(os.path.basename(path) or path, None)
