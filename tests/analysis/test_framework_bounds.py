"""Bounds and best numbers of the framework's count, where traces say less than they seem to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from graphcount.analysis.counts import SIGNATURE
from tests.analysis.test_framework import Builder, call, recovered, signature


def test_a_tensor_that_sizes_one_name_sizes_no_other(tmp_path: Path) -> None:
    """The table's 3·4·5 numbers are w; cls was folded into something that is not stored."""
    model = Builder()
    model.metadata[SIGNATURE] = signature("w", "cls", "o.weight")
    model.node(
        "GatherND",
        [model.tensor("val_0", 3, 4, 5), model.input("k", 2, 1, kind=7)],
        "chosen",
        fx=call("index", "%p_w", "[%k]"),
    )
    fx = call("linear", "%chosen", "%p_o_weight")
    model.node("MatMul", ["chosen", model.tensor("o.weight", 5, 2)], "y", fx=fx)
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert (found.parameters, found.exact, found.low) == (60 + 10, False, 10)
    assert any("1 tensor that torch.export declared has no size" in s for s in found.evidence)


@pytest.mark.parametrize(("fused", "says"), [(False, True), (True, False)])
def test_fused_nodes_disturb_the_numbering_of_values(
    tmp_path: Path, fused: bool, says: bool
) -> None:
    """Conv without bias, BatchNormalization, Relu: x, 1 weight, 5 of the norm, 3 results are 0..9.

    So the folded weight is 11 (two behind 9). When Conv and Relu are one node, a result is missing,
    which looks as if the convolution had had a bias. 3·2 weights and a scale and a shift of 3.
    """
    model = Builder()
    folded = [model.tensor("onnx::Conv_11", 3, 2, 1, 1), model.tensor("onnx::Conv_12", 3)]
    inputs = [model.input("x", 1, 2, 5, 5), *folded]
    if fused:
        model.node("FusedConv", inputs, "y", name="/0/Conv", domain="com.microsoft")
    else:
        model.node("Conv", inputs, "h", name="/0/Conv")
        model.node("Relu", ["h"], "y", name="/2/Relu")
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert found.parameters == 3 * 2 + 3 + 3
    assert any("numbering of values" in sentence for sentence in found.evidence) == says


@pytest.mark.parametrize(("rows", "tied"), [(40, True), (48, False)])
@pytest.mark.parametrize("op_type", ["MatMulNBits", "MatMulBnb4"])
def test_a_packed_product_may_be_a_copy_of_a_table(
    tmp_path: Path, op_type: str, rows: int, tied: bool
) -> None:
    """A head of 40 rows of 32 numbers, in blocks of 16, beside a table of `rows` rows of 32.

    Its 4-bit numbers cannot equal the table's; by shape it may be its copy, and if so, the model
    had the table's numbers only.
    """
    model = Builder()
    model.node(
        "Gather",
        [model.tensor("embed.weight", rows, 32), model.input("i", 2, 3, kind=7)],
        "e",
        name="/embed/Gather",
    )
    shape = (40, 2, 8) if op_type == "MatMulNBits" else (640,)
    packed = model.random.integers(1, 100, shape).astype(np.uint8)
    model.tensors.append(numpy_helper.from_array(packed, "onnx::MatMul_9_Q4"))
    inputs = ["e", "onnx::MatMul_9_Q4", model.tensor("scales", 80)]
    sizes: dict[str, Any] = {"K": 32, "N": 40, "block_size": 16}
    model.node(op_type, inputs, "y", name="/head/MatMul", domain="com.microsoft", **sizes)
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert (found.parameters, found.exact) == (rows * 32 + 40 * 32, False)
    assert found.low == rows * 32 + (0 if tied else 40 * 32)


