"""Rules on quantization: scales and zero points against their data (ContribOperators.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphcount.report.finding_rows import Finding

Write = Callable[..., str]
Find = Callable[..., list[Finding]]


def shape(*dims: int) -> Any:
    return np.array(dims, np.int64)


def dequantized(
    scale: Any, zero: Any, axis: int = 0, shape: tuple[int, ...] = (4, 6)
) -> tuple[str, dict[str, Any]]:
    text = f"(float[6] x) => (float[N] y) {{ w = DequantizeLinear<axis = {axis}>(q, s, z)\n"
    text += " wt = Transpose(w)\n y = MatMul(x, wt) }"
    tensors = {"q": np.ones(shape, np.int8), "s": np.asarray(scale, np.float32), "z": zero}
    return text, tensors


@pytest.mark.parametrize(
    ("scale", "zero", "axis"),
    [
        (np.ones(3), np.zeros(3, np.int8), 0),  # three for four rows
        (np.ones(4), np.zeros(4, np.int8), 1),  # four for six columns
        (np.ones(4), np.zeros(4, np.int8), 5),  # no such axis
        (np.ones((4, 6)), np.zeros((4, 6), np.int8), 0),  # blocks, and no size of them
        (np.ones(4), np.zeros(3, np.int8), 0),  # scale and zero point differ
        (np.ones(4), np.zeros(4, np.uint8), 0),  # types differ
    ],
)
def test_scale_shape(scale: Any, zero: Any, axis: int, write: Write, find: Find) -> None:
    findings = find(write(*dequantized(scale, zero, axis)), "QNT001")
    assert [finding.severity for finding in findings] == ["medium"]


@pytest.mark.parametrize(
    ("scale", "zero", "axis"),
    [
        (np.float32(1), np.int8(0), 1),
        (np.ones(1), np.zeros(1, np.int8), 0),
        (np.ones(4), np.zeros(4, np.int8), 0),
        (np.ones(6), np.zeros(6, np.int8), 1),
        (np.ones(6), np.zeros(6, np.int8), -1),
    ],
)
def test_scales_that_fit(scale: Any, zero: Any, axis: int, write: Write, find: Find) -> None:
    assert find(write(*dequantized(scale, zero, axis)), "QNT001", "QNT003") == []


def packed(rows: int, columns: int, block: int, blocks: int) -> tuple[str, dict[str, Any]]:
    text = f"""(float[1,{rows}] x) => (float[1,{columns}] y) {{
        y = com.microsoft.MatMulNBits
            <K={rows}, N={columns}, bits=4, block_size={block}>(x, q, s) }}"""
    tensors = {
        "q": np.ones((columns, blocks, block // 2), np.uint8),
        "s": np.ones(columns * blocks, np.float32),
    }
    return text, tensors


def test_block_quantized(write: Write, find: Find) -> None:
    opsets = {"": 20, "com.microsoft": 1}
    assert find(write(*packed(64, 8, 32, 2), opsets=opsets), "QNT") == []
    assert find(write(*packed(33, 8, 32, 2), opsets=opsets), "QNT") == []  # a padded last block
    [finding] = find(write(*packed(128, 8, 32, 2), opsets=opsets), "QNT002")
    assert finding.severity == "medium"
    assert "its attributes ask 512" in finding.message  # 8 columns, 4 blocks, 16 bytes
    text, tensors = packed(64, 8, 32, 2)
    tensors["s"] = np.ones(15, np.float32)
    [scales] = find(write(text, tensors, opsets=opsets), "QNT002")
    assert "15 scales where there are 16 blocks" in scales.message
    [senseless] = find(write(*packed(64, 8, 24, 2), opsets=opsets), "QNT002")
    assert "block_size 24" in senseless.message


@pytest.mark.parametrize("bad", [0.0, -0.5, float("nan"), float("inf")])
def test_scale_value(bad: float, write: Write, find: Find) -> None:
    scale = np.array([0.5, bad, 0.5, 0.5])
    [finding] = find(write(*dequantized(scale, np.zeros(4, np.int8))), "QNT003")
    assert finding.severity == "medium"
    assert finding.evidence["count"] == 1


def test_quantizers_of_blocks_write_negative_scales(write: Write, find: Find) -> None:
    text, tensors = packed(64, 8, 32, 2)
    tensors["s"] = -tensors["s"]
    assert find(write(text, tensors, opsets={"": 20, "com.microsoft": 1}), "QNT003") == []
    tensors["s"][3] = np.nan
    assert len(find(write(text, tensors, opsets={"": 20, "com.microsoft": 1}), "QNT003")) == 1


def test_large_scales_are_read_in_a_deep_audit_only(write: Write, find: Find) -> None:
    scale = np.ones(1000)
    scale[999] = 0
    path = write(*dequantized(scale, np.zeros(1000, np.int8), 0, (1000, 6)))
    assert find(path, "QNT003", deep=False) == []
    assert len(find(path, "QNT003", deep=True)) == 1


def test_wide_weights(write: Write, find: Find) -> None:
    text, tensors = dequantized(np.ones(4), np.zeros(4, np.int8))
    text = text.replace("y = MatMul(x, wt)", "a = MatMul(x, wt)\n y = MatMul(a, V)")
    [finding] = find(write(text, {**tensors, "V": np.ones((4, 50), np.float32)}), "QNT004")
    assert finding.severity == "info"
    assert finding.evidence["nbytes"] == 4 * 50 * 4
    assert find(write(*dequantized(np.ones(4), np.zeros(4, np.int8))), "QNT004") == []
    plain = "(float[4] x) => (float[50] y) { y = MatMul(x, V) }"
    assert find(write(plain, {"V": np.ones((4, 50), np.float32)}), "QNT004") == []


@pytest.mark.parametrize("op_type", ["QLinearConv", "com.microsoft.QLinearConv"])
@pytest.mark.parametrize(("scales", "message"), [(4, ""), (3, "3 scales for 4 filters")])
def test_scales_of_filters(
    op_type: str, scales: int, message: str, write: Write, find: Find
) -> None:
    text = f"(uint8[1,2,5,5] x) => (uint8[N,4,3,3] y) {{ y = {op_type}(x, s, z, w, ws, wz, s, z) }}"
    tensors = {
        "s": np.float32(1),
        "z": np.uint8(0),
        "w": np.ones((4, 2, 3, 3), np.int8),
        "ws": np.ones(scales, np.float32),
        "wz": np.zeros(scales, np.int8),
    }
    findings = find(write(text, tensors, opsets={"": 20, "com.microsoft": 1}), "QNT001")
    assert [message in finding.message for finding in findings] == [True] * bool(message)


ON_PAPER = """(float[6] x) => (float[4] y) {
    t = Transpose(w)
    q = QuantizeLinear(t, s, z)
    d = DequantizeLinear(q, s, z)
    y = MatMul(x, d) }"""


def test_weights_that_are_quantized_on_paper(write: Write, find: Find) -> None:
    tensors = {
        "w": np.ones((4, 6), np.float32),
        "s": np.asarray(0.5, np.float32),
        "z": np.asarray(0, np.int8),
    }
    [finding] = find(write(ON_PAPER, tensors), "QNT005")
    assert (finding.severity, finding.where) == ("info", {"tensor": "w"})
    assert finding.evidence == {"nbytes": 4 * 6 * 4, "quantized_nbytes": 4 * 6, "tensors": 1}
    assert "96 bytes" in finding.message
    assert "24 bytes" in finding.message


def test_weights_that_are_stored_quantized_or_used_as_floats_too(write: Write, find: Find) -> None:
    scale, zero = np.asarray(0.5, np.float32), np.asarray(0, np.int8)
    assert find(write(*dequantized(np.ones(4), np.zeros(4, np.int8))), "QNT005") == []
    both = ON_PAPER.replace("y = MatMul(x, d)", "a = MatMul(x, d)\n y = MatMul(a, w) ")
    both = both.replace("float[4] y", "float[6] y")
    tensors = {"w": np.ones((4, 6), np.float32), "s": scale, "z": zero}
    assert find(write(both, tensors), "QNT005") == []
    activation = """(float[6] x) => (float[4] y) {
        q = QuantizeLinear(x, s, z)
        d = DequantizeLinear(q, s, z)
        y = MatMul(d, w) }"""
    tensors["w"] = np.ones((6, 4), np.float32)
    assert find(write(activation, tensors), "QNT005") == []


def test_quant_of_qonnx_holds_floats_on_purpose(write: Write, find: Find) -> None:
    text = """(float[6] x) => (float[4] y) {
        q = qonnx.custom_op.general.Quant<signed = 1, narrow = 0>(w, s, z, b)
        y = MatMul(x, q) }"""
    tensors = {name: np.asarray(1, np.float32) for name in ("s", "z", "b")}
    tensors["w"] = np.ones((6, 4), np.float32)
    path = write(text, tensors, opsets={"": 20, "qonnx.custom_op.general": 1})
    assert find(path, "QNT005") == []
