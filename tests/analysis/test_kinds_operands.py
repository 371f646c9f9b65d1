"""Kinds of stored operands: quantizers' scales, states, tables, written norms."""

from __future__ import annotations

from contextlib import closing
from math import cos, sin
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from graphcount.analysis.counts import SIGNATURE, count
from graphcount.analysis.values import Values
from graphcount.graph import build_graph
from graphcount.loading import read_model

RANDOM = np.random.default_rng(1)
Tensors = dict[str, np.ndarray]


def kinds(
    path: Path, nodes: list[onnx.NodeProto], tensors: Tensors, signature: str = ""
) -> dict[str, str]:
    """Kind of each stored tensor of a graph from `x` to `y`."""
    values = [numpy_helper.from_array(array, name) for name, array in tensors.items()]
    graph = helper.make_graph(
        nodes,
        "g",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4]),
            helper.make_tensor_value_info("i", TensorProto.INT64, [1, 3]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        values,
    )
    if signature:
        entry = graph.metadata_props.add()
        entry.key, entry.value = SIGNATURE, signature
    onnx.save(helper.make_model(graph), path / "m.onnx")
    model = read_model(str(path / "m.onnx"))
    with closing(Values(str(path / "m.onnx"), 1 << 24)) as reader:
        rows = count(model, build_graph(model.proto), reader).rows
    return {row.stored.name: row.verdict.kind for row in rows}


def floats(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


def test_the_scale_of_an_integer_product_is_no_parameter(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("MatMulInteger", ["q", "a.weight_quantized", "z"], ["p"]),
        helper.make_node("Cast", ["p"], ["c"], to=1),
        helper.make_node("Mul", ["s", "a.weight_scale"], ["f"]),
        helper.make_node("Mul", ["c", "f"], ["m"]),
        helper.make_node("Add", ["m", "a.bias"], ["y"]),
    ]
    weight = RANDOM.integers(-9, 9, (4, 5)).astype(np.int8)
    tensors = {"a.weight_quantized": weight, "a.weight_scale": floats(5), "a.bias": floats(5)}
    assert kinds(tmp_path, nodes, tensors) == {
        "a.weight_quantized": "parameter",
        "a.weight_scale": "quantization",
        "a.bias": "parameter",
    }


def test_a_filled_left_operand_is_a_state(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["lstm/zeros:0", "lstm/kernel:0"], ["h"]),
        helper.make_node("Add", ["h", "x"], ["y"]),
    ]
    tensors = {"lstm/zeros:0": np.zeros((1, 2), np.float32), "lstm/kernel:0": floats(2, 4)}
    assert kinds(tmp_path, nodes, tensors) == {
        "lstm/zeros:0": "constant",
        "lstm/kernel:0": "parameter",
    }


def embedded(table: np.ndarray) -> tuple[list[onnx.NodeProto], Tensors]:
    nodes = [
        helper.make_node("Gather", ["wte.weight", "i"], ["e"]),
        helper.make_node("Add", ["e", "embedding_1"], ["y"]),
    ]
    return nodes, {"wte.weight": floats(9, 4), "embedding_1": table}


def test_rows_added_to_embeddings_are_a_table(tmp_path: Path) -> None:
    assert kinds(tmp_path, *embedded(floats(1, 3, 4)))["embedding_1"] == "parameter"


def test_one_row_repeated_is_no_table(tmp_path: Path) -> None:
    table = np.repeat(floats(1, 1, 4), 3, axis=1)
    assert kinds(tmp_path, *embedded(table))["embedding_1"] == "constant"


def test_sines_and_cosines_are_computed(tmp_path: Path) -> None:
    rows = [[sin(p), cos(p), sin(p / 100), cos(p / 100)] for p in range(3)]
    table = np.array([rows], np.float32)
    assert kinds(tmp_path, *embedded(table))["embedding_1"] == "buffer"


def test_a_norm_written_as_sub_mul_add(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "onnx::MatMul_9"], ["h"]),
        helper.make_node("Sub", ["h", "onnx::Sub_10"], ["a"]),
        helper.make_node("Mul", ["a", "onnx::Mul_11"], ["b"]),
        helper.make_node("Add", ["b", "onnx::Add_12"], ["y"]),
    ]
    names = ("onnx::Sub_10", "onnx::Mul_11", "onnx::Add_12")
    tensors = {"onnx::MatMul_9": floats(4, 5), **{name: floats(5) for name in names}}
    found = kinds(tmp_path, nodes, tensors)
    assert [found[name] for name in names] == ["buffer", "parameter", "parameter"]


def test_standardised_inputs_have_no_parameters(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Sub", ["x", "onnx::Sub_10"], ["a"]),
        helper.make_node("Mul", ["a", "onnx::Mul_11"], ["b"]),
        helper.make_node("MatMul", ["b", "w.weight"], ["y"]),
    ]
    tensors = {"onnx::Sub_10": floats(4), "onnx::Mul_11": floats(4), "w.weight": floats(4, 2)}
    found = kinds(tmp_path, nodes, tensors)
    assert found == {
        "onnx::Sub_10": "constant",
        "onnx::Mul_11": "constant",
        "w.weight": "parameter",
    }


def test_the_signature_tells_buffers_from_parameters(tmp_path: Path) -> None:
    signature = (
        "# inputs\np_w: PARAMETER target='w'\np_scale: PARAMETER target='scale'\n"
        "b_freq: BUFFER target='freq' persistent=True\n# outputs\n"
    )
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Mul", ["h", "freq"], ["a"]),
        helper.make_node("Mul", ["a", "scale"], ["b"]),
        helper.make_node("Div", ["b", "new_thing"], ["y"]),
    ]
    tensors = {name: floats(5) for name in ("freq", "scale", "new_thing")}
    found = kinds(tmp_path, nodes, {"w": floats(4, 5), **tensors}, signature)
    assert found == {
        "w": "parameter",
        "freq": "buffer",
        "scale": "parameter",
        "new_thing": "constant",
    }


def test_the_signature_names_constants_too(tmp_path: Path) -> None:
    """A file without weights as initializers holds its parameters in Constant nodes."""
    signature = "# inputs\np_scale: PARAMETER target='scale'\n# outputs\n"
    names = ("scale", "other")
    held = {name: numpy_helper.from_array(floats(4)) for name in names}
    nodes = [helper.make_node("Constant", [], [name], value=one) for name, one in held.items()]
    nodes += [
        helper.make_node("Mul", ["x", "scale"], ["a"]),
        helper.make_node("Sub", ["a", "other"], ["y"]),
    ]
    found = kinds(tmp_path, nodes, {}, signature)
    assert found["scale"] == "parameter"
    assert found["other"] == "constant"
