"""Shapes of whole graphs: symbols, bindings, bodies, functions, declarations, hostile files."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

import graphcount
from graphcount.analysis.counts import count
from graphcount.analysis.shapes import Bindings, ShapeError, ValueShapes, infer_shapes
from graphcount.analysis.values import Values
from graphcount.api import load
from graphcount.symbolic import Dim, Expr, evaluate
from tests.conftest import Save

I64, F, BOOL = TensorProto.INT64, TensorProto.FLOAT, TensorProto.BOOL


def infer(path: str, **bindings: Any) -> ValueShapes:
    model = load(path)
    values = Values(path, 1 << 24)
    try:
        rows = count(model.file, model.model_graph, values).rows
        return infer_shapes(model.proto, model.model_graph, rows, values, Bindings(**bindings))
    finally:
        values.close()


def shape(found: ValueShapes, name: str) -> list[Any]:
    """The one value of that name, symbols as text."""
    (dims,) = [dims for (_, value), dims in found.shapes.items() if value == name]
    return [str(dim) if isinstance(dim, Expr) else dim for dim in dims]


def text_model(text: str, tmp_path: Path) -> str:
    path = tmp_path / "model.onnx"
    path.write_bytes(parser.parse_model(text).SerializeToString())
    return str(path)


def vector(name: str, *numbers: int) -> TensorProto:
    return numpy_helper.from_array(np.array(numbers, np.int64), name)


def info(name: str, dtype: int, dims: Any) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, dims)


# ----------------------------------------------------------------------------------- symbols


SHAPE_ARITHMETIC = """
<ir_version: 8, opset_import: ["": 17]>
g (float[batch, seq, 768] x, float[batch, past, 768] p) => (float[] y) {
  all = Concat <axis = 1> (x, p)
  s = Shape (all)
  i0 = Constant <value = int64 {0}> ()
  i1 = Constant <value = int64 {1}> ()
  b = Gather (s, i0)
  n = Gather (s, i1)
  u = Constant <value = int64[1] {0}> ()
  b1 = Unsqueeze (b, u)
  n1 = Unsqueeze (n, u)
  heads = Constant <value = int64[2] {12, -1}> ()
  to = Concat <axis = 0> (b1, n1, heads)
  h = Reshape (all, to)
  y = Transpose <perm = [0, 2, 1, 3]> (h)
}
"""


def test_shape_arithmetic_in_symbols(tmp_path: Path) -> None:
    found = infer(text_model(SHAPE_ARITHMETIC, tmp_path))
    assert shape(found, "y") == ["batch", 12, "past + seq", 64]
    assert found.unresolved == ()
    (value,) = [value for (_, name), value in found.values.items() if name == "to"]
    assert [str(number) for number in value] == ["batch", "past + seq", "12", "-1"]


def test_bound_symbols_give_numbers(tmp_path: Path) -> None:
    path = text_model(SHAPE_ARITHMETIC, tmp_path)
    assert shape(infer(path, dims={"batch": 2, "past": 0, "seq": 5}), "y") == [2, 12, 5, 64]
    assert shape(infer(path, shapes={"x": (3, None, 768)}), "y") == [3, 12, "past + seq", 64]
    renamed = infer(path, shapes={"x": (None, "tokens", None)})
    assert shape(renamed, "y") == ["batch", 12, "past + tokens", 64]


@pytest.mark.parametrize(
    ("bindings", "message"),
    [
        ({"dims": {"bach": 2}}, "no dimension bach; there is batch"),
        ({"dims": {"batch": -1}}, "no size"),
        ({"shapes": {"xx": (1,)}}, "no input xx; there is x"),
        ({"shapes": {"x": (1, 2)}}, "3 dimensions, not 2"),
        ({"shapes": {"x": (1, 2, 512)}}, "Concat#0 cannot take these sizes"),
        ({"shapes": {"x": (1, 2, None), "p": (2, 2, None)}}, "Concat#0 cannot take these sizes"),
        ({"dims": {"seq": 4}, "shapes": {"x": (1, 5, None)}}, "seq is bound to 4 and to 5"),
    ],
)
def test_bindings_that_do_not_fit(bindings: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match=message):
        infer(text_model(SHAPE_ARITHMETIC, tmp_path), **bindings)


def test_open_dimensions_are_called_after_their_input(save: Save) -> None:
    node = helper.make_node("Relu", ["in:put"], ["y"])
    path = save([node], inputs=[("in:put", [None, 3, "in_put_2", 0])], outputs=["y"])
    assert shape(infer(path), "y") == ["in:put[0]", 3, "in_put_2", "in:put[3]"]
    assert shape(infer(path, dims={"in:put[0]": 8, "in:put[3]": 1}), "y") == [8, 3, "in_put_2", 1]


def test_an_input_without_a_shape(save: Save) -> None:
    path = save([helper.make_node("Relu", ["x"], ["y"])], inputs=["x"], outputs=["y"])
    (unknown,) = infer(path).unresolved
    assert unknown.where == "input:x"
    found = infer(path, shapes={"x": (None, 3)})
    assert shape(found, "y") == ["x[0]", 3]
    assert found.unresolved == ()


def test_sums_as_dimensions(save: Save) -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    path = save([node], inputs=[("x", ["past + seq", "a/b/c_dim_1"])], outputs=["y"])
    assert shape(infer(path), "y") == ["past + seq", '"a/b/c_dim_1"']
    assert shape(infer(path, dims={"past": 3, "a/b/c_dim_1": 2}), "y") == ["seq + 3", 2]
    assert shape(infer(path, shapes={"x": (7, 1)}), "y") == [7, 1]
    with pytest.raises(ShapeError, match="axis 0 is 3"):
        infer(path, shapes={"x": (7, 1)}, dims={"past": 1, "seq": 2})


def test_expand_by_where_and_equal(tmp_path: Path) -> None:
    text = """
