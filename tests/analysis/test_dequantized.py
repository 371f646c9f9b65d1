"""Integers that a graph turns back into floats step by step (docs/counting.md)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphcount
from graphcount.report.rows import TensorRow

Save = Callable[..., str]
Of = Callable[..., dict[str, TensorRow]]
N = helper.make_node
OPSETS = [("", 21), ("com.microsoft", 1)]
RANDOM = np.random.default_rng(11)


def floats(*shape: int) -> np.ndarray:
    return RANDOM.uniform(0.1, 0.9, shape).astype(np.float32)


def ints(*shape: int, dtype: Any = np.int8) -> np.ndarray:
    return RANDOM.integers(1, 100, shape).astype(dtype)


@pytest.fixture
def of(save: Save) -> Of:
    """Rows by name of a graph of `x` [1, 4] and tokens `i`, which gives its last result."""

    def make(nodes: list[onnx.NodeProto], tensors: dict[str, Any]) -> dict[str, TensorRow]:
        values = [numpy_helper.from_array(np.asarray(one), name) for name, one in tensors.items()]
        inputs = [("x", [1, 4]), helper.make_tensor_value_info("i", TensorProto.INT64, [1, 3])]
        path = save(nodes, values, inputs=inputs, outputs=[nodes[-1].output[0]], opsets=OPSETS)
        return {row.name: row for row in graphcount.count(path).tensors}

    return make


def kinds(rows: dict[str, TensorRow], *names: str) -> list[str]:
    return [rows[name].kind for name in names]


CAST = N("Cast", ["w"], ["f"], to=1)
WAYS: dict[str, list[onnx.NodeProto]] = {
    "scaled": [CAST, N("Mul", ["f", "s"], ["d"]), N("MatMul", ["x", "d"], ["y"])],
    "scale first": [CAST, N("Mul", ["s", "f"], ["d"]), N("MatMul", ["x", "d"], ["y"])],
    "divided": [CAST, N("Div", ["f", "s"], ["d"]), N("MatMul", ["x", "d"], ["y"])],
    "moved": [
        N("Transpose", ["w"], ["t"]),
        N("Cast", ["t"], ["f"], to=1),
        N("Mul", ["f", "s"], ["m"]),
        N("Transpose", ["m"], ["d"]),
        N("MatMul", ["x", "d"], ["y"]),
    ],
    "shifted": [
        CAST,
        N("Sub", ["f", "z"], ["c"]),
        N("Mul", ["c", "s"], ["d"]),
        N("MatMul", ["x", "d"], ["y"]),
    ],
    "shifted as integers": [
        N("Cast", ["w"], ["wide"], to=6),
        N("Cast", ["z"], ["zw"], to=6),
        N("Sub", ["wide", "zw"], ["c"]),
        N("Cast", ["c"], ["f"], to=1),
        N("Mul", ["f", "s"], ["d"]),
        N("MatMul", ["x", "d"], ["y"]),
    ],
    "shifted last": [
        N("CastLike", ["w", "s"], ["f"]),
        N("Mul", ["f", "s"], ["c"]),
        N("Add", ["c", "z"], ["d"]),
        N("MatMul", ["x", "d"], ["y"]),
    ],
    "in blocks": [
        N("Reshape", ["w", "blocks"], ["b"]),
        N("Cast", ["b"], ["f"], to=1),
        N("Mul", ["f", "s"], ["m"]),
        N("Reshape", ["m", "back"], ["d"]),
        N("MatMul", ["x", "d"], ["y"]),
    ],
    "behind the product": [CAST, N("MatMul", ["x", "f"], ["p"]), N("Mul", ["p", "s"], ["y"])],
    "rows looked up": [
        N("Gather", ["w", "i"], ["r"]),
        N("Cast", ["r"], ["f"], to=1),
        N("Mul", ["f", "s"], ["y"]),
    ],
    "rows shifted": [
        N("Gather", ["w", "i"], ["r"]),
        N("Cast", ["r"], ["f"], to=1),
        N("Sub", ["f", "z"], ["c"]),
        N("Mul", ["c", "s"], ["y"]),
    ],
}


@pytest.mark.parametrize("name", ["s", "onnx::Mul_3", "layer.weight_scale"])
@pytest.mark.parametrize("way", WAYS)
def test_integers_that_become_floats_are_weights(of: Of, way: str, name: str) -> None:
    nodes = []
    for node in WAYS[way]:
        copied = onnx.NodeProto()
        copied.CopyFrom(node)
        for index, value in enumerate(copied.input):
            copied.input[index] = name if value == "s" else value
        nodes.append(copied)
    scaled = {"w": ints(4, 4), name: floats(4)}
    if "shifted" in way:
        scaled["z"] = ints() if "integers" in way else floats()
    elif way == "in blocks":
        scaled |= {"blocks": np.array([4, 2, 2]), "back": np.array([4, 4]), name: floats(4, 2, 1)}
    rows = of(nodes, scaled)
    assert kinds(rows, "w", name) == ["parameter", "quantization"]
    assert rows["w"].role == ("embedding" if "rows" in way else "weight")
    assert rows["w"].reason.startswith("dequantized by ")
    if "shifted" in way:
        assert (rows["z"].kind, rows["z"].role) == ("quantization", "zero point")
        how = "Add" if "last" in way else "Sub"
        assert rows["z"].reason == f"zero point of integers, written as {how}"


def test_a_weight_belongs_to_what_uses_its_floats(of: Of) -> None:
    rows = of([*WAYS["scaled"][:-1], N("MatMul", ["x", "d"], ["y"], name="layer")], {
        "w": ints(4, 4), "s": floats(4)
    })  # fmt: skip
    assert rows["w"].owner == "layer"
    assert [(use.node, use.input) for use in rows["w"].uses] == [("layer", 1)]


def test_rows_and_their_scales_are_looked_up_together(of: Of) -> None:
    nodes = [
        N("Gather", ["w", "i"], ["r"]),
        N("Gather", ["s", "i"], ["rs"]),
        N("Cast", ["r"], ["f"], to=1),
        N("Mul", ["f", "rs"], ["y"]),
    ]
    rows = of(nodes, {"w": ints(9, 4), "s": floats(9, 1)})
    assert kinds(rows, "w", "s") == ["parameter", "quantization"]


def product(scale: list[onnx.NodeProto], *more: onnx.NodeProto) -> list[onnx.NodeProto]:
    return [
        N("DynamicQuantizeLinear", ["x"], ["q", "xs", "xz"]),
        N("MatMulInteger", ["q", "w", "xz", "z"], ["p"]),
        *more,
        N("Cast", [more[-1].output[0] if more else "p"], ["f"], to=1),
        *scale,
        N("Mul", ["f", "all"], ["y"]),
    ]


def test_a_product_of_two_stored_scales_is_a_scale(of: Of) -> None:
    tensors = {"w": ints(4, 5), "z": ints(5), "e.scale": floats(), "w.scale": floats(5)}
    rows = of(product([N("Mul", ["e.scale", "w.scale"], ["all"])]), tensors)
    assert kinds(rows, *tensors) == ["parameter", *["quantization"] * 3]
    run = {name: tensors[name] for name in ("w", "z", "w.scale")}
    rows = of(product([N("Mul", ["xs", "w.scale"], ["all"])]), run)
    assert kinds(rows, *run) == ["parameter", *["quantization"] * 2]


def test_what_scales_later_is_no_scale(of: Of) -> None:
    """A factor of an activation: the integers were scaled before."""
    nodes = product([N("Mul", ["xs", "w.scale"], ["all"])])
    tensors = {"w": ints(4, 5), "z": ints(5), "w.scale": floats(), "act.gain": floats(5)}
    rows = of([*nodes, N("Mul", ["y", "act.gain"], ["o"])], tensors)
    assert kinds(rows, "w.scale", "act.gain") == ["quantization", "parameter"]
    half = {"w": ints(4, 5), "z": ints(5), "half": floats()}
    nodes = [
        N("Mul", ["x", "half"], ["h"]),  # before the integers: what makes them is no scale
        N("DynamicQuantizeLinear", ["h"], ["q", "xs", "xz"]),
        *product([N("Identity", ["xs"], ["all"])])[1:],
    ]
    assert kinds(of(nodes, half), "half") == ["constant"]


def test_integers_added_to_integer_sums_are_a_bias(of: Of) -> None:
    """onnxruntime's first quantizers stored biases as int32 and called them `_quantized`."""
    add = N("Add", ["p", "b_quantized"], ["pb"])
    tensors = {"w": ints(4, 5), "z": ints(5), "b_quantized": ints(5, dtype=np.int32),
               "w.scale": floats()}  # fmt: skip
    rows = of(product([N("Mul", ["xs", "w.scale"], ["all"])], add), tensors)
    assert kinds(rows, *tensors) == ["parameter", "quantization", "parameter", "quantization"]
    assert rows["b_quantized"].role == "bias"


