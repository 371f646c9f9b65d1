"""Past keys and values: 2 x layers x heads x head size x bytes a token, whatever joins them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from onnx import NodeProto, TensorProto, helper

import graphcount
from graphcount.cli.main import main
from graphcount.errors import UsageError
from graphcount.report import serial

Save = Callable[..., str]

HEADS, SIZE = 4, 8
FLOAT16 = TensorProto.FLOAT16


def info(name: str, shape: list[Any], dtype: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, dtype, shape)


def node(op_type: str, inputs: list[str], outputs: list[str], **attributes: Any) -> NodeProto:
    return helper.make_node(op_type, inputs, outputs, f"{op_type}_{outputs[0]}", **attributes)


def shape(name: str, *numbers: int) -> TensorProto:
    return helper.make_tensor(name, TensorProto.INT64, [len(numbers)], numbers)


KV = ["batch", HEADS, "past", SIZE]


def by_concat(layers: int, dtype: int, names: str, present: bool = True) -> dict[str, Any]:
    """Layers of attention on given queries, keys and values; the past is joined by Concat."""
    nodes, inputs, outputs = [], [], []
    new = ["batch", HEADS, "seq", SIZE]
    for n in range(layers):
        k, v = names.format(n, "key"), names.format(n, "value")
        inputs += [info(k, KV, dtype), info(v, KV, dtype)]
        inputs += [info(f"{each}{n}", new, dtype) for each in ("q", "newk", "newv")]
        nodes += [
            node("Identity", [f"newk{n}"], [f"k{n}"]),
            node("Identity", [f"newv{n}"], [f"v{n}"]),
            node("Concat", [k, f"k{n}"], [f"allk{n}"], axis=-2),
            node("Concat", [v, f"v{n}"], [f"allv{n}"], axis=2),
            node("Transpose", [f"allk{n}"], [f"kt{n}"], perm=[0, 1, 3, 2]),
            node("MatMul", [f"q{n}", f"kt{n}"], [f"scores{n}"]),
            node("Softmax", [f"scores{n}"], [f"p{n}"]),
            node("MatMul", [f"p{n}", f"allv{n}"], [f"y{n}"]),
        ]
        outputs.append(info(f"y{n}", new, dtype))
        if present:
            outputs += [info(f"allk{n}", [None] * 4, dtype), info(f"allv{n}", [None] * 4, dtype)]
    return {"nodes": nodes, "inputs": inputs, "outputs": outputs}


@pytest.mark.parametrize(("layers", "dtype", "nbytes"), [(1, 1, 4), (3, FLOAT16, 2)])
def test_joined_by_concat(save: Save, layers: int, dtype: int, nbytes: int) -> None:
    made = by_concat(layers, dtype, "past_key_values.{}.{}")
    path = save(made["nodes"], inputs=made["inputs"], outputs=made["outputs"])
    report = graphcount.count(path)
    cache = report.states
    assert cache is not None
    token = 2 * layers * HEADS * SIZE * nbytes
    assert (cache.nbytes_per_token, cache.nbytes_per_sequence) == (token, 0)
    assert cache.nbytes_in == f"{token}*batch*past"
    assert {(row.kind, row.axis, row.batch_axis, row.step) for row in cache.rows} == {
        ("keys-values", 2, 0, "seq")
    }
    assert len(cache.rows) == 2 * layers
    assert report.state_nbytes(batch=3, past=16, seq=1) == token * 3 * 17
    bound = graphcount.count(path, dims={"batch": 3, "past": 16, "seq": 2}).states
    assert bound is not None
    assert (bound.nbytes, bound.nbytes_in) == (token * 3 * 18, token * 3 * 16)
    assert (bound.nbytes_per_token, bound.rows[0].step) == (token, 2)
    assert serial.loads(serial.dumps(serial.to_dict(report))) == report


def test_names_decide_nothing_where_the_present_is_returned(save: Save) -> None:
    made = by_concat(2, 1, "x{}{}")
    path = save(made["nodes"], inputs=made["inputs"], outputs=made["outputs"])
    cache = graphcount.count(path).states
    assert cache is not None
    assert [(row.input, row.output) for row in cache.rows] == [
        ("x0key", "allk0"),
        ("x0value", "allv0"),
        ("x1key", "allk1"),
        ("x1value", "allv1"),
    ]


@pytest.mark.parametrize(("names", "found"), [("past_{}_{}", True), ("x{}{}", False)])
def test_a_present_that_is_not_returned_needs_a_name(save: Save, names: str, found: bool) -> None:
    made = by_concat(1, 1, names, present=False)
    path = save(made["nodes"], inputs=made["inputs"], outputs=made["outputs"])
    cache = graphcount.count(path).states
    assert (cache is not None) is found
    if cache is not None:
        kept = [(row.output, row.kind, row.axis) for row in cache.rows]
        assert kept == [(None, "keys-values", 2)] * 2
        assert cache.nbytes == cache.nbytes_in == f"{2 * HEADS * SIZE * 4}*batch*past"


def test_repeated_for_groups_of_heads(save: Save) -> None:
    """Grouped queries: keys are unsqueezed, expanded and reshaped before their product."""
    new = ["batch", 2, "seq", SIZE]
    nodes = [
        node("Relu", ["newk"], ["k"]),
        node("Concat", ["cache", "k"], ["all"], axis=2),
        node("Unsqueeze", ["all", "two"], ["u"]),
        node("Expand", ["u", "groups"], ["e"]),
        node("Reshape", ["e", "flat"], ["r"]),
        node("Mul", ["r", "scale"], ["m"]),
        node("MatMul", ["q", "m"], ["y"]),
    ]
    constants = [shape("two", 2), shape("groups", 1, 1, 3, 1, 1), shape("flat", 0, 6, -1, SIZE)]
    constants.append(helper.make_tensor("scale", 1, [1], [0.5]))
    path = save(
        nodes,
        constants,
        inputs=[info("cache", ["batch", 2, "past", SIZE]), info("newk", new), info("q", [1, 6, 1])],
        outputs=["y", "all"],
    )
    cache = graphcount.count(path).states
    assert cache is not None
    assert cache.nbytes_per_token == 2 * SIZE * 4


def test_gpt2_keeps_both_in_one_input(save: Save) -> None:
    past = ["b", "p", 2, HEADS, SIZE]
    nodes = [
        node("Transpose", ["past_state"], ["t"], perm=[2, 0, 3, 1, 4]),
        node("Gather", ["t", "zero"], ["oldk"], axis=0),
        node("Gather", ["t", "one"], ["oldv"], axis=0),
        node("Relu", ["newk"], ["k"]),
        node("Relu", ["newv"], ["v"]),
        node("Concat", ["oldk", "k"], ["allk"], axis=2),
        node("Concat", ["oldv", "v"], ["allv"], axis=2),
        node("Transpose", ["allk"], ["kt"], perm=[0, 1, 3, 2]),
        node("MatMul", ["q", "kt"], ["s"]),
        node("MatMul", ["s", "allv"], ["y"]),
        node("Unsqueeze", ["allk", "zeros"], ["uk"]),
        node("Unsqueeze", ["allv", "zeros"], ["uv"]),
        node("Concat", ["uk", "uv"], ["present"], axis=0),
    ]
    constants = [
        helper.make_tensor(n, TensorProto.INT64, [], [v]) for v, n in enumerate(("zero", "one"))
    ]
    constants.append(shape("zeros", 0))
    new = ["b", HEADS, "s", SIZE]
    path = save(
        nodes,
        constants,
        inputs=[info("past_state", past), info("newk", new), info("newv", new), info("q", new)],
        outputs=["y", "present"],
    )
    cache = graphcount.count(path).states
    assert cache is not None
    assert [(row.input, row.axis) for row in cache.rows] == [("past_state", 1)]
    assert cache.nbytes_in == f"{2 * HEADS * SIZE * 4}*b*p"
    assert cache.nbytes_per_token == 2 * HEADS * SIZE * 4


@pytest.mark.parametrize(
    ("domain", "op_type", "names", "past"),
    [
        ("com.microsoft", "MultiHeadAttention", "q k v . . . pk pv", KV),
        ("com.microsoft", "GroupQueryAttention", "q k v pk pv len total", KV),
        ("", "Attention", "q4 k4 v4 . pk pv", KV),
    ],
)
def test_given_to_an_attention_operator(
    save: Save, domain: str, op_type: str, names: str, past: list[Any]
) -> None:
    flat, heads = ["batch", "seq", HEADS * SIZE], ["batch", HEADS, "seq", SIZE]
    given = ["" if name == "." else name for name in names.split()]
    inputs = [info(name, flat) for name in ("q", "k", "v") if name in given]
    inputs += [info(name, heads) for name in ("q4", "k4", "v4") if name in given]
    inputs += [info("pk", past, FLOAT16), info("pv", past, FLOAT16)]
    inputs += [
        info(name, ["batch"], TensorProto.INT32) for name in ("len", "total") if name in given
    ]
    counts = {"kv_num_heads": HEADS} if op_type == "GroupQueryAttention" else {}
    if domain:
        counts["num_heads"] = HEADS
    path = save(
        [node(op_type, given, ["y", "", "", ""][:1], domain=domain, **counts)],
        inputs=inputs,
        outputs=["y"],
        opsets=[("", 23), ("com.microsoft", 1)],
    )
    cache = graphcount.count(path).states
    assert cache is not None
    assert [row.kind for row in cache.rows] == ["keys-values"] * 2
    assert cache.nbytes_per_token == 2 * HEADS * SIZE * 2
    assert {row.axis for row in cache.rows} == {2}


def test_one_past_for_both_in_an_attention_operator(save: Save) -> None:
    given = ["x", "W", "B", "", "past"]
    path = save(
        [node("Attention", given, ["y"], domain="com.microsoft", num_heads=HEADS)],
        inputs=[info("x", ["b", "s", 32]), info("past", [2, "b", HEADS, "p", SIZE])],
        outputs=["y"],
        opsets=[("", 20), ("com.microsoft", 1)],
    )
    cache = graphcount.count(path).states
    assert cache is not None
    (row,) = cache.rows
    assert (row.axis, row.batch_axis, cache.nbytes_per_token) == (3, 1, 2 * HEADS * SIZE * 4)


def test_what_is_no_cache(save: Save) -> None:
    image = info("x", ["b", "n", 8])
    token = helper.make_tensor("cls", 1, [1, 1, 8], [0.5] * 8)
    weight = helper.make_tensor("W", 1, [8, 8], [0.5] * 64)
    joined = [
        node("Concat", ["x", "cls"], ["all"], axis=1),
        node("MatMul", ["all", "W"], ["y"]),
    ]
    constant = save(joined, [token, weight], inputs=[image], outputs=["y", "all"])
    assert graphcount.count(constant).states is None
    stream = [
        node("Relu", ["x"], ["new"]),
        node("Concat", ["cache", "new"], ["all"], axis=2),
        node("Mul", ["all", "all"], ["y"]),
    ]
    inputs = [info("x", [1, 4, 10]), info("cache", [1, 4, 2])]
    assert graphcount.count(save(stream, inputs=inputs, outputs=["y", "all"])).states is None


def test_asking_for_what_is_not_there(fixtures: Any) -> None:
    report = graphcount.count(str(fixtures / "cnn.onnx"))
    assert report.states is None
    with pytest.raises(UsageError, match="nothing from one step"):
        report.state_nbytes()


def test_dynamic_dimensions_stand_in_the_bytes_of_a_token(save: Save) -> None:
    made = by_concat(1, 1, "past_{}_{}")
    inputs = [
        info(value.name, ["batch", "heads", "past" if "past" in value.name else "seq", SIZE])
        for value in made["inputs"]
    ]
    report = graphcount.count(save(made["nodes"], inputs=inputs, outputs=["y0"]))
    assert report.states is not None
    assert report.states.nbytes_per_token == f"{2 * SIZE * 4}*heads"
    with pytest.raises(UsageError, match="heads"):
        report.state_nbytes(batch=1, past=1)


def test_the_table_says_it(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    made = by_concat(2, 1, "past_{}_{}")
    path = save(made["nodes"], inputs=made["inputs"], outputs=made["outputs"])
    words = "512 B a token; 512*batch*past + 512*batch*seq bytes (4 keys-values)"
    assert main([path]) == 0
    assert f"states        {words}" in capsys.readouterr().out
    assert main([path, "--dim", "batch=1", "--dim", "past=9", "--dim", "seq=1"]) == 0
    words = "512 B a token; 5.12 kB in all (4 keys-values)"
    assert f"states        {words}" in capsys.readouterr().out


def test_a_real_decoder(shared: Any) -> None:
    """One layer of 2 heads of size 2 in float32; 7 tokens of the past and one more."""
    path = next(iter(sorted((shared / "corpus").rglob("gpt2_past_mask_one_layer.onnx"))))
    report = graphcount.count(str(path))
    nbytes = report.state_nbytes(batch_size=5, past_seq_len=7, seq_len=1)
    assert nbytes == 2 * 1 * 2 * 2 * 4 * 5 * 8
