"""Kinds and roles, a small graph for each rule and for what comes near it (docs/counting.md)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import graphcount
from graphcount.analysis.counts import SIGNATURE
from graphcount.graph import build
from graphcount.ops import NEWEST_OPSET, Key, lookup, operators
from graphcount.ops.schemas import schema
from graphcount.report.rows import TensorRow

Save = Callable[..., str]
Of = Callable[..., dict[str, TensorRow]]
Kind = tuple[str, str]
N = helper.make_node
MS, ML = "com.microsoft", "ai.onnx.ml"
OPSETS = [("", 20), (MS, 1), (ML, 3), ("com.acme", 1), ("com.microsoft.nchwc", 1)]
RANDOM = np.random.default_rng(7)


def floats(*shape: int) -> np.ndarray:
    return RANDOM.uniform(0.1, 0.9, shape).astype(np.float32)


def ints(*shape: int, dtype: Any = np.int8) -> np.ndarray:
    return RANDOM.integers(1, 9, shape).astype(dtype)


def array(*numbers: float, dtype: Any = np.float32) -> np.ndarray:
    return np.array(numbers, dtype)


SCALE, ZERO = floats(1)[0], np.int8(0)
SHAPE = array(1, 4, dtype=np.int64)


@pytest.fixture
def of(save: Save) -> Of:
    """Rows by name of a graph of `x` [1, 4] and tokens `i`, which gives its last result."""

    def make(
        nodes: list[onnx.NodeProto], tensors: dict[str, Any], **more: Any
    ) -> dict[str, TensorRow]:
        values = [numpy_helper.from_array(np.asarray(one), name) for name, one in tensors.items()]
        inputs = [("x", [1, 4]), helper.make_tensor_value_info("i", TensorProto.INT64, [1, 3])]
        path = save(
            nodes, values, inputs=inputs, outputs=[nodes[-1].output[0]], opsets=OPSETS, **more
        )
        return {row.name: row for row in graphcount.count(path).tensors}

    return make


def kinds(rows: dict[str, TensorRow]) -> dict[str, Kind]:
    return {name: (row.kind, row.role) for name, row in rows.items()}


# --------------------------------------------------------------------------------- dead, training


def test_what_nothing_needs_is_unused_and_says_why(of: Of) -> None:
    def train(model: onnx.ModelProto) -> None:
        info = model.training_info.add()
        info.algorithm.initializer.append(numpy_helper.from_array(floats(2), "momentum"))

    body = [
        helper.make_node("Constant", [], ["held"], value=numpy_helper.from_array(floats(3, 3))),
        N("MatMul", ["a", "held"], ["b"]),
    ]
    function = helper.make_function(
        "local", "Never", ["a"], ["b"], body, [helper.make_opsetid("", 20)]
    )
    nodes = [
        N("MatMul", ["x", "dead"], ["nowhere"]),
        N("MatMul", ["x", "w"], ["y"]),
    ]
    tensors = {"dead": floats(4, 2), "w": floats(4, 2), "alone": floats(5)}
    rows = of(nodes, tensors, functions=[function], change=train)
    assert kinds(rows) == {
        "dead": ("unused", "none"),
        "w": ("parameter", "weight"),
        "alone": ("unused", "none"),
        "held": ("unused", "none"),
        "momentum": ("unused", "training"),
    }
    assert rows["dead"].reason == "read by MatMul, but no output depends on it"
    assert rows["alone"].reason == "no node reads it"
    assert rows["held"].reason == "read by MatMul, but no output depends on it"
    assert "training_info" in rows["momentum"].reason
    assert [rows[name].owner for name in ("alone", "momentum")] == [None, None]


def test_a_default_that_every_call_replaces_is_unused(save: Save) -> None:
    """The function is called, so nothing may say that it is not."""
    node = N("Constant", [], ["t"])
    node.attribute.add(name="value", ref_attr_name="table", type=onnx.AttributeProto.TENSOR)
    default = helper.make_attribute("table", numpy_helper.from_array(floats(3), "default"))
    function = helper.make_function(
        "com.acme", "Plus", ["a"], ["b"], [node, N("Add", ["a", "t"], ["b"])],
        [helper.make_opsetid("", 20)], attribute_protos=[default],
    )  # fmt: skip
    given = numpy_helper.from_array(floats(3), "given")
    call = N("Plus", ["x"], ["y"], domain="com.acme", table=given)
    path = save([call], inputs=["x"], outputs=["y"], opsets=OPSETS, functions=[function])
    found = [(row.kind, row.role, row.reason) for row in graphcount.count(path).tensors]
    assert [row for row in found if row[0] == "unused"] == [
        ("unused", "none", "no node refers to it")
    ]


def test_a_tensor_that_is_an_output_is_a_use(save: Save) -> None:
    weight = numpy_helper.from_array(floats(3), "layer.bias")
    (row,) = graphcount.count(save([], [weight], outputs=["layer.bias"])).tensors
    assert (row.kind, row.role) == ("parameter", "output")
    assert "graph output layer.bias" in row.reason


# ------------------------------------------------------------------------- quantities that are not


@pytest.mark.parametrize(
    ("node", "value", "kind"),
    [
        (N("Where", ["c", "x", "x"], ["y"]), array(1, 0, 1, 0, dtype=bool), ("constant", "mask")),
        (N("Reshape", ["x", "c"], ["y"]), SHAPE, ("constant", "shape")),
        (N("ReduceSum", ["x", "c"], ["y"]), array(1, dtype=np.int64), ("constant", "axes")),
        (N("Gather", ["x", "c"], ["y"]), array(0, dtype=np.int64), ("constant", "index")),
        (N("Clip", ["x", "c"], ["y"]), np.float32(0.5), ("constant", "literal")),
        (N("Tile", ["x", "c"], ["y"]), SHAPE, ("constant", "shape")),
    ],
)
def test_what_steers_is_constant(of: Of, node: onnx.NodeProto, value: Any, kind: Kind) -> None:
    row = of([node], {"c": value})["c"]
    assert (row.kind, row.role) == kind
    assert node.op_type in row.reason


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("embeddings.position_ids", "buffer"),
        ("relative_position_index", "buffer"),
        ("position_ids_2", "buffer"),
        ("model/attn_mask", "buffer"),
        ("ids", "constant"),
        ("my_position_ids_table", "constant"),
        ("xposition_ids", "constant"),
    ],
)
def test_integers_named_like_buffers_are_buffers(of: Of, name: str, kind: str) -> None:
    nodes = [N("Gather", ["layer.weight", name], ["y"])]
    rows = of(nodes, {"layer.weight": floats(9, 4), name: array(0, 1, dtype=np.int64)})
    assert rows[name].kind == kind
    assert rows["layer.weight"].kind == "parameter"


# ------------------------------------------------------------------------------------ quantization


def test_dequantized_weights(of: Of) -> None:
    """Data of DequantizeLinear is a weight where it is used as one; its scale never is."""
    nodes = [
        N("DequantizeLinear", ["w_quantized", "s", "z"], ["w"]),
        N("MatMul", ["x", "w"], ["h"]),
        N("DequantizeLinear", ["b_quantized", "bs"], ["b"]),
        N("Add", ["h", "b"], ["g"]),
        N("DequantizeLinear", ["one", "s"], ["o"]),
        N("Mul", ["g", "o"], ["k"]),
        N("DequantizeLinear", ["where", "s"], ["p"]),
        N("Clip", ["k", "p"], ["y"]),
    ]
    tensors = {
        "w_quantized": ints(4, 5), "s": SCALE, "z": ZERO,
        "b_quantized": ints(5, dtype=np.int32), "bs": SCALE,
        "one": ints(1)[0], "where": ints(1)[0],
    }  # fmt: skip
    rows = of(nodes, tensors)
    assert kinds(rows) | {"one": None, "where": None} == {
        "w_quantized": ("parameter", "weight"),
        "s": ("quantization", "quantization scale"),
        "z": ("quantization", "zero point"),
        "b_quantized": ("parameter", "operand"),
        "bs": ("quantization", "quantization scale"),
        "one": None,
        "where": None,
    }
    assert rows["one"].kind == "constant"  # one element of an element-wise operator
    assert rows["where"].kind == "constant"  # a bound, whatever its type
    assert rows["w_quantized"].reason == "dequantized for MatMul"


@pytest.mark.parametrize(
    ("node", "place"),
    [
        (N("MatMulInteger", ["q", "w"], ["y"]), (4, 5)),
        (N("ConvInteger", ["q", "w"], ["y"]), (4, 5, 1)),
        (N("QLinearMatMul", ["q", "s", "z", "w", "s", "z", "s", "z"], ["y"]), (4, 5)),
        (N("QLinearConv", ["q", "s", "z", "w", "s", "z", "s", "z"], ["y"]), (4, 5, 1)),
    ],
)
def test_integer_products_have_weights(of: Of, node: onnx.NodeProto, place: Any) -> None:
    nodes = [N("QuantizeLinear", ["x", "s", "z"], ["q"]), node]
    rows = of(nodes, {"w": ints(*place), "s": SCALE, "z": ZERO})
    assert (rows["w"].kind, rows["w"].role) == ("parameter", "quantized weight")
    assert rows["w"].reason == f"quantized for {node.op_type}"
    assert {rows["s"].kind, rows["z"].kind} == {"quantization"}


def test_rows_dequantized_after_the_look_up(of: Of) -> None:
    nodes = [
        N("Gather", ["t", "i"], ["e"]),
        N("DequantizeLinear", ["e", "s", "z"], ["y"]),
    ]
    rows = of(nodes, {"t": ints(9, 4), "s": SCALE, "z": ZERO})
    assert (rows["t"].kind, rows["t"].role) == ("parameter", "embedding")
    plain = of([N("Gather", ["t", "i"], ["e"]), N("Cast", ["e"], ["y"], to=1)], {"t": ints(9, 4)})
    assert plain["t"].kind == "constant"


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ([N("MatMulInteger", ["q", "w"], ["p"])], "quantization"),
        ([N("MatMulInteger", ["q", "w"], ["o"]), N("Cast", ["o"], ["p"], to=1)], "quantization"),
        ([N("ConvInteger", ["q", "w"], ["p"])], "quantization"),
        ([N("Cast", ["q"], ["p"], to=1)], "constant"),
    ],
)
def test_the_factor_behind_an_integer_product(of: Of, source: Any, kind: str) -> None:
    nodes = [
        N("DynamicQuantizeLinear", ["x"], ["q", "qs", "qz"]),
        *source,
        N("Mul", ["p", "onnx::Mul_7"], ["y"]),
    ]
    assert of(nodes, {"w": ints(4, 5), "onnx::Mul_7": floats(5)})["onnx::Mul_7"].kind == kind


@pytest.mark.parametrize(("output", "kind"), [("qs", "quantization"), ("qz", "constant")])
def test_only_the_scale_of_dynamic_quantization_makes_a_scale(
    of: Of, output: str, kind: str
) -> None:
    nodes = [
        N("DynamicQuantizeLinear", ["x"], ["q", "qs", "qz"]),
        N("Mul", [output, "onnx::Mul_7"], ["y"]),
    ]
    assert of(nodes, {"onnx::Mul_7": floats(5)})["onnx::Mul_7"].kind == kind
    if output == "qs":  # the zero point may be left out
        nodes[0] = N("DynamicQuantizeLinear", ["x"], ["q", "qs"])
        assert of(nodes, {"onnx::Mul_7": floats(5)})["onnx::Mul_7"].kind == kind
    nodes[1] = N("Add", [output, "onnx::Mul_7"], ["y"])
    assert of(nodes, {"onnx::Mul_7": floats(5)})["onnx::Mul_7"].kind == "constant"


# --------------------------------------------------------------------------- norms, statistics


def norm(*names: str) -> list[onnx.NodeProto]:
    return [N("BatchNormalization", ["x", *names], ["y"])]


def test_batch_norm_has_two_of_each(of: Of) -> None:
    names = ("a", "b", "c", "d")
    rows = of(norm(*names), {name: floats(4) for name in names})
    assert kinds(rows) == {
        "a": ("parameter", "scale"),
        "b": ("parameter", "bias"),
        "c": ("buffer", "running mean"),
        "d": ("buffer", "running variance"),
    }
    assert rows["c"].reason == "running mean of BatchNormalization"


def test_equal_tensors_merged_by_the_exporter_are_parameters(of: Of) -> None:
    rows = of(norm("ones", "zeros", "zeros", "ones"), {"ones": floats(4), "zeros": floats(4)})
    assert kinds(rows) == {"ones": ("parameter", "scale"), "zeros": ("parameter", "bias")}
    assert rows["ones"].reason == "running variance merged with an equal scale"
    assert rows["zeros"].reason == "running mean merged with an equal bias"


def test_a_norm_written_out_has_the_parts_of_one(of: Of) -> None:
    nodes = [
        N("MatMul", ["x", "w"], ["h"]),
        N("Sub", ["h", "onnx::Sub_1"], ["a"]),
        N("Mul", ["a", "onnx::Mul_2"], ["b"]),
        N("Add", ["b", "onnx::Add_3"], ["y"]),
    ]
    names = ("onnx::Sub_1", "onnx::Mul_2", "onnx::Add_3")
    rows = of(nodes, {"w": floats(4, 5), **{name: floats(5) for name in names}})
    assert kinds(rows)["onnx::Sub_1"] == ("buffer", "running mean")
    assert rows["onnx::Sub_1"].reason == "mean of a normalisation written as Sub, Mul, Add"


def test_what_a_scaler_subtracts_is_no_parameter(of: Of) -> None:
    scaler: dict[str, Any] = {"offset": [1.5, 2.5, 3.5, 4.5], "scale": [0.5, 0.25, 0.75, 2.0]}
    rows = of([N("Scaler", ["x"], ["y"], "prepare", domain=ML, **scaler)], {})
    assert kinds(rows) == {
        "prepare.offset": ("buffer", "statistic"),
        "prepare.scale": ("buffer", "statistic"),
    }
    assert rows["prepare.offset"].reason == "statistic of ai.onnx.ml::Scaler"


@pytest.mark.parametrize(
    ("names", "filled", "kind"),
    [
        (("ln.weight", "ln.bias"), (1, 0), "parameter"),  # the author's names
        (("onnx::W_1", "onnx::B_2"), (1, 0), "constant"),
        (("onnx::W_1", "onnx::B_2"), (2, 3), "parameter"),
    ],
)
def test_a_norm_without_affine_has_no_parameters(
    of: Of, names: tuple[str, str], filled: tuple[int, int], kind: str
) -> None:
    nodes = [N("LayerNormalization", ["x", *names], ["y"])]
    values = {name: np.full(4, one, np.float32) for name, one in zip(names, filled, strict=True)}
    rows = of(nodes, values)
    assert kinds(rows) == {names[0]: (kind, "scale"), names[1]: (kind, "bias")}
    varied = of(nodes, {name: floats(4) for name in names})
    assert {row.kind for row in varied.values()} == {"parameter"}
    if kind == "constant":
        assert "has no learned scale" in rows[names[0]].reason
        big = {
            name: np.full(4097, one, np.float32) for name, one in zip(names, filled, strict=True)
        }
        assert {row.kind for row in of(nodes, big).values()} == {"constant"}
        for numbers in big.values():
            numbers[4095] += 1  # the last that is looked at
        assert {row.kind for row in of(nodes, big).values()} == {"parameter"}


@pytest.mark.parametrize(
    ("op_type", "other", "role"),
    [("Mul", "Div", "scale"), ("Add", "Mul", "bias"), ("Mul", "LpNormalization", "scale")],
)
def test_a_decomposed_norm_has_a_scale_and_a_shift(
    of: Of, op_type: str, other: str, role: str
) -> None:
    before = N(other, ["x"] if other == "LpNormalization" else ["x", "x"], ["n"])
    nodes = [before, N(op_type, ["n", "onnx::V_3"], ["y"])]
    row = of(nodes, {"onnx::V_3": floats(4)})["onnx::V_3"]
    assert (row.kind, row.role) == ("parameter", role)
    assert f"decomposed norm ({other}, then {op_type})" in row.reason
    for shape in ((4, 1), (1, 4), (1, 1, 4)):
        assert of(nodes, {"onnx::V_3": floats(*shape)})["onnx::V_3"].kind == "parameter"
    assert of(nodes, {"onnx::V_3": floats(2, 2)})["onnx::V_3"].kind == "constant"
    swapped = [before, N(op_type, ["onnx::V_3", "n"], ["y"])]
    assert of(swapped, {"onnx::V_3": floats(4)})["onnx::V_3"].role == role
    other_way = [before, N("Sub", ["n", "onnx::V_3"], ["y"])]
    assert of(other_way, {"onnx::V_3": floats(4)})["onnx::V_3"].kind == "constant"


# -------------------------------------------------------------------------- element-wise operands


@pytest.mark.parametrize(
    ("before", "op_type", "kind"),
    [
        (["MatMul"], "Add", ("parameter", "bias")),
        (["Einsum"], "Add", ("parameter", "bias")),
        (["MatMul", "Reshape"], "Add", ("parameter", "bias")),
        (["MatMul", "Transpose", "Squeeze"], "Add", ("parameter", "bias")),
        (["MatMul"], "Sub", ("constant", "operand")),
        (["MatMul", "Relu"], "Add", ("constant", "operand")),
        ([], "Add", ("constant", "operand")),
    ],
)
def test_a_vector_added_behind_a_product_is_a_bias(
    of: Of, before: list[str], op_type: str, kind: Kind
) -> None:
    nodes, value = [], "x"
    for number, name in enumerate(before):
        second = {"MatMul": ["w.weight"], "Einsum": ["w.weight"], "Reshape": ["to"]}.get(name, [])
        more = {"equation": "ij,jk->ik"} if name == "Einsum" else {}
        nodes.append(N(name, [value, *second], [f"v{number}"], **more))
        value = f"v{number}"
    nodes.append(N(op_type, [value, "onnx::A_9"], ["y"]))
    tensors = {"w.weight": floats(4, 5), "to": SHAPE}
    used = {name: one for name, one in tensors.items() if any(name in n.input for n in nodes)}
    row = of(nodes, {**used, "onnx::A_9": floats(5)})["onnx::A_9"]
    assert (row.kind, row.role) == kind
    literal = ("constant", "literal")
    thin = {**used, "w.weight": floats(4, 1)} if used else used
    if "to" in thin:
        thin["to"] = array(1, 1, dtype=np.int64)
    single = of(nodes, {**thin, "onnx::A_9": floats(1)})["onnx::A_9"]
    named = of(
        [*nodes[:-1], N(op_type, [value, "p2o.helper.constant.7"], ["y"])],
        {**thin, "p2o.helper.constant.7": floats(1)},
    )["p2o.helper.constant.7"]
    assert (named.kind, named.role) == literal
    if before[:1] == ["MatMul"]:  # one number for five channels is no bias
        of_five = of(nodes, {**used, "onnx::A_9": floats(1)})["onnx::A_9"]
        assert (of_five.kind, of_five.role) == literal
    assert (single.kind, single.role) == (kind if kind[0] == "parameter" else literal)
    scalar = of(nodes, {**used, "onnx::A_9": floats()})["onnx::A_9"]
    assert (scalar.kind, scalar.role) == literal
    matrix = of(nodes, {**used, "onnx::A_9": floats(5, 5)})["onnx::A_9"]
    assert matrix.kind == "constant"


def _fed(key: Key) -> tuple[onnx.NodeProto, dict[str, np.ndarray]]:
    """A node x → h with a stored tensor at every input behind the first that is a weight."""
    (domain, op_type), row = key, operators()[key]
    stored: dict[str, np.ndarray] = {}
    opset = {**NEWEST_OPSET, MS: 1, "com.microsoft.nchwc": 1, "ai.onnx.preview": 1}[domain]
    found = schema(domain, op_type, opset)
    assert found is not None
    inputs = ["x"]
    for index in range(1, len(found.inputs.letters.rstrip("v")) or 2):
        if WEIGHTS.get(row.role(index) or ""):
            stored[f"w{index}"] = WEIGHTS[row.role(index) or ""](4, 5)
        inputs.append(f"w{index}" if f"w{index}" in stored else "x" * found.inputs.required(index))
    attributes: dict[str, Any]
    attributes = {name: [0.5] * 20 for name, role in row.attributes.items() if role == "weight"}
    number = 1 if op_type.startswith("Linear") and domain == ML else 0
    outputs = ["", "h"] if op_type.endswith("Classifier") and number else ["h"]
    return N(op_type, inputs, outputs, domain=domain, **attributes), stored


WEIGHTS = {
    "weight": floats,
    "recurrent weight": floats,
    "embedding": floats,
    "quantized weight": ints,
}
"""Roles of stored operands, with what makes one."""

PRODUCTS = [key for key, row in operators().items() if row.multiplies]


@pytest.mark.parametrize("key", PRODUCTS, ids="-".join)
def test_a_bias_stands_behind_every_product(of: Of, key: Key) -> None:
    node, stored = _fed(key)
    nodes = [node, N("Add", ["h", "onnx::Add_7"], ["y"])]
    row = of(nodes, {**stored, "onnx::Add_7": floats(5)})["onnx::Add_7"]
    assert (row.kind, row.role) == ("parameter", "bias")
    assert row.reason == f"added to the result of {key[1]} by Add"


@pytest.mark.parametrize("key", PRODUCTS, ids="-".join)
def test_no_bias_stands_behind_what_does_not_multiply(
    of: Of, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same operators, had their records no cost."""
    bare = {key: replace(operators()[key], cost=None)}
    monkeypatch.setattr(build, "lookup", lambda *one: bare.get(one) or lookup(*one))
    node, stored = _fed(key)
    nodes = [node, N("Add", ["h", "onnx::Add_7"], ["y"])]
    assert of(nodes, {**stored, "onnx::Add_7": floats(5)})["onnx::Add_7"].kind == "constant"


