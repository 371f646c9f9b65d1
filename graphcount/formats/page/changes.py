"""What a diff says, as the rows of the page: every module, node and tensor that is not the same.

Reads the diff's JSON object, so that saved diffs will do. Its modules are without what is below
them; here each has the sums of all below it, as the map draws it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphcount.domains import operator_name

MEASURES = ("parameters", "nbytes", "macs")


def changes(diff: Mapping[str, Any]) -> dict[str, Any]:
    """Return rows of differences: tensors and nodes in the diff's order, then modules."""
    rows = [_row("tensor", change) for change in diff["tensors"]]
    rows += [_row("node", change) for change in diff["nodes"]]
    return {"rows": [*rows, *_modules(diff["modules"])], "notes": list(diff.get("notes", ()))}


def _row(level: str, change: Mapping[str, Any]) -> dict[str, Any]:
    old, new = change["old"], change["new"]
    name = "id" if level == "node" else "name"
    row: dict[str, Any] = {
        "level": level,
        "status": change["status"],
        "name": (new or old)[name],
        "delta": {measure: change["delta"].get(measure) for measure in MEASURES},
        "what": _what(level, change),
    }
    if old and new and old[name] != new[name]:
        row["before"] = old[name]
    return row


def _what(level: str, change: Mapping[str, Any]) -> str:
    """Return `retyped: float32 to int8`, `operator: Relu to Gelu`."""
    old, new = change["old"], change["new"]
    if not (old and new):
        side = old or new
        return f"{side['dtype']} {_shape(side['shape'])}" if level == "tensor" else _operator(side)
    pairs = {
        "retyped": (old.get("dtype"), new.get("dtype")),
        "reshaped": (_shape(old.get("shape")), _shape(new.get("shape"))),
        "kind": (old.get("kind"), new.get("kind")),
        "operator": (_operator(old), _operator(new)),
    }
    words = []
    for key in change["changes"]:
        before, after = pairs.get(key, (None, None))
        known = before and after and before != after
        words.append(f"{key}: {before} to {after}" if known else key)
    return "; ".join(words)


def _shape(shape: Any) -> str:
    return f"[{', '.join(map(str, shape))}]" if shape is not None else ""


def _operator(side: Mapping[str, Any]) -> str:
    return operator_name(side.get("domain", ""), side.get("op_type", ""))


def _modules(groups: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    sums: dict[str, dict[str, int]] = {}
    status: dict[str, str] = {}
    for group in groups:
        path = group["new_name"] if group["new_name"] is not None else group["old_name"]
        if group["new_name"] is None or group["old_name"] is None:
            status[path] = "added" if group["old_name"] is None else "removed"
        while path:
            row = sums.setdefault(path, dict.fromkeys(MEASURES, 0))
            for measure in MEASURES:
                row[measure] += group["delta"][measure] or 0
            path = path.rpartition(".")[0]
    for path in sorted(sums):
        yield {
            "level": "module",
            "status": status.get(path, "changed"),
            "name": path,
            "delta": sums[path],
            "what": "",
        }
