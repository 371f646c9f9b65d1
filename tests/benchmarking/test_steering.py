"""Inputs that steer: what they are fed, why, and that onnxruntime takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, parser

import graphcount
from graphcount.benchmarking.fill import given
from graphcount.benchmarking.given import NOTHING_GIVEN, FedSizes
from graphcount.benchmarking.measure import BenchOptions
from graphcount.benchmarking.plan import InputPlan, InputsPlan, plan_inputs
from graphcount.benchmarking.steering import SINKS
from graphcount.errors import UsageError
from graphcount.graph import build_graph
from graphcount.loading import read_model
from graphcount.ops import operators

HEAD = '<ir_version: 8, opset_import: ["" : 17]>'
QUICK = BenchOptions(runs=6, warmup=0, profile=False, threads=1)

VOICE = """g (float[batch, 8] x, int64 sr) => (float[batch, k] y) {
  high = Constant <value = int64 {16000}> ()
  rate = Cast <to = 7> (sr)
  is_high = Equal (rate, high)
  y = If (is_high)
    <then_branch = a () => (float[N, 4] p) { w = Constant <value = float[8, 4] {WIDE}> ()
       [wide] p = MatMul (x, w) },
     else_branch = b () => (float[N, 2] q) { v = Constant <value = float[8, 2] {SLIM}> ()
       [slim] q = MatMul (x, v) }>
}""".replace("{WIDE}", f"{{{', '.join('1' * 32)}}}").replace("{SLIM}", f"{{{', '.join('1' * 16)}}}")

STEERING: dict[str, tuple[str, str, list[int | float], str]] = {
    "if": (
        "g (float[3] x, bool c) => (float[3] y) { y = If (c)"
        " <then_branch = a () => (float[3] p) { p = Exp (x) },"
        "  else_branch = b () => (float[3] q) { q = Sin (x) }> }",
        "c",
        [1],
        "takes its first branch",
    ),
    "loop": (
        "g (float[3] x, int64 n) => (float[3] y) { c = Constant <value = bool {1}> ()"
        " y = Loop (n, c, x) <body = b (int64 i, bool t, float[3] s) => (bool u, float[3] r)"
        " { u = Identity (t) r = Sin (s) }> }",
        "n",
        [1],
        "one trip of",
    ),
    "reshape": (
        "g (float[2, 3, 4] x, int64[2] s) => (float[a, b] y) { y = Reshape (x, s) }",
        "s",
        [2, 12],
        "a shape for",
    ),
    "wider": (
        "g (float[2, 3] x, int64[4] s) => (float[a, b, c, d] y) { y = Reshape (x, s) }",
        "s",
        [2, 3, 1, 1],
        "a shape for",
    ),
    "ends": (
        "g (float[2, 3] x, int64[2] s) => (float[a, b] y) { z = Constant <value = int64[2] {0, 0}>"
        " () y = Slice (x, z, s) }",
        "s",
        [2**31 - 1] * 2,
        "to the end",
    ),
    "range": (
        "g (int64 n) => (int64[a] y) { z = Constant <value = int64 {0}> ()"
        " o = Constant <value = int64 {1}> () y = Range (z, n, o) }",
        "n",
        [1],
        "makes one element",
    ),
    "scales": (
        "g (float[1, 1, 4, 4] x, float[4] s) => (float[a, b, c, d] y) { y = Resize (x, , s) }",
        "s",
        [1] * 4,
        "keeps the size",
    ),
    "sizes": (
        "g (float[1, 1, 4, 5] x, int64[4] s) => (float[a, b, c, d] y) { y = Resize (x, , , s) }",
        "s",
        [1, 1, 4, 5],
        "keeps the size",
    ),
    "top": (
        "g (float[4] x, int64[1] k) => (float[a] y, int64[a] z) { y, z = TopK (x, k) }",
        "k",
        [1],
        "the first of",
    ),
    "split": (
        "g (float[7] x, int64[2] s) => (float[a] y, float[b] z) { y, z = Split (x, s) }",
        "s",
        [3, 4],
        "equal pieces of",
    ),
    "lengths": (
        "g (float[1, T, 3] x, int64[1] x_lengths) => (float[1, U, 3] y, int64[1] z)"
        " { y = Relu (x) z = Identity (x_lengths) }",
        "x_lengths",
        [128],
        "that of x, axis 1",
    ),
    "steps": (
        "g (float[5, 1, 2] x, int32[1] n) => (float[5, 1, 1, 2] y)"
        f" <float[1, 6, 2] w = {{{', '.join('0' * 12)}}},"
        f"  float[1, 6, 2] r = {{{', '.join('0' * 12)}}}>"
        "{ y = GRU <hidden_size = 2> (x, w, r, , n) }",
        "n",
        [5],
        "every step of",
    ),
    "worked out": (
        "g (float[2, 3] x, int64[1] n) => (float[a, b] y)"
        " { t = Constant <value = int64[1] {6}> () a = Mul (n, t) f = Constant <value = int64[1]"
        " {1}> () s = Concat <axis = 0> (a, f) y = Reshape (x, s) }",
        "n",
        [1],
        "depends on it",
    ),
}  # name → model, input, elements, part of the reason


def planned(path: Path, sizes: FedSizes = NOTHING_GIVEN) -> InputsPlan:
    file = read_model(str(path))
    return plan_inputs(file, build_graph(file.proto), sizes)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.onnx"


def save(path: Path, text: str) -> Path:
    onnx.save(parser.parse_model(HEAD + text), path)
    return path


def one(plan: InputsPlan, name: str) -> InputPlan:
    return next(item for item in plan.inputs if item.name == name)


@pytest.mark.parametrize("case", STEERING)
def test_an_input_that_steers_is_fed_with_sense(path: Path, case: str) -> None:
    text, name, elements, why = STEERING[case]
    fed = one(planned(save(path, text)), name)
    assert list(fed.elements or ()) == elements
    assert why in fed.assumed


@pytest.mark.parametrize("case", STEERING)
def test_onnxruntime_takes_it(path: Path, case: str) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra bench)")
    text, name, elements, why = STEERING[case]
    result = graphcount.bench(str(save(path, text)), QUICK)
    row = next(row for row in result.inputs if row.name == name)
    assert list(row.elements or ()) == elements
    assert why in (row.assumed or "")


def test_a_rate_is_one_that_the_graph_compares_with(path: Path) -> None:
    plan = planned(save(path, VOICE))
    assert (one(plan, "sr").elements, one(plan, "sr").assumed) == ((16000,), "compared with it")
    assert "assumed values sr = 16000 (--value)" in plan.assumptions


def test_the_count_beside_the_times_takes_the_same_branch(path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra bench)")
    save(path, VOICE)
    profiled = BenchOptions(runs=6, warmup=0, threads=1)
    for values, macs in (({}, 32), ({"sr": 16000}, 32), ({"sr": 8000}, 16)):
        result = graphcount.bench(str(path), profiled, input_values=values)
        assert sum(node.macs or 0 for node in result.nodes) == macs
        row = next(row for row in result.inputs if row.name == "sr")
        assert row.assumed == (None if values else "compared with it")


def test_values_are_fed_and_a_length_of_theirs_is_a_size(path: Path) -> None:
    text = (
        "g (float[n, 2] x, int64[n] s) => (float[n, 2] y, int64[n] z) { y = Relu (x) z = Abs (s)}"
    )
    plan = planned(save(path, text), FedSizes(values={"s": (5, 6, 7)}))
    assert (plan.dims, plan.assumed) == ({"n": 3}, {})
    assert (one(plan, "s").elements, one(plan, "s").fill) == ((5, 6, 7), "values")
    assert given("int64", (3,), (5, 6, 7)).tolist() == [5, 6, 7]


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"sr": (1, 2)}, "input sr has 1 elements, not 2"),
        ({"sr": (0.5,)}, "input sr takes int64; 0.5 is none"),
        ({"sr": (2**63,)}, f"input sr takes int64; {2**63} is none"),
        ({"x": (float("nan"),)}, "input x takes float32; nan is none"),
        ({"rate": (1,)}, "the model has no input rate"),
    ],
)
def test_a_value_that_does_not_fit(
    path: Path, values: Mapping[str, tuple[int | float, ...]], why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        planned(save(path, VOICE), FedSizes(values=values))


def test_cached_attention_is_told_of_every_token(path: Path) -> None:
    """onnxruntime's GroupQueryAttention: tokens there are in all, and the index of the last."""
    names = ["q", "k", "v", "pk", "pv", "seqlens", "total"]
    shapes: Sequence[Sequence[Any]] = (
        ("b", "s", 16), ("b", "s", 8), ("b", "s", 8), ("b", 1, "past", 8), ("b", 1, "past", 8),
    )  # fmt: skip
    node = helper.make_node(
        "GroupQueryAttention", names, ["y"], domain="com.microsoft", num_heads=2, kv_num_heads=1
    )
    floats = zip(names, shapes, strict=False)
    inputs = [helper.make_tensor_value_info(name, 1, shape) for name, shape in floats]
    inputs.append(helper.make_tensor_value_info("seqlens", 6, ["b"]))
    inputs.append(helper.make_tensor_value_info("total", 6, [1]))
    output = helper.make_tensor_value_info("y", 1, ["b", "s", 16])
    graph = helper.make_graph([node], "g", inputs, [output])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    plan = planned(path, FedSizes({"b": 2, "s": 3, "past": 7}))
    assert one(plan, "seqlens").elements == (9, 9)
    assert one(plan, "total").elements == (10,)


