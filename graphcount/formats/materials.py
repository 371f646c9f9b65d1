"""What every bill of materials says of a model, whatever the format: facts as names and values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphcount.formats.text import safe
from graphcount.report.records import Report

TOTALS = (
    "parameters",
    "parameters_as_used",
    "buffers",
    "quantization",
    "constants",
    "unused",
    "elements",
    "macs",
    "bit_operations",
)
"""Totals that are facts of a model."""

DATASETS = ("dataset", "datasets", "training_dataset", "training_datasets", "training_data")
"""Keys of metadata under which authors state what a model was trained on; ONNX fixes none."""


def properties(report: Report) -> Iterator[tuple[str, str]]:
    """Yield facts of a model as names and values that can be shown.

    Element types have their tensors, elements and bytes; operand types of matrix work have their
    nodes and MACs, which say what a quantized model computes in integers.
    """
    for name, value in (*_file(report), *_counts(report), *_types(report), *_audit(report)):
        yield f"graphcount:{safe(name)}", safe(str(value), 2000)


def datasets(report: Report) -> tuple[str, ...]:
    """Return what the author states that the model was trained on, in the words of the file."""
    metadata = {key.lower(): value for key, value in report.model.metadata.items()}
    stated = (metadata[key].strip() for key in DATASETS if key in metadata)
    return tuple(dict.fromkeys(safe(text, 2000) for text in stated if text))


def _file(report: Report) -> Iterator[tuple[str, Any]]:
    model = report.model
    yield "format", model.format
    yield "file_nbytes", model.file_nbytes
    yield "external_nbytes", model.external_nbytes
    yield "ir_version", model.ir_version
    for domain, version in model.opset_imports.items():
        yield f"opset:{domain or 'ai.onnx'}", version
    yield "producer", model.producer
    yield "graph_name", model.graph_name
    yield "nodes", model.node_count
    for key, value in model.metadata.items():
        yield f"metadata:{key}", value


def _counts(report: Report) -> Iterator[tuple[str, Any]]:
    totals = report.totals
    for name in TOTALS:
        value = getattr(totals, name)
        if value is not None:
            yield name, value
    yield "nbytes", totals.nbytes.total
    yield "nbytes:quantization", totals.nbytes.quantization
    yield "exact", "false" if totals.lower_bound else "true"


def _types(report: Report) -> Iterator[tuple[str, Any]]:
    for row in report.dtypes:
        yield f"dtype:{row.dtype}:tensors", row.tensors
        yield f"dtype:{row.dtype}:elements", row.elements
        yield f"dtype:{row.dtype}:nbytes", row.nbytes
    for part in report.totals.precision:
        pair = "x".join(part.operand_types) if part.operand_types else "not known"
        yield f"multiplies:{pair}:nodes", part.nodes
        if part.macs is not None:
            yield f"multiplies:{pair}:macs", part.macs


def _audit(report: Report) -> Iterator[tuple[str, Any]]:
    if report.audit is not None:
        yield "audit:complete", "true" if report.audit.complete else "false"
        yield "audit:rules", len(report.audit.rules)
    row = report.signature
    if row is not None and row.verified is not None:
        yield f"signature:{row.method}", "verified" if row.verified else "not verified"
