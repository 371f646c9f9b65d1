"""Latencies over time: one JSON line a measurement, to be committed beside the model.

    {"schema": "graphcount.history/1", "graphcount": "1.0", "date": "2026-12-01T10:00:00Z",
     "commit": "3f2a…", "model": {"path": "a.onnx", "sha256": "…", "architecture": "…"},
     "machine": {"cpu": "…", "cores": 2, "system": "Linux x86_64", "onnxruntime": "1.32.0",
     "provider": "CPUExecutionProvider", "threads": 1, …}, "inputs": {"x": "float32 1x3x32x32"},
     "runs": 1000, "min": 0.0011, "p50": 0.0012, "low": 0.0012, "high": 0.0013, "versus": null,
     "ratio": null}

Times are seconds. A history is of one model on one machine; it may have it at several sizes.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from graphcount.errors import DamagedError, UsageError
from graphcount.report.bench import Trend
from graphcount.version import __version__

HISTORY_SCHEMA = "graphcount.history/1"

LATEST = 20
"""A measurement is held beside so many before it."""


class MeasuredModel(NamedTuple):
    """Which model was measured.

    Attributes:
        path: Relative to the history, with `/`.
        sha256: Of the file and its external data files.
        architecture: Digest of its architecture; None where it needs data that cannot be read.
    """

    path: str
    sha256: str | None
    architecture: str | None


class Machine(NamedTuple):
    """Where and how it was measured: what makes two latencies comparable."""

    cpu: str
    cores: int
    system: str
    onnxruntime: str
    provider: str
    threads: int | None
    inter_threads: int | None
    optimization: str
    concurrency: int
    sessions: int


class HistoryRow(NamedTuple):
    """One measurement.

    Attributes:
        date: UTC, ISO 8601, to the second.
        commit: Revision of the repository; None where nobody says.
        inputs: Element type and shape of each input.
        runs: Timed runs.
        min: Seconds of the fastest.
        p50: Their median.
        low: Lower bound of the median (95 %); None with fewer than six runs.
        high: Upper bound.
        versus: The model it was compared with.
        ratio: Its latency by that of the other.
    """

    date: str
    commit: str | None
    model: MeasuredModel
    machine: Machine
    inputs: dict[str, str]
    runs: int
    min: float
    p50: float
    low: float | None = None
    high: float | None = None
    versus: str | None = None
    ratio: float | None = None


def line_of(row: HistoryRow) -> str:
    """Return a measurement as its line of the file."""
    fields = {**row._asdict(), "model": row.model._asdict(), "machine": row.machine._asdict()}
    return f"{json.dumps({'schema': HISTORY_SCHEMA, 'graphcount': __version__, **fields})}\n"


def rows_of(text: str, file: str) -> list[HistoryRow]:
    """Read a history.

    Raises:
        DamagedError: A line is none; names file and line.
    """
    rows = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            data = json.loads(line)
        except (ValueError, RecursionError):
            raise DamagedError(f"line {number} is not JSON", file) from None
        if not isinstance(data, dict) or data.get("schema") != HISTORY_SCHEMA:
            raise DamagedError(f"line {number} is not a {HISTORY_SCHEMA}", file)
        try:
            rows.append(_row(data))
        except (KeyError, TypeError, ValueError) as error:
            why = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise DamagedError(f"line {number} is damaged: {why}", file) from None
    return rows


def refuse_others(rows: Sequence[HistoryRow], row: HistoryRow, file: str) -> None:
    """Refuse a history of another model or machine.

    A model is the same when its path and its inputs are, or its architecture or its bytes.

    Raises:
        UsageError: Names the line.
    """
    for number, before in enumerate(rows, 1):
        own, other = row.model, before.model
        same = own.path == other.path and _kinds(row) == _kinds(before)
        if not same and own.sha256 != other.sha256 and own.architecture != other.architecture:
            model = other.path if other.path != own.path else f"another {other.path}"
            why = f"line {number} is of {model}, and this is {own.path}: a history is of one model"
            raise UsageError(why, file)
        for name, then, now in zip(Machine._fields, before.machine, row.machine, strict=True):
            if then != now:
                raise UsageError(
                    f"line {number} is of another machine, {name} {then} and here {now}: a history"
                    " is of one",
                    file,
                )


def same_sizes(rows: Sequence[HistoryRow], row: HistoryRow) -> list[HistoryRow]:
    """Return the measurements with the same inputs."""
    return [before for before in rows if before.inputs == row.inputs]


def trend(rows: Sequence[HistoryRow], row: HistoryRow, file: str) -> Trend:
    """Return how a measurement stands beside those before it."""
    before = same_sizes(rows, row)
    latest = [past.p50 for past in before[-LATEST:]]
    ratio = row.p50 / statistics.median(latest) if latest else None
    slower_than = sum(past < row.p50 for past in latest)
    since = before[0].date if before else None
    return Trend(file, len(before), since, ratio, slower_than, len(latest))


def _kinds(row: HistoryRow) -> dict[str, str]:
    """Return the element type and rank of each input."""
    return {name: " ".join(_kind(text)) for name, text in row.inputs.items()}


def _kind(text: str) -> tuple[str, str]:
    dtype, _, shape = text.partition(" ")
    return dtype, str(len(shape.split("x")) if shape else 0)


def _row(data: dict[str, Any]) -> HistoryRow:
    """Return a line as its record.

    Raises:
        KeyError: A field is missing.
        TypeError: One is something else than it must be.
        ValueError: It is no time.
    """
    model = _record(MeasuredModel, data["model"], {"path": str}, str | None)
    whole = dict.fromkeys(("cores", "concurrency", "sessions"), int)
    threads = dict.fromkeys(("threads", "inter_threads"), int | None)
    machine = _record(Machine, data["machine"], {**whole, **threads}, str)
    times = dict.fromkeys(("min", "p50"), float)
    bounds = dict.fromkeys(("low", "high", "ratio"), float | None)
    words = dict.fromkeys(("commit", "versus"), str | None)
    kinds = {**times, **bounds, **words, "inputs": dict, "runs": int, "date": str}
    rest = {name: data[name] for name in HistoryRow._fields if name not in ("model", "machine")}
    fields = _fields(rest, kinds, str)
    if not all(0 < fields[name] < 10**9 for name in times):
        raise ValueError("a latency is no time in seconds")
    inputs = fields["inputs"]
    if not all(isinstance(text, str) for text in inputs.values()):
        raise TypeError("an input is no text")
    return HistoryRow(model=model, machine=machine, **fields)


def _record(record: Any, data: Any, kinds: dict[str, Any], other: Any) -> Any:
    if not isinstance(data, dict):
        raise TypeError(f"{record.__name__} is no object")
    return record(**_fields({name: data[name] for name in record._fields}, kinds, other))


def _fields(data: dict[str, Any], kinds: dict[str, Any], other: Any) -> dict[str, Any]:
    """Return fields that are of their types; integers are floats, booleans are neither."""
    for name, value in data.items():
        kind = kinds.get(name, other)
        allowed = kind | int if kind in (float, float | None) else kind
        if not isinstance(value, allowed) or isinstance(value, bool):
            raise TypeError(f"{name} is {json.dumps(value)[:40]}")
    return data