@pytest.mark.parametrize(
    "key",
    [key for key, row in operators().items() if row.normalises or "scales" in row.traits],
    ids="-".join,
)
def test_a_scale_stands_behind_every_norm(of: Of, key: Key) -> None:
    domain, op_type = key
    nodes = [N(op_type, ["x", "x"], ["h"], domain=domain), N("Mul", ["h", "onnx::Mul_1"], ["y"])]
    row = of(nodes, {"onnx::Mul_1": floats(5)})["onnx::Mul_1"]
    assert (row.kind, row.role) == ("parameter", "scale")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("clip.logit_scale", ("parameter", "scale")),
        ("logit_scale", ("parameter", "scale")),
        ("alpha_2", ("parameter", "scale")),
        ("onnx::Mul_3", ("constant", "literal")),
        ("mul_3", ("constant", "literal")),
        ("epsilon", ("constant", "literal")),
        ("bert/encoder/mul_1/scale:0", ("constant", "literal")),
        ("/layer/Constant.1", ("constant", "literal")),
    ],
)
def test_a_single_number_needs_a_name_to_be_learned(of: Of, name: str, kind: Kind) -> None:
    row = of([N("Mul", ["x", name], ["y"])], {name: floats()})[name]
    assert (row.kind, row.role) == kind
    assert row.reason == f"{'named scalar' if kind[1] == 'scale' else 'single value'} of Mul"


