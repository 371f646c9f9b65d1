"""The dtype table against onnx: its enum, its numpy types, its fields."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from graphcount.dtypes import BY_NAME, DTYPES, DType, dtype_name

CODES = sorted(code for code in TensorProto.DataType.values() if code)


def test_the_table_has_the_types_of_the_reference() -> None:
    known = {code for code in CODES if code <= max(DTYPES)}
    assert set(DTYPES) >= known
    assert len(DTYPES) == 28
    assert [row.code for row in DTYPES.values()] == list(DTYPES) == list(range(1, 29))
    assert len(BY_NAME) == len(DTYPES)


@pytest.mark.parametrize("code", CODES)
def test_row_equals_onnx(code: int) -> None:
    row = DTYPES[code]
    numpy_type = np.dtype(helper.tensor_dtype_to_np_dtype(code))
    name = "string" if code == TensorProto.STRING else numpy_type.name
    assert dtype_name(code) == row.name == name
    assert BY_NAME[row.name] is row
    assert row.typed_field == helper.tensor_dtype_to_field(code)


@pytest.mark.parametrize("code", [code for code in CODES if code != TensorProto.STRING])
def test_bytes_equal_the_raw_data_onnx_writes(code: int) -> None:
    for elements in (0, 1, 2, 3, 4, 5, 7, 8, 9, 1000, 1001):
        array = np.zeros(elements).astype(helper.tensor_dtype_to_np_dtype(code))
        tensor = onnx.numpy_helper.from_array(array)
        assert tensor.data_type == code
        assert DTYPES[code].nbytes(elements) == len(tensor.raw_data)


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 8, 16, 32, 64, 128])
def test_bytes_are_exact_beyond_64_bits(bits: int) -> None:
    row = DType(0, "x", bits, "int", "")
    for elements in (2**63, 2**64 + 1, 10**40 + 3):
        assert row.nbytes(elements) == -(-elements * bits // 8)


@pytest.mark.parametrize(
    ("family", "kinds"), [("int", "iu"), ("float", "f"), ("bool", "b"), ("complex", "c")]
)
def test_family_equals_the_kind_of_numpy(family: str, kinds: str) -> None:
    rows = [row for row in DTYPES.values() if row.family == family]
    assert rows
    for row in rows:
        if row.code not in TensorProto.DataType.values():
            continue  # younger than the installed onnx
        numpy_type = np.dtype(helper.tensor_dtype_to_np_dtype(row.code))
        if numpy_type.kind == "V":  # of ml_dtypes: told by its name
            assert numpy_type.name.removeprefix("b").lstrip("u").startswith(family)
        else:
            assert numpy_type.kind in kinds
    assert {row.family for row in DTYPES.values()} == {"int", "float", "bool", "complex", "string"}


@pytest.mark.parametrize(
    ("code", "name"),
    [(0, "undefined"), (29, "unknown(29)"), (-1, "unknown(-1)"), (2**62, f"unknown({2**62})")],
)
def test_code_without_a_row_is_named(code: int, name: str) -> None:
    assert dtype_name(code) == name
