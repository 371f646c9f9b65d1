"""Tensors that repeat others, and filters that may be fixed: what they do to the range."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.analysis.test_framework import Builder, recovered

ROWS, COLUMNS = 40, 16
TABLE = ROWS * COLUMNS


def language_model(head: np.ndarray | None, table: np.ndarray) -> Builder:
    """Return a look-up in a table, and its product with a head where there is one."""
    model = Builder("onnxruntime-genai")
    name = model.tensor("embed.weight", values=table)
    model.node("Gather", [name, model.input("i", 1, 2, kind=7)], "e", name="/embed/Gather")
    if head is not None:
        model.node("MatMul", ["e", model.tensor("lm_head.weight", values=head)], "y", name="/head")
    return model


def values(seed: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((ROWS, COLUMNS))


@pytest.mark.parametrize(
    ("tied", "best", "low"), [(True, TABLE, TABLE), (False, 2 * TABLE, 2 * TABLE)]
)
def test_a_head_under_its_own_name(tmp_path: Path, tied: bool, best: int, low: int) -> None:
    """Equal numbers, turned, in a look-up and a product: one parameter; others are two."""
    head = values().T if tied else values(4).T
    found = recovered(language_model(head, values()).save(tmp_path / "m.onnx", "y"))
    assert found[:4] == (best, False, low, None)


def test_equal_numbers_in_two_products_may_be_one_parameter(tmp_path: Path) -> None:
    """Two layers of 4·4 equal numbers: fresh copies (32), or one that is called twice (16)."""
    model = Builder("keras")
    numbers = model.random.standard_normal((4, 4))
    model.node("MatMul", [model.input("x", 1, 4), model.tensor("a.w", values=numbers)], "h")
    model.node("MatMul", ["h", model.tensor("b.w", values=numbers)], "y")
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert found[:4] == (32, False, 16, None)
    assert "hold equal numbers" in found.evidence[0]


def quantized(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return int8 numbers and a scale for each column."""
    scale = np.abs(numbers).max(axis=0) / 127
    return np.round(numbers / scale).astype(np.int8), scale.astype(np.float32)


@pytest.mark.parametrize(("tied", "best"), [(True, TABLE), (False, 2 * TABLE)])
def test_a_quantized_head(tmp_path: Path, tied: bool, best: int) -> None:
    """8-bit integers that lie on a line with the table's rows; others may still be a copy."""
    model = language_model(None, values())
    integers, scale = quantized(values().T if tied else values(4).T)
    model.tensors.append(numpy_helper.from_array(integers, "lm_head.weight_quantized"))
    zeros = numpy_helper.from_array(np.zeros(ROWS, np.int8), "zero")
    model.tensors += [zeros, numpy_helper.from_array(scale, "scale")]
    inputs = ["lm_head.weight_quantized", "scale", "zero"]
    model.node("DequantizeLinear", inputs, "w", name="/head/DQ", axis=1)
    model.node("MatMul", ["e", "w"], "y", name="/head/MatMul")
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert found[:4] == (best, False, TABLE, None)


