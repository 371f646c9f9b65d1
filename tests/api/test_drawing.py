"""`graphcount.page` and `export` make what the commands of the same names write."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import graphcount
from graphcount.formats.graphs import EXPORTS
from tests.api.conftest import Command


def bench_of(path: str) -> dict[str, object]:
    node = {"op_type": "Conv", "sources": ["node_conv2d"], "time_s": 0.001}
    return {"schema": "graphcount.bench/1", "model": {"path": path}, "nodes": [node]}


def test_a_page_is_that_of_the_command_line(folder: Path, fixtures: Path, command: Command) -> None:
    shutil.copy(fixtures / "cnn_batchnorm.onnx", folder)
    (folder / "bench.json").write_text(json.dumps(bench_of("cnn.onnx")))
    assert graphcount.page("cnn.onnx") == command("page", "cnn.onnx").out
    line = ("page", "cnn.onnx", "--against", "cnn_batchnorm.onnx", "--bench", "bench.json")
    done = command(*line, "--no-audit", "--dim", "batch=2", "--binary")
    for bench in ("bench.json", bench_of("cnn.onnx")):
        page = graphcount.page(
            "cnn.onnx", against="cnn_batchnorm.onnx", bench=bench, audit=False, binary=True,
            dims={"batch": 2},
        )  # fmt: skip
        assert page == done.out


def test_what_is_no_benchmark_is_refused_before_the_model_is_read(
    folder: Path, command: Command
) -> None:
    (folder / "other.json").write_text("{}")
    wrong: tuple[Any, ...] = ("other.json", "gone.json", "cnn.onnx", {}, 3)
    for bench in wrong:
        with pytest.raises(graphcount.GraphcountError) as caught:
            graphcount.page("bad/cut.onnx", bench=bench)
        assert caught.value.path == (bench if isinstance(bench, str) else None)
        if isinstance(bench, str):
            done = command("page", "bad/cut.onnx", "--bench", bench)
            assert (done.code, done.err) == (2, f"graphcount: {caught.value}\n")


@pytest.mark.parametrize("name", [name for name in EXPORTS if name != "svg"])
def test_an_export_is_that_of_the_command_line(name: str, folder: Path, command: Command) -> None:
    done = command("export", "cnn.onnx", "--format", name, "--depth", 1, "--dim", "batch=2")
    assert done.code == 0
    assert graphcount.export("cnn.onnx", name, depth=1, dims={"batch": 2}) == done.out
    with pytest.raises(graphcount.UsageError, match="no export 'nope'"):
        graphcount.export("cnn.onnx", "nope")
