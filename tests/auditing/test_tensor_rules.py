"""TEN: tensors that contradict themselves, and numbers that should not be there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

FLOATS = {
    TensorProto.FLOAT: "f4",
    TensorProto.DOUBLE: "f8",
    TensorProto.FLOAT16: "f2",
}
UINT2 = 25  # of onnx 1.20
Change = Callable[[onnx.ModelProto], object]


def rules(findings: list[Any]) -> list[tuple[str, str]]:
    return [(finding.rule, finding.severity) for finding in findings]


def tensor(**fields: Any) -> TensorProto:
    return TensorProto(**{"name": "t", "data_type": 1, "dims": [2], **fields})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"raw_data": bytes(range(8))}, []),
        ({"float_data": [1.0, 2.0]}, []),
        ({"dims": [-2], "raw_data": bytes(range(8))}, [("TEN001", "high")]),
        ({"dims": [2**32, 2**32], "raw_data": bytes(8)}, [("TEN002", "high"), ("TEN003", "high")]),
        ({"raw_data": bytes(range(9))}, [("TEN003", "high")]),
        ({"raw_data": bytes(range(7))}, [("TEN003", "high")]),
        ({"float_data": [1.0]}, [("TEN003", "high")]),
        ({"data_type": 22, "dims": [3], "raw_data": b"\x21\x03"}, []),
        ({"data_type": 22, "dims": [3], "raw_data": b"\x21"}, [("TEN003", "high")]),
        ({"data_type": 99, "raw_data": bytes(8)}, [("TEN004", "high")]),
        ({"data_type": 0, "raw_data": bytes(8)}, [("TEN004", "high")]),
        ({"raw_data": bytes(range(8)), "float_data": [1.0, 2.0]}, [("TEN005", "high")]),
        ({"int64_data": [1, 2]}, [("TEN006", "high")]),
        ({"data_type": 8, "raw_data": b"ab"}, [("TEN006", "high")]),
        ({}, [("TEN007", "high")]),
        ({"raw_data": b""}, [("TEN007", "high")]),
        ({"dims": [0]}, []),
        (
            {"raw_data": bytes(range(8)), "segment": TensorProto.Segment(begin=0, end=2)},
            [("TEN014", "medium")],
        ),
    ],
)
def test_contradictions(
    fields: dict[str, Any],
    expected: list[tuple[str, str]],
    audit: Any,
    plain: Any,
    write: Any,
    add: Any,
) -> None:
    found = rules(audit(write(plain(add(tensor(**fields)))), "TEN"))
    if "2**32" not in str(fields) and ("TEN002", "high") in expected:
        expected = [("TEN002", "high")]  # its payload cannot be judged
    assert found == expected


def test_a_constant_in_a_function_is_looked_at_too(audit: Any, plain: Any, write: Any) -> None:
    """Where onnx.checker does not look."""

    def change(model: onnx.ModelProto) -> None:
        two = tensor(raw_data=bytes(range(8)), float_data=[1.0, 2.0])
        node = helper.make_node("Constant", [], ["c"], value=two)
        opsets = [helper.make_opsetid("", 20)]
        model.functions.append(helper.make_function("local", "F", [], ["c"], [node], opsets))

    (finding,) = audit(write(plain(change)), "TEN")
    assert finding.rule == "TEN005"
    assert finding.where["path"] == 'functions[0]"F"/node[0]/attribute[0]"value"/t"t"'


def test_many_tensors_are_one_finding(audit: Any, plain: Any, write: Any) -> None:
    def change(model: onnx.ModelProto) -> None:
        for index in range(30):
            model.graph.initializer.append(tensor(name=f"t{index}", raw_data=bytes(9 + index)))

    (finding,) = audit(write(plain(change)), "TEN003")
    assert finding.evidence["tensors"] == 30
    assert finding.evidence["expected"] == 8
    assert finding.evidence["found"] == 9
    assert finding.message.endswith("; and 29 more tensors")


# ------------------------------------------------------------------------------- not finite numbers


def special(code: int, values: list[float], raw: bool) -> TensorProto:
    dtype = helper.tensor_dtype_to_np_dtype(code)
    array = np.array(values, np.float64).astype(dtype)
    if raw:
        return numpy_helper.from_array(array, "t")
    return helper.make_tensor("t", code, [len(values)], array.astype(np.float64).tolist())


@pytest.mark.parametrize("raw", [True, False], ids=["raw", "typed"])
@pytest.mark.parametrize(
    "code",
    [
        TensorProto.FLOAT,
        TensorProto.DOUBLE,
        TensorProto.FLOAT16,
        TensorProto.BFLOAT16,
        TensorProto.FLOAT8E4M3FN,
        TensorProto.FLOAT8E4M3FNUZ,
        TensorProto.FLOAT8E5M2,
        TensorProto.FLOAT8E5M2FNUZ,
    ],
)
def test_nan_in_every_float_type(
    code: int, raw: bool, audit: Any, plain: Any, write: Any, add: Any
) -> None:
    sound = [0.5, -2.0, 3.0] * 200
    assert audit(write(plain(add(special(code, sound, raw)))), "TEN008") == []
    (finding,) = audit(write(plain(add(special(code, [*sound, float("nan")], raw)))), "TEN008")
    assert (finding.severity, finding.evidence["nan"]) == ("medium", 1)


@pytest.mark.parametrize("code", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16])
def test_infinities(code: int, audit: Any, plain: Any, write: Any, add: Any) -> None:
    inf = float("inf")
    (finding,) = audit(write(plain(add(special(code, [1, 2, inf, -inf, -inf], True)))), "TEN008")
    assert (finding.severity, finding.evidence["infinite"]) == ("medium", 3)
    mask = [0.0, -inf, -inf, 0.0, 1.0]
    assert audit(write(plain(add(special(code, mask, True)))), "TEN008") == []
    (finding,) = audit(write(plain(add(special(code, [0.0, -inf, inf], True)))), "TEN008")
    assert finding.severity == "low"


def test_an_infinite_weight_is_no_mask(audit: Any, plain: Any, write: Any) -> None:
    def change(model: onnx.ModelProto) -> None:
        model.graph.initializer[0].float_data[5] = float("inf")

    (finding,) = audit(write(plain(change)), "TEN008")
    assert (finding.severity, finding.where["tensor"]) == ("medium", "W")
    assert audit(write(plain(change)), "TEN008", deep=False) == []


def test_subnormal_numbers_are_finite(audit: Any, plain: Any, write: Any, add: Any) -> None:
    numbers = np.linspace(1, 2, 1000, dtype=np.float32)
    numbers[:500] = 1e-40
    assert audit(write(plain(add(numbers))), "TEN008") == []


@pytest.mark.parametrize(
    ("infinite", "expected"),
    [
        ((2, slice(None), -np.inf), []),
        ((2, 1, -np.inf), [("TEN008", "medium")]),
        ((2, slice(None), np.inf), [("TEN008", "medium")]),
        ((2, slice(None), np.nan), [("TEN008", "medium")]),
    ],
)
def test_rows_of_padding_in_a_table(
    infinite: Any, expected: list[tuple[str, str]], audit: Any, write: Any
) -> None:
    row, column, value = infinite
    table = np.linspace(1, 2, 80, dtype=np.float32).reshape(20, 4)
    table[row, column] = value
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, [3])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, [3, 4])
    node = helper.make_node("Gather", ["table", "ids"], ["out"])
    graph = helper.make_graph([node], "g", [ids], [out], [numpy_helper.from_array(table, "table")])
    assert rules(audit(write(helper.make_model(graph)), "TEN008")) == expected


@pytest.mark.parametrize(("value", "expected"), [(np.inf, []), (np.nan, [("TEN008", "medium")])])
def test_splits_of_trees_may_be_infinite(
    value: float, expected: list[tuple[str, str]], audit: Any, write: Any
) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 1])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])
    splits = np.array([0.5, value], np.float32)
    node = helper.make_node(
        "TreeEnsemble",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        tree_roots=[0],
        nodes_modes=numpy_helper.from_array(np.zeros(2, np.uint8)),
        nodes_featureids=[0, 0],
        nodes_splits=numpy_helper.from_array(splits),
        nodes_truenodeids=[1, 0],
        nodes_trueleafs=[0, 1],
        nodes_falsenodeids=[1, 2],
        nodes_falseleafs=[1, 1],
        leaf_targetids=[0, 0, 0],
        leaf_weights=numpy_helper.from_array(np.ones(3, np.float32)),
    )
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 5)]
    graph = helper.make_graph([node], "g", [x], [y])
    model = helper.make_model(graph, opset_imports=imports)
    assert rules(audit(write(model), "TEN008")) == expected


# ----------------------------------------------------------------------------------- sparse tensors


def sparse(indices: list[Any], dims: list[int], values: int = 3) -> Change:
    def change(model: onnx.ModelProto) -> None:
        numbers = helper.make_tensor("s", TensorProto.FLOAT, [values], [1.0] * values)
        array = np.array(indices, np.int64)
        made = helper.make_sparse_tensor(numbers, numpy_helper.from_array(array), dims)
        model.graph.sparse_initializer.append(made)

    return change


@pytest.mark.parametrize(
    ("indices", "dims", "wrong"),
    [
        ([0, 3, 19], [4, 5], ""),
        ([[0, 0], [0, 3], [3, 4]], [4, 5], ""),
        ([0, 3, 20], [4, 5], "outside"),
        ([-1, 3, 19], [4, 5], "outside"),
        ([[0, 0], [0, 5], [3, 4]], [4, 5], "outside"),
        ([3, 0, 19], [4, 5], "ascend"),
        ([3, 3, 19], [4, 5], "ascend"),
        ([[0, 3], [0, 0], [3, 4]], [4, 5], "ascend"),
        ([0, 3], [4, 5], "indices"),
        ([0, 1, 2], [2], "cells"),
    ],
)
def test_sparse_indices(
    indices: list[Any], dims: list[int], wrong: str, audit: Any, plain: Any, write: Any
) -> None:
    found = audit(write(plain(sparse(indices, dims))), "TEN009")
    assert [f.severity for f in found] == (["high"] if wrong else [])
    assert all(wrong in f.message for f in found)


def test_sparse_indices_are_int64(audit: Any, plain: Any, write: Any) -> None:
    def change(model: onnx.ModelProto) -> None:
        sparse([0, 3, 19], [4, 5])(model)
        indices = numpy_helper.from_array(np.array([0, 3, 19], np.int32))
        model.graph.sparse_initializer[0].indices.CopyFrom(indices)

    for deep in (True, False):
        (finding,) = audit(write(plain(change)), "TEN009", deep=deep)
        assert finding.severity == "high"
        assert "indices are int32, not int64" in finding.message


# ------------------------------------------------------------------------------------------- names


def test_duplicate_and_missing_names(audit: Any, plain: Any, write: Any) -> None:
    def twice(model: onnx.ModelProto) -> None:
        model.graph.initializer.append(numpy_helper.from_array(np.arange(3.0), "W"))

    def elsewhere(model: onnx.ModelProto) -> None:
        body = helper.make_graph([], "b", [], [], [numpy_helper.from_array(np.arange(3.0), "W")])
        model.graph.node.append(helper.make_node("If", ["c"], [], then_branch=body))

    def unnamed(model: onnx.ModelProto) -> None:
        model.graph.initializer.append(numpy_helper.from_array(np.arange(3.0)))

    (finding,) = audit(write(plain(twice)), "TEN")
    assert (finding.rule, finding.severity) == ("TEN010", "high")
    assert finding.where["path"] == 'graph"main"/initializer[1]"W"'
    assert audit(write(plain(elsewhere)), "TEN") == []
    assert rules(audit(write(plain(unnamed)), "TEN")) == [("TEN015", "medium")]


# -------------------------------------------------------------------------------- constant and same


def test_constant_tensors(audit: Any, plain: Any, write: Any, add: Any) -> None:
    (finding,) = audit(write(plain(add(np.full(1024, 0.25, np.float32)))), "TEN011")
    assert (finding.severity, finding.evidence["nbytes"]) == ("info", 4096)
    almost = np.full(1024, 0.25, np.float32)
    almost[-1] = 0.5
    assert audit(write(plain(add(almost))), "TEN011") == []
    assert audit(write(plain(add(np.full(1023, 0.25, np.float32)))), "TEN011") == []


def test_constants_of_the_graph_are_tensors_too(audit: Any, write: Any) -> None:
    """A mask of zeros could be made by one node, as a constant that is one could."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [32, 64])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [32, 64])
    mask = numpy_helper.from_array(np.zeros((32, 64), np.float32), "mask")
    ones = numpy_helper.from_array(np.ones((32, 64), np.float32))
    nodes = [
        helper.make_node("Constant", [], ["ones"], value=ones),
        helper.make_node("Add", ["x", "mask"], ["h"]),
        helper.make_node("Mul", ["h", "ones"], ["y"]),
    ]
    graph = helper.make_graph(nodes, "g", [x], [y], [mask])
    (finding,) = audit(write(helper.make_model(graph)), "TEN011")
    assert finding.evidence["nbytes"] == 2 * 32 * 64 * 4