def test_a_packed_product_may_be_a_copy_of_a_packed_table(tmp_path: Path) -> None:
    """Two numbers in a byte: 40 rows of 16 bytes in a look-up, 40 rows of 2 blocks of 8 bytes."""
    model = Builder()
    for name, shape in (("embed.weight_Q4", (40, 16)), ("onnx::MatMul_9_Q4", (40, 2, 8))):
        packed = model.random.integers(1, 100, shape).astype(np.uint8)
        model.tensors.append(numpy_helper.from_array(packed, name))
    scales = model.tensor("scales", 40, 2)
    inputs = ["embed.weight_Q4", model.input("i", 2, 3, kind=7), scales]
    sizes: dict[str, Any] = {"bits": 4, "block_size": 16, "domain": "com.microsoft"}
    model.node("GatherBlockQuantized", inputs, "e", name="/embed/Gather", **sizes)
    inputs = ["e", "onnx::MatMul_9_Q4", model.tensor("scales_2", 80)]
    model.node("MatMulNBits", inputs, "y", name="/head/MatMul", K=32, N=40, **sizes)
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert found[:3] == (2 * 40 * 32, False, 40 * 32)


@pytest.mark.parametrize(
    ("op_type", "low", "best"), [("Equal", 0, 0), ("Mul", 0, 32), ("PRelu", 32, 32)]
)
def test_a_merged_tensor_is_doubted_like_the_kept_one(
    tmp_path: Path, op_type: str, low: int, best: int
) -> None:
    """Two equal tensors of 16 ones: PRelu learns its slope, what Mul takes may be a buffer.

    What Equal compares with is a mask: a model of masks has no parameters at all.
    """
    model = Builder()
    kept = model.tensor("0.table", values=np.ones((4, 4)))
    model.node("Identity", [kept], "1.table", name="Identity_0")
    model.node(op_type, [model.input("x", 1, 4, 4), kept], "h", name=f"/0/{op_type}")
    model.node(op_type, ["x", "1.table"], "y", name=f"/1/{op_type}")
    model.node("Concat", ["h", "y"], "z", name="/Concat", axis=0)
    found = recovered(model.save(tmp_path / "m.onnx", "z"))
    assert (found.parameters, found.exact, found.low) == (best, False, low)


@pytest.mark.parametrize("kept", ["a.bias", "b.start"])
def test_a_merged_tensor_counts_by_its_own_use(tmp_path: Path, kept: str) -> None:
    """A bias of 4 zeros, and an equal tensor that Mul takes and may be a buffer: 20, at most 24.

    Whichever the exporter kept, the weight of 16 and one of the two are certain.
    """
    model = Builder()
    other = {"a.bias": "b.start", "b.start": "a.bias"}[kept]
    model.node("Identity", [model.tensor(kept, values=np.zeros(4))], other, name="Identity_0")
    inputs = [model.input("x", 1, 4), model.tensor("a.weight", 4, 4), "a.bias"]
    model.node("Gemm", inputs, "h", name="/a/Gemm")
    model.node("Mul", ["h", "b.start"], "y", name="/b/Mul")
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert (found.parameters, found.exact, found.low) == (24, False, 20)


def test_a_weight_behind_an_identity_was_merged_with_nothing(tmp_path: Path) -> None:
    """3·4 numbers that only an Identity reads, as TensorFlow's variables are read."""
    model = Builder("tf2onnx")
    weight = model.node("Identity", [model.tensor("const__5", 3, 4)], "w/read:0", name="w/read")
    model.node("MatMul", [model.input("x", 1, 3), weight], "y", name="dense/MatMul")
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert (found.parameters, found.exact, found.low) == (12, False, 12)


@pytest.mark.parametrize(
    ("weight", "bias", "output", "low", "best"),
    [
        ("onnx::Conv_8", "onnx::Conv_9", "y", 6, 12),
        ("c.weight", "c.weight_bias", "getitem", 6, 12),
        ("c.weight", "c.bias", "getitem", 9, 15),
        ("weight", "renamed", "getitem", 6, 12),
        ("c.weight", "", "getitem", 6, 12),
        ("getitem_weight", "getitem_bias", "getitem", 6, 12),
        ("ConvBnFusion_W_c.weight", "ConvBnFusion_BN_B_n.bias", "getitem", 12, 12),
        ("ConvBnFusion_W_c.weight", "ConvBnFusion_BN_B_/n/Constant_1_output_0", "y", 6, 6),
    ],
)
def test_a_folded_norm_may_have_learned_nothing(
    tmp_path: Path, weight: str, bias: str, output: str, low: int, best: int
) -> None:
    """A convolution of 3·2 weights without a bias, before a norm without scale and shift: 6.

    All of the stored bias is then the norm's running mean. Unless something tells, the norm most
    likely had a scale and a shift (12); a bias that kept its name is one (9, 15).
    """
    model = Builder()
    inputs = [model.input("x", 1, 2, 5, 5), model.tensor(weight, 3, 2, 1, 1)]
    inputs += [model.tensor(bias, 3)] if bias else []
    model.node("Conv", inputs, output, name="/c/Conv")
    found = recovered(model.save(tmp_path / "m.onnx", output))
    assert (found.parameters, found.exact, found.low) == (best, False, low)