def test_a_named_scalar_is_learned_behind_a_function_too(of: Of) -> None:
    """CLIP multiplies with `logit_scale.exp()`."""
    nodes = [N("Exp", ["logit_scale"], ["e"]), N("Mul", ["x", "e"], ["y"])]
    assert of(nodes, {"logit_scale": floats()})["logit_scale"].kind == "parameter"


def test_a_named_scalar_is_learned_by_arithmetic_only(of: Of) -> None:
    rows = of([N("Quant", ["x", "scale"], ["y"], domain="acme")], {"scale": floats()})
    assert rows["scale"].kind == "constant"


def test_numbers_that_are_only_compared_are_a_mask(of: Of) -> None:
    """nanoGPT keeps such a float buffer, `tril`: Slice and Equal 0 make it a condition."""
    nodes = [
        N("Slice", ["0.lower", "from", "to"], ["part"]),
        N("Equal", ["part", "zero"], ["hidden"]),
        N("Where", ["hidden", "low", "x"], ["y"]),
    ]
    stored = {
        "0.lower": floats(4, 4),
        "from": ints(2, dtype=np.int64),
        "to": ints(2, dtype=np.int64),
        "zero": floats(),
        "low": floats(),
    }
    assert of(nodes, stored)["0.lower"].kind == "constant"


