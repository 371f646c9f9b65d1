"""Counts and their words agree: "1 node", "2 nodes"."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.api.conftest import Command

COMMANDS = (
    "count one.onnx",
    "count one.onnx --bars",
    "count one.onnx --format markdown",
    "count one.onnx --style torchinfo",
    "count one.onnx --by node --sparsity",
    "count one.onnx --expect-parameters 2",
    "count one.onnx --dim n=1:1",
    "count one.onnx other.onnx",
    "audit one.onnx",
    "audit one.onnx --format markdown",
    "check one.onnx --max parameters=0",
    "check one.onnx --max parameters=0 --format markdown",
    "diff one.onnx other.onnx",
    "diff one.onnx other.onnx --format markdown",
    "plan one.onnx --samples 1",
    "deploy folder",
    "scan folder",
    "scan folder -o -",
    "explain one.onnx",
    "export one.onnx --format dot",
    "export one.onnx --format mermaid",
    "init one.onnx -o -",
    "page one.onnx -o -",
)
"""Commands over a model with one of everything."""

WRONG = re.compile(
    r"(?<![\d.,])1 (nodes|tensors|models|files|parameters|samples|rules|findings|limits|operators"
    r"|domains|values|elements|constants|bytes|inputs|outputs|weights|graphs|modules|components)\b"
)


@pytest.fixture
def one(folder: Path) -> Path:
    for name, width in (("one", 1), ("other", 2)):
        weight = numpy_helper.from_array(np.full((1, width), 2, np.float32), "w")
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"])],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", width])],
            [weight],
        )
        opsets = [helper.make_opsetid("", 17)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
        onnx.save(model, folder / f"{name}.onnx")
    (folder / "folder").mkdir()
    (folder / "folder" / "one.onnx").write_bytes((folder / "one.onnx").read_bytes())
    return folder


@pytest.mark.parametrize("line", COMMANDS)
def test_one_of_a_kind_has_its_word(line: str, one: Path, command: Command) -> None:
    done = command(*line.split())
    text = done.out + done.err
    assert len(text) > 20
    assert not WRONG.findall(text), [row for row in text.splitlines() if WRONG.search(row)]