def test_parts_of_trees_are_usual(audit: Any, write: Any) -> None:
    count = 2048
    lists = ("nodes_featureids", "nodes_trueleafs", "nodes_falseleafs")
    zeros: dict[str, Any] = {name: [0] * count for name in lists}
    node = helper.make_node(
        "TreeEnsemble",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        nodes_splits=numpy_helper.from_array(np.zeros(count, np.float32)),
        nodes_modes=numpy_helper.from_array(np.zeros(count, np.uint8)),
        leaf_weights=numpy_helper.from_array(np.ones(count, np.float32)),
        leaf_targetids=[0] * count,
        tree_roots=[0],
        n_targets=1,
        **zeros,
    )
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 5)]
    model = helper.make_model(helper.make_graph([node], "g", [x], [y]), opset_imports=opsets)
    assert audit(write(model), "TEN011") == []


def test_constant_zero_points_are_usual(audit: Any, write: Any) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.INT8, [2048, 2])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2048, 2])
    tensors = [
        numpy_helper.from_array(np.full(2048, 0.5, np.float32), "scale"),
        numpy_helper.from_array(np.zeros(2048, np.int8), "zero"),
    ]
    node = helper.make_node("DequantizeLinear", ["x", "scale", "zero"], ["y"], axis=0)
    graph = helper.make_graph([node], "g", [x], [y], tensors)
    assert audit(write(helper.make_model(graph)), "TEN011") == []


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8, np.int64])
def test_identical_also_up_to_transpose(dtype: Any, audit: Any, plain: Any, write: Any) -> None:
    matrix = np.arange(1, 121).reshape(8, 15).astype(dtype)
    other = matrix.copy()
    other[0, 0], other[0, 1] = matrix[0, 1], matrix[0, 0]

    def model(*arrays: np.ndarray[Any, Any]) -> str:
        def change(model: onnx.ModelProto) -> None:
            for index, array in enumerate(arrays):
                made = numpy_helper.from_array(np.ascontiguousarray(array), f"m{index}")
                model.graph.initializer.append(made)

        return str(write(plain(change)))

    for pair in ((matrix, matrix), (matrix, matrix.T)):
        (finding,) = audit(model(*pair), "TEN012")
        assert finding.severity == "low"
        assert finding.evidence["nbytes"] == matrix.nbytes
        assert finding.evidence["groups"] == [["m0", "m1"]]
    assert audit(model(matrix, other), "TEN012") == []
    assert audit(model(matrix, other.T), "TEN012") == []
    assert audit(model(matrix, matrix.reshape(15, 8)), "TEN012") == []


def test_few_identical_bytes_are_info(audit: Any, plain: Any, write: Any) -> None:
    def change(model: onnx.ModelProto) -> None:
        for name in ("a", "b"):
            model.graph.initializer.append(numpy_helper.from_array(np.arange(20.0), name))
        model.graph.initializer.append(numpy_helper.from_array(np.arange(400.0), "large"))

    (finding,) = audit(write(plain(change)), "TEN012")
    assert finding.severity == "info"


@pytest.mark.parametrize(
    ("code", "dims", "raw", "expected"),
    [
        (TensorProto.INT4, [3], b"\x21\x03", []),
        (TensorProto.INT4, [3], b"\x21\x13", ["low"]),
        (TensorProto.INT4, [4], b"\x21\x13", []),
        (UINT2, [3], b"\x3f", []),
        (UINT2, [3], b"\x7f", ["low"]),
    ],
)
def test_pad_bits(
    code: int,
    dims: list[int],
    raw: bytes,
    expected: list[str],
    audit: Any,
    plain: Any,
    write: Any,
    add: Any,
) -> None:
    change = add(TensorProto(name="t", data_type=code, dims=dims, raw_data=raw))
    assert [f.severity for f in audit(write(plain(change)), "TEN013")] == expected