@pytest.mark.parametrize(
    "after",
    [
        [N("DequantizeLinear", ["e", "s", "z"], ["y"])],
        [N("Transpose", ["e"], ["t"]), N("DequantizeLinear", ["t", "s", "z"], ["y"])],
        [N("QLinearAdd", ["e", *"sz", "q", *"szsz"], ["y"], domain="com.microsoft")],
        [N("MatMulInteger", ["e", "q"], ["y"])],
    ],
    ids=["at once", "moved", "added", "multiplied"],
)
def test_quantized_rows_are_an_embedding(of: Of, after: list[onnx.NodeProto]) -> None:
    stored = {
        "table.weight_quantized": ints(20, 4),
        "q": ints(4, 4),
        "s": floats(),
        "z": ints(dtype=np.int8),
    }
    rows = of([N("Gather", ["table.weight_quantized", "x"], ["e"]), *after], stored)
    assert kinds(rows)["table.weight_quantized"] == ("parameter", "embedding")


@pytest.mark.parametrize(
    ("name", "shape", "before", "op_type", "kind"),
    [
        ("val_68_quantized", (1,), "QLinearMatMul", "QLinearMul", "constant"),
        ("val_68_quantized", (4,), "Relu", "QLinearAdd", "constant"),
        ("onnx::Add_9_quantized", (4,), "QLinearMatMul", "QLinearAdd", "parameter"),
        ("onnx::Add_9_quantized", (1,), "QLinearMatMul", "QLinearAdd", "constant"),
        ("onnx::Add_9_quantized", (4, 1, 1), "QLinearMul", "QLinearAdd", "parameter"),
        ("layer.scale_quantized", (4,), "Relu", "QLinearMul", "parameter"),
    ],
)
def test_a_quantized_operand_is_what_its_floats_were(
    of: Of, name: str, shape: tuple[int, ...], before: str, op_type: str, kind: str
) -> None:
    domain = "com.microsoft" if before == "QLinearMul" else ""
    rest = [] if before == "Relu" else [*"sz", "w", *"szsz"]
    first = N(before, ["x", *rest], ["h"], domain=domain)
    last = N(op_type, ["h", *"sz", name, *"szsz"], ["y"], domain="com.microsoft")
    stored = {name: ints(*shape), "w": ints(4, 4), "s": floats(), "z": ints()}
    assert of([first, last], stored)[name].kind == kind