@pytest.mark.parametrize(
    ("dtype", "end", "kind"),
    [
        (np.int16, [N("MatMul", ["x", "d"], ["y"])], "parameter"),
        (np.int32, [N("MatMul", ["x", "e"], ["p"]), N("Add", ["p", "d"], ["y"])], "parameter"),
        (np.int32, [N("Cos", ["d"], ["y"])], "constant"),  # angles of positions
        (np.int32, [N("Add", ["x", "d"], ["y"])], "constant"),
        (np.int64, [N("MatMul", ["x", "d"], ["y"])], "constant"),
        (np.uint8, [N("Add", ["x", "d"], ["y"])], "parameter"),
        (np.bool_, [N("MatMul", ["x", "d"], ["y"])], "constant"),
    ],
)
def test_wide_integers_want_a_place_of_learned_floats(
    of: Of, dtype: Any, end: list[onnx.NodeProto], kind: str
) -> None:
    nodes = [CAST, N("Mul", ["f", "s"], ["d"]), *end]
    stored = {"w": ints(4, dtype=dtype) if end[0].op_type != "MatMul" or len(end) > 1
              else ints(4, 4, dtype=dtype), "s": floats()}  # fmt: skip
    if len(end) > 1:
        stored["e"] = floats(4, 4)
    rows = of(nodes, stored)
    assert rows["w"].kind == kind
    assert rows["s"].kind == ("quantization" if kind == "parameter" else "constant")


