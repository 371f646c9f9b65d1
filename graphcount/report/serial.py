"""Report ↔ JSON. Strict JSON: ASCII, no NaN, keys in the order of the contract."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from graphcount.credentials import mask_all, may_hold
from graphcount.errors import DamagedError, GraphcountError, Unknown
from graphcount.report.finding_rows import (
    AuditRow,
    CheckRow,
    ContributorRow,
    Finding,
    IgnoredRow,
    SkippedRow,
    VerdictRow,
)
from graphcount.report.pass_rows import (
    ArenaRow,
    AssumedNodeRow,
    AssumedRow,
    DimensionRow,
    MismatchRow,
    MomentRow,
    PeakRow,
    PlaceRow,
    RangeRow,
    RangesRow,
    StateRow,
    StatesRow,
)
from graphcount.report.records import ERROR_SCHEMA, REPORT_SCHEMA, Report
from graphcount.report.rows import (
    DuplicateRow,
    FileRow,
    FingerprintRow,
    FrameworkRow,
    ModelInfo,
    NBytes,
    NodeRow,
    PrecisionRow,
    StorageRow,
    TensorRow,
    Totals,
    UseRow,
    ValueRow,
)
from graphcount.report.signature import SignatureRow
from graphcount.report.sparsity import NodeSparsityRow, SparsityRow, TensorSparsityRow
from graphcount.symbolic import LARGEST_NUMBER
from graphcount.version import __version__

GROUPINGS = ("dtypes", "op_types", "modules")
"""Follow from nodes and tensors; written, never read back."""

KEYS = (
    *("schema", "graphcount", "model", "dims", "totals", *GROUPINGS, "nodes", "tensors"),
    *("framework", "fingerprint", "sparsity", "peak", "timeline", "arena", "states"),
    *("duplicates", "dimensions", "mismatches", "assumed", "ranges", "unknown", "findings"),
    *("audit", "signature", "checks"),
)
"""Keys of a report, in the order of the contract."""

SECTIONS: dict[str, type] = {
    "nodes": NodeRow,
    "tensors": TensorRow,
    "duplicates": DuplicateRow,
    "dimensions": DimensionRow,
    "mismatches": MismatchRow,
    "unknown": Unknown,
    "findings": Finding,
}
"""Lists of a report, by key; the groupings follow from nodes and tensors."""

OPTIONAL: dict[str, type] = {
    "fingerprint": FingerprintRow,
    "sparsity": SparsityRow,
    "peak": PeakRow,
    "arena": ArenaRow,
    "states": StatesRow,
    "assumed": AssumedRow,
    "ranges": RangesRow,
    "audit": AuditRow,
    "signature": SignatureRow,
}
"""Records that are null where nobody asked for them, or nothing is known."""


_SCALARS = frozenset({str, int, bool, float, type(None)})


def plain(value: Any) -> Any:
    """Return a record as dicts, lists and numbers."""
    if isinstance(value, tuple):
        items = [item if type(item) in _SCALARS else plain(item) for item in value]
        names = getattr(value, "_fields", None)
        return items if names is None else dict(zip(names, items, strict=True))
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return value


def to_dict(report: Report) -> dict[str, Any]:
    """Return the report as the JSON object of the contract."""
    whole = outline(report)
    rows = {key: plain(getattr(report, key)) for key in (*GROUPINGS, "nodes", "tensors")}
    return {key: rows.get(key, whole.get(key)) for key in KEYS}


def outline(report: Report) -> dict[str, Any]:
    """Return the JSON object without what grows with the model: groupings, nodes, tensors."""
    whole = {"schema": REPORT_SCHEMA, "graphcount": __version__}
    rest = (key for key in KEYS if key not in (*whole, *GROUPINGS, "nodes", "tensors"))
    return {**whole, **{key: plain(getattr(report, key)) for key in rest}}


def error_dict(error: GraphcountError) -> dict[str, Any]:
    """Return the object that stands for an unreadable model in a list of reports."""
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
    """Write strict, ASCII-only JSON, compact without an indent; credentials are masked."""
    separators = (",", ":") if indent is None else None
    return _masked(
        data, lambda data: json.dumps(data, indent=indent, separators=separators, allow_nan=False)
    )


def report_text(data: Any) -> str:
    """Return the JSON of one or several reports: a line a key, and a line a row of a list.

    Python's encoder is ten times slower where it indents, which reports of many nodes would feel.
    """
    return _masked(data, _several if isinstance(data, list) else _spread)


_COMMAND = re.compile(r"#(?=#(?:vso)?\[)", re.IGNORECASE)
"""`##vso[…]` and `##[…]` are commands of CI runners wherever they are in a line."""


def _masked(data: Any, write: Callable[[Any], str]) -> str:
    text = write(data)
    text = write(mask_all(data)) if may_hold(text) else text
    return inert_json(text)


def inert_json(text: str) -> str:
    """Return JSON in which no string is a command of a CI runner; it means the same."""
    return _COMMAND.sub(r"\\u0023", text) if "##" in text else text


_row = json.JSONEncoder(allow_nan=False).encode


def _several(reports: list[Any]) -> str:
    return "[\n" + ",\n".join(map(_spread, reports)) + "\n]"


def _spread(data: Any, margin: str = "") -> str:
    inner = f"{margin}  "
    if isinstance(data, dict) and data:
        lines = [f"{inner}{_row(str(key))}: {_spread(value, inner)}" for key, value in data.items()]
        return "{\n" + ",\n".join(lines) + f"\n{margin}}}"
    if isinstance(data, list) and data and isinstance(data[0], dict):
        return "[\n" + ",\n".join(inner + _row(item) for item in data) + f"\n{margin}]"
    return _row(data)


def loads(text: str) -> Report:
    """Read a report back.

    Raises:
        DamagedError: Not JSON, or not a report of this version.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"not one JSON object: {error}") from None
    if isinstance(data, list) and len(data) == 1:
        data = data[0]
    if isinstance(data, list) and len(data) > 1:
        raise DamagedError(f"{len(data):,} reports in one file; give one")
    return from_dict(data)