def test_ones_and_zeros_of_a_norm_stay_so_when_quantized(of: Of) -> None:
    names = ("val_8_quantized", "val_11_quantized")
    nodes = [
        *(N("DequantizeLinear", [name, "s", "z"], [f"f{name}"]) for name in names),
        N("InstanceNormalization", ["x", *(f"f{name}" for name in names)], ["y"]),
    ]
    stored = {
        "val_8_quantized": np.full(4, 127, np.int8),
        "val_11_quantized": np.zeros(4, np.int8),
        "s": array(1 / 127),
        "z": np.zeros(1, np.int8),
    }
    rows = of(nodes, stored)
    assert [rows[name].kind for name in names] == ["constant", "constant"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("gamma", "parameter"),
        ("block.0.gamma", "parameter"),
        ("expert_gain", "parameter"),
        ("subject_scale", "parameter"),
        ("index_scale", "parameter"),
        ("selector", "parameter"),
        ("address_emb", "parameter"),
        ("onnx::Mul_3", "constant"),
        ("index_select_1", "constant"),
        ("full_like_default_2", "constant"),
        ("new_zeros", "constant"),
        ("_to_copy_12", "constant"),
        ("val_12", "constant"),
        ("/x/Constant_output_0", "constant"),
    ],
)
def test_the_name_decides_what_the_graph_leaves_open(of: Of, name: str, kind: str) -> None:
    row = of([N("Mul", ["x", name], ["y"])], {name: floats(4)})[name]
    assert (row.kind, row.role) == (kind, "operand")
    said = "named tensor used by Mul" if kind == "parameter" else "operand of Mul with a name made"
    assert row.reason.startswith(said)


