"""Folders of small models, and scans of them: here, or by the program as a user starts it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto, helper

from graphcount.cli.main import main

Run = Callable[..., subprocess.CompletedProcess[str]]


def _write(path: Path, size: int, further: int = 0) -> None:
    """A MatMul with a weight of size x 2: 2·size parameters, as many MACs; then Relus."""
    weight = TensorProto(name="w", data_type=1, dims=[size, 2], raw_data=bytes(8 * size))
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    for i in range(further):
        nodes.append(helper.make_node("Relu", [f"r{i - 1}" if i else "y"], [f"r{i}"]))
    values = [helper.make_tensor_value_info(n, 1, [1, d]) for n, d in (("x", size), ("y", 2))]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())


@pytest.fixture
def models(tmp_path: Path) -> Callable[..., Path]:
    """`models(n)`: a folder of n models; the i-th has 2·(i + 1) parameters."""

    def make(count: int, further: int = 0) -> Path:
        for i in range(count):
            _write(tmp_path / "models" / f"part{i % 3}" / f"m{i:04}.onnx", i + 1, further)
        return tmp_path / "models"

    return make


@pytest.fixture
def scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run `graphcount scan ...` in this process; what it starts are processes of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: Any) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        command = ["scan", *map(str, arguments)]
        code = main(command)
        return subprocess.CompletedProcess(command, code, *capsys.readouterr())

    return run


@pytest.fixture
def program(tmp_path: Path) -> Run:
    """Run `graphcount scan ...` as a process of its own."""

    def run(*arguments: Any, **options: Any) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "graphcount", "scan", *map(str, arguments)]
        options = {"timeout": 300, "cwd": tmp_path, **options}
        return subprocess.run(command, capture_output=True, text=True, check=False, **options)

    return run


@pytest.fixture
def write_model() -> Callable[[Path, int], None]:
    """`write_model(path, n)`: a model of 2·n parameters."""
    return _write