def test_masks_ids_and_large_inputs_do_not_steer(path: Path) -> None:
    text = (
        "g (int64[1, 4] attention_mask, int64[100] many, int64[2] free) => (int64[1, 4] y,"
        " int64[a] z, int64[2] w) { y = Abs (attention_mask) w = Neg (free) z = Tile (t, many)"
        " t = Constant <value = int64[1] {1}> () }"
    )
    plan = planned(save(path, text))
    assert all(not item.assumed for item in plan.inputs)
    assert one(plan, "attention_mask").elements == (1, 1, 1, 1)
    assert one(plan, "many").elements is None


def test_every_operand_that_steers_is_of_an_operator_that_is_known() -> None:
    known = {f"{domain}::{name}" if domain else name for domain, name in operators()}
    assert known >= SINKS.keys()


def test_an_error_at_assumed_sizes_says_so(path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra bench)")
    text = (
        "g (float[batch, seq] x, int64 i) => (float[b] y)"
        " { k = Constant <value = int64[1] {7}> () y = Reshape (x, k) }"
    )
    with pytest.raises(graphcount.GraphcountError, match=r"at assumed sizes .*seq 128.*--dim"):
        graphcount.bench(str(save(path, text)), QUICK)
    assert graphcount.bench(str(path), QUICK, dims={"batch": 1, "seq": 7}).assumed == {}


def test_the_count_in_the_report_has_the_values(path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra bench)")
    import json

    from graphcount.api import bench_report

    result = graphcount.bench(str(save(path, VOICE)), QUICK, input_values={"sr": 8000})
    assert json.loads(bench_report(result))["totals"]["macs"] == 16


def test_each_size_is_of_one_of_two_models(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra bench)")
    save(path, VOICE)
    other = save(tmp_path / "other.onnx", "g (float[n, 2] x) => (float[n, 2] y) { y = Relu (x) }")
    result = graphcount.bench(str(path), QUICK, versus=str(other), dims={"n": 3, "batch": 2})
    assert result.dims == {"batch": 2}
    with pytest.raises(UsageError, match="no model has dimension or input m"):
        graphcount.bench(str(path), QUICK, versus=str(other), dims={"m": 3})


def test_arrays_of_given_elements() -> None:
    assert given("float32", (1, 2), (0.5, 2)).dtype == np.float32
    with pytest.raises(ValueError, match="bfloat16 cannot be given"):
        given("bfloat16", (1,), (1,))
