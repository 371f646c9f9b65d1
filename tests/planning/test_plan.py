"""What if: closed forms, and sizes as onnxruntime writes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

import graphcount
from graphcount import Report, UsageError
from graphcount.planning import (
    DTYPES,
    CountedModel,
    PlanOptions,
    data_plan,
    mlp_plan,
    plan,
    size_plan,
)
from graphcount.planning.mlp import parameters, width_plan
from graphcount.planning.training import training_plan

FIXTURES = Path(__file__).resolve().parent.parent.parent / "fixtures"
Save = Callable[..., str]
Weights = Callable[..., TensorProto]


def counted(path: str) -> CountedModel:
    model = graphcount.load(path)
    return CountedModel(model.report(), model.proto, model.stored_keys)


@cache
def fixture(name: str) -> CountedModel:
    return counted(str(FIXTURES / f"{name}.onnx"))


def report(name: str) -> Report:
    return fixture(name).report


# Bytes of all initializers that onnxruntime 1.31.1 and 1.32.0 write for a fixture m, `del
# m.graph.value_info[:]` before (stale declarations stop its shape inference):
#   float16  onnxruntime.transformers.float16.convert_float_to_float16(m)
#   int8     onnxruntime.quantization.quantize_dynamic(m, out, weight_type=QuantType.QInt8)
#            second number: per_channel=True
#   int4     w = ONNXModel(m); w.replace_gemm_with_matmul(); MatMulNBitsQuantizer(w.model,
#            block_size=32, is_symmetric=True, op_types_to_quantize=("MatMul", "Gather"),
#            quant_axes=(("MatMul", 0), ("Gather", 1))).process()
#            second number: is_symmetric=False
# `extra` is what stands in Constant nodes, which are no initializers (204 bytes; 194 in float16).
MEASURED = [
    ("cnn", "float16", False, 53_868, 0),
    ("cnn", "int8", False, 27_491, 0),
    ("cnn", "int8", True, 28_171, 0),
    ("cnn", "int4", False, 20_456, 0),
    ("cnn", "int4", True, 20_860, 0),
    ("mlp_8_16_16_8", "float16", False, 1_104, 0),
    ("mlp_8_16_16_8", "int8", False, 687, 0),
    ("mlp_8_16_16_8", "int8", True, 872, 0),
    ("mlp_8_16_16_8", "int4", False, 960, 0),
    ("mlp_8_16_16_8", "int4", True, 1_000, 0),
    ("transformer_block", "float16", False, 34_362, 0),
    ("transformer_block", "int8", False, 19_576, 0),
    ("transformer_block", "int8", True, 21_756, 0),
    ("transformer_block", "int4", False, 13_372, 0),
    ("transformer_block", "int4", True, 13_820, 0),
    ("tied_language_model", "float16", False, 7_968, 194),
    ("tied_language_model", "int8", False, 5_032, 204),
    ("tied_language_model", "int8", True, 5_807, 204),
    ("tied_language_model", "int4", False, 5_184, 204),
    ("tied_language_model", "int4", True, 5_371, 204),
]


@pytest.mark.parametrize(("name", "dtype", "second", "measured", "extra"), MEASURED)
def test_sizes_are_those_that_onnxruntime_writes(
    name: str, dtype: str, second: bool, measured: int, extra: int
) -> None:
    options = PlanOptions(per_channel=second, asymmetric=second)
    found = size_plan(fixture(name), dtype, options)  # type: ignore[arg-type]
    assert found.total_nbytes == measured + extra


@pytest.mark.parametrize("name", ["cnn", "cnn_batchnorm", "lstm_3_2", "tied_language_model"])
def test_parts_sum_up_and_every_tensor_has_a_reason(name: str) -> None:
    for size in plan(fixture(name)).sizes:
        kept = sum(row.kept_nbytes for row in size.tensors)
        assert kept == size.kept_nbytes
        assert size.total_nbytes == sum(size.nbytes_by_dtype.values())
        assert sum(row.weight_nbytes for row in size.tensors) == size.weight_nbytes
        assert sum(row.scale_nbytes for row in size.tensors) == size.scale_nbytes
        parts = size.weight_nbytes + size.scale_nbytes + kept + size.added_nbytes
        assert size.total_nbytes == parts
        assert size.today_nbytes == report(name).totals.nbytes.total
        assert all(row.reason for row in size.tensors)
        assert len(size.tensors) == len(report(name).tensors)


def test_norms_and_biases_stay() -> None:
    rows = size_plan(fixture("cnn_batchnorm"), "int8", PlanOptions()).tensors
    for row, tensor in zip(rows, report("cnn_batchnorm").tensors, strict=True):
        assert row.converted == (len(tensor.shape) >= 2)


def test_convolutions_have_no_4_bit_form() -> None:
    rows = {row.name: row for row in size_plan(fixture("cnn"), "int4", PlanOptions()).tensors}
    assert not rows["features.0.weight"].converted
    assert rows["features.0.weight"].reason == "Conv keeps float32"


def test_an_embedding_is_packed_in_rows() -> None:
    found = size_plan(fixture("embedding_50_16"), "int4", PlanOptions())
    assert (found.weight_nbytes, found.scale_nbytes) == (50 * 16 // 2, 50 * 4)


def _matmul(save: Save, tensor: TensorProto, dtype: int = TensorProto.FLOAT) -> CountedModel:
    node = helper.make_node("MatMul", ["x", tensor.name], ["y"])
    x = helper.make_tensor_value_info("x", dtype, ["batch", tensor.dims[-2]])
    y = helper.make_tensor_value_info("y", dtype, None)
    return counted(save([node], [tensor], inputs=[x], outputs=[y]))


@pytest.mark.parametrize("block", [16, 32, 128])
def test_blocks_are_padded(save: Save, weights: Weights, block: int) -> None:
    found = size_plan(_matmul(save, weights("w", 70, 3)), "int4", PlanOptions(block=block))
    blocks = -(-70 // block)
    assert (found.weight_nbytes, found.scale_nbytes) == (3 * blocks * block // 2, 3 * blocks * 4)


def test_scales_have_the_type_of_the_weight(save: Save, weights: Weights) -> None:
    tensor = weights("w", 64, 4, dtype=np.float16)
    model = _matmul(save, tensor, TensorProto.FLOAT16)
    assert size_plan(model, "int8", PlanOptions()).scale_nbytes == 2 + 1
    assert size_plan(model, "int4", PlanOptions()).scale_nbytes == 2 * 4 * 2
    half = size_plan(model, "float16", PlanOptions())
    assert (half.converted_tensors, half.total_nbytes) == (0, 64 * 4 * 2)


def test_a_tied_weight_makes_no_perceptron(save: Save, weights: Weights) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["z"]),
        helper.make_node("Add", ["z", "w"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4, 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4, 4])
    model = graphcount.count(save(nodes, [weights("w", 4, 4)], inputs=[x], outputs=[y]))
    assert not mlp_plan(model).layers


def test_training_takes_so_many_bytes_a_parameter() -> None:
    model = graphcount.count(str(FIXTURES / "mlp_8_16_16_8.onnx"), dims={"batch": 3})
    expected = {
        ("sgd", False): 8,
        ("momentum", False): 12,
        ("adam", False): 16,
        ("adamw", False): 16,
        ("sgd", True): 8,
        ("momentum", True): 12,
        ("adam", True): 16,  # ZeRO, section 3.1
        ("adamw", True): 16,
    }
    for (optimizer, mixed), each in expected.items():
        row = training_plan(model.totals, 552, optimizer, mixed)  # type: ignore[arg-type]
        parts = (row.weight_nbytes, row.gradient_nbytes, row.master_nbytes, row.moment_nbytes)
        assert row.nbytes_per_parameter == each
        assert sum(parts) == row.state_nbytes == each * 552
        assert row.activation_nbytes == 288 * 3
        assert row.total_nbytes == each * 552 + 288 * 3


def test_dynamic_dimensions_are_not_guessed() -> None:
    found = plan(fixture("mlp_8_16_16_8"))
    row = found.training[0]
    assert (row.activation_nbytes, row.total_nbytes) == (None, None)
    assert row.activation_expression == "288*batch"
    assert any("--dim" in note for note in found.notes)


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (5_519, "fewer than 10"),
        (5_520, "10x rule, not the 100x rule"),
        (55_200, "enough for the 100x rule"),
    ],
)
def test_data_by_rules_of_thumb(samples: int, words: str) -> None:
    found = data_plan(552, samples)
    assert (found.low, found.high) == (5_520, 55_200)
    assert words in found.verdict
    assert "rule of thumb" in found.verdict
    assert not data_plan(552, None).verdict


def test_the_textbook_network_in_other_shapes() -> None:
    found = mlp_plan(report("mlp_8_16_16_8"), (1, 2, 3, 4))
    assert (found.layers, found.parameters) == ((8, 16, 16, 8), 552)
    widths = {row.hidden_layers: [n.width for n in row.neighbours] for row in found.widths}
    assert widths == {1: [32], 2: [16], 3: [12, 13], 4: [10, 11]}
    assert found.widths[2].formula == "2·d² + 19·d + 8"
    assert [row.hidden_layers for row in mlp_plan(report("mlp_8_16_16_8")).widths] == [1, 2, 3]


@given(
    st.integers(1, 300),
    st.integers(1, 300),
    st.booleans(),
    st.integers(0, 10**7),
    st.integers(1, 9),
)
def test_neighbours_enclose_the_total(
    inputs: int, outputs: int, biases: bool, total: int, hidden: int
) -> None:
    found = width_plan(inputs, outputs, biases, total, hidden).neighbours
    for row in found:
        pairs = zip(row.layers, row.layers[1:], strict=False)
        counted = sum(i * o + (o if biases else 0) for i, o in pairs)
        assert row.parameters == counted == parameters(row.layers, biases)
        assert row.difference == counted - total
    differences = [row.difference for row in found]
    if len(found) == 2:
        assert differences[0] < 0 < differences[1]
        assert found[1].width == found[0].width + 1
    elif differences and differences != [0]:
        assert found[0].width == 1  # already too large
        assert differences[0] > 0


@pytest.mark.parametrize("name", ["cnn", "transformer_block", "lstm_3_2", "batchnorm1d_64"])
def test_other_models_are_no_perceptrons(name: str) -> None:
    found = mlp_plan(report(name))
    assert not found.layers
    assert found.reason


def test_matmul_and_add_without_biases(save: Save, weights: Weights) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["h"]),
        helper.make_node("Tanh", ["h"], ["t"]),
        helper.make_node("MatMul", ["t", "b"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])
    tensors = [weights("a", 4, 7), weights("b", 7, 3)]
    found = mlp_plan(graphcount.count(save(nodes, tensors, inputs=[x], outputs=[y])))
    assert (found.layers, found.biases, found.parameters) == ((4, 7, 3), False, 49)
    assert [n.width for n in found.widths[0].neighbours] == [7]
    assert found.widths[1].formula == "1·d² + 7·d"
    assert [(n.width, n.parameters) for n in found.widths[1].neighbours] == [(4, 44), (5, 60)]


def test_functions_of_one_element_are_activations(save: Save, weights: Weights) -> None:
    """Whatever they are; a fused one, too. What moves elements to other rows is none."""
    nodes = [
        helper.make_node("FusedGemm", ["x", "a"], ["h"], domain="com.microsoft"),
        helper.make_node("Sin", ["h"], ["s"]),
        helper.make_node("Gelu", ["s"], ["t"]),
        helper.make_node("MatMul", ["t", "b"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [6, 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [6, 3])
    tensors, opsets = [weights("a", 4, 6), weights("b", 6, 3)], [("", 20), ("com.microsoft", 1)]
    path = save(nodes, tensors, inputs=[x], outputs=[y], opsets=opsets)
    assert mlp_plan(graphcount.count(path)).layers == (4, 6, 3)
    for op_type in ("Transpose", "CumSum", "Add"):
        nodes[1] = helper.make_node(op_type, ["h", "h"][: 1 + (op_type == "Add")], ["s"])
        path = save(nodes, tensors, inputs=[x], outputs=[y], opsets=opsets)
        assert op_type in mlp_plan(graphcount.count(path)).reason


def test_a_skip_connection_is_no_chain(save: Save, weights: Weights) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["h"]),
        helper.make_node("Add", ["h", "x"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])
    model = graphcount.count(save(nodes, [weights("a", 4, 4)], inputs=[x], outputs=[y]))
    assert "Add" in mlp_plan(model).reason


@pytest.mark.parametrize(
    "options",
    [
        PlanOptions(block=8),
        PlanOptions(block=48),
        PlanOptions(samples=-1),
        PlanOptions(layers=(0,)),
        PlanOptions(dtypes=("int3",)),  # type: ignore[arg-type]
    ],
)
def test_options_that_make_no_sense(options: PlanOptions) -> None:
    with pytest.raises(UsageError):
        plan(fixture("cnn"), options)


def test_plan_from_a_path_or_a_model() -> None:
    path = str(FIXTURES / "mlp_8_16_16_8.onnx")
    assert graphcount.plan(path, samples=1) == graphcount.plan(graphcount.load(path), samples=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        graphcount.plan(path).parameters = 1  # type: ignore[misc]


def test_trees_have_no_training(save: Save) -> None:
    """What a tree ensemble learned is fitted once; no gradient, no element type changes it."""
    lists: dict[str, Any] = {
        "nodes_treeids": [0, 0, 0],
        "nodes_nodeids": [0, 1, 2],
        "nodes_featureids": [0, 0, 0],
        "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
        "nodes_values": [0.5, 0.0, 0.0],
        "nodes_truenodeids": [1, 0, 0],
        "nodes_falsenodeids": [2, 0, 0],
        "target_treeids": [0, 0],
        "target_nodeids": [1, 2],
        "target_ids": [0, 0],
        "target_weights": [1.0, 2.0],
    }
    scale = helper.make_node("Scaler", ["x"], ["s"], domain="ai.onnx.ml", offset=[0.5], scale=[2.0])
    trees = helper.make_node(
        "TreeEnsembleRegressor", ["s"], ["y"], domain="ai.onnx.ml", n_targets=1, **lists
    )
    sizes = {"inputs": [("x", [1, 1])], "outputs": [("y", [1, 1])]}
    path = save([scale, trees], **sizes, opsets=[("", 20), ("ai.onnx.ml", 3)])
    found = plan(counted(path), PlanOptions(samples=10))
    assert found.parameters > 0
    assert (found.sizes, found.training, found.data, found.mlp) == ((), (), None, None)
    assert [row.part for row in found.left_out] == [*DTYPES, "training", "data", "mlp"]
    reasons = {row.part: row.reason for row in found.left_out}
    assert "TreeEnsembleRegressor" in reasons["training"]
    assert not any("activations" in note for note in found.notes)


def test_nothing_learned_nothing_trained(save: Save) -> None:
    path = save([helper.make_node("Relu", ["x"], ["y"])], inputs=[("x", [1])], outputs=[("y", [1])])
    found = plan(counted(path))
    reasons = {row.part: row.reason for row in found.left_out}
    assert {reasons.pop(dtype) for dtype in DTYPES} == {"no tensor is stored"}
    assert sorted(reasons) == ["data", "mlp", "training"]
    assert set(reasons.values()) == {"nothing is learned here: the file holds no parameters"}


def test_a_network_behind_a_scaler_is_trained_alone(save: Save, weights: Weights) -> None:
    nodes = [
        helper.make_node(
            "LinearRegressor", ["x"], ["s"], domain="ai.onnx.ml", coefficients=[1.0] * 6, targets=2
        ),
        helper.make_node("MatMul", ["s", "w"], ["y"]),
    ]
    sizes = {"inputs": [("x", [1, 3])], "outputs": [("y", [1, 5])]}
    opsets = [("", 20), ("ai.onnx.ml", 3)]
    path = save(nodes, [weights("w", 2, 5)], **sizes, opsets=opsets)
    found = plan(counted(path), PlanOptions(optimizers=("sgd",)))
    assert found.parameters == 6 + 10
    assert found.training[0].state_nbytes == 8 * 10
    assert found.data is not None
    assert found.data.low == 100


def test_what_stays_is_said_where_it_is_much(save: Save, weights: Weights) -> None:
    nodes = [
        helper.make_node("Transpose", ["w"], ["v"]),
        helper.make_node("MatMul", ["x", "v"], ["h"]),
        helper.make_node("MatMul", ["h", "u"], ["y"]),
    ]
    sizes = {"inputs": [("x", [1, 8])], "outputs": [("y", None)]}
    path = save(nodes, [weights("w", 8, 8), weights("u", 8, 2)], **sizes)
    notes = plan(counted(path), PlanOptions(dtypes=("int8",))).notes
    assert "int8 leaves 80.0% of the bytes as they are: Transpose keeps float32 (80.0%)" in notes
    assert not plan(fixture("cnn"), PlanOptions(dtypes=("int8",))).notes[1:]


def test_sizes_of_hostile_tensors_are_no_error(save: Save) -> None:
    """Shapes that cannot be; weights without axes; a name twice."""
    tensors = [
        TensorProto(name="w", data_type=1, dims=[-3, 4]),
        TensorProto(name="s", data_type=1, dims=[]),
        TensorProto(name="s", data_type=1, dims=[5, 5]),
        TensorProto(name="h", data_type=1, dims=[2**62, 2**62]),
        TensorProto(name="z", data_type=99, dims=[2, 2]),
    ]
    nodes = [helper.make_node("MatMul", ["x", t.name], [f"y{i}"]) for i, t in enumerate(tensors)]
    nodes += [
        helper.make_node(op_type, [], ["e"]) for op_type in ("Conv", "LSTM", "Gather", "Gemm")
    ]
    path = save(nodes, tensors, inputs=[("x", None)], outputs=[("y0", None)])
    for channel in (False, True):
        for size in plan(counted(path), PlanOptions(per_channel=channel)).sizes:
            assert size.total_nbytes >= 0