@pytest.mark.parametrize(
    "op_type",
    [*(key[1] for key, row in operators("").items() if "constrains" in row.traits), "Relu"],
)
def test_numbers_transformed_at_each_run_are_learned(of: Of, op_type: str) -> None:
    nodes = [N(op_type, ["onnx::E_1"], ["e"]), N("Mul", ["x", "e"], ["y"])]
    row = of(nodes, {"onnx::E_1": floats(4)})["onnx::E_1"]
    assert row.kind == ("constant" if op_type == "Relu" else "parameter")
    if op_type != "Relu":
        assert row.role == "scale"
        assert of(nodes, {"onnx::E_1": floats(1)})["onnx::E_1"].kind == "constant"
        assert of(nodes, {"onnx::E_1": floats(2)})["onnx::E_1"].kind == "parameter"


@pytest.mark.parametrize(
    ("node", "kind"),
    [
        (N("RotaryEmbedding", ["x", "p", "t", "x"], ["y"], domain=MS), ("buffer", "rotary table")),
        (N("RotaryEmbedding", ["x", "p", "x", "t"], ["y"], domain=MS), ("buffer", "rotary table")),
        (N("STFT", ["x", "p", "t"], ["y"]), ("buffer", "window")),
        (N("MultiHeadAttention", ["x", "x", "x", "", "", "t"], ["y"], domain=MS, num_heads=1),
         ("constant", "mask")),
    ],
)  # fmt: skip
def test_tables_that_are_computed_are_buffers(of: Of, node: onnx.NodeProto, kind: Kind) -> None:
    tensors = {"t": floats(4), "p": array(0, dtype=np.int64)[0]}
    row = of([node], {name: one for name, one in tensors.items() if name in node.input})["t"]
    assert (row.kind, row.role) == kind
    assert row.reason.startswith(f"{kind[1]} of ")
    assert node.op_type in row.reason


# ----------------------------------------------------------------------------------------- masks


@pytest.mark.parametrize(
    ("numbers", "kind"),
    [
        ((0, -np.inf, 0, 0), ("constant", "mask")),
        ((0, np.nan, 0, 0), ("constant", "mask")),
        ((0, -1e9, 0, 0), ("constant", "mask")),
        ((0, 1e9, 0, 0), ("constant", "mask")),
        ((0, 0.99e9, 1, 2), ("parameter", "operand")),
    ],
)
def test_huge_numbers_are_masks(of: Of, numbers: tuple[float, ...], kind: Kind) -> None:
    nodes = [N("Add", ["x", "a.huge"], ["y"])]
    row = of(nodes, {"a.huge": array(*numbers)})["a.huge"]
    assert (row.kind, row.role) == kind
    weight = of([N("MatMul", ["x", "a.huge"], ["y"])], {"a.huge": array(*numbers).reshape(4, 1)})
    assert weight["a.huge"].kind == "parameter"  # a weight that has gone wrong is still one
    many = np.tile(array(*numbers), 1024)
    assert of(nodes, {"a.huge": many})["a.huge"].kind == kind[0]
    behind = np.concatenate([np.tile(array(0, 1, 2, 3), 1024), array(*numbers)])
    assert of(nodes, {"a.huge": behind})["a.huge"].kind == "parameter"  # 4,096 are looked at


# ---------------------------------------------------------------------------------------- states


def lstm(*state: str) -> list[onnx.NodeProto]:
    return [
        N("Reshape", ["x", "to"], ["s"]),
        N("LSTM", ["s", "W", "R", "B", "", *state], ["y"], hidden_size=2),
    ]


@pytest.mark.parametrize("filled", [True, False])
def test_an_initial_state_is_learned_when_it_varies(of: Of, filled: bool) -> None:
    state = np.full((1, 1, 2), 0.5, np.float32) if filled else floats(1, 1, 2)
    tensors = {"to": array(1, 1, 4, dtype=np.int64), "W": floats(1, 8, 4), "R": floats(1, 8, 2)}
    rows = of(lstm("h0", "c0"), {**tensors, "B": floats(1, 16), "h0": state, "c0": floats(1, 1, 1)})
    kind = "constant" if filled else "parameter"
    assert kinds(rows) == {
        "to": ("constant", "shape"),
        "W": ("parameter", "weight"),
        "R": ("parameter", "recurrent weight"),
        "B": ("parameter", "bias"),
        "h0": (kind, "initial state"),
        "c0": ("constant", "initial state"),  # a single value
    }
    assert rows["h0"].reason.endswith("initial state of LSTM")


@pytest.mark.parametrize("filled", [True, False])
@pytest.mark.parametrize("op_type", ["Add", "MatMul"])
def test_what_a_loop_starts_from_is_learned_when_it_varies(
    of: Of, op_type: str, filled: bool
) -> None:
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            N(op_type, ["s", "x"] if op_type == "Add" else ["x", "s"], ["s2"]),
            N("Not", ["c"], ["d"]),
        ],
        "body",
        [
            info("t", TensorProto.INT64, []),
            info("c", TensorProto.BOOL, []),
            onnx.ValueInfoProto(name="s"),
        ],
        [info("d", TensorProto.BOOL, []), onnx.ValueInfoProto(name="s2")],
    )
    loop = N("Loop", ["n", "", "start"], ["y"], body=body)
    side = 4 if op_type == "MatMul" else 1
    start = np.zeros((side, 4), np.float32) if filled else floats(side, 4)
    row = of([loop], {"n": np.int64(3), "start": start})["start"]
    if op_type == "Add" and filled:
        assert (row.kind, row.role, row.reason) == ("constant", "state", "constant state of Loop")
    else:
        assert row.kind == "parameter"  # a right operand is a weight, whatever it is filled with


