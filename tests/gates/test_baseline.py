"""Baselines: what is written is found again, and what is stale is said so."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

import graphcount
from graphcount.errors import GraphcountError, UsageError
from graphcount.gates.baseline import entry, lookup, read_baseline, write_text
from graphcount.gates.subject import Subject


@pytest.fixture
def file(fixtures: Path, tmp_path: Path) -> Path:
    model = str(fixtures / "cnn.onnx")
    report = graphcount.count(model, dims={"batch": 1}, hash_file=True)
    path = tmp_path / "baseline.json"
    row = entry(str(path), Subject(report), {"batch": 1}, {}, ["compressed_nbytes"])
    path.write_text(write_text([row]))
    return path


def test_it_is_plain_sorted_json(file: Path, fixtures: Path) -> None:
    data = json.loads(file.read_text())
    assert data["schema"] == "graphcount.baseline/1"
    (row,) = data["models"]
    assert row["sha256"] == hashlib.sha256((fixtures / "cnn.onnx").read_bytes()).hexdigest()
    assert list(row["measures"]) == sorted(row["measures"])
    assert row["measures"]["parameters"] == 26_926
    assert row["measures"]["nodes.Conv"] == 2
    assert row["measures"]["nbytes.float32"] == 4 * 26_926
    assert row["measures"]["macs"] == 373_856
    assert row["measures"]["compressed_nbytes"] > 0
    assert not Path(row["path"]).is_absolute()


def test_values_are_found_again(file: Path, fixtures: Path) -> None:
    model = str(fixtures / "cnn.onnx")
    names = ["parameters", "nodes.Loop", "nbytes.int8"]
    found = lookup(read_baseline(str(file)), model, {"batch": 1}, {}, names)
    assert found == {"parameters": 26_926, "nodes.Loop": 0, "nbytes.int8": 0}


@pytest.mark.parametrize(
    ("model", "dims", "name", "said"),
    [
        ("mlp_4_5_3.onnx", {"batch": 1}, "parameters", "does not have"),
        ("cnn.onnx", {}, "parameters", "with {'batch': 1}, not with no sizes"),
        ("cnn.onnx", {"batch": 2}, "parameters", "not with {'batch': 2}"),
        ("cnn.onnx", {"batch": 1}, "latency_p50", "does not know latency_p50"),
        ("cnn.onnx", {"batch": 1}, "parameters.nowhere", "does not know parameters.nowhere"),
    ],
)
def test_what_is_stale_is_said(
    file: Path, fixtures: Path, model: str, dims: dict[str, int], name: str, said: str
) -> None:
    with pytest.raises(UsageError, match="stale") as error:
        lookup(read_baseline(str(file)), str(fixtures / model), dims, {}, [name])
    assert said in str(error.value)


def test_another_version_is_noted(file: Path) -> None:
    assert read_baseline(str(file)).note == ""
    file.write_text(file.read_text().replace(graphcount.__version__, "0.0.1"))
    assert "written by graphcount 0.0.1" in read_baseline(str(file)).note


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"schema": "graphcount.baseline/2", "models": []}',
        b'{"schema": "graphcount.baseline/1", "graphcount": "1", "models": [{}]}',
        b'{"schema": "graphcount.baseline/1", "graphcount": "1", "models": NaN}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_what_is_no_baseline_is_one_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "b.json"
    path.write_bytes(data)
    with pytest.raises(GraphcountError):
        read_baseline(str(path))


@pytest.mark.parametrize("value", ["26926", 1.5, True, None])
def test_numbers_are_whole(file: Path, value: Any) -> None:
    data = json.loads(file.read_text())
    data["models"][0]["measures"]["parameters"] = value
    file.write_text(json.dumps(data))
    with pytest.raises(GraphcountError, match="whole number"):
        read_baseline(str(file))


def test_what_is_not_exact_is_not_remembered(fixtures: Path, tmp_path: Path) -> None:
    report = graphcount.count(str(fixtures / "cnn.onnx"))  # batch is free: macs is a formula
    row = entry(str(tmp_path / "b.json"), Subject(report), {}, {})
    assert "macs" not in row.measures
    assert "parameters" in row.measures
