"""Measured times, as the page shows them, from the JSON of `graphcount bench`."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from graphcount.errors import DamagedError
from graphcount.formats.page.data import MAX_SAFE
from graphcount.report.bench import BENCH_SCHEMA


def times(data: Any, nodes: Container[str] | None = None) -> dict[str, Any]:
    """Return the time of each measured node with the nodes of the file it stands for, and sizes.

    Args:
        data: A result, or a list of results: the first with times of nodes of the model counts.
        nodes: Ids of the model's nodes; None: any.

    Raises:
        DamagedError: Not a result of a benchmark, one without times of nodes, or of another model.
    """
    timed = False
    for result in data if isinstance(data, list) else [data]:
        if not isinstance(result, Mapping) or result.get("schema") != BENCH_SCHEMA:
            raise DamagedError(f"not a {BENCH_SCHEMA}")
        rows = [row for row in map(_row, result.get("nodes") or ()) if row]
        if rows and (nodes is None or any(id in nodes for row in rows for id in row["ids"])):
            return {"nodes": rows, "note": _note(result), "sizes": _sizes(result)}
        timed = timed or bool(rows)
    if timed:
        raise DamagedError("a benchmark of another model: no timed node is in this one")
    raise DamagedError("no node was timed: measure with a profile of the operators")


def _row(row: Any) -> dict[str, Any] | None:
    """Return a row that names its operator and its time; others are left out."""
    if not isinstance(row, Mapping):
        return None
    seconds = row.get("time_s")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds >= 0:
        return None
    sources = row.get("sources")
    ids = [item for item in sources if isinstance(item, str)] if isinstance(sources, list) else []
    op_type = row.get("op_type")
    return {
        "ids": ids or [str(row.get("name", ""))],
        "op_type": op_type if isinstance(op_type, str) else "",
        "seconds": float(seconds),
    }


def _sizes(result: Mapping[str, Any]) -> dict[str, int]:
    """Return the sizes of dynamic dimensions at which it was measured."""
    rows = (result.get("assumed"), result.get("dims"))
    return {
        str(name): size
        for row in rows
        if isinstance(row, Mapping)
        for name, size in row.items()
        if type(size) is int and 0 <= size <= MAX_SAFE
    }


def _note(result: Mapping[str, Any]) -> str:
    """Return who computed, and on what."""
    provider, environment = result.get("provider"), result.get("environment")
    parts = [
        provider.get("requested") if isinstance(provider, Mapping) else None,
        environment.get("cpu") if isinstance(environment, Mapping) else None,
    ]
    return ", ".join(part for part in parts if isinstance(part, str))