@pytest.mark.parametrize(
    ("removed", "low", "best"),
    [
        ("c.weight, n.running_mean, n.running_var", 6, 12),
        ("c.weight, c.bias, n.running_mean, n.running_var", 9, 15),
        ("c.weight, n.weight, n.bias, n.running_mean, n.running_var", 12, 12),
        ("c.weight, c.bias, n.weight, n.bias, n.running_mean, n.running_var", 15, 15),
    ],
)
def test_values_that_onnxsim_removed(tmp_path: Path, removed: str, low: int, best: int) -> None:
    """3·2 weights and 3 numbers each for a bias, a scale and a shift that it says it removed."""
    model = Builder()
    inputs = [model.input("x", 1, 2, 5, 5), model.tensor("_v_4", 3, 2, 1, 1)]
    model.node("Conv", [*inputs, model.tensor("_v_5", 3)], "y", name="/c/Conv")
    path = model.save(tmp_path / "m.onnx", "y")
    proto = onnx.load(path)
    entry = proto.metadata_props.add()
    entry.key, entry.value = "onnxsim.removed_values", removed
    onnx.save(proto, path)
    found = recovered(path)
    assert (found.parameters, found.exact, found.low) == (best, False, low)


@pytest.mark.parametrize(
    ("call_name", "bias", "low"),
    [("linear", True, 52), ("linear", False, 48), ("einsum", True, 20)],
)
def test_a_product_of_the_dynamo_exporter_that_is_no_linear(
    tmp_path: Path, call_name: str, bias: bool, low: int
) -> None:
    """A table of 8·4 numbers under a generated name, which only a linear call says is a weight.

    Another product may hold a buffer, or rows gathered from a smaller table: 0 of its own. What is
    stored is 32, a bias of 4, and 4·4 of the linear call that follows.
    """
    model = Builder()
    inputs = [model.input("x", 2, 8), model.tensor("val_0", 8, 4)]
    result = "val_1" if bias else call_name
    model.node("MatMul", inputs, result)
    if bias:
        model.node("Add", [result, model.tensor("q.bias", 4)], call_name)
    model.node("MatMul", [call_name, model.tensor("val_2", 4, 4)], "y", name="node_linear_1")
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert (found.parameters, found.exact, found.low) == (52 if bias else 48, False, low)
    assert "legacy" not in found.evidence[-1]
    assert "torch.export's list of parameters is lost" in found.evidence[-1]


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize(("module", "low"), [("/a", 16), ("", 0)])
def test_an_equal_operand_is_doubted_with_the_kept_one(
    tmp_path: Path, module: str, low: int, fresh: bool
) -> None:
    """Two of 4·4 numbers, merged: one tied weight, or in a fresh model (biases of 4 zeros) two.

    In Linear modules they are weights, elsewhere perhaps buffers, as is what no product precedes.
    """
    model = Builder()
    zeros = model.tensor("a.bias", values=np.zeros(4))
    kept = model.tensor("onnx::MatMul_9", 4, 4)
    model.node("Identity", [kept], "onnx::MatMul_10", name="Identity_0")
    model.node("MatMul", [model.input("x", 1, 4), kept], "h", name=f"{module}/MatMul")
    model.node("MatMul", ["h", "onnx::MatMul_10"], "i", name="/b/MatMul")
    model.node("Add", ["i", zeros], "j", name="/b/Add")
    if fresh:
        model.node("Identity", [zeros], "b.bias", name="Identity_1")
    model.node("Add", ["j", "b.bias" if fresh else zeros], "y", name="/c/Add")
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    biases = 8 if fresh else 4
    assert (found.parameters, found.exact, found.low) == (
        (32 if fresh else 16) + biases,
        False,
        low + 4,
    )