def from_dict(data: Any) -> Report:
    """Return the report of a JSON object; keys that this version does not know are dropped.

    Raises:
        DamagedError: Not a report of this version, or one with missing keys.
    """
    if not isinstance(data, dict) or data.get("schema") != REPORT_SCHEMA:
        schema = data.get("schema") if isinstance(data, dict) else None
        raise DamagedError(f"not a {REPORT_SCHEMA}: schema is {schema!r}")
    try:
        rest: dict[str, Any] = {
            key: tuple(_record(kind, row) for row in _list(data[key]))
            for key, kind in SECTIONS.items()
        }
        if data.get("timeline") is not None:
            rest["timeline"] = tuple(_record(MomentRow, row) for row in _list(data["timeline"]))
        rest["checks"] = tuple(_record(CheckRow, row) for row in data.get("checks", ()))
        for key, kind in OPTIONAL.items():
            if data.get(key):
                rest[key] = _record(kind, data[key])
        return Report(
            model=_record(ModelInfo, data["model"]),
            totals=_record(Totals, data["totals"]),
            dims=_dims(data["dims"]),
            framework=_record(FrameworkRow, data["framework"]),
            **rest,
        )
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedError(f"not a complete {REPORT_SCHEMA}: {error}") from None


def _list(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise TypeError(f"a list is wanted: {str(data)[:40]}")
    return data


def _dims(data: Any) -> dict[str, int]:
    if not _conforms(data, dict[str, int]):
        raise TypeError("dims are not sizes by name")
    return dict(data)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a report, as shipped in the package."""
    from importlib import resources

    text = resources.files("graphcount.report").joinpath("schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


NESTED: dict[tuple[type, str], type] = {
    (ModelInfo, "inputs"): ValueRow,
    (ModelInfo, "outputs"): ValueRow,
    (ModelInfo, "side_files"): FileRow,
    (Totals, "nbytes"): NBytes,
    (Totals, "precision"): PrecisionRow,
    (RangesRow, "measures"): RangeRow,
    (AssumedRow, "inputs"): ValueRow,
    (AssumedRow, "outputs"): ValueRow,
    (AssumedRow, "totals"): Totals,
    (AssumedRow, "nodes"): AssumedNodeRow,
    (AssumedRow, "peak"): PeakRow,
    (AssumedRow, "timeline"): MomentRow,
    (AssumedRow, "arena"): ArenaRow,
    (ArenaRow, "values"): PlaceRow,
    (AssumedRow, "states"): StatesRow,
    (AssumedRow, "unknown"): Unknown,
    (SparsityRow, "tensors"): TensorSparsityRow,
    (SparsityRow, "nodes"): NodeSparsityRow,
    (AuditRow, "skipped"): SkippedRow,
    (AuditRow, "ignored"): IgnoredRow,
    (StatesRow, "rows"): StateRow,
    (TensorRow, "uses"): UseRow,
    (TensorRow, "storage"): StorageRow,
    (CheckRow, "verdicts"): VerdictRow,
    (VerdictRow, "contributors"): ContributorRow,
}
"""Fields that hold records."""


def _record(kind: type, data: dict[str, Any]) -> Any:
    """Return a record of that type; every value has the type of its field.

    Raises:
        TypeError: A value has another type.
    """
    values = {}
    for name, hint in _hints(kind).items():
        nested = NESTED.get((kind, name))
        value = data[name]
        if nested is not None and not (value is None and _conforms(None, hint)):
            is_list = isinstance(value, list)
            field_value: Any = (
                tuple(_record(nested, item) for item in value)
                if is_list
                else _record(nested, value)
            )
            if is_list != (get_origin(hint) is tuple):
                raise TypeError(f"{name} is {'a' if is_list else 'no'} list")
        else:
            field_value = _frozen(value)
            if not _conforms(field_value, hint):
                raise TypeError(f"{name} has the wrong type: {str(value)[:40]}")
        values[name] = field_value
    return kind(**values)


@cache
def _hints(kind: type) -> dict[str, Any]:
    """Return types of a record's fields."""
    return get_type_hints(kind)


def _conforms(value: Any, hint: Any) -> bool:
    """Return whether a value from JSON is of a type; `object` is all that JSON has."""
    if hint is object:
        return True
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return any(_conforms(value, part) for part in inner)
    if origin is tuple:
        if not isinstance(value, tuple):
            return False
        if len(inner) == 2 and inner[1] is Ellipsis:
            return all(_conforms(item, inner[0]) for item in value)
        return len(value) == len(inner) and all(map(_conforms, value, inner))
    if origin is dict:
        return isinstance(value, dict) and all(_conforms(v, inner[1]) for v in value.values())
    return type(value) is hint and (hint is not int or abs(value) < LARGEST_NUMBER)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value


__all__ = ["dumps", "error_dict", "from_dict", "loads", "plain", "schema", "to_dict"]
