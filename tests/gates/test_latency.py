"""Latencies: seconds of a saved benchmark become nanoseconds of its model."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from graphcount.errors import DamagedError
from graphcount.gates.latency import latency_of, read_latencies

SCHEMA = "graphcount.bench/1"


def saved(tmp_path: Path, data: Any) -> str:
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(data))
    return str(path)


def test_one_result_that_names_no_model_is_of_any(tmp_path: Path) -> None:
    for model in ({}, {"model": None}, {"model": {"path": None}}, {"model": "a.onnx"}):
        row = {"schema": SCHEMA, "latency": {"p50": 0.0125, "p99": 2, "n": True, "x": "y"}} | model
        found = read_latencies(saved(tmp_path, row))
        assert found == {None: {"p50": 12_500_000, "p99": 2_000_000_000}}
        assert latency_of(found, "any.onnx") == found[None]


def test_several_results_are_of_their_models(tmp_path: Path) -> None:
    rows = [
        {"schema": SCHEMA, "model": {"path": path}, "latency": {"p50": seconds}}
        for path, seconds in (("a.onnx", 0), ("sub/../b.onnx", 1e-9))
    ]
    found = read_latencies(saved(tmp_path, rows))
    assert found == {
        os.path.abspath("a.onnx"): {"p50": 0},
        os.path.abspath("b.onnx"): {"p50": 1},
    }
    assert latency_of(found, "./b.onnx") == {"p50": 1}
    assert latency_of(found, "c.onnx") == {}
    nameless = {"schema": SCHEMA, "latency": {"p50": 3}}
    several = read_latencies(saved(tmp_path, [nameless, rows[0]]))
    assert latency_of(several, "c.onnx") == {}  # whose it is, nobody says
    assert read_latencies(saved(tmp_path, [])) == {}


def test_to_the_nearest_nanosecond(tmp_path: Path) -> None:
    row = {"schema": SCHEMA, "latency": {"p50": 1.4e-9, "p90": 1.6e-9, "p99": 10**9}}
    found = read_latencies(saved(tmp_path, row))
    assert found == {None: {"p50": 1, "p90": 2, "p99": 10**18}}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("text", "not a graphcount.bench/1"),
        ({"latency": {}}, "not a graphcount.bench/1"),
        ({"schema": "graphcount.report/2", "latency": {}}, "not a graphcount.bench/1"),
        ([{"schema": SCHEMA, "latency": {}}, 3], "not a graphcount.bench/1"),
        ({"schema": SCHEMA}, "not a complete graphcount.bench/1: no latency"),
        ({"schema": SCHEMA, "latency": [1]}, "not a complete graphcount.bench/1: no latency"),
        ({"schema": SCHEMA, "latency": {"p50": -1e-9}}, "latency p50 is -1e-09"),
        ({"schema": SCHEMA, "latency": {"p50": 1e300}}, "latency p50 is 1e+300"),
        ({"schema": SCHEMA, "latency": {"p50": 10**400}}, f"latency p50 is 1{'0' * 39}"),
        ({"schema": SCHEMA, "latency": {"p50": 10**9 + 1}}, "latency p50 is 1000000001"),
    ],
)
def test_what_is_no_result_is_refused(tmp_path: Path, data: Any, said: str) -> None:
    path = saved(tmp_path, data)
    with pytest.raises(DamagedError) as error:
        read_latencies(path)
    assert error.value.message.startswith(said)
    assert error.value.path == path


def test_bounds_of_a_ratio_are_rounded_outwards(tmp_path: Path) -> None:
    row: dict[str, Any] = {"schema": SCHEMA, "latency": {}}
    for versus in (None, {}, {"interval": None}, 3):
        assert read_latencies(saved(tmp_path, row | {"versus": versus})) == {None: {}}
    interval = {"low": 0.99000051, "high": 1.02000049}
    found = read_latencies(saved(tmp_path, row | {"versus": {"interval": interval}}))
    assert found == {None: {"ratio_least": 990_000, "ratio_most": 1_020_001}}
    for wrong in ({}, [1, 2], {"low": 2, "high": 1}, {"low": -1, "high": 1}, {"low": "1"}):
        with pytest.raises(DamagedError, match="the interval of a ratio is"):
            read_latencies(saved(tmp_path, row | {"versus": {"interval": wrong}}))


def test_infinity_is_refused(tmp_path: Path) -> None:
    """JSON has no infinity, but a number like this is read as one."""
    path = tmp_path / "bench.json"
    path.write_text(f'{{"schema": "{SCHEMA}", "latency": {{"p50": 1e999}}}}')
    with pytest.raises(DamagedError, match="latency p50 is inf"):
        read_latencies(str(path))
