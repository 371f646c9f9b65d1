"""stored: what is found, and `measure`: numbers and bytes of each dtype against onnx."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from graphcount.analysis.stored import Stored, find_stored
from graphcount.analysis.tensor_size import element_count, measure
from graphcount.errors import Problem
from graphcount.loading import read_source
from graphcount.loading.external import ExternalData
from graphcount.loading.source import BytesSource

CODES = [code for code in TensorProto.DataType.values() if code]
NUMBERS = [code for code in CODES if code != TensorProto.STRING]
SHAPES = [(), (0,), (1,), (5,), (3, 7), (2, 0, 4), (40, 33)]


def model_of(graph: onnx.GraphProto, **more: Any) -> onnx.ModelProto:
    return helper.make_model(graph, ir_version=10, **more)


def found_in(model: onnx.ModelProto) -> tuple[Stored, ...]:
    data: bytes = model.SerializeToString()
    return find_stored(read_source(BytesSource(data, "model.onnx")).proto, "/nowhere/model.onnx")


def stored(tensor: TensorProto) -> Stored:
    """The record of a tensor that is the only initializer of a model."""
    (one,) = found_in(model_of(helper.make_graph([], "g", [], [], [tensor])))
    return one


def bits_of(code: int) -> int:
    """Bits of one element, by numpy and ml_dtypes."""
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(code))
    if dtype.name.startswith(("float", "bfloat")):
        return int(ml_dtypes.finfo(dtype).bits)  # type: ignore[no-untyped-call]
    if is_int(code):
        return int(ml_dtypes.iinfo(dtype).bits)  # type: ignore[no-untyped-call]
    return dtype.itemsize * 8


def array_of(code: int, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    numbers = np.arange(int(np.prod(shape))) % 2
    return numbers.reshape(shape).astype(helper.tensor_dtype_to_np_dtype(code))


# --------------------------------------------------------------------------- sizes of each dtype


@pytest.mark.parametrize("code", NUMBERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_raw_data_is_measured_by_closed_form(code: int, shape: tuple[int, ...]) -> None:
    tensor = onnx.numpy_helper.from_array(array_of(code, shape), "w")
    elements = int(np.prod(shape))
    nbytes = -(-elements * bits_of(code) // 8)
    found = stored(tensor)
    assert found.unknowns == ()
    assert (found.elements, found.stored_elements) == (elements, elements)
    assert found.nbytes == found.in_file_nbytes == nbytes == len(tensor.raw_data)
    assert found.absent_nbytes == 0
    assert found.shape == shape


def is_int(code: int) -> bool:
    return np.dtype(helper.tensor_dtype_to_np_dtype(code)).name.lstrip("u").startswith("int")


@pytest.mark.parametrize("code", NUMBERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_typed_field_is_accepted_and_takes_its_bytes(code: int, shape: tuple[int, ...]) -> None:
    numbers = (np.arange(int(np.prod(shape))) % 2).tolist()
    tensor = helper.make_tensor("w", code, shape, numbers)
    alone = TensorProto()
    for field, value in tensor.ListFields():
        if field.name == helper.tensor_dtype_to_field(code):
            getattr(alone, field.name).extend(value)
    content = alone.ByteSize()
    overhead = 2 if content < 128 + 2 else 3 if content < 2**14 + 3 else 4  # tag and size
    found = stored(tensor)
    assert found.unknowns == ()
    assert found.elements == len(numbers)
    if content:
        assert found.in_file_nbytes == found.stored_nbytes == content - overhead
    assert found.nbytes == -(-len(numbers) * bits_of(code) // 8)
    assert found.absent_nbytes == 0


@pytest.mark.parametrize("words", [[], [""], ["a", "größe", ""], ["x" * 2000, "y"]])
def test_strings_take_their_bytes(words: list[str]) -> None:
    content = [word.encode() for word in words]
    tensor = TensorProto(name="w", data_type=8, dims=[len(words)], string_data=content)
    found = stored(tensor)
    assert found.unknowns == ()
    assert found.elements == len(words)
    assert found.nbytes == found.in_file_nbytes == sum(len(word.encode()) for word in words)


# --------------------------------------------------------------------- payloads that do not fit


@pytest.mark.parametrize("code", NUMBERS)
@pytest.mark.parametrize("change", [-1, 1, 100])
def test_raw_data_of_another_size_is_unknown(code: int, change: int) -> None:
    tensor = onnx.numpy_helper.from_array(array_of(code, (5, 4)), "w")
    right = len(tensor.raw_data)
    tensor.raw_data = (tensor.raw_data + bytes(100))[: right + change]
    found = stored(tensor)
    assert [unknown.what for unknown in found.unknowns] == ["tensor data"]
    assert str(right) in found.unknowns[0].why
    assert str(right + change) in found.unknowns[0].why
    assert (found.elements, found.nbytes) == (20, right)
    assert found.in_file_nbytes == right + min(change, 0)
    assert found.absent_nbytes == max(-change, 0)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("count", [6, 1000])
def test_typed_field_with_too_few_numbers_is_unknown(code: int, count: int) -> None:
    values: Any = [b"a"] * count if code == TensorProto.STRING else [1] * count
    tensor = helper.make_tensor("w", code, [count], values)
    tensor.dims[0] = count * 12
    assert [unknown.what for unknown in stored(tensor).unknowns] == ["tensor data"]


@pytest.mark.parametrize("code", CODES)
def test_typed_field_with_too_many_numbers_is_unknown(code: int) -> None:
    values: Any = [b"a"] * 40 if code == TensorProto.STRING else [1] * 40
    tensor = helper.make_tensor("w", code, [40], values)
    tensor.dims[0] = 30
    assert [unknown.what for unknown in stored(tensor).unknowns] == ["tensor data"]


def test_small_varints_are_counted_one_by_one() -> None:
    right = TensorProto(name="w", data_type=7, dims=[3], int64_data=[300, -1, 2**40])
    wrong = TensorProto(name="w", data_type=7, dims=[4], int64_data=[300, -1, 2**40])
    assert stored(right).unknowns == ()
    assert stored(wrong).unknowns != ()


def test_large_varints_are_bounded_by_their_bytes() -> None:
    tensor = TensorProto(name="w", data_type=7, dims=[1000], int64_data=[-1] * 1000)
    assert stored(tensor).unknowns == ()
    tensor.dims[0] = 10_001
    assert stored(tensor).unknowns != ()
    tensor.dims[0] = 999
    assert stored(tensor).unknowns != ()


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"raw_data": bytes(8), "float_data": [1.0, 2.0]}, "more than one data field"),
        ({"float_data": [1.0, 2.0], "int64_data": [1, 2]}, "more than one data field"),
        ({}, "no tensor data: 8 bytes are missing"),
        ({"int64_data": [1, 2]}, "float32 elements in int64_data"),
        ({"string_data": [b"a", b"b"]}, "float32 elements in string_data"),
        ({"raw_data": bytes(8), "segment": TensorProto.Segment(begin=0)}, "segments"),
        (
            {
                "raw_data": bytes(8),
                "external_data": [onnx.StringStringEntryProto(key="location", value="a")],
            },
            "data_location is not EXTERNAL",
        ),
    ],
)
def test_payload_that_cannot_be_trusted_is_unknown(fields: dict[str, Any], why: str) -> None:
    tensor = TensorProto(name="w", data_type=1, dims=[2], **fields)
    found = stored(tensor)
    assert any(why in unknown.why for unknown in found.unknowns)
    assert all(unknown.where == "w" for unknown in found.unknowns)
    assert found.elements == 2


def test_raw_data_of_strings_is_unknown() -> None:
    found = stored(TensorProto(name="w", data_type=8, dims=[2], raw_data=b"ab"))
    assert [unknown.why for unknown in found.unknowns] == ["string elements in raw_data"]


@pytest.mark.parametrize("code", [0, 29, 99, -1])
def test_undefined_element_type_is_unknown(code: int) -> None:
    found = stored(TensorProto(name="w", data_type=code, dims=[2], raw_data=bytes(8)))
    assert [unknown.what for unknown in found.unknowns] == ["element type"]
    assert (found.elements, found.nbytes, found.in_file_nbytes) == (2, 8, 8)


@pytest.mark.parametrize("dims", [(-1,), (3, -129_029), (-2, -3), (0, -1), (-(2**63),)])
def test_negative_dimension_counts_nothing_and_is_unknown(dims: tuple[int, ...]) -> None:
    found = stored(TensorProto(name="w", data_type=1, dims=dims, raw_data=bytes(4)))
    assert (found.elements, found.nbytes) == (0, 0)
    assert [unknown.what for unknown in found.unknowns] == ["tensor size"]
    assert str(list(dims)) in found.unknowns[0].why


@pytest.mark.parametrize(
    "dims", [(2**62, 2), (2**32, 2**32), (2**63 - 1,) * 3, (2**63 - 1,) * 64], ids=range(4)
)
def test_product_beyond_64_bits_is_exact_and_unknown(dims: tuple[int, ...]) -> None:
    exact = 1
    for dim in dims:
        exact *= dim
    found = stored(TensorProto(name="w", data_type=11, dims=dims, raw_data=bytes(8)))
    assert (found.elements, found.nbytes) == (exact, exact * 8)
    assert found.absent_nbytes == exact * 8 - 8
    assert "tensor size" in [unknown.what for unknown in found.unknowns]


@pytest.mark.parametrize(
    ("dims", "elements", "sound"),
    [
        ((), 1, True),
        ((0, 2**62, 2**62), 0, True),
        ((2**63 - 1,), 2**63 - 1, True),
        ((2**63,), 2**63, False),
        ((-1, 0), 0, False),
    ],
)
def test_element_count_is_the_product(dims: tuple[int, ...], elements: int, sound: bool) -> None:
    count, problem = element_count(dims)
    assert count == elements
    assert (problem is None) is sound


# --------------------------------------------------------------------------------- external data


def external(**changes: Any) -> ExternalData:
    data = ExternalData("w.bin", path="/w.bin", nbytes=8)
    return data._replace(**changes)


def side_tensor(**fields: Any) -> TensorProto:
    made = {"name": "w", "data_type": 1, "dims": [2], "data_location": TensorProto.EXTERNAL}
    return TensorProto(**{**made, **fields})


@pytest.mark.parametrize(
    ("fields", "data", "unknowns"),
    [
        ({}, external(), []),
        (
            {},
            external(problems=(Problem("EXT006", "external data", "missing"),)),
            ["external data"],
        ),
        ({"raw_data": bytes(8)}, external(), ["tensor data"]),
        ({"float_data": [1.0, 2.0]}, external(), ["tensor data"]),
        ({"data_type": 8}, external(), ["external data"]),
        ({"data_type": 0}, external(), ["element type"]),
        ({"dims": [-2]}, external(), ["tensor size"]),
    ],
)
def test_external_tensor_is_measured_by_its_dims(
    fields: dict[str, Any], data: ExternalData, unknowns: list[str]
) -> None:
    model = model_of(helper.make_graph([], "g", [], [], [side_tensor(**fields)]))
    record = read_source(BytesSource(model.SerializeToString(), "m")).proto.graph.initializers[0]
    size = measure(record, data)
    assert [unknown.what for unknown in size.problems] == unknowns
    assert size.in_file_nbytes == 0
    if not unknowns:
        assert (size.elements, size.nbytes, size.absent_nbytes) == (2, 8, 0)


def test_external_tensor_without_its_file_is_unknown_and_still_sized() -> None:
    tensor = side_tensor()
    tensor.external_data.add(key="location", value="no-such-file.bin")
    found = stored(tensor)
    assert (found.where, found.is_external, found.elements, found.nbytes) == (
        "external",
        True,
        2,
        8,
    )
    assert [unknown.what for unknown in found.unknowns] == ["external data"]


# ---------------------------------------------------------------------------------- where they are


def weight(name: str) -> TensorProto:
    return onnx.numpy_helper.from_array(np.arange(6, dtype=np.float32), name)


def sparse(name: str, dims: list[int]) -> onnx.SparseTensorProto:
    values = helper.make_tensor(name, TensorProto.FLOAT, [3], [1.0, 2.0, 3.0])
    indices = helper.make_tensor("", TensorProto.INT64, [3], bytes(24), raw=True)
    return helper.make_sparse_tensor(values, indices, dims)


def test_every_place_is_found_once() -> None:
    inner = helper.make_graph(
        [helper.make_node("X", [], [], t=weight(""))], "b", [], [], [weight("in")]
    )
    function = helper.make_function(
        "local",
        "F",
        [],
        ["y"],
        [helper.make_node("Constant", [], ["c"], value=weight("in function"))],
        [],
        attribute_protos=[
            helper.make_attribute("t", weight("default")),
            helper.make_attribute("g", inner),
        ],
    )
    graph = helper.make_graph(
        [
            helper.make_node("Constant", [], ["k"], value=weight("")),
            helper.make_node("Constant", [], ["s"], sparse_value=sparse("", [9])),
            helper.make_node("Constant", [], ["i"], value_ints=[1, 2, 300]),
            helper.make_node("Constant", [], ["f"], value_float=1.5),
            helper.make_node("Loop", ["n"], ["l"], name="loop", body=inner),
            helper.make_node("Op", [], [], name="op", domain="x", ts=[weight(""), weight("")]),
            helper.make_node("Op", [], [], name="plain", domain="x", numbers=[1, 2, 3]),
        ],
        "g",
        [],
        [],
        [weight("w")],
        sparse_initializer=[sparse("sp", [4, 5])],
    )
    model = model_of(graph, functions=[function])
    training = model.training_info.add()
    training.algorithm.CopyFrom(helper.make_graph([], "t", [], [], [weight("trained")]))
    found = found_in(model)
    names = sorted((one.name, one.where, one.in_function, one.in_training) for one in found)
    assert names == sorted(
        [
            ("w", "initializer", False, False),
            ("sp", "sparse", False, False),
            ("k", "constant", False, False),
            ("s", "sparse", False, False),
            ("i", "constant", False, False),
            ("f", "constant", False, False),
            ("in", "initializer", False, False),
            ("X.t", "attribute", False, False),
            ("op.ts", "attribute", False, False),
            ("op.ts", "attribute", False, False),
            ("F", "function", True, False),
            ("in", "function", True, False),
            ("X.t", "function", True, False),
            ("c", "function", True, False),
            ("trained", "initializer", False, True),
        ]
    )
    assert len({one.key for one in found}) == len(found)
    assert all(one.unknowns == () for one in found)


@pytest.mark.parametrize(
    ("attribute", "dtype", "shape", "nbytes", "written"),
    [
        ({"value_float": 2.5}, "float32", (), 4, 4),
        ({"value_floats": [1.0, 2.0]}, "float32", (2,), 8, 8),
        ({"value_int": 300}, "int64", (), 8, 2),
        ({"value_ints": [1, -1]}, "int64", (2,), 16, 11),
        ({"value_string": "größe"}, "string", (), 7, 7),
        ({"value_strings": ["a", "bc"]}, "string", (2,), 3, 3),
    ],
)
def test_number_of_a_constant_is_stored(
    attribute: dict[str, Any], dtype: str, shape: tuple[int, ...], nbytes: int, written: int
) -> None:
    node = helper.make_node("Constant", [], ["c"], **attribute)
    (one,) = found_in(model_of(helper.make_graph([node], "g", [], [])))
    assert (one.name, one.dtype, one.shape, one.nbytes) == ("c", dtype, shape, nbytes)
    assert one.in_file_nbytes == one.stored_nbytes == written
    assert one.elements == int(np.prod(shape))
    assert one.constant


def test_sparse_tensor_counts_cells_and_values() -> None:
    graph = helper.make_graph([], "g", [], [], sparse_initializer=[sparse("sp", [4, 5])])
    (one,) = found_in(model_of(graph))
    assert (one.elements, one.stored_elements, one.shape) == (20, 3, (4, 5))
    assert one.nbytes == one.in_file_nbytes == 3 * 4 + 3 * 8
    assert one.unknowns == ()


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda s: s.dims.__setitem__(0, -4), "tensor size"),
        (lambda s: s.dims.__setitem__(slice(None), [2]), "sparse tensor"),
        (lambda s: s.dims.__setitem__(slice(None), [2**40, 2**40]), "tensor size"),
        (lambda s: s.values.ClearField("float_data"), "tensor data"),
        (lambda s: s.values.ClearField("data_type"), "element type"),
        (lambda s: s.ClearField("indices"), "element type"),
        (lambda s: setattr(s.indices, "raw_data", bytes(23)), "tensor data"),
    ],
    ids=["negative", "too many", "overflow", "no values", "no type", "no indices", "short"],
)
def test_sparse_tensor_that_cannot_be_trusted_is_unknown(
    change: Callable[[onnx.SparseTensorProto], object], what: str
) -> None:
    made = sparse("sp", [4, 5])
    change(made)
    graph = helper.make_graph([], "g", [], [], sparse_initializer=[made])
    (one,) = found_in(model_of(graph))
    assert what in [unknown.what for unknown in one.unknowns]


# ------------------------------------------------------------- what is wrong, by rule and number


def raw(data_type: int, dims: list[int], nbytes: int) -> TensorProto:
    return TensorProto(name="w", data_type=data_type, dims=dims, raw_data=bytes(nbytes))


@pytest.mark.parametrize(
    ("tensor", "expected"),
    [
        (raw(1, [-1, 3], 4), [("TEN001", "tensor size", {"dims": [-1, 3]})]),
        (raw(1, [2**32, 2**31], 4), [("TEN002", "tensor size", {"dims": [2**32, 2**31]})]),
        (raw(1, [5], 16), [("TEN003", "tensor data", {"expected": 20, "found": 16})]),
        (raw(1, [5], 24), [("TEN003", "tensor data", {"expected": 20, "found": 24})]),
        (raw(99, [5], 20), [("TEN004", "element type", {})]),
        (raw(0, [5], 20), [("TEN004", "element type", {})]),
        (
            TensorProto(name="w", data_type=1, dims=[2], raw_data=bytes(8), float_data=[1, 2]),
            [("TEN005", "tensor data", {})],
        ),
        (
            TensorProto(name="w", data_type=1, dims=[2], int32_data=[1, 2]),
            [("TEN006", "tensor data", {})],
        ),
        (
            TensorProto(name="w", data_type=1, dims=[3]),
            [("TEN007", "tensor data", {"expected": 12, "found": 0})],
        ),
        (
            TensorProto(name="w", data_type=1, dims=[3], float_data=[1, 2]),
            [("TEN003", "tensor data", {"elements": 3, "found": 8})],
        ),
        (
            TensorProto(
                name="w", data_type=1, dims=[1], raw_data=bytes(4),
                segment=TensorProto.Segment(begin=0, end=1),
            ),
            [("TEN014", "tensor data", {})],
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_has_its_rule_and_its_numbers(
    tensor: TensorProto, expected: list[tuple[str, str, dict[str, Any]]]
) -> None:
    found = stored(tensor).problems
    assert [(problem.rule, problem.what, dict(problem.evidence)) for problem in found] == expected
    assert all(problem.why for problem in found)


def test_the_product_of_dims_is_exact_up_to_64_bits() -> None:
    assert stored(raw(1, [2**62, 2, 0], 0)).problems == ()
    largest = stored(raw(1, [2**63 - 1], 4))
    assert [problem.rule for problem in largest.problems] == ["TEN003"]
    assert largest.elements == 2**63 - 1


@pytest.mark.parametrize(
    ("values", "indices", "dims", "expected"),
    [
        (3, [3], [4, 5], []),
        (3, [3, 2], [4, 5], []),
        (20, [20], [4, 5], []),
        (21, [21], [4, 5], [("TEN009", {"cells": 20, "values": 21})]),
        (3, [4], [4, 5], [("TEN009", {})]),
        (3, [3, 3], [4, 5], [("TEN009", {})]),
        (3, [3], [-4, 5], [("TEN001", {"dims": [-4, 5]}), ("TEN009", {"cells": 0, "values": 3})]),
    ],
)
def test_sparse_numbers_fit_their_cells(
    values: int, indices: list[int], dims: list[int], expected: list[tuple[str, dict[str, Any]]]
) -> None:
    made = onnx.SparseTensorProto(dims=dims)
    made.values.CopyFrom(raw(1, [values], 4 * values))
    made.values.name = "sp"
    made.indices.CopyFrom(raw(7, indices, 8 * int(np.prod(indices))))
    (found,) = found_in(model_of(helper.make_graph([], "g", [], [], sparse_initializer=[made])))
    assert [(p.rule, dict(p.evidence)) for p in found.problems] == expected
    assert (found.stored_elements, found.in_file_nbytes) == (values, found.nbytes)
    assert found.nbytes == 4 * values + 8 * int(np.prod(indices))


@pytest.mark.parametrize("part", ["values", "indices"])
def test_a_sparse_tensor_may_lie_in_a_side_file(part: str) -> None:
    made = sparse("sp", [4, 5])
    lost = getattr(made, part)
    nbytes = len(lost.raw_data) or 8 * len(lost.int64_data) or 4 * len(lost.float_data)
    for field in ("raw_data", "int64_data", "float_data"):
        lost.ClearField(field)
    lost.data_location = TensorProto.EXTERNAL
    lost.external_data.add(key="location", value="none.bin")
    (found,) = found_in(model_of(helper.make_graph([], "g", [], [], sparse_initializer=[made])))
    assert (found.where, found.is_external) == ("external", True)
    assert [problem.rule for problem in found.problems] == ["EXT006"]
    assert found.nbytes - found.in_file_nbytes == found.referenced_nbytes == nbytes


def test_external_data_has_no_numbers_in_the_file() -> None:
    tensor = raw(1, [2], 8)
    tensor.external_data.add(key="location", value="w.bin")
    assert [problem.rule for problem in stored(tensor).problems] == ["EXT018"]
    tensor.data_location = TensorProto.EXTERNAL
    both = stored(tensor)
    assert [problem.rule for problem in both.problems] == ["EXT006", "TEN005"]
    assert "8 bytes in the file as well" in both.problems[1].why
    assert (both.nbytes, both.in_file_nbytes, both.absent_nbytes) == (8, 0, 0)
    words = TensorProto(name="w", data_type=8, dims=[2], data_location=TensorProto.EXTERNAL)
    words.external_data.add(key="location", value="w.bin")
    assert [(p.rule, p.what) for p in stored(words).problems] == [
        ("EXT006", "external data"),
        ("TEN006", "external data"),
    ]


def test_what_is_unknown_is_named_in_short() -> None:
    tensor = raw(1, [5], 16)
    tensor.name = "n" * 300
    (unknown,) = stored(tensor).unknowns
    assert unknown.where == "n" * 200
    tensor.name = ""
    (unknown,) = stored(tensor).unknowns
    assert unknown.where == "(unnamed tensor)"