def test_what_a_layer_starts_from_is_no_weight(of: Of) -> None:
    nodes = [N("MatMul", ["zeros", "kernel"], ["h"]), N("Add", ["h", "x"], ["y"])]
    filled = np.zeros((1, 2), np.float32)
    tensors = {"zeros": filled, "kernel": floats(2, 4)}
    rows = of(nodes, tensors)
    assert kinds(rows) == {
        "zeros": ("constant", "initial state"),
        "kernel": ("parameter", "weight"),
    }
    assert "state that MatMul starts from" in rows["zeros"].reason
    assert of(nodes, {**tensors, "zeros": floats(1, 2)})["zeros"].kind == "parameter"
    twice = [N("MatMul", ["x", "zeros"], ["g"]), *nodes[:1], N("Add", ["h", "g"], ["y"])]
    square = {"zeros": np.zeros((4, 4), np.float32), "kernel": floats(4, 4)}
    assert of(twice, square)["zeros"].kind == "parameter"  # it is a right operand, too
    named = [N("MatMul", ["a.zeros", "kernel"], ["h"]), N("Add", ["h", "x"], ["y"])]
    assert of(named, {"a.zeros": filled, "kernel": floats(2, 4)})["a.zeros"].kind == "parameter"
    wide = {"zeros": np.zeros((1, 4097), np.float32), "kernel": floats(4097, 4)}
    assert of(nodes, wide)["zeros"].kind == "constant"
    wide["zeros"][0, 4095] = 1  # the last that is looked at
    assert of(nodes, wide)["zeros"].kind == "parameter"


# ------------------------------------------------------------------------------------- Constants


@pytest.mark.parametrize("beside", [True, False])
def test_constants_are_weights_only_where_nothing_else_is(of: Of, beside: bool) -> None:
    held = numpy_helper.from_array(floats(4, 5))
    nodes = [N("Constant", [], ["held"], value=held), N("MatMul", ["x", "held"], ["h"])]
    tensors = {"w": floats(5, 3)} if beside else {}
    nodes.append(N("MatMul", ["h", "w"], ["y"]) if beside else N("Relu", ["h"], ["y"]))
    row = of(nodes, tensors)["held"]
    assert (row.kind, row.role) == ("constant" if beside else "parameter", "weight")
    assert ("Constant node for MatMul" in row.reason) is beside


def test_integer_weights_beside_make_constants_literals_too(of: Of) -> None:
    held = numpy_helper.from_array(floats(5))
    nodes = [
        N("QuantizeLinear", ["x", "s", "z"], ["q"]),
        N("MatMulInteger", ["q", "w"], ["p"]),
        N("Cast", ["p"], ["c"], to=1),
        N("Constant", [], ["held"], value=held),
        N("PRelu", ["c", "held"], ["y"]),
    ]
    rows = of(nodes, {"w": ints(4, 5), "s": SCALE, "z": ZERO})
    assert kinds(rows)["held"] == ("constant", "slope")


# ------------------------------------------------------------------------------------ embeddings


def test_a_vector_that_is_looked_up_needs_a_name(of: Of) -> None:
    for name, kind in (("onnx::Gather_1", "constant"), ("emb.weight", "parameter")):
        rows = of([N("Gather", [name, "i"], ["y"])], {name: floats(9)})
        assert rows[name].kind == kind
        table = of([N("Gather", [name, "i"], ["y"])], {name: floats(9, 4)})
        assert (table[name].kind, table[name].role) == ("parameter", "embedding")


@pytest.mark.parametrize(
    ("shape", "axis", "kind"),
    [
        ((1, 1, 4), 1, "parameter"),  # a class token
        ((1, 2, 4), 1, "parameter"),
        ((1, 2, 4), -2, "parameter"),
        ((1, 2, 4), 2, "constant"),
        ((1, 2, 4), -1, "constant"),
        ((2, 2, 4), 1, "constant"),  # one a batch
        ((3, 4), 0, "constant"),
    ],
)
def test_rows_joined_to_a_sequence(of: Of, shape: tuple[int, ...], axis: int, kind: str) -> None:
    nodes = [
        N("Gather", ["emb.weight", "i"], ["e"]),
        N("Concat", ["onnx::Concat_1", "e"], ["y"], axis=axis),
    ]
    rows = of(nodes, {"emb.weight": floats(9, 4), "onnx::Concat_1": floats(*shape)})
    row = rows["onnx::Concat_1"]
    assert row.kind == kind
    if kind == "parameter":
        assert row.role == "embedding"
    filled = np.zeros(shape, np.float32)
    again = of(nodes, {"emb.weight": floats(9, 4), "onnx::Concat_1": filled})["onnx::Concat_1"]
    one_row = kind == "parameter" and shape[-2] == 1  # a token may well be all zeros
    assert again.kind == ("parameter" if one_row else "constant")


@pytest.mark.parametrize(
    ("between", "kind"),
    [
        ([], "parameter"),
        ([N("Mul", ["e0", "x"], ["e1"])], "parameter"),
        ([N("LayerNormalization", ["e0", "ln.weight"], ["e1"])], "parameter"),
        ([N("Transpose", ["e0"], ["e1"])], "parameter"),
        ([N("Concat", ["cls.token", "e0"], ["e1"], axis=1)], "parameter"),
        ([N("Concat", ["cls.token", "e0"], ["e1"], axis=-2)], "parameter"),
        ([N("Concat", ["cls.token", "e0"], ["e1"], axis=0)], "constant"),
        ([N("Concat", ["e0", "e0"], ["e1"], axis=1)], "constant"),
        ([N("Relu", ["e0"], ["e1"])], "constant"),
    ],
)
def test_rows_added_to_what_comes_from_a_table(
    of: Of, between: list[onnx.NodeProto], kind: str
) -> None:
    nodes = [N("Gather", ["emb.weight", "i"], ["e0"]), *between]
    nodes.append(N("Add", [f"e{len(between)}", "onnx::Add_1"], ["y"]))
    tensors = {"emb.weight": floats(9, 4), "onnx::Add_1": floats(1, 3, 4)}
    more = {"ln.weight": floats(4), "cls.token": floats(1, 1, 4)}
    tensors |= {name: one for name, one in more.items() if any(name in n.input for n in nodes)}
    assert of(nodes, tensors)["onnx::Add_1"].kind == kind