@pytest.mark.parametrize(("tied", "best"), [(True, TABLE), (False, 2 * TABLE)])
def test_a_packed_head(tmp_path: Path, tied: bool, best: int) -> None:
    """4 bits a number, two in a byte, a scale (here negative) for each row of 16."""
    numbers = values() if tied else values(4)
    scale = -np.abs(numbers).max(axis=1, keepdims=True) / 7
    halves = (np.clip(np.round(numbers / scale), -8, 7) + 8).astype(np.uint8)
    packed = (halves[:, ::2] | halves[:, 1::2] << 4).reshape(ROWS, 1, COLUMNS // 2)
    model = language_model(None, values())
    model.tensors.append(numpy_helper.from_array(packed, "lm_head.weight_Q4"))
    model.tensor("scales", values=scale.ravel())
    sizes: dict[str, Any] = {"K": COLUMNS, "N": ROWS, "bits": 4, "block_size": 16}
    inputs = ["e", "lm_head.weight_Q4", "scales"]
    model.node("MatMulNBits", inputs, "y", name="/head", domain="com.microsoft", **sizes)
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert found[:4] == (best, False, TABLE, None)


@pytest.mark.parametrize(("offset", "best"), [(0, 16), (64, 32)])
def test_one_range_of_a_data_file(tmp_path: Path, offset: int, best: int) -> None:
    """Two tensors of 16 floats that lie in one place are one; behind each other they are two."""
    (tmp_path / "m.data").write_bytes(np.arange(32, dtype=np.float32).tobytes())
    model = Builder("a tool")
    for name, start in (("a", 0), ("b", offset)):
        tensor = TensorProto(
            name=name, data_type=1, dims=[4, 4], data_location=TensorProto.EXTERNAL
        )
        for key, value in (("location", "m.data"), ("offset", start), ("length", 64)):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, str(value)
        model.tensors.append(tensor)
    model.node("MatMul", [model.input("x", 1, 4), "a"], "h")
    model.node("MatMul", ["h", "b"], "y")
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert found[:3] == (best, False, best)


@pytest.mark.parametrize(("equal", "best"), [(True, 16), (False, 32)])
def test_the_branches_of_an_if(tmp_path: Path, equal: bool, best: int) -> None:
    """4·4 numbers in each branch, of which one runs: one parameter when they are equal."""
    random = np.random.default_rng(1)
    first = random.standard_normal((4, 4)).astype(np.float32)
    second = first if equal else random.standard_normal((4, 4)).astype(np.float32)
    branches = {}
    for word, numbers in (("then_branch", first), ("else_branch", second)):
        output = helper.make_tensor_value_info(f"{word}_y", 1, [1, 4])
        node = helper.make_node("MatMul", ["x", f"{word}_w"], [f"{word}_y"], f"{word}_n")
        tensor = numpy_helper.from_array(numbers, f"{word}_w")
        branches[word] = helper.make_graph([node], word, [], [output], [tensor])
    inputs = [helper.make_tensor_value_info("x", 1, [1, 4])]
    inputs += [helper.make_tensor_value_info("c", TensorProto.BOOL, [])]
    output = helper.make_tensor_value_info("y", 1, [1, 4])
    node = helper.make_node("If", ["c"], ["y"], "choose", **branches)
    graph = helper.make_graph([node], "g", inputs, [output])
    onnx.save(helper.make_model(graph), tmp_path / "m.onnx")
    found = recovered(tmp_path / "m.onnx")
    assert found[:3] == (best, False, best)


@pytest.mark.parametrize(
    ("taps", "bias", "learned_before", "low"),
    [
        (16, None, False, 24),
        (16, 0.0, False, 24 + 6),
        (16, 1.0, False, 96 + 24 + 6),
        (16, None, True, 96 + 24 + 3),
        (15, None, False, 90 + 24),
    ],
)
def test_filters_of_a_raw_signal(
    tmp_path: Path, taps: int, bias: float | None, learned_before: bool, low: int
) -> None:
    """Six filters of 16 taps, then 2·6·2 weights: a transform unless biased, or behind others."""
    model = Builder("a tool")
    signal = model.input("x", 1, 1, 160)
    if learned_before:
        signal = model.node("Conv", [signal, model.tensor("pre", 1, 1, 3)], "p")
    inputs = [signal, model.tensor("front", 6, 1, taps)]
    if bias is not None:
        inputs.append(model.tensor("b", values=np.arange(6) * bias))
    model.node("Conv", inputs, "h")
    model.node("Conv", ["h", model.tensor("layer", 2, 6, 2)], "y")
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    stored = sum(int(np.prod(tensor.dims)) for tensor in model.tensors)
    assert (found.parameters, found.exact, found.low) == (stored, False, low)


@pytest.mark.parametrize(("name", "low"), [("mel.basis", 16), ("mel.weight", 48)])
def test_a_name_that_buffers_have(tmp_path: Path, name: str, low: int) -> None:
    """8·4 numbers by which a spectrum is multiplied, then 4·4 weights."""
    model = Builder("a tool")
    model.node("MatMul", [model.input("x", 1, 8), model.tensor(name, 8, 4)], "h")
    model.node("MatMul", ["h", model.tensor("fc.weight", 4, 4)], "y")
    found = recovered(model.save(tmp_path / "m.onnx", "y"))
    assert (found.parameters, found.low) == (48, low)


@pytest.mark.parametrize(("tied", "best"), [(True, 1), (False, 2)])
def test_a_large_head_in_a_data_file_is_sampled(tmp_path: Path, tied: bool, best: int) -> None:
    """1,100 x 1,000 numbers outside the model file: cells tell a copy from another matrix."""
    random = np.random.default_rng(0)
    table = random.standard_normal((1_100, 1_000))
    model = language_model(table.T if tied else random.standard_normal((1_000, 1_100)), table)
    path = model.save(tmp_path / "m.onnx", "y")
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="m.data")
    found = recovered(path)
    assert found[:3] == (best * table.size, False, best * table.size)