<ir_version: 8, opset_import: ["": 17]>
g (float[batch, 1] x, float[batch, seq] m) => (float[] y) {
  s = Shape (m)
  r = Constant <value = int64[1] {2}> ()
  ones = ConstantOfShape <value = int64[1] {1}> (r)
  k = Constant <value = int64 {-1}> ()
  minus = Mul (ones, k)
  is = Equal (s, minus)
  to = Where (is, ones, s)
  y = Expand (x, to)
}
"""
    assert shape(infer(text_model(text, tmp_path)), "y") == ["batch", "seq"]


def test_halves_on_the_way_through_floats(tmp_path: Path) -> None:
    text = """
<ir_version: 8, opset_import: ["": 17]>
g (float[1, 3, height, 9] x) => (float[] y) {
  s = Shape (x)
  a = Constant <value = int64[1] {2}> ()
  e = Constant <value = int64[1] {4}> ()
  hw = Slice (s, a, e)
  f = Cast <to = 1> (hw)
  half = Constant <value = float[2] {0.5, 1.5}> ()
  m = Mul (f, half)
  fl = Floor (m)
  size = Cast <to = 7> (fl)
  nc = Constant <value = int64[2] {1, 3}> ()
  to = Concat <axis = 0> (nc, size)
  y = Resize (x, , , to)
}
"""
    found = infer(text_model(text, tmp_path))
    assert shape(found, "y") == [1, 3, "floor(height/2)", 13]


# ------------------------------------------------------------------------------- declarations


def test_declarations_fill_what_is_not_known(save: Save) -> None:
    nodes = [
        helper.make_node("Fancy", ["x"], ["a"], domain="my"),
        helper.make_node("Relu", ["a"], ["y"]),
    ]
    path = save(
        nodes,
        inputs=[("x", ["n", 3])],
        outputs=[("y", [None, 4])],
        value_info=[helper.make_tensor_value_info("a", F, ["n", None])],
        opsets=[("", 20), ("my", 1)],
    )
    found = infer(path)
    assert shape(found, "a") == ["n", "a[1]"]
    assert shape(found, "y") == ["n", "a[1]"]  # 4 is a claim, and follows from nothing
    assert found.places["a[1]"].words == "result a of Fancy, axis 1"
    assert found.relied == {"my::Fancy": 1}
    assert found.unresolved == ()


def test_what_is_computed_wins(save: Save) -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    path = save([node], inputs=[("x", [2, "n"])], outputs=[("y", [3, 5])])
    found = infer(path)
    assert shape(found, "y") == [2, "n"]  # a number that is computed as a symbol is the symbol
    (conflict,) = found.conflicts
    assert (conflict.node, conflict.value, conflict.declared[0]) == ("Relu#0", "y", 3)
    assert found.unresolved == ()  # what is computed is exact


def test_declared_in_full_needs_no_rule(save: Save) -> None:
    node = helper.make_node("Fancy", ["x"], ["y"], domain="my")
    inputs, outputs = [("x", [2, 3])], [("y", [4])]
    path = save([node], inputs=inputs, outputs=outputs, opsets=[("", 20), ("my", 1)])
    found = infer(path)
    assert shape(found, "y") == [4]
    assert found.unresolved == ()
    call = found.calls("Fancy#0")
    assert (call.inputs, call.outputs, call.dtypes) == (((2, 3),), ((4,),), (F,))


def test_a_loss_is_told_once(save: Save) -> None:
    nodes = [
        helper.make_node("NonZero", ["x"], ["z"]),
        helper.make_node("Transpose", ["z"], ["t"]),
        helper.make_node("Cast", ["t"], ["y"], to=F),
    ]
    found = infer(save(nodes, inputs=[("x", [2, "n"])], outputs=["y"]))
    assert shape(found, "y") == ["z[1]", 2]
    assert {name: place.words for name, place in found.places.items()} == {
        "n": "input x, axis 1",
        "z[1]": "result z of NonZero, axis 1",
    }


def test_the_call_of_a_node(save: Save) -> None:
    node = helper.make_node("Reshape", ["x", "to"], ["y"])
    path = save([node], [vector("to", 0, -1)], inputs=[("x", ["n", 2, 3])], outputs=["y"])
    call = infer(path).calls("Reshape#0")
    assert call.value(1) == (0, -1)
    assert [str(dim) for dim in call.output() or ()] == ["n", "6"]
    assert call.dtypes == (F, I64)
    assert call.opset == 20


# -------------------------------------------------------------------------------------- bodies


def branch(name: str, *nodes: onnx.NodeProto) -> onnx.GraphProto:
    out = nodes[-1].output[0]
    return helper.make_graph(list(nodes), name, [], [onnx.ValueInfoProto(name=out)])


def if_model(save: Save, condition: list[onnx.NodeProto]) -> str:
    yes = branch("yes", helper.make_node("Transpose", ["x"], ["t"]))
    no = branch("no", helper.make_node("Relu", ["x"], ["r"]))
    node = helper.make_node("If", ["c"], ["y"], then_branch=yes, else_branch=no)
    inputs: list[Any] = [("x", [2, "n"])]
    if not condition:
        inputs.append(helper.make_tensor_value_info("c", BOOL, []))
    return save([*condition, node], [vector("two", 2)], inputs=inputs, outputs=["y"])


def test_if_keeps_what_the_branches_share(save: Save) -> None:
    found = infer(if_model(save, []))
    assert shape(found, "y") == ["y[0]", "y[1]"]  # which branch it takes decides
    assert shape(found, "t") == ["n", 2]
    assert found.unresolved == ()


def test_if_with_a_known_condition_takes_its_branch(save: Save) -> None:
    condition = [
        helper.make_node("Shape", ["x"], ["s"], start=0, end=1),
        helper.make_node("Equal", ["s", "two"], ["c"]),
    ]
    found = infer(if_model(save, condition))
    assert shape(found, "y") == ["n", 2]
    assert found.unresolved == ()


def loop_model(save: Save, grow: bool, trips: Any = 5, while_: bool = False) -> str:
    state = (
        helper.make_node("Concat", ["s", "s"], ["s2"], axis=0)
        if grow
        else helper.make_node("Relu", ["s"], ["s2"])
    )
    test = (
        helper.make_node("Cast", ["e"], ["c2"], to=BOOL)
        if while_
        else helper.make_node("Identity", ["c"], ["c2"])
    )
    body = helper.make_graph(
        [state, helper.make_node("ReduceSum", ["s2"], ["e"], keepdims=0), test],
        "body",
        [info("i", I64, []), info("c", BOOL, []), onnx.ValueInfoProto(name="s")],
        [onnx.ValueInfoProto(name=name) for name in ("c2", "s2", "e")],
    )
    node = helper.make_node("Loop", ["m", "", "x"], ["y", "sums"], body=body)
    inputs: list[Any] = [("x", ["n", 3])]
    constants = []
    if trips is None:
        inputs.append(helper.make_tensor_value_info("m", I64, []))
    else:
        constants.append(numpy_helper.from_array(np.array(trips, np.int64), "m"))
    return save([node], constants, inputs=inputs, outputs=["y", "sums"])


def test_a_loop_that_keeps_its_shape(save: Save) -> None:
    found = infer(loop_model(save, grow=False))
    assert shape(found, "y") == ["n", 3]
    assert shape(found, "sums") == [5]
    assert found.trips == {"Loop#0": 5}
    assert found.unresolved == ()


def test_a_loop_that_grows(save: Save) -> None:
    found = infer(loop_model(save, grow=True))
    assert shape(found, "y") == [None, 3]
    assert shape(found, "s2") == [None, 3]  # not the shape of the first iteration
    assert shape(found, "sums") == [5]


@pytest.mark.parametrize("changes", [{"trips": None}, {"while_": True}])
def test_a_loop_of_unknown_length(save: Save, changes: Any) -> None:
    found = infer(loop_model(save, grow=False, **changes))
    assert shape(found, "sums") == ["sums[0]"]
    assert found.trips == {"Loop#0": None}


def test_scan_takes_an_axis_and_gives_one(save: Save) -> None:
    body = helper.make_graph(
        [
            helper.make_node("Add", ["h", "e"], ["h2"]),
            helper.make_node("Identity", ["h2"], ["o"]),
        ],
        "body",
        [onnx.ValueInfoProto(name="h"), onnx.ValueInfoProto(name="e")],
        [onnx.ValueInfoProto(name="h2"), onnx.ValueInfoProto(name="o")],
    )
    node = helper.make_node(
        "Scan",
        ["h0", "x"],
        ["last", "all"],
        body=body,
        num_scan_inputs=1,
        scan_input_axes=[1],
        scan_output_axes=[-1],
    )
    inputs = [("h0", ["b", 4]), ("x", ["b", "time", 4])]
    found = infer(save([node], inputs=inputs, outputs=["last", "all"]))
    assert shape(found, "e") == ["b", 4]
    assert shape(found, "last") == ["b", 4]
    assert shape(found, "all") == ["b", 4, "time"]
    assert [str(trip) for trip in found.trips.values()] == ["time"]


@pytest.mark.parametrize("lengths", ["", "lengths"])
def test_scan_8_has_a_batch_and_its_lengths_first(save: Save, lengths: str) -> None:
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["h", "W"], ["m"]),
            helper.make_node("Add", ["m", "e"], ["h2"]),
            helper.make_node("Identity", ["h2"], ["o"]),
        ],
        "body",
        [onnx.ValueInfoProto(name="h"), onnx.ValueInfoProto(name="e")],
        [onnx.ValueInfoProto(name="h2"), onnx.ValueInfoProto(name="o")],
        [helper.make_tensor("W", F, [4, 4], np.ones(16, np.float32))],
    )
    node = helper.make_node(
        "Scan", [lengths, "h0", "x"], ["last", "all"], body=body, num_scan_inputs=1
    )
    inputs = [("h0", ["b", 4]), ("x", ["b", "time", 4]), info("lengths", I64, ["b"])]
    path = save([node], inputs=inputs, outputs=["last", "all"], opsets=[("", 8)])
    found = infer(path)
    assert shape(found, "e") == [4]
    assert shape(found, "last") == ["b", 4]
    assert shape(found, "all") == ["b", "time", 4]
    assert graphcount.count(path).totals.macs_expression == "16*b*time"


@pytest.mark.parametrize(
    ("past", "total", "wanted"),
    [
        (9, 10, 10),
        (32, 10, 32),  # a cache with room for more
        (9, None, "key[2]"),
        (None, None, 1),
        ("past", "past + 1", "past + 1"),
        ("past", "all", "key[2]"),
    ],
)
def test_how_long_a_grouped_cache_is(save: Save, past: Any, total: Any, wanted: Any) -> None:
    names = ["q", "k", "v", "", "", "len", "total"]
    inputs: list[Any] = [("q", [1, 1, 64]), ("k", [1, 1, 32]), ("v", [1, 1, 32])]
    if past is not None:
        names[3:5] = ["pk", "pv"]
        inputs += [("pk", [1, 2, past, 16]), ("pv", [1, 2, past, 16])]
    nodes = []
    if isinstance(total, str):
        inputs.append(info("mask", I64, [1, total]))
        nodes = [helper.make_node("Shape", ["mask"], ["total"], start=1)]
    elif total is None:
        inputs.append(info("total", I64, []))
    constants = [vector("len", 9)] + ([vector("total", total)] if isinstance(total, int) else [])
    node = helper.make_node(
        "GroupQueryAttention",
        names,
        ["y", "key", "value"],
        domain="com.microsoft",
        num_heads=4,
        kv_num_heads=2,
    )
    opsets = [("", 20), ("com.microsoft", 1)]
    path = save([*nodes, node], constants, inputs=inputs, outputs=["y", "key"], opsets=opsets)
    assert shape(infer(path), "key") == [1, 2, wanted, 16]


CONTRIB: dict[str, tuple[str, list[list[int]], dict[str, Any], list[list[int]]]] = {
    "past in front": (
        "DecoderMaskedSelfAttention",
        [[2, 1, 24], [24, 96], [96], [], [2, 2, 4, 6, 8]],
        {},
        [[2, 1, 32], [2, 2, 4, 7, 8]],
    ),
    "a shared buffer": (
        "DecoderMaskedSelfAttention",
        [[2, 1, 24], [24, 96], [96], [], [2, 2, 4, 64, 8]],
        {"past_present_share_buffer": 1},
        [[2, 1, 32], [2, 2, 4, 64, 8]],
    ),
    "packed tokens": ("PackedAttention", [[9, 24], [24, 96], [96], [2, 6], [3]], {}, [[9, 32]]),
    "packed queries": (
        "PackedMultiHeadAttention",
        [[9, 32], [9, 32], [9, 64], [], [2, 6], [3]],
        {},
        [[9, 64]],
    ),
    "packed queries, keys and values": (
        "PackedMultiHeadAttention",
        [[9, 4, 3, 8], [], [], [], [2, 6], [3]],
        {},
        [[9, 32]],
    ),
}
"""Operator, shapes of its inputs (empty: left out), attributes; outputs by ContribOperators.md."""


@pytest.mark.parametrize("case", CONTRIB)
def test_attention_of_onnxruntime(case: str, save: Save) -> None:
    op_type, given, attributes, wanted = CONTRIB[case]
    inputs = [(f"x{index}", dims) for index, dims in enumerate(given) if dims]
    names = [f"x{index}" if dims else "" for index, dims in enumerate(given)]
    made = [f"y{index}" for index in range(len(wanted))]
    node = helper.make_node(op_type, names, made, domain="com.microsoft", num_heads=4, **attributes)
    opsets = [("", 20), ("com.microsoft", 1)]
    found = infer(save([node], inputs=inputs, outputs=made, opsets=opsets))
    assert [shape(found, name) for name in made] == wanted


def test_what_a_call_returns_has_the_shape_its_caller_declares(save: Save) -> None:
    """At each call its own, and only where the body does not tell."""
    inner = [
        helper.make_node("Foo", ["a"], ["b"], domain="acme"),
        helper.make_node("Relu", ["a"], ["c"]),
    ]
    imports = [helper.make_opsetid("", 20), helper.make_opsetid("acme", 1)]
    function = helper.make_function("local", "Block", ["a"], ["b", "c"], inner, imports)
    nodes = [
        helper.make_node("Block", ["x"], ["h", "r"], domain="local"),
        helper.make_node("Block", ["h"], ["y", "z"], domain="local"),
    ]
    declared = [("h", ["n", 5]), ("r", ["n", 4])]
    path = save(
        nodes,
        inputs=[("x", ["n", 4])],
        outputs=[info("y", F, ["n", 6]), "z"],
        functions=[function],
        opsets=[("", 20), ("local", 1), ("acme", 1)],
        value_info=[info(name, F, dims) for name, dims in declared],
    )
    shapes = infer(path).shapes
    found = {node: [str(dim) for dim in dims] for (node, _), dims in shapes.items() if "/" in node}
    assert found == {
        "Block#0/Foo#0": ["n", "5"],
        "Block#0/Relu#1": ["n", "4"],
        "Block#1/Foo#0": ["n", "6"],
        "Block#1/Relu#1": ["n", "5"],
    }


def test_functions_are_followed_at_each_call(tmp_path: Path) -> None:
    text = """
