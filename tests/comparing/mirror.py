"""The mirror of a diff, written from the contract: old and new exchanged, deltas negated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from graphcount.report.diff import Diff
from graphcount.symbolic.text import formula

STATUS = {"added": "removed", "removed": "added", "changed": "changed"}


def mirror(diff: Diff) -> Diff:
    """What the diff of the same two models the other way round must be."""
    rows: dict[str, Any] = {
        name: tuple(_row(row) for row in getattr(diff, name))
        for name in ("totals", "facts", "modules", "op_types", "dtypes", "kinds", "nodes")
    }
    tensors = tuple(_row(row) for row in diff.tensors)
    return replace(diff, old=diff.new, new=diff.old, tensors=tensors, **rows)


def _row(row: Any) -> Any:
    fields = row._asdict()
    changed = {}
    for name, value in fields.items():
        if name.startswith("old"):
            changed[name] = fields["new" + name[3:]]
        elif name.startswith("new"):
            changed[name] = fields["old" + name[3:]]
        elif name == "delta":
            changed[name] = _negated(value)
        elif name == "delta_expression":
            changed[name] = _negated_formula(value)
        elif name == "status":
            changed[name] = STATUS[value]
        elif name == "attributes":
            changed[name] = tuple(_row(item) for item in value)
    return row._replace(**changed)


def _negated(value: Any) -> Any:
    if value is None or isinstance(value, int):
        return value if value is None else -value
    return type(value)(*(None if number is None else -number for number in value))


def _negated_formula(text: str | None) -> str | None:
    if text is None:
        return None
    found = formula(text)
    assert found is not None
    return str(-found)
