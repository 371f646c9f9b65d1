"""`graphcount.benches` measures every combination of sizes, as `graphcount bench` does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import graphcount
from graphcount.api import bench_report
from graphcount.benchmarking.measure import BenchOptions
from tests.api.conftest import Command

QUICK = BenchOptions(runs=10, warmup=0, profile=False)


def test_every_combination_is_measured(folder: Path, command: Command) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra bench)")
    benched = graphcount.benches("cnn.onnx", QUICK, dims={"batch": (1, 2)})
    assert [row.dims for row in benched.results] == [{"batch": 1}, {"batch": 2}]
    assert benched.exit_code == 0
    line = ("bench", "cnn.onnx", "--runs", 10, "--warmup", 0, "--no-profile")
    done = command(*line, "--dim", "batch=1,2", "--format", "json")
    assert [row["dims"] for row in json.loads(done.out)] == [{"batch": 1}, {"batch": 2}]
    report = json.loads(bench_report(benched.results[1]))
    assert report["totals"]["macs"] == 2 * 373_856
    assert report["bench"]["dims"] == {"batch": 2}


def test_what_makes_no_sense_is_refused(folder: Path, command: Command) -> None:
    for path, how, dims, why in (
        ("-", QUICK, {}, "needs a path, not standard input"),
        ("cnn.onnx", BenchOptions(save_inputs="x.npz"), {"batch": (1, 2)}, "take one size"),
        ("cnn.onnx", QUICK, {"batch": range(1, 66)}, "65 combinations"),
    ):
        with pytest.raises(graphcount.UsageError, match=why):
            graphcount.benches(path, how, dims=dims)
    with pytest.raises(graphcount.DamagedError):
        graphcount.benches("bad/cut.onnx", QUICK)
    assert command("bench", "bad/cut.onnx").code == 2
