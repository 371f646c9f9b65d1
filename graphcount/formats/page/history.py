"""Latencies over time, as the page shows them, from the lines of a history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphcount.errors import UsageError
from graphcount.report.history import HistoryRow, same_sizes

MOST, MAX_INPUTS = 500, 4
"""Measurements that are drawn, the latest; inputs that are named."""


def over_time(rows: Sequence[HistoryRow], path: str, file: str) -> dict[str, Any]:
    """Return the latest measurements of a model, at the sizes of the last one.

    Args:
        rows: The history.
        path: The model, as the history spells it.
        file: The history's own path.

    Raises:
        UsageError: It has nothing of this model.
    """
    own = [row for row in rows if row.model.path == path]
    if not own:
        others = sorted({row.model.path for row in rows})
        raise UsageError(f"a history of {', '.join(others[:3]) or 'nothing'}, not of {path}", file)
    last = own[-1]
    points = [
        {"date": row.date, "commit": row.commit, "p50": row.p50, "low": row.low, "high": row.high}
        for row in same_sizes(own, last)[-MOST:]
    ]
    return {"points": points, "note": _note(last)}


def _note(row: HistoryRow) -> str:
    """Return at which sizes and where the measurements were made."""
    machine = row.machine
    inputs = ", ".join(f"{name} {text}" for name, text in list(row.inputs.items())[:MAX_INPUTS])
    threads = "threads by default" if machine.threads is None else f"threads {machine.threads}"
    where = f"onnxruntime {machine.onnxruntime}, {threads}, {machine.cpu}, {machine.cores} cores"
    return f"{inputs}; {where}" if inputs else where
