"""Operators of onnxruntime that are no matrix products: closed forms on small models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import graphcount


def test_torch_embedding_is_a_look_up(tmp_path: Path) -> None:
    """ContribOperators.md: a table N x M, indices of any shape; the result is indices x M."""
    node = helper.make_node("TorchEmbedding", ["table", "ids"], ["y"], "n", domain="com.microsoft")
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, [2, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.zeros((50, 8), np.float32), "table")],
    )
    imports = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=imports), path)
    report = graphcount.count(str(path))
    (row,) = report.nodes
    assert report.tensors[0].role == "embedding"
    assert row.parameters == 50 * 8
    assert row.output_shapes == ((2, 3, 8),)
    assert (row.macs, row.elementwise) == (0, 0)
