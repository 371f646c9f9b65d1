"""Operands that do MACs evenly: which operators have them, and that each element does its share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphcount
from graphcount.ops import Operator, lookup, operators
from tests.conftest import Save

DOMAINS = ("", "com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc")
WEIGHTS = {"weight", "recurrent weight", "quantized weight"}

WITHOUT = {
    "Einsum",  # pairs of operands are contracted one after another
    "QOrderedMatMul",  # order_B says how its weight lies
    "AttnLSTM",  # attention beside the layer
    *("HyperConnectionLowRankMix", "HyperConnectionPostMix", "HyperConnectionPreMix"),  # several
    *("MatMulNBits", "MatMulBnb4", "MatMulFpQ4", "MatMulNBitsQLoRA"),  # packed
    *("MatMulNBitsMlp", "MatMulNBitsQkv", "MatMulPacked"),
    *("MatMulBlockQuantizedFp4Weight", "MatMulBlockQuantizedFp8Weight"),
}
"""Products and convolutions whose elements differ, or do not lie as their dimensions say."""

ALL = [
    (domain, op_type, row)
    for domain, op_type in sorted({(d, o) for d in DOMAINS for _, o in operators(d)})
    if (row := lookup(domain, op_type)) is not None and row.multiplies
]


@pytest.mark.parametrize(("domain", "op_type", "row"), ALL, ids=[f"{d}:{o}" for d, o, _ in ALL])
def test_weights_and_zero_points_stand_where_the_record_has_them(
    domain: str, op_type: str, row: Operator
) -> None:
    evenly = row.family in ("linear", "conv", "recurrent", "einsum")
    blocked = domain == "com.microsoft.nchwc"  # channels in blocks
    assert bool(row.factors) is (evenly and not blocked and op_type not in WITHOUT)
    for factor in row.factors:
        assert row.role(factor.input) in WEIGHTS
        if factor.zero is not None:
            assert row.role(factor.zero) == "zero point"
        elif "zero point" in row.roles:  # that of another operand, as of one quantized on the way
            assert row.role(factor.input) != "quantized weight"
        scaled = {one.data: one.zero for one in row.scaled}
        assert scaled.get(factor.input, factor.zero) == factor.zero


def held(name: str, *shape: int, dtype: Any = np.float32) -> TensorProto:
    array = np.ones(shape, dtype)
    array.reshape(-1)[: array.size // 2] = 0
    return numpy_helper.from_array(array, name)


CALLS: list[tuple[str, str, str, dict[str, Any], tuple[int, ...], TensorProto, int]] = [
    ("com.microsoft", "FusedMatMul", "x w", {"transB": 1}, (2, 3, 4), held("w", 6, 4), 2 * 3),
    ("com.microsoft", "FusedGemm", "x w", {"transB": 1}, (3, 4), held("w", 6, 4), 3),
    ("com.microsoft", "FusedConv", "x w", {"group": 2}, (1, 4, 5, 5), held("w", 6, 2, 2, 2), 16),
    ("com.microsoft", "NhwcConv", "x w", {}, (1, 5, 5, 4), held("w", 6, 2, 2, 4), 16),
    ("com.microsoft", "NhwcFusedConv", "x w", {}, (1, 5, 5, 4), held("w", 6, 4, 2, 2), 16),
    ("", "DeformConv", "x w o", {}, (1, 4, 5, 5), held("w", 6, 4, 2, 2), 16),
    ("", "Conv", "x w", {"dilations": [2]}, (3, 4, 9), held("w", 5, 4, 3), 3 * 5),
]
"""Domain, operator, its inputs, attributes, shape of x, its weight, MACs an element of this does:
rows, or positions of the result, as the definition of the operator has them."""


@pytest.mark.parametrize(
    ("domain", "op", "names", "more", "shape", "weight", "rate"),
    CALLS,
    ids=[f"{call[0]}:{call[1]}" for call in CALLS],
)
def test_an_element_does_one_mac_a_row_or_position(
    save: Save,
    domain: str,
    op: str,
    names: str,
    more: dict[str, Any],
    shape: tuple[int, ...],
    weight: TensorProto,
    rate: int,
) -> None:
    node = helper.make_node(op, names.split(), ["y"], domain=domain, **more)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    if "o" in names.split():
        inputs.append(helper.make_tensor_value_info("o", TensorProto.FLOAT, (1, 8, 4, 4)))
    path = save(
        [node], [weight], inputs=inputs, outputs=["y"], opsets=[("", 20), ("com.microsoft", 1)]
    )
    report = graphcount.count(path, sparsity=True)
    array = numpy_helper.to_array(weight)
    assert report.totals.macs == rate * array.size
    assert report.sparsity is not None
    assert report.sparsity.macs_nonzero == rate * int(np.count_nonzero(array))
    assert report.sparsity.macs_exact
