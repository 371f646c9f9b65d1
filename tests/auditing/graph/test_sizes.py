"""RES002: results as large as their shapes say, by arithmetic on the dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import helper, numpy_helper

from graphcount.report.finding_rows import Finding

Write = Callable[..., str]
Find = Callable[..., list[Finding]]


def shape(*dims: int) -> Any:
    return np.array(dims, np.int64)


@pytest.mark.parametrize(
    ("nodes", "tensors"),
    [
        ("y = ConstantOfShape(s)", {"s": shape(10**6, 10**6, 10**6)}),
        ("y = Expand(v, s)", {"v": np.float32(1), "s": shape(2**21, 2**20)}),
        ("y = Tile(v, s)", {"v": np.ones(2**10, np.float32), "s": shape(2**31)}),
        (
            "y = Range(a, b, c)",
            {"a": np.int64(0), "b": np.int64(2**41), "c": np.int64(1)},
        ),
        ("y = Pad(v, s)", {"v": np.ones(1, np.float32), "s": shape(0, 2**41)}),
        ("y = Expand(x, s)", {"s": shape(2**21, 2**21)}),
        (
            "a = ConstantOfShape(s)\n b = Relu(a)\n y = Neg(b)",
            {"s": shape(2**42)},
        ),
    ],
)
def test_tensor_bomb(nodes: str, tensors: dict[str, Any], write: Write, find: Find) -> None:
    [finding] = find(write(f"(float[1] x) => (float[N] y) {{ {nodes} }}", tensors), "RES002")
    assert finding.severity == "medium"
    assert finding.evidence["nodes"] == 1  # the cause, not what follows


@pytest.mark.parametrize(
    ("node", "tensor", "elements"),
    [
        ("y = Tile(x, s)", shape(2**63 - 1, 3), (2**63 - 1) * 8 * 3),
        ("y = Pad(x, s)", shape(2**63 - 1, 0, 2**63 - 1, 0), (2**64 - 1) * 8),
    ],
)
def test_a_dimension_beyond_64_bits_is_a_bomb_and_not_a_riddle(
    node: str, tensor: npt.NDArray[Any], elements: int, write: Write, find: Find
) -> None:
    text = f"(float[1,8] x) => (float[N,M] y) {{ {node}\n z = Relu(y) }}"
    [finding] = find(write(text, {"s": tensor}), "RES002")
    assert (finding.evidence["elements"], finding.evidence["nodes"]) == (elements, 1)


def test_a_dynamic_dimension_that_the_graph_multiplies(write: Write, find: Find) -> None:
    doubled = "\n".join(f"x{k + 1} = Concat<axis = 0>(x{k}, x{k})" for k in range(45))
    [finding] = find(write(f"(float[N] x0) => (float[M] x45) {{ {doubled} }}"), "RES002")
    assert (finding.where["node"], finding.evidence["elements"]) == ("Concat#40", 2**41)


@pytest.mark.parametrize("dims", ["2147483648,2147483648", "N,2147483648,1024"])
def test_an_input_that_is_declared_so_large_is_the_cause(
    dims: str, write: Write, find: Find
) -> None:
    path = write(f"(float[{dims}] x) => (float y) {{ y = Relu(x) }}")
    found = find(path, "RES002")
    if "N" in dims:  # a dynamic dimension says nothing
        assert found == []
        return
    [finding] = found
    assert (finding.severity, finding.evidence["elements"]) == ("medium", 2**62)
    assert "is declared as" in finding.message
    assert finding.where["node"] == "input:x"


def test_a_sparse_tensor_of_many_cells(write: Write, find: Find) -> None:
    def add(model: onnx.ModelProto) -> None:
        values = numpy_helper.from_array(np.ones(1, np.float32), "s")
        indices = numpy_helper.from_array(shape(7))
        made = helper.make_sparse_tensor(values, indices, [2**21, 2**20])
        model.graph.sparse_initializer.append(made)

    [finding] = find(write("(float[1] x) => (float y) { y = Add(x, s) }", change=add), "RES002")
    assert finding.evidence["elements"] == 2**41


def test_many_made_tensors_against_the_file(write: Write, find: Find) -> None:
    makers = [f"a{number} = ConstantOfShape(s)" for number in range(3)]
    text = f"(float[1] x) => (float[1] y) {{ {' '.join(makers)}\n y = Relu(x) }}"
    [finding] = find(write(text, {"s": shape(2**27)}), "RES002")
    assert finding.evidence["nbytes"] == 3 * 4 * 2**27
    assert find(write(text, {"s": shape(2**20)}), "RES002") == []


def test_large_stored_and_ordinary_tensors_are_no_bomb(write: Write, find: Find) -> None:
    text = (
        "(float[N,64] x) => (float[N,64] y) { a = MatMul(x, W)\n s = Shape(a)\n y = Expand(v, s) }"
    )
    path = write(text, {"W": np.ones((64, 64), np.float32), "v": np.float32(1)})
    assert find(path, "RES") == []
