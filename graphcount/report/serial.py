"""Report ↔ JSON. Strict JSON: ASCII, no NaN, keys in the order of the contract."""

from __future__ import annotations

import json
from typing import Any

from graphcount.errors import DamagedError, GraphcountError, Unknown
from graphcount.report.records import (
    ERROR_SCHEMA,
    SCHEMA,
    AuditRow,
    CacheInputRow,
    DuplicateRow,
    FileRow,
    Finding,
    FrameworkRow,
    IgnoredRow,
    KVCacheRow,
    ModelInfo,
    NBytes,
    NodeRow,
    PeakRow,
    Report,
    SkippedRow,
    StorageRow,
    TensorRow,
    Totals,
    UseRow,
    ValueRow,
)

SECTIONS: dict[str, type] = {
    "nodes": NodeRow,
    "tensors": TensorRow,
    "duplicates": DuplicateRow,
    "unknown": Unknown,
    "findings": Finding,
}
"""Lists of a report, by key; the groupings follow from nodes and tensors."""


def plain(value: Any) -> Any:
    """A record as dicts, lists and numbers."""
    if isinstance(value, tuple):
        names = getattr(value, "_fields", None)
        if names is not None:
            return {name: plain(item) for name, item in zip(names, value, strict=True)}
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return value


def to_dict(report: Report) -> dict[str, Any]:
    """The report as the JSON object of the contract."""
    from graphcount import __version__

    return {
        "schema": SCHEMA,
        "graphcount": __version__,
        "model": plain(report.model),
        "dims": dict(report.dims),
        "totals": plain(report.totals),
        "dtypes": plain(report.dtypes),
        "op_types": plain(report.op_types),
        "modules": plain(report.modules),
        "nodes": plain(report.nodes),
        "tensors": plain(report.tensors),
        "framework": plain(report.framework),
        "peak": plain(report.peak),
        "kv_cache": plain(report.kv_cache),
        "duplicates": plain(report.duplicates),
        "unknown": plain(report.unknown),
        "findings": plain(report.findings),
        "audit": plain(report.audit),
    }


def error_dict(error: GraphcountError) -> dict[str, Any]:
    """What a model that could not be read becomes in a list of reports."""
    return {
        "schema": ERROR_SCHEMA,
        "model": {"path": error.path},
        "error": {
            "slug": error.slug,
            "rule": error.rule or None,
            "message": error.message,
            "offset": error.offset,
        },
    }


def dumps(data: Any, indent: int | None = 2) -> str:
    """Strict, ASCII-only JSON."""
    return json.dumps(data, indent=indent, allow_nan=False, ensure_ascii=True)


def loads(text: str) -> Report:
    """Read a report back.

    Raises:
        DamagedError: Not JSON, or not a report of this version.
    """
    try:
        data = json.loads(text)
    except ValueError as error:
        raise DamagedError(f"not JSON: {error}") from None
    return from_dict(data)


def from_dict(data: Any) -> Report:
    """The report of a JSON object; keys that this version does not know are dropped.

    Raises:
        DamagedError: Not a report of this version, or one with missing keys.
    """
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        found = data.get("schema") if isinstance(data, dict) else None
        raise DamagedError(f"not a {SCHEMA}: schema is {found!r}")
    try:
        return Report(
            model=_record(ModelInfo, data["model"]),
            totals=_record(Totals, data["totals"]),
            dims=dict(data["dims"]),
            framework=_record(FrameworkRow, data["framework"]),
            peak=_record(PeakRow, data["peak"]) if data["peak"] else None,
            audit=_record(AuditRow, data["audit"]) if data.get("audit") else None,
            kv_cache=_record(KVCacheRow, data["kv_cache"]) if data.get("kv_cache") else None,
            **{
                key: tuple(_record(kind, row) for row in data[key])
                for key, kind in SECTIONS.items()
            },
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedError(f"not a complete {SCHEMA}: {error}") from None


def schema() -> dict[str, Any]:
    """The JSON Schema of a report, as shipped in the package."""
    from importlib import resources

    text = resources.files("graphcount.report").joinpath("schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


NESTED: dict[tuple[type, str], type] = {
    (ModelInfo, "inputs"): ValueRow,
    (ModelInfo, "outputs"): ValueRow,
    (ModelInfo, "side_files"): FileRow,
    (Totals, "nbytes"): NBytes,
    (AuditRow, "skipped"): SkippedRow,
    (AuditRow, "ignored"): IgnoredRow,
    (KVCacheRow, "inputs"): CacheInputRow,
    (TensorRow, "uses"): UseRow,
    (TensorRow, "storage"): StorageRow,
}
"""Fields that hold records."""


def _record(kind: type, data: dict[str, Any]) -> Any:
    values = {}
    for name in kind._fields:  # type: ignore[attr-defined]
        nested = NESTED.get((kind, name))
        value = data[name]
        if nested is None:
            values[name] = _frozen(value)
        elif isinstance(value, list):
            values[name] = tuple(_record(nested, item) for item in value)
        else:
            values[name] = _record(nested, value)
    return kind(**values)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


__all__ = ["dumps", "error_dict", "from_dict", "loads", "plain", "schema", "to_dict"]