def test_positions_that_are_resized(of: Of) -> None:
    nodes = [
        N("Resize", ["onnx::Resize_1", "", "", "to"], ["p"]),
        N("Add", ["x", "p"], ["y"]),
    ]
    sizes = array(1, 4, 6, 6, dtype=np.int64)
    for shape, kind in (((1, 4, 3, 3), "parameter"), ((2, 4, 3, 3), "constant")):
        rows = of(nodes, {"onnx::Resize_1": floats(*shape), "to": sizes})
        assert rows["onnx::Resize_1"].kind == kind
        assert rows["to"].kind == "constant"


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda t: t, "buffer"),
        (lambda t: t * 1.01, "parameter"),
        (lambda t: t + 0.001, "parameter"),
        (lambda t: t[:, :1], "parameter"),  # one row proves nothing
        (lambda t: np.where(t == t.max(), 1.5, t), "parameter"),
        (lambda t: t[..., :3], "parameter"),
    ],
)
def test_a_table_of_sines_and_cosines(
    of: Of, change: Callable[[np.ndarray], np.ndarray], kind: str
) -> None:
    """Vaswani et al. 2017, 3.5: sin and cos of position / 10000^(2i/d), d = 8, positions 0..4."""
    position, step = np.mgrid[0:5, 0:4].astype(float)
    angle = position / 10000 ** (2 * step / 8)
    table = np.stack([np.sin(angle), np.cos(angle)], -1).reshape(1, 5, 8)
    changed = change(table).astype(np.float32)
    nodes = [N("Gather", ["emb.weight", "i"], ["e"]), N("Add", ["e", "onnx::Add_1"], ["y"])]
    tensors = {"emb.weight": floats(9, changed.shape[-1]), "onnx::Add_1": changed}
    row = of(nodes, tensors)["onnx::Add_1"]
    if changed.shape[1] == 1 and row.kind != "buffer":
        kind = row.kind  # one row alone is a literal or a table, but nothing computed
    assert row.kind == kind
    if kind == "buffer":
        assert row.role == "table"


# -------------------------------------------------------------------- the owner, and other domains


def test_an_operator_of_another_domain_gives_no_role(of: Of) -> None:
    nodes = [N("Gemm", ["x", "fc.weight"], ["y"], domain="com.acme")]
    row = of(nodes, {"fc.weight": floats(4, 5)})["fc.weight"]
    assert (row.kind, row.role) == ("parameter", "operand")
    assert row.reason == "named tensor used by com.acme::Gemm"


@pytest.mark.parametrize(
    ("name", "kind"), [("eps", ("constant", "literal")), ("a.eps", ("parameter", "operand"))]
)
def test_a_single_number_of_an_operator_nobody_knows(of: Of, name: str, kind: Kind) -> None:
    row = of([N("Swirl", ["x", name], ["y"], domain="com.acme")], {name: floats()})[name]
    assert (row.kind, row.role) == kind
    assert row.reason.endswith("com.acme::Swirl")


def test_the_owner_uses_a_tensor_in_its_role(of: Of) -> None:
    nodes = [
        N("Shape", ["w"], ["n"], "shape"),
        N("Transpose", ["w"], ["t"], "turn"),
        N("Mul", ["x", "x"], ["h"], "square"),
        N("MatMul", ["h", "t"], ["m"], "product"),
        N("Gather", ["w", "i"], ["e"], "rows"),
        N("ReduceSum", ["e"], ["r"], "sum"),
        N("Add", ["m", "r"], ["y"], "last"),
    ]
    row = of(nodes, {"w": floats(4, 4)})["w"]
    assert row.kind == "parameter"
    assert row.owner in ("product", "rows")
    assert [use.node for use in row.uses] == ["shape", "product", "rows"]
    assert row.role == ("weight" if row.owner == "product" else "embedding")


def test_what_torch_export_declares_keeps_its_role(of: Of) -> None:
    def declare(model: onnx.ModelProto) -> None:
        entry = model.graph.metadata_props.add()
        entry.key = SIGNATURE
        entry.value = (
            "# inputs\np_w: PARAMETER target='w'\np_gain: PARAMETER target='gain'\n"
            "b_table: BUFFER target='table' persistent=True\n# outputs\n"
        )

    nodes = [
        N("Gather", ["table", "i"], ["e"]),
        N("Mul", ["e", "gain"], ["g"]),
        N("MatMul", ["g", "w"], ["y"]),
    ]
    rows = of(nodes, {"table": floats(9, 4), "gain": floats(4), "w": floats(4, 2)}, change=declare)
    assert kinds(rows) == {
        "table": ("buffer", "embedding"),
        "gain": ("parameter", "operand"),
        "w": ("parameter", "weight"),
    }
    assert rows["table"].reason == "declared a buffer by torch.export"
    assert rows["w"].reason == "declared a parameter by torch.export, used by MatMul"


def test_a_chain_of_dequantizations_does_not_recurse(of: Of) -> None:
    chain = [N("DequantizeLinear", [f"d{i}", "s"], [f"d{i + 1}"]) for i in range(3000)]
    nodes = [*chain, N("Sub", ["x", "mean"], ["c"]), N("Mul", ["c", "d3000"], ["y"])]
    rows = of(nodes, {"d0": ints(4), "s": floats(), "mean": floats(4)})
    assert rows["s"].kind == "quantization"