<ir_version: 8, opset_import: ["": 17, "local": 1]>
g (float[n, 4] x, float[3, m] z) => (float[] y, float[] w) {
  y = local.twice (x)
  w = local.twice (z)
}
<domain: "local", opset_import: ["": 17]>
twice (a) => (b) {
  b = Concat <axis = 0> (a, a)
}
"""
    found = infer(text_model(text, tmp_path))
    shapes = {
        (node.split("/")[0]): dims for (node, name), dims in found.shapes.items() if name == "b"
    }
    assert sorted(str(dims[0]) for dims in shapes.values()) == ["2*n", "6"]


# ------------------------------------------------------------------------------------- models


def test_gpt2_resolves_completely(shared: Path) -> None:
    found = 0
    for path in sorted((shared / "truth" / "models").glob("gpt2_tiny__L*.onnx")):
        result = infer(str(path))
        assert result.unresolved == (), path.name
        found += 1
    assert found >= 4


def names(dims: Any) -> set[str]:
    return {name for dim in dims for name in (dim.symbols() if isinstance(dim, Expr) else ())}


def test_symbols_evaluated_are_numbers_inferred(shared: Path) -> None:
    rng = random.Random(3)
    compared = 0
    for path in sorted((shared / "truth" / "models").glob("*__[LD]dyn.onnx")):
        symbolic = infer(str(path))
        free = {name for dims in symbolic.shapes.values() for name in names(dims)}
        sizes: dict[str, Dim] = {name: rng.randrange(1, 9) for name in free}
        numeric = infer(str(path), dims=sizes)
        for key, dims in symbolic.shapes.items():
            expected = tuple(evaluate(dim, sizes) for dim in dims if dim is not None)
            assert numeric.shapes[key] == expected, (path.name, key)
            compared += 1
    assert compared > 50


def test_our_own_fixtures_resolve(fixtures: Path) -> None:
    for path in sorted(fixtures.glob("*.onnx")):
        assert infer(str(path)).unresolved == (), path.name


# ------------------------------------------------------------------------------------- hostile

HUGE = 2**62


@pytest.mark.parametrize(
    ("op_type", "constants", "attributes", "outputs"),
    [
        ("Split", [], {"num_outputs": 10**9, "axis": 0}, 2),
        ("Split", [[HUGE, HUGE]], {}, 2),
        ("Tile", [[HUGE, HUGE]], {}, 1),
        ("Expand", [[HUGE, HUGE]], {}, 1),
        ("Pad", [[HUGE, HUGE, HUGE, HUGE]], {}, 1),
        ("Reshape", [[0] * 4000], {}, 1),
        ("Reshape", [[-1, -1, -1]], {}, 1),
        ("Conv", [], {"kernel_shape": [HUGE, HUGE], "strides": [0, 0]}, 1),
        ("MaxPool", [], {"kernel_shape": [HUGE], "strides": [0]}, 1),
        ("Transpose", [], {"perm": [7, 7]}, 1),
        ("Unsqueeze", [[0] * 100], {}, 1),
        ("Squeeze", [[99]], {}, 1),
        ("Gather", [[HUGE]], {"axis": -HUGE}, 1),
        ("DepthToSpace", [], {"blocksize": 0}, 1),
        ("Slice", [[0], [1], [0], [0]], {}, 1),
        ("TopK", [[HUGE]], {"axis": 5}, 2),
        ("LSTM", [], {"hidden_size": HUGE}, 3),
        ("Einsum", [], {"equation": "...," * 500}, 1),
        ("DFT", [], {"axis": HUGE}, 1),
    ],
)
def test_odd_nodes_are_unknown_not_an_error(
    op_type: str, constants: list[list[int]], attributes: Any, outputs: int, save: Save
) -> None:
    named = [vector(f"c{index}", *numbers) for index, numbers in enumerate(constants)]
    made = [f"y{index}" for index in range(outputs)]
    node = helper.make_node(op_type, ["x", *(c.name for c in named)], made, **attributes)
    started = time.perf_counter()
    found = infer(save([node], named, inputs=[("x", ["n", 6])], outputs=made))
    assert time.perf_counter() - started < 2
    for dims in found.shapes.values():
        assert len(dims) <= 64


@pytest.mark.parametrize("op_type", ["Mul", "Add", "Max", "Sub"])
def test_arithmetic_bombs(op_type: str, save: Save) -> None:
    """Numbers and expressions that double at each of 3,000 steps."""
    nodes = [helper.make_node("Shape", ["x"], ["s0"])]
    for index in range(3000):
        last = f"s{index}"
        other = last if index % 3 else "k"
        nodes.append(helper.make_node(op_type, [last, other], [f"s{index + 1}"]))
        if index % 5 == 0:
            nodes[-1] = helper.make_node("Div", [last, "k"], [f"s{index + 1}"])
    nodes.append(helper.make_node("ConstantOfShape", ["s3000"], ["y"]))
    path = save(nodes, [vector("k", 3, 2)], inputs=[("x", ["n", "m"])], outputs=["y"])
    started = time.perf_counter()
    infer(path)
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("free", [True, False])
def test_a_chain_of_products_ends_where_sizes_do(free: bool, save: Save) -> None:
    """Coefficients of symbols and parts of fractions grow as integers do, and without a bound."""
    first = (
        helper.make_node("Shape", ["x"], ["p0"])
        if free
        else helper.make_node("Identity", ["third"], ["p0"])
    )
    step = vector("step", 2**62) if free else numpy_helper.from_array(np.array([1 / 3]), "step")
    third = numpy_helper.from_array(np.array([1 / 3]), "third")
    chain = [helper.make_node("Mul", [f"p{i}", "step"], [f"p{i + 1}"]) for i in range(2_000)]
    to = [
        helper.make_node("Cast", ["p2000"], ["s"], to=TensorProto.INT64),
        helper.make_node("Expand", ["x", "s"], ["y"]),
    ]
    path = save([first, *chain, *to], [step, third], inputs=[("x", ["n"])], outputs=["y"])
    start = time.process_time()
    found = infer(path)
    assert shape(found, "y") == ["y[0]"]
    assert time.process_time() - start < 3


def test_small_tensors_in_large_numbers(save: Save) -> None:
    """The work on numbers of small tensors is bounded in all."""
    nodes = [helper.make_node("ConstantOfShape", ["k"], ["s0"])]
    for index in range(2000):
        nodes.append(helper.make_node("Add", [f"s{index}", f"s{index}"], [f"s{index + 1}"]))
    started = time.perf_counter()
    infer(save(nodes, [vector("k", 4096)], outputs=["s2000"]))
    assert time.perf_counter() - started < 5


READERS: dict[str, list[onnx.NodeProto]] = {
    "one operand many times": [helper.make_node("Sum", ["k"] * 10_000, ["y"])],
    "many empty parts": [helper.make_node("Concat", ["column", *["none"] * 10_000], ["y"], axis=1)],
    "many empty pieces": [
        helper.make_node("Split", ["k"], [*(f"p{i}" for i in range(9_999)), "y"], axis=0)
    ],
    "one number of many": [
        helper.make_node("Slice", ["k"], [f"s{i}" if i else "y"], starts=[i], ends=[i + 1])
        for i in range(4_000)
    ],
    "products of all": [
        helper.make_node("ReduceProd", ["huge"], [f"r{i}" if i else "y"], keepdims=0, odd=i)
        for i in range(500)
    ],
}
"""Nodes that read thousands of numbers for each one they make."""


@pytest.mark.parametrize("reader", READERS)
def test_numbers_that_are_read_are_work_too(reader: str, save: Save) -> None:
    stored = [
        vector("k", *range(4096)),
        vector("huge", *[2**62] * 4096),
        numpy_helper.from_array(np.ones((4096, 1), np.int64), "column"),
        numpy_helper.from_array(np.ones((4096, 0), np.int64), "none"),
    ]
    nodes = READERS[reader]
    if reader == "many empty pieces":
        nodes[0].attribute.append(helper.make_attribute("split", [0] * 9_999 + [4096]))
    path = save(nodes, stored, outputs=["y"], opsets=[("", 9)])
    started = time.process_time()
    infer(path)
    assert time.process_time() - started < 4


def test_cycles_and_undefined_values(save: Save) -> None:
    nodes = [
        helper.make_node("Add", ["a", "x"], ["b"]),
        helper.make_node("Relu", ["b"], ["a"]),
        helper.make_node("Relu", ["nowhere"], ["c"]),
        helper.make_node("Relu", ["x"], ["d"]),
    ]
    found = infer(save(nodes, inputs=[("x", [2])], outputs=[("b", [2]), ("d", [None])]))
    assert shape(found, "b") == [2]  # declared
    assert shape(found, "d") == [2]


def test_a_kernel_for_other_data_is_told_in_words(tmp_path: Path) -> None:
    text = """
    <ir_version: 8, opset_import: ["": 17]>
    g (float[1, 4, 8, 8] x, float[2, 4, 3, 3, 3] w) => (float[] y) { y = Conv (x, w) }
    """
    (lost,) = infer(text_model(text, tmp_path)).unresolved
    assert lost.why.endswith("spatial dimensions: 2 of the data, 3 of the kernel")
