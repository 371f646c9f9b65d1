"""Quantization: what it passes on is attributed to the operator behind it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphcount

INPUTS = {
    "Quant": ["scale", "zero", "bits"],
    "IntQuant": ["scale", "zero", "bits"],
    "BipolarQuant": ["scale"],
    "Trunc": ["scale", "zero", "bits", "bits"],
    "FloatQuant": ["scale", "bits", "bits", "zero", "bits"],
}
"""Inputs behind the data, as the operator definitions of qonnx name them."""


@pytest.mark.parametrize("op_type", INPUTS)
@pytest.mark.parametrize(
    "domain", ["qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general"]
)
def test_a_fake_quantized_weight_is_the_weight_behind(
    op_type: str, domain: str, tmp_path: Path
) -> None:
    stored = {"w": np.ones((4, 5)), "scale": np.ones(()), "zero": np.zeros(()), "bits": np.ones(())}
    nodes = [
        helper.make_node(op_type, ["w", *INPUTS[op_type]], ["q"], domain=domain),
        helper.make_node("MatMul", ["x", "q"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(one.astype(np.float32), name) for name, one in stored.items()],
    )
    imports = [helper.make_opsetid("", 21), helper.make_opsetid(domain, 1)]
    path = tmp_path / "m.onnx"
    onnx.save(helper.make_model(graph, opset_imports=imports), path)
    report = graphcount.count(str(path))
    roles = {row.name: row.role for row in report.tensors}
    assert roles["w"] == "weight"
    assert roles["scale"] == "quantization scale"
    quant, product = report.nodes
    assert (quant.macs, quant.elementwise) == (0, 4 * 5)
    assert product.macs == 2 * 4 * 5
