"""What is multiplied: MACs by the two element types, and bit operations, in closed form.

The closed forms are qonnx's (qonnx.analysis.inference_cost): MACs x bits x bits.
`tests/packages/bit_operations.py` compares with qonnx itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphcount
from graphcount.report.rows import Totals

Save = Callable[..., str]
N = helper.make_node
QONNX = "qonnx.custom_op.general"
ROWS, INNER, COLUMNS = 3, 8, 5
MACS = ROWS * INNER * COLUMNS


def array(name: str, values: Any, dtype: Any = np.float32) -> TensorProto:
    return numpy_helper.from_array(np.asarray(values, dtype), name)


WEIGHT = array("w", np.linspace(-1, 1, INNER * COLUMNS).reshape(INNER, COLUMNS))
SCALE, ZERO = array("s", 0.5), array("z", 0.0)


def counted(save: Save, nodes: list[onnx.NodeProto], tensors: list[TensorProto]) -> Totals:
    """Totals of a model of [3, 8] -> y; its opsets have the domain of QONNX, too."""
    inputs = [("x", [ROWS, INNER])]
    opsets = [("", 21), (QONNX, 1), ("com.microsoft", 1)]
    path = save(nodes, tensors, inputs=inputs, outputs=[("y", None)], opsets=opsets)
    return graphcount.count(path).totals


def quant(value: str, bits: str, out: str, **attributes: Any) -> onnx.NodeProto:
    return N("Quant", [value, "s", "z", bits], [out], domain=QONNX, **attributes)


def pairs(totals: Totals) -> list[tuple[Any, Any, Any]]:
    return [(row.operand_types, row.macs, row.bit_operations) for row in totals.precision]


def test_floats_multiply_as_their_type_says(save: Save) -> None:
    totals = counted(save, [N("MatMul", ["x", "w"], ["y"])], [WEIGHT])
    assert pairs(totals) == [(("float32", "float32"), MACS, MACS * 32 * 32)]
    assert totals.bit_operations == MACS * 1024


@pytest.mark.parametrize(
    ("bits", "attributes", "name"),
    [
        (3, {"signed": 1}, "int3"),
        (4, {"signed": 0}, "uint4"),
        (1, {"signed": 1}, "bipolar"),
        (1, {"signed": 0}, "uint1"),
        (8, {}, "int8"),
    ],
)
def test_quant_counts_with_its_bits(
    bits: int, attributes: dict[str, int], name: str, save: Save
) -> None:
    nodes = [quant("w", "bits", "q", **attributes), N("MatMul", ["x", "q"], ["y"])]
    totals = counted(save, nodes, [WEIGHT, SCALE, ZERO, array("bits", bits)])
    assert pairs(totals) == [(("float32", name), MACS, MACS * 32 * bits)]


@pytest.mark.parametrize(
    ("moves", "shape"),
    [
        ([N("Reshape", ["q", "shape"], ["m"])], [ROWS, INNER]),
        ([N("Transpose", ["q"], ["t"]), N("Transpose", ["t"], ["m"])], None),
        ([N("Identity", ["q"], ["i"]), N("Unsqueeze", ["i", "zero"], ["m"])], None),
        ([N("Pad", ["q", "pads"], ["m"])], None),
        ([N("Concat", ["q", "q"], ["m"], axis=0)], None),
        ([N("Split", ["q", "parts"], ["other", "m"], axis=0)], None),
    ],
    ids=lambda value: value[0].op_type if isinstance(value, list) and value[0] != ROWS else "",
)
def test_moves_hand_it_on(moves: list[onnx.NodeProto], shape: list[int] | None, save: Save) -> None:
    nodes = [quant("x", "four", "q"), *moves, N("MatMul", ["m", "w"], ["y"])]
    tensors = [
        *(WEIGHT, SCALE, ZERO, array("four", 4)),
        *(array("shape", [ROWS, INNER], np.int64), array("zero", [0], np.int64)),
        *(array("pads", [0, 0, 1, 0], np.int64), array("parts", [1, ROWS - 1], np.int64)),
    ]
    used = {name for node in nodes for name in node.input}
    totals = counted(save, nodes, [tensor for tensor in tensors if tensor.name in used])
    (row,) = totals.precision
    assert (row.operand_types, row.bits) == (("int4", "float32"), (4, 32))


PICTURE = [1, 2, 4, 4]


@pytest.mark.parametrize(
    ("node", "name"),
    [
        (N("MaxPool", ["q"], ["m"], kernel_shape=[2, 2]), "int4"),
        (N("AveragePool", ["q"], ["m"], kernel_shape=[2, 2]), "float32"),
        (N("Resize", ["q", "", "twice"], ["m"], mode="nearest"), "int4"),
        (N("Resize", ["q", "", "twice"], ["m"], mode="linear"), "float32"),
    ],
    ids=["MaxPool", "AveragePool", "nearest", "linear"],
)
def test_what_chooses_elements_hands_it_on_and_what_mixes_them_does_not(
    node: onnx.NodeProto, name: str, save: Save
) -> None:
    nodes = [quant("x", "four", "q"), node, N("Conv", ["m", "k"], ["y"])]
    tensors = [SCALE, ZERO, array("four", 4), array("k", np.ones((3, 2, 1, 1)))]
    if "twice" in node.input:
        tensors.append(array("twice", [1, 1, 2, 2]))
    opsets = [("", 21), (QONNX, 1)]
    path = save(nodes, tensors, inputs=[("x", PICTURE)], outputs=[("y", None)], opsets=opsets)
    (row,) = graphcount.count(path).totals.precision
    assert row.operand_types == (name, "float32")


def test_products_of_several_operands(save: Save) -> None:
    """Einsum of three: one type, or none; a recurrence: data, and both of its weights."""
    same = N("Einsum", ["x", "w", "v"], ["y"], equation="ij,jk,kl->il")
    second = array("v", np.ones((COLUMNS, 2)))
    (row,) = counted(save, [same], [WEIGHT, second]).precision
    assert row.operand_types == ("float32", "float32")
    nodes = [quant("w", "four", "q"), N("Einsum", ["x", "q", "v"], ["y"], equation="ij,jk,kl->il")]
    tensors = [WEIGHT, second, SCALE, ZERO, array("four", 4)]
    (row,) = counted(save, nodes, tensors).precision
    assert (row.operand_types, row.bit_operations) == (None, None)
    lstm = [
        N("Unsqueeze", ["x", "first"], ["u"]),
        quant("lw", "four", "qw"),
        quant("lr", "four", "qr"),
        N("LSTM", ["u", "qw", "qr"], ["y"], hidden_size=2),
    ]
    tensors = [array("lw", np.ones((1, 8, INNER))), array("lr", np.ones((1, 8, 2)))]
    tensors += [array("first", [0], np.int64), SCALE, ZERO, array("four", 4)]
    (row,) = counted(save, lstm, tensors).precision
    assert row.operand_types == ("float32", "int4")


def test_coefficients_in_attributes_are_floats(save: Save) -> None:
    node = N("LinearRegressor", ["x"], ["y"], domain="ai.onnx.ml", coefficients=[0.5] * INNER)
    opsets = [("", 21), ("ai.onnx.ml", 3)]
    path = save([node], [], inputs=[("x", [ROWS, INNER])], outputs=[("y", None)], opsets=opsets)
    totals = graphcount.count(path).totals
    assert pairs(totals) == [(("float32", "float32"), ROWS * INNER, ROWS * INNER * 1024)]


def test_a_type_outlives_a_shape_that_is_lost(save: Save) -> None:
    """An Add of what cannot be added has no shape; that of a Reshape behind it is stated."""
    nodes = [
        N("Add", ["x", "three"], ["a"]),
        N("Reshape", ["a", "shape"], ["r"]),
        N("MatMul", ["r", "w"], ["y"]),
    ]
    tensors = [WEIGHT, array("three", np.ones(3)), array("shape", [ROWS, INNER], np.int64)]
    (row,) = counted(save, nodes, tensors).precision
    assert row.operand_types == ("float32", "float32")


def test_arithmetic_ends_it(save: Save) -> None:
    nodes = [quant("x", "four", "q"), N("Relu", ["q"], ["r"]), N("MatMul", ["r", "w"], ["y"])]
    totals = counted(save, nodes, [WEIGHT, SCALE, ZERO, array("four", 4)])
    assert [row.operand_types for row in totals.precision] == [("float32", "float32")]


def test_what_is_joined_of_two_types_is_what_its_type_says(save: Save) -> None:
    nodes = [
        quant("x", "four", "q"),
        N("Concat", ["q", "x"], ["c"], axis=0),
        N("MatMul", ["c", "w"], ["y"]),
    ]
    totals = counted(save, nodes, [WEIGHT, SCALE, ZERO, array("four", 4)])
    assert pairs(totals) == [(("float32", "float32"), 2 * MACS, 2 * MACS * 1024)]


def test_bits_that_data_decide_are_not_guessed(save: Save) -> None:
    nodes = [
        N("ReduceMax", ["x"], ["bits"], keepdims=0),
        quant("w", "bits", "q"),
        N("MatMul", ["x", "q"], ["y"]),
    ]
    totals = counted(save, nodes, [WEIGHT, SCALE, ZERO])
    assert pairs(totals) == [(None, MACS, None)]
    assert (totals.bit_operations, totals.at_least) == (None, ())


def test_other_quantizers_of_qonnx(save: Save) -> None:
    nodes = [
        N("Trunc", ["x", "s", "z", "eight", "two"], ["t"], domain=QONNX),
        N("BipolarQuant", ["w", "s"], ["b"], domain=QONNX),
        N("MatMul", ["t", "b"], ["m"]),
        N("FloatQuant", ["m", "s", "four", "three", "z", "z"], ["f"], domain=QONNX),
        N("MatMul", ["f", "v"], ["y"]),
    ]
    last = array("v", np.ones((COLUMNS, 2)))
    tensors = [WEIGHT, last, SCALE, ZERO]
    tensors += [array(name, bits) for name, bits in (("eight", 8), ("two", 2))]
    tensors += [array("four", 4), array("three", 3)]
    assert pairs(counted(save, nodes, tensors)) == [
        (("int2", "bipolar"), MACS, MACS * 2),
        (("float8_e4m3", "float32"), ROWS * COLUMNS * 2, ROWS * COLUMNS * 2 * 8 * 32),
    ]


def test_integers_behind_dequantize_linear(save: Save) -> None:
    nodes = [
        N("QuantizeLinear", ["x", "s", "zu"], ["q"]),
        N("DequantizeLinear", ["q", "s", "zu"], ["d"]),
        N("DequantizeLinear", ["w4", "s"], ["wd"]),
        N("Transpose", ["wd"], ["wt"], perm=[1, 0]),
        N("MatMul", ["d", "wt"], ["y"]),
    ]
    packed = helper.make_tensor("w4", TensorProto.INT4, [COLUMNS, INNER], [1] * (INNER * COLUMNS))
    totals = counted(save, nodes, [packed, SCALE, array("zu", 0, np.uint8)])
    assert pairs(totals) == [(("uint8", "int4"), MACS, MACS * 8 * 4)]


def test_dynamic_quantization_is_uint8(save: Save) -> None:
    nodes = [
        N("DynamicQuantizeLinear", ["x"], ["q", "sx", "zx"]),
        N("MatMulInteger", ["q", "w8", "zx"], ["i"]),
        N("Cast", ["i"], ["c"], to=1),
        N("DynamicQuantizeMatMul", ["c", "v8", "s"], ["y"], domain="com.microsoft"),
    ]
    first = array("w8", np.ones((INNER, COLUMNS)), np.int8)
    second = array("v8", np.ones((COLUMNS, 2)), np.int8)
    totals = counted(save, nodes, [first, second, SCALE])
    macs = MACS + ROWS * COLUMNS * 2
    assert pairs(totals) == [(("uint8", "int8"), macs, macs * 64)]
    assert totals.precision[0].nodes == 2


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_packed_weights_count_with_the_bits_of_an_element(bits: int, save: Save) -> None:
    inner, columns = 32, 5
    packed = array("p", np.zeros((columns, 1, inner * bits // 8)), np.uint8)
    node = N(
        "MatMulNBits",
        ["x", "p", "sc"],
        ["y"],
        domain="com.microsoft",
        K=inner,
        N=columns,
        bits=bits,
        block_size=32,
    )
    path = save(
        [node],
        [packed, array("sc", np.ones(columns))],
        inputs=[("x", [ROWS, inner])],
        outputs=[("y", None)],
        opsets=[("", 21), ("com.microsoft", 1)],
    )
    macs = ROWS * inner * columns
    totals = graphcount.count(path).totals
    assert pairs(totals) == [(("float32", f"uint{bits}"), macs, macs * 32 * bits)]


def test_attention_over_integers_is_not_one_type(save: Save) -> None:
    """QAttention projects uint8 x int8 and multiplies what comes out as floats."""
    node = N(
        "QAttention",
        ["q", "w8", "b", "s", "s", "", "zu", "zi"],
        ["y"],
        domain="com.microsoft",
        num_heads=2,
    )
    tensors = [array("w8", np.ones((INNER, 3 * INNER)), np.int8), array("b", np.zeros(3 * INNER))]
    tensors += [SCALE, array("zu", 0, np.uint8), array("zi", 0, np.int8)]
    path = save(
        [node],
        tensors,
        inputs=[helper.make_tensor_value_info("q", TensorProto.UINT8, [1, ROWS, INNER])],
        outputs=[("y", None)],
        opsets=[("", 21), ("com.microsoft", 1)],
    )
    report = graphcount.count(path)
    assert report.nodes[0].operand_types is None
    assert [row.operand_types for row in report.totals.precision] == [None]
    assert report.totals.macs
    assert report.totals.bit_operations is None


def test_the_type_of_a_weight_stands_last_wherever_it_enters(save: Save) -> None:
    nodes = [
        quant("w", "four", "q"),
        N("Transpose", ["q"], ["qt"]),
        N("Transpose", ["x"], ["xt"]),
        N("MatMul", ["qt", "xt"], ["y"]),
    ]
    totals = counted(save, nodes, [WEIGHT, SCALE, ZERO, array("four", 4)])
    assert pairs(totals) == [(("float32", "int4"), MACS, MACS * 32 * 4)]


def test_formulas_and_assumed_sizes(save: Save) -> None:
    nodes = [quant("w", "four", "q"), N("MatMul", ["x", "q"], ["y"])]
    path = save(
        nodes,
        [WEIGHT, SCALE, ZERO, array("four", 4)],
        inputs=[("x", ["batch", INNER])],
        outputs=[("y", None)],
        opsets=[("", 21), (QONNX, 1)],
    )
    report = graphcount.count(path, assume={"batch": 7})
    (row,) = report.totals.precision
    assert (row.macs, row.macs_expression) == (None, f"{INNER * COLUMNS}*batch")
    assert report.totals.bit_operations_expression == f"{INNER * COLUMNS * 128}*batch"
    numbers = report.in_numbers
    assert numbers.totals.bit_operations == 7 * INNER * COLUMNS * 128
    assert numbers.nodes[-1].bit_operations == 7 * INNER * COLUMNS * 128
    assert numbers.nodes[-1].operand_types == ("float32", "int4")


def test_a_node_without_matrix_work_multiplies_nothing(save: Save) -> None:
    path = save([N("Relu", ["x"], ["y"])], [], inputs=[("x", [2])], outputs=[("y", [2])])
    report = graphcount.count(path)
    assert (report.nodes[0].operand_types, report.nodes[0].bit_operations) == ((), 0)
    assert (report.totals.precision, report.totals.bit_operations) == ((), 0)


def test_without_cost_nothing_is_said(save: Save) -> None:
    path = save([N("MatMul", ["x", "x"], ["y"])], [], inputs=[("x", [2, 2])], outputs=[("y", None)])
    report = graphcount.count(path, cost=False)
    assert (report.nodes[0].operand_types, report.totals.bit_operations) == (None, None)
    assert report.totals.precision == ()
