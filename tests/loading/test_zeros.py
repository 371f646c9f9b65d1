"""Zeros of tensor data: counts of every element type beside what numpy and ml_dtypes read."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from graphcount.dtypes import DTYPES, DType
from graphcount.loading.zeros import MOST_WAITING, count_zeros

NUMBERS = [row for row in DTYPES.values() if row.family != "string"]


def some(dtype: DType, count: int, seed: int = 0) -> np.ndarray[Any, Any]:
    """Return every code of a small type and random codes of a large one, a third of them zeros."""
    made = np.random.default_rng(seed)
    numpy_type = helper.tensor_dtype_to_np_dtype(dtype.code)
    if dtype.family == "complex":
        parts = made.choice([0.0, -0.0, 1.5, np.nan], size=(count, 2))
        return (parts[:, 0] + 1j * parts[:, 1]).astype(numpy_type)
    if dtype.family == "bool":
        return made.integers(0, 2, count).astype(bool)
    width = max(8, dtype.bits)
    codes = made.integers(0, 1 << dtype.bits, count, dtype=np.uint64)
    codes[::3] = 0
    codes[1::7] = 1 << (dtype.bits - 1)  # the sign alone
    return codes.astype(f"<u{width // 8}").view(numpy_type)


def zeros_of(array: np.ndarray[Any, Any]) -> int:
    """Return how many elements equal 0, by the conversions of numpy and ml_dtypes."""
    with np.errstate(invalid="ignore"):  # signalling NaN
        wide = array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
    return int((wide == 0).sum())


def in_chunks(data: bytes, size: int) -> Iterator[bytes]:
    for begin in range(0, len(data), size):
        yield data[begin : begin + size]


@pytest.mark.parametrize("dtype", NUMBERS, ids=lambda row: row.name)
@pytest.mark.parametrize("count", [1, 2, 3, 5, 1000])
def test_zeros_of_raw_data_are_those_of_numpy(dtype: DType, count: int) -> None:
    if dtype.bits < 8 and dtype.family == "int":
        array = numpy_helper.to_array(
            helper.make_tensor(
                "t", dtype.code, [count], np.random.default_rng(1).integers(0, 2, count).tolist()
            )
        )
    else:
        array = some(dtype, count)
    data = numpy_helper.from_array(array).raw_data
    width = max(1, dtype.bits // 8)
    for size in (width, 16 * 7, 1 << 20):
        result = count_zeros(in_chunks(data, size), dtype, count)
        assert (result.elements, result.zeros) == (count, zeros_of(array))


def test_a_type_of_powers_of_two_has_no_zero() -> None:
    data = bytes(range(256))
    assert count_zeros(iter([data]), DTYPES[24], 256).zeros == 0


def test_six_bits_in_a_list_take_a_byte_each() -> None:
    codes = bytes([0, 1, 0b100000, 31])
    for code in (27, 28):
        assert count_zeros(iter([codes]), DTYPES[code], 4, whole_bytes=True).zeros == 2


def two_four(array: np.ndarray[Any, Any], axis: int) -> bool:
    """Return whether each group of four along an axis has at most two elements that are not 0."""
    lines = np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis])
    return all(
        np.count_nonzero(line[begin : begin + 4]) <= 2
        for line in lines
        for begin in range(0, len(line), 4)
    )


def pruned(shape: tuple[int, ...], axis: int, seed: int) -> np.ndarray[Any, Any]:
    """Return random numbers with two zeros in each group of four along an axis."""
    made = np.random.default_rng(seed)
    array = made.normal(size=shape).astype(np.float32)
    lines = np.moveaxis(array, axis, -1)
    groups = lines.reshape(*lines.shape[:-1], -1, 4).copy()
    places = made.permuted(np.broadcast_to(np.arange(4), groups.shape).copy(), axis=-1)
    groups[places < 2] = 0
    return np.ascontiguousarray(np.moveaxis(groups.reshape(lines.shape), -1, axis))


SHAPES = [((8,), 0), ((8, 6), 0), ((6, 8), 1), ((5, 4, 3, 3), 1), ((3, 8, 5), 1), ((4, 1000), 0)]


@pytest.mark.parametrize(("shape", "axis"), SHAPES)
@pytest.mark.parametrize("size", [4, 100, 1 << 20])
def test_groups_are_found_across_chunks(shape: tuple[int, ...], axis: int, size: int) -> None:
    array = pruned(shape, axis, 1)
    inner = prod(shape[axis + 1 :])
    whole = count_zeros(in_chunks(array.tobytes(), size), DTYPES[1], array.size, lines=[inner])
    assert whole.two_four is True
    assert whole.zeros == array.size // 2
    flat = array.reshape(-1)
    flat[np.flatnonzero(flat == 0)[-1]] = 1  # the last group has three
    assert not two_four(array, axis)
    broken = count_zeros(in_chunks(array.tobytes(), size), DTYPES[1], array.size, lines=[inner])
    assert broken.two_four is False


def test_a_group_is_not_that_of_another_axis() -> None:
    array = pruned((8, 8), 1, 2)
    assert two_four(array, 1)
    for axis, inner in ((0, 8), (1, 1)):
        result = count_zeros(iter([array.tobytes()]), DTYPES[1], 64, lines=[inner])
        assert result.two_four is two_four(array, axis)


def test_of_lines_too_long_to_hold_nothing_is_said() -> None:
    inner = MOST_WAITING // 4 + 1
    data = iter([bytes(1 << 20)] * 4)
    assert count_zeros(data, DTYPES[2], 1 << 22, lines=[inner]).two_four is None


def test_data_of_other_elements_has_its_own_count() -> None:
    assert count_zeros(iter([bytes(8)]), DTYPES[1], 4).elements == 2
    assert count_zeros(iter([bytes(1)]), DTYPES[TensorProto.INT4], 1).elements == 1
