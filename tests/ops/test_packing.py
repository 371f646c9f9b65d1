"""Tensors that pack several elements into one count as the elements they stand for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper

import graphcount
from tests.conftest import Save

K, N, KV, RANK = 40, 8, 4, 8
BLOCKS = {"K": K, "bits": 4, "block_size": 32}


def packed(rows: int, inner: int = K, block: int = 32) -> np.ndarray:
    """Return rows of elements of 4 bits, each in whole blocks: two elements in a byte."""
    return np.zeros((rows, -(-inner // block), block // 2), np.uint8)


def scales(rows: int, inner: int = K) -> np.ndarray:
    """Return a scale for each block."""
    return np.ones((rows, -(-inner // 32)), np.float32)


def bias(rows: int) -> np.ndarray:
    """Return a bias."""
    return np.ones(rows, np.float32)


def projection(rows: int) -> list[Any]:
    """Return weight, scales and bias of a product."""
    return [packed(rows), scales(rows), bias(rows)]


Case = tuple[str, list[Any], dict[str, Any], int, int]
CASES: list[Case] = [
    # operator, inputs behind the first, attributes, parameters, MACs of 3 rows
    (
        "MatMulNBitsMlp",
        [None, None, *projection(N), *projection(N)],
        {**BLOCKS, "N": N, "activation": "silu"},
        2 * (K * N + N),
        3 * 2 * K * N,
    ),
    (
        "MatMulNBitsQkv",
        [None, np.ones(K, np.float32), *projection(N), *projection(KV), *projection(KV)],
        {**BLOCKS, "Nq": N, "Nkv": KV},
        K + (K + 1) * (N + 2 * KV),
        3 * K * (N + 2 * KV),
    ),
    (
        "MatMulNBitsQLoRA",
        [packed(N), scales(N), packed(RANK), scales(RANK), packed(N, 32), scales(N, 32)],
        {**BLOCKS, "N": N, "lora_bits": 4, "lora_block_size": 32},
        K * N + K * RANK + 32 * N,  # the rank is padded to a block
        3 * (K * N + K * RANK + RANK * N),
    ),
    ("MatMulPacked", [np.zeros((N, 23), np.uint8)], {"K": K, "N": N, "packed_type": 2}, K * N, 960),
    (
        "MatMulBlockQuantizedFp4Weight",
        [np.zeros((N, K // 2), np.uint8), np.zeros((N, 3), np.uint8), np.float32(1)],
        {},
        K * N,
        3 * K * N,
    ),
]


def saved(save: Save, case: Case) -> str:
    """Return a file with one node."""
    op_type, tensors, attributes, *_ = case
    names = ["" if one is None else f"t{index}" for index, one in enumerate(tensors)]
    held = [
        numpy_helper.from_array(np.asarray(one), name)
        for name, one in zip(names, tensors, strict=True)
        if one is not None
    ]
    outputs = ["y", "k", "v"] if op_type == "MatMulNBitsQkv" else ["y"]
    node = helper.make_node(
        op_type, ["x", *names], outputs, "n", domain="com.microsoft", **attributes
    )
    infos = [helper.make_tensor_value_info("x", 1, [3, K])]
    return save([node], held, inputs=infos, outputs=["y"], opsets=[("", 21), ("com.microsoft", 1)])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_packed_weights_count_as_the_elements_they_stand_for(save: Save, case: Case) -> None:
    report = graphcount.count(saved(save, case))
    assert (report.totals.parameters, report.totals.macs) == case[3:]
    assert not report.unknown


def test_a_packed_weight_of_other_sizes_is_said(save: Save) -> None:
    for op_type, tensors, attributes, *_ in CASES[:2]:
        for k in (K, 80):
            path = saved(save, (op_type, tensors, {**attributes, "K": k}, 0, 0))
            rules = {finding.rule for finding in graphcount.audit(path).findings}
            assert ("QNT002" in rules) == (k != K), op_type
