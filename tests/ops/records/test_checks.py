"""What a record's check calls wrong, onnxruntime refuses; what it runs, no check complains of."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from graphcount.ops import operators
from tests.ops.records.running import call, run


class Case(NamedTuple):
    """A call that is right, and one that is wrong, of the same operators."""

    op_types: str
    right: list[Any]
    wrong: list[Any]
    attributes: dict[str, Any] | None = None
    wrong_attributes: dict[str, Any] | None = None
    outputs: int = 1


X = (1, 2, 6, 6)
AXES = "ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMean ReduceSumSquare ReduceMax"
TRUE = np.array([True, False])
BYTES = np.ones((2, 3), np.uint8)
SCALE, ZERO = np.array(0.5, np.float32), np.array(1, np.uint8)


def quantized(a: Any, b: Any) -> list[Any]:
    """Operands of QLinearMatMul."""
    return [a, SCALE, ZERO, b, SCALE, ZERO, SCALE, ZERO]


HIDDEN = {"hidden_size": 5}


def gru(sequences: int) -> list[Any]:
    """Return inputs of a GRU: 4 steps of 2 sequences of 3 elements, no bias, an initial state."""
    return [
        (4, 2, 3),
        (1, 15, 3),
        (1, 15, 5),
        (1, 30),
        np.array([4, 4], np.int32),
        (1, sequences, 5),
    ]


def lstm(sequences: int) -> list[Any]:
    """Return the same of an LSTM, which keeps two states."""
    state = (1, sequences, 5)
    lengths = np.array([4, 4], np.int32)
    return [(4, 2, 3), (1, 20, 3), (1, 20, 5), (1, 40), lengths, state, state]


CASES = [
    Case("MatMul", [(2, 3), (3, 4)], [(2, 3), (5, 4)]),
    Case("MatMul", [(2, 3), (3,)], [(2, 3), (2,)]),
    Case("MatMul", [(3,), (5, 3, 2)], [(3,), (5, 2, 3)]),
    Case("MatMulInteger", [BYTES, BYTES.T], [BYTES, BYTES]),
    Case("QLinearMatMul", quantized(BYTES, BYTES.T), quantized(BYTES, BYTES)),
    Case("Gemm", [(2, 3), (3, 4)], [(2, 3), (5, 4)]),
    Case("Gemm", [(2, 3), (2, 4)], [(2, 3), (3, 4)], {"transA": 1}),
    Case("Gemm", [(2, 3), (4, 3)], [(2, 3), (3, 4)], {"transB": 1}),
    Case("Einsum", [(2, 3), (3, 4)], [(2, 3), (5, 4)], {"equation": "ij,jk->ik"}),
    Case("Conv", [X, (4, 2, 3, 3)], [X, (4, 3, 3, 3)]),
    Case("RNN", [(4, 2, 3), (1, 5, 3), (1, 5, 5)], [(4, 2, 7), (1, 5, 3), (1, 5, 5)], HIDDEN),
    Case("GRU", gru(2), gru(9), HIDDEN),
    Case("LSTM", lstm(2), lstm(9), HIDDEN),
    Case("AveragePool LpPool MaxPool", [X], [X], {"kernel_shape": [2, 2]}, {"kernel_shape": [2]}),
    Case("Reshape", [(2, 6), [3, 4]], [(2, 6), [5, 4]]),
    Case("Expand", [(3, 1), [3, 4]], [(3, 2), [3, 4]]),
    Case("Squeeze", [(1, 3), [0]], [(1, 3), [1]]),
    Case("Unsqueeze", [(3,), [0]], [(3,), [0, 0]]),
    Case("Split", [(5, 2), [2, 3]], [(5, 2), [2, 2]], outputs=2),
    Case("Tile", [(2, 3), [1, 2]], [(2, 3), [1]]),
    Case("Pad", [(2, 3), [0, 1, 0, 1]], [(2, 3), [0, 1, 0]]),
    Case("Gather", [(4, 2), [0, 3]], [(4, 2), [0, 4]]),
    Case("GatherND", [(2, 3), [[0, 1]]], [(2, 3), [[0, 1, 0]]]),
    Case("OneHot", [[0, 1], 3, (2,)], [[0, 1], -1, (2,)]),
    Case("Slice", [(5, 2), [1], [3], [0], [1]], [(5, 2), [1], [3], [0], [0]]),
    Case("TopK", [(5,), [3]], [(5,), [6]], outputs=2),
    Case("ConstantOfShape", [[2, 3]], [[2, -3]]),
    Case("Range", [0, 5, 1], [0, 5, 0]),
    Case("RandomNormal RandomUniform", [], [], {"shape": [2, 3]}, {"shape": [2, -3]}),
    Case(f"{AXES} ReduceMin ReduceProd ReduceSum", [(2, 3), [1]], [(2, 3), [2]]),
    Case("CumSum", [(2, 3), 1], [(2, 3), 2]),
    Case("Transpose", [(2, 3)], [(2, 3)], {"perm": [1, 0]}, {"perm": [1, 0, 2]}),
    Case("Flatten", [(2, 3)], [(2, 3)], {"axis": 2}, {"axis": 3}),
    Case("Concat", [(2, 3), (2, 3)], [(2, 3), (2, 3)], {"axis": 1}, {"axis": 2}),
    Case(
        "Hardmax LogSoftmax Softmax ArgMax ArgMin LpNormalization",
        [(2, 3)],
        [(2, 3)],
        {"axis": 1},
        {"axis": 2},
    ),
    Case(
        "LayerNormalization SimplifiedLayerNormalization",
        [(2, 3), (3,)],
        [(2, 3), (3,)],
        {"axis": 1},
        {"axis": 2},
    ),
    Case("GatherElements", [(2, 3), [[0, 1]]], [(2, 3), [[0, 1]]], {"axis": 1}, {"axis": 2}),
    Case(
        "ScatterElements",
        [(2, 3), [[0, 1]], (1, 2)],
        [(2, 3), [[0, 1]], (1, 2)],
        {"axis": 1},
        {"axis": 2},
    ),
    Case("Compress", [(2, 3), TRUE], [(2, 3), TRUE], {"axis": 0}, {"axis": 2}),
]


def fault(op_type: str, inputs: list[Any], outputs: int, attributes: dict[str, Any]) -> str:
    """Return what the check of a record says."""
    row = operators()["", op_type]
    assert row.check is not None, op_type
    return row.check(call("", op_type, inputs, outputs, **attributes))


def test_checks_and_onnxruntime_agree() -> None:
    for case in CASES:
        good = case.attributes or {}
        bad = case.wrong_attributes or good
        for op_type in case.op_types.split():
            run("", op_type, case.right, case.outputs, **good)
            assert fault(op_type, case.right, case.outputs, good) == "", op_type
            with pytest.raises(Exception, match=r"."):
                run("", op_type, case.wrong, case.outputs, **bad)
            assert fault(op_type, case.wrong, case.outputs, bad), op_type


def test_integers_are_convolved_as_floats_are() -> None:
    """ConvInteger.md: W is (M, C/group, k1, ...), as that of Conv."""
    assert fault("ConvInteger", [X, (4, 2, 3, 3)], 1, {}) == ""
    assert fault("ConvInteger", [X, (4, 3, 3, 3)], 1, {})


def test_norms_of_opset_23_have_an_axis_of_the_data() -> None:
    """RMSNormalization.md: axis lies in [-rank, rank); onnxruntime has no kernel of it."""
    assert fault("RMSNormalization", [(2, 3), (3,)], 1, {"axis": 1}) == ""
    assert fault("RMSNormalization", [(2, 3), (3,)], 1, {"axis": 2})


def test_every_check_is_tried() -> None:
    tried = {("", name) for case in CASES for name in case.op_types.split()}
    checked = {key for key, row in operators().items() if row.check is not None}
    alike = {("", "ConvInteger"), ("", "RMSNormalization"), ("com.microsoft", "Range")}
    assert checked == tried | alike
