"""Operators of onnxruntime whose shape and cost come from one reading of their operands."""

from __future__ import annotations

from typing import Any

from graphcount.ops import lookup
from graphcount.ops.call import Shape
from graphcount.ops.cost import cost
from tests.ops.cost.conftest import make

DOMAIN = "com.microsoft"


def shapes(op_type: str, inputs: list[Shape | None], **attributes: Any) -> list[Shape | None]:
    row = lookup(DOMAIN, op_type)
    assert row is not None
    assert row.shape is not None
    return row.shape(make(op_type, inputs, domain=DOMAIN, **attributes))


def macs(op_type: str, inputs: list[Shape | None], out: Shape, **attributes: Any) -> Any:
    found = cost(make(op_type, inputs, [out], domain=DOMAIN, **attributes))
    assert found is not None
    return found.macs


def test_gemm_fast_gelu_is_a_matrix_product_of_any_rank() -> None:
    """ContribOperators.md: MatMul and FastGelu in one, so X may be (batch, rows, inner)."""
    inputs: list[Shape | None] = [(2, 3, 4), (4, 5), (5,)]
    assert shapes("GemmFastGelu", inputs) == [(2, 3, 5)]
    assert macs("GemmFastGelu", inputs, (2, 3, 5)) == 2 * 3 * 5 * 4


def test_values_of_unknown_shape_leave_the_width_unknown() -> None:
    query, key = (2, 3, 8), (2, 7, 8)
    found = shapes("MultiHeadAttention", [query, key, None], num_heads=4)
    assert found == [(2, 3, None), (2, 4, 7, 2), (2, 4, 7, None)]
    assert macs("MultiHeadAttention", [query, key, None], (2, 3, 8), num_heads=4) is None


def test_values_may_be_wider_than_queries() -> None:
    query, key, value = (2, 3, 8), (2, 7, 8), (2, 7, 12)
    found = shapes("MultiHeadAttention", [query, key, value], num_heads=4)
    assert found == [(2, 3, 12), (2, 4, 7, 2), (2, 4, 7, 3)]
    wanted = 2 * 3 * 7 * (8 + 12)
    assert macs("MultiHeadAttention", [query, key, value], (2, 3, 12), num_heads=4) == wanted


def test_packed_queries_keys_and_values_are_cut_alike() -> None:
    """GroupQueryAttention: (heads + 2 key heads) x head size in one input."""
    packed = (2, 3, (8 + 2 * 2) * 16)
    found = shapes("GroupQueryAttention", [packed], num_heads=8, kv_num_heads=2)
    assert found == [(2, 3, 8 * 16), (2, 2, 3, 16), (2, 2, 3, 16)]
    wanted = 2 * 3 * 3 * (8 * 16 + 8 * 16)
    given = {"num_heads": 8, "kv_num_heads": 2}
    assert macs("GroupQueryAttention", [packed], (2, 3, 128), **given) == wanted
