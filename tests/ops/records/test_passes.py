"""A tensor behind an operator that only passes elements on belongs to what uses them."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import graphcount
from graphcount.ops import operators
from tests.conftest import Save

F, U8 = TensorProto.FLOAT, TensorProto.UINT8
QONNX = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
MS = "com.microsoft"

WEIGHT = np.linspace(0.1, 1.7, 16, dtype=np.float32).reshape(4, 4)
NUMBERS: dict[str, Any] = {
    "w": WEIGHT,
    "q": np.arange(16, dtype=np.uint8).reshape(4, 4),
    "whole": np.array([4, 4]),
    "zero": np.array([0]),
    "four": np.array([4]),
    "float": np.float32(1),
    "byte": np.uint8(0),
    "no": np.array(False),
}

Case = tuple[str, str, list[str], dict[str, Any]]
STANDARD: list[Case] = [
    ("", "Identity", ["w"], {}),
    ("", "Cast", ["w"], {"to": F}),
    ("", "CastLike", ["w", "float"], {}),
    ("", "Transpose", ["w"], {}),
    ("", "Flatten", ["w"], {}),
    ("", "Reshape", ["w", "whole"], {}),
    ("", "Expand", ["w", "whole"], {}),
    ("", "Squeeze", ["w"], {}),
    ("", "Unsqueeze", ["w", "zero"], {}),
    ("", "Slice", ["w", "zero", "four", "zero"], {}),
    ("", "Split", ["w", "four"], {}),
    ("", "Dropout", ["w", "float", "no"], {}),
    ("", "Neg", ["w"], {}),
    ("", "DequantizeLinear", ["q", "float", "byte"], {}),
    ("", "QuantizeLinear", ["w", "float", "byte"], {}),
    ("", "DynamicQuantizeLinear", ["w"], {}),
    ("", "BitCast", ["w"], {"to": F}),
]
OTHERS: list[Case] = [
    (MS, "QuantizeLinear", ["w", "float", "byte"], {}),
    (MS, "DequantizeLinear", ["q", "float", "byte"], {}),
    (MS, "QuantizeWithOrder", ["w", "float"], {}),
    (MS, "DequantizeWithOrder", ["q", "float"], {}),
    (MS, "QuantizeBFP", ["w"], {}),
    (MS, "DequantizeBFP", ["q", "whole", "whole"], {}),
    (MS, "BitmaskDropout", ["w", "float", "no"], {}),
    (MS, "ExpandDims", ["w", "zero"], {}),
    (MS, "Expand", ["w", "whole"], {}),
    (MS, "SampleOp", ["w"], {}),
    *[
        (domain, name, ["w", "float", *["float"] * more], {})
        for domain in QONNX
        for name, more in (
            ("Quant", 2),
            ("IntQuant", 2),
            ("BipolarQuant", 0),
            ("Trunc", 3),
            ("FloatQuant", 4),
        )
    ],
]
"""Operators that make of numbers what a quantizer makes of them (qonnx/docs/qonnx-custom-ops)."""


def held(names: list[str]) -> list[TensorProto]:
    """Return initializers, each once."""
    return [
        numpy_helper.from_array(np.asarray(NUMBERS[name]), name) for name in dict.fromkeys(names)
    ]


def test_a_tensor_behind_it_belongs_to_the_next_operator(save: Save) -> None:
    for domain, op_type, names, attributes in (*STANDARD, *OTHERS):
        nodes = [
            helper.make_node(op_type, names, ["v"], "pass", domain=domain, **attributes),
            helper.make_node("MatMul", ["x", "v"], ["y"], "use"),
        ]
        opsets = [("", 26), *([(domain, 1)] if domain else [])]
        path = save(nodes, held(names), inputs=["x"], outputs=["y"], opsets=opsets)
        found = {row.name: row for row in graphcount.count(path).tensors}[names[0]]
        assert [(use.node, use.input) for use in found.uses] == [("use", 1)], (domain, op_type)


def test_what_passes_on_is_tried_here() -> None:
    tried = {(domain, op_type) for domain, op_type, *_ in (*STANDARD, *OTHERS)}
    passing = {key: row.passes for key, row in operators().items() if row.passes}
    assert passing == {key: {0} for key in tried}


def test_elements_come_out_unchanged_moved_or_rounded() -> None:
    """By onnx's reference: the results are those of the input, with either sign, or near them."""
    for _, op_type, names, attributes in STANDARD:
        if op_type == "BitCast":
            continue  # not in the reference of every onnx that is allowed
        node = helper.make_node(op_type, names, ["v"], **attributes)
        made = helper.make_tensor_value_info("v", F, None)
        graph = helper.make_graph([node], "g", [], [made], held(names))
        opset = [helper.make_opsetid("", 21)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=10)
        (made_of,) = ReferenceEvaluator(model).run(["v"], {})
        result = np.abs(np.asarray(made_of, np.float64))
        if op_type == "DynamicQuantizeLinear":
            result = result * (1.7 / 255)
        wanted = np.sort(NUMBERS[names[0]].astype(np.float64).ravel())
        assert np.allclose(np.sort(result.ravel()), wanted, atol=0.51), op_type
