"""Latencies from a saved result of `graphcount bench`."""

from __future__ import annotations

import math
import os

from graphcount.errors import DamagedError
from graphcount.gates.baseline import read_json
from graphcount.report.bench import BENCH_SCHEMA

MAX_SECONDS = 10**9
"""No forward pass takes thirty years; larger numbers are damage, and may not fit a float."""


def read_latencies(file: str) -> dict[str | None, dict[str, int]]:
    """Return `Subject.latency` by absolute path of the model (None: the file names none).

    The file is one object of `graphcount.bench/1` or an array of them:
    `{"schema": "graphcount.bench/1", "model": {"path": "a.onnx"}, "latency": {"p50": 0.012}}`,
    seconds; of a comparison `"versus": {"interval": {"low": 0.99, "high": 1.02}}`.

    Raises:
        NotReadableError: There is no such file.
        DamagedError: It is no result of a benchmark.
    """
    data = read_json(file)
    latencies: dict[str | None, dict[str, int]] = {}
    for row in data if isinstance(data, list) else [data]:
        if not isinstance(row, dict) or row.get("schema") != BENCH_SCHEMA:
            raise DamagedError(f"not a {BENCH_SCHEMA}", file)
        model = row.get("model")
        path = model.get("path") if isinstance(model, dict) else None
        key = os.path.abspath(path) if isinstance(path, str) else None
        latencies[key] = {
            **_percentiles(row.get("latency"), file),
            **_ratio(row.get("versus"), file),
        }
    return latencies


def latency_of(latencies: dict[str | None, dict[str, int]], path: str) -> dict[str, int]:
    """Return the row of a model; one that names no model stands for any when it is the only one."""
    if len(latencies) == 1 and None in latencies:
        return latencies[None]
    return latencies.get(os.path.abspath(path), {})


def _percentiles(latency: object, file: str) -> dict[str, int]:
    if not isinstance(latency, dict):
        raise DamagedError(f"not a complete {BENCH_SCHEMA}: no latency", file)
    known = {}
    for name, seconds in latency.items():
        if isinstance(seconds, int | float) and not isinstance(seconds, bool):
            if not 0 <= seconds <= MAX_SECONDS:  # NaN is not, either
                raise DamagedError(f"latency {name} is {str(seconds)[:40]}", file)
            known[name] = round(seconds * 1e9)
    return known


def _ratio(versus: object, file: str) -> dict[str, int]:
    """Return the bounds of a comparison, rounded outwards; none where it has none."""
    interval = versus.get("interval") if isinstance(versus, dict) else None
    if interval is None:
        return {}
    ends = [interval.get(end) for end in ("low", "high")] if isinstance(interval, dict) else []
    known = [end for end in ends if isinstance(end, int | float) and 0 <= end <= MAX_SECONDS]
    if len(known) < 2 or known[0] > known[1]:
        raise DamagedError(f"the interval of a ratio is {str(interval)[:80]}", file)
    low, high = known
    return {"ratio_least": math.floor(low * 1e6), "ratio_most": math.ceil(high * 1e6)}