@pytest.mark.parametrize(
    "nodes",
    [
        [CAST, N("Mul", ["f", "s"], ["d"]), N("Add", ["x", "d"], ["y"])],
        [CAST, N("MatMul", ["x", "f"], ["y"])],
        [
            N("Gather", ["w", "i"], ["r"]),
            N("Cast", ["r"], ["f"], to=1),
            N("Mul", ["f", "s"], ["y"]),
        ],
    ],
    ids=["mask", "choice", "flags"],
)
def test_zeros_and_ones_choose(of: Of, nodes: list[onnx.NodeProto]) -> None:
    used = {name for node in nodes for name in node.input}
    stored = {"w": np.eye(4, dtype=np.uint8), "s": floats()}
    rows = of(nodes, {name: one for name, one in stored.items() if name in used})
    assert {row.kind for row in rows.values()} == {"constant"}


@pytest.mark.parametrize("name", ["layer.weight", "onnx::QuantizeLinear_7"])
@pytest.mark.parametrize("stored", ["integers", "floats"])
def test_weights_are_clipped_before_they_are_dequantized(of: Of, stored: str, name: str) -> None:
    """QCDQ, as Brevitas and qonnx write weights of few bits: QuantizeLinear, Clip, Dequantize…"""
    scale = {"s": floats(), "z": ints(), "low": np.int8(-7), "high": np.int8(7)}
    quantize = N("QuantizeLinear", [name, "s", "z"], ["q"])
    nodes = [
        *([quantize] if stored == "floats" else []),
        N("Clip", ["q" if stored == "floats" else name, "low", "high"], ["c"]),
        N("DequantizeLinear", ["c", "s", "z"], ["d"]),
        N("MatMul", ["x", "d"], ["y"]),
    ]
    rows = of(nodes, {name: floats(4, 4) if stored == "floats" else ints(4, 4), **scale})
    assert kinds(rows, name, "s", "z") == ["parameter", "quantization", "quantization"]
    assert kinds(rows, "low", "high") == ["constant"] * 2
    assert rows[name].role == "weight"


def test_a_factor_that_is_computed_is_no_scale(of: Of) -> None:
    nodes = [CAST, N("Mul", ["f", "x"], ["y"])]
    assert of(nodes, {"w": ints(4, 4)})["w"].kind == "constant"


def test_float8_weights_have_scales_too(save: Save) -> None:
    weight = helper.make_tensor("w", TensorProto.FLOAT8E4M3FN, [4, 4], bytes(range(16)), raw=True)
    scale = numpy_helper.from_array(floats(4), "layer.scale")
    path = save(
        [CAST, N("Mul", ["f", "layer.scale"], ["d"]), N("MatMul", ["x", "d"], ["y"])],
        [weight, scale],
        inputs=[("x", [1, 4])],
        outputs=["y"],
        opsets=OPSETS,
    )
    rows = {row.name: row.kind for row in graphcount.count(path).tensors}
    assert rows == {"w": "parameter", "layer.scale": "quantization"}
