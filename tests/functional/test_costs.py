"""MACs, element-wise work and memory: hand-computed, framework-counted, closed-form, symbolic."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

import graphcount
from graphcount.analysis.shapes import ShapeError
from graphcount.cli.main import main
from graphcount.gates.budgets import judge, parse_budget
from graphcount.gates.subject import Subject

Save = Callable[..., str]
Weights = Callable[..., TensorProto]

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


def test_every_hand_computed_case_is_exact(shared: Path) -> None:
    truth: dict[str, dict[str, Any]] = json.loads((shared / "cases" / "truth.json").read_text())
    wrong = []
    for name, expected in truth.items():
        path = str(shared / "cases" / f"{name}.onnx")
        totals = graphcount.count(path).totals
        found: dict[str, object] = {"macs": totals.macs, "macs_expression": totals.macs_expression}
        if "macs_torchinfo" in expected:
            biased = graphcount.count(path, macs_convention="torchinfo").totals
            found["macs_torchinfo"] = biased.macs
        wrong += [
            (name, key, expected[key], value)
            for key, value in found.items()
            if key in expected and expected[key] != value
        ]
    assert wrong == []


def records(shared: Path) -> list[dict[str, Any]]:
    lines = (shared / "truth" / "truth.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return [row for row in rows if row.get("file") and (row.get("macs") or {}).get("macs")]


def test_macs_are_the_frameworks_own_wherever_the_operators_give_them(shared: Path) -> None:
    """Where the definitions of ONNX's operators on real shapes give the framework's number.

    The records say where they do not: branches the exporter dropped, weights it folded, decomposed
    recurrent layers. `ort_all` files pad channels for their layout.
    """
    wrong, compared = [], 0
    for row in records(shared):
        if row.get("onnx_macs_equal_truth") is not True:
            continue
        compared += 1
        path = str(shared / "truth" / row["file"])
        report = graphcount.count(path)
        if report.totals.macs is None:
            shapes = {
                value.name: tuple(given["shape"])
                for value, given in zip(report.model.inputs, row["inputs"], strict=False)
            }
            report = graphcount.count(path, shapes=shapes)
        if report.totals.macs != row["macs"]["macs"]:
            wrong.append((row["id"], row["macs"]["macs"], report.totals.macs))
    assert wrong == []
    assert compared > 250


CNN_MACS = 5 * 3 * 25 * 28 * 28 + 12 * 5 * 9 * 10 * 10 + 192 * 128 + 128 * 10


def test_the_cnn_is_the_sum_of_its_layers() -> None:
    report = graphcount.count(str(FIXTURES / "cnn.onnx"))
    assert report.totals.macs_expression == f"{CNN_MACS}*batch"
    assert report.macs(batch=16) == 16 * CNN_MACS
    numeric = graphcount.count(str(FIXTURES / "cnn.onnx"), dims={"batch": 16})
    assert numeric.totals.macs == 16 * CNN_MACS
    assert numeric.dims == {"batch": 16}
    assert numeric.model.inputs[0].shape == (16, 3, 32, 32)


def test_torchinfo_publishes_the_cnn_with_its_biases() -> None:
    biases = 5 * 28 * 28 + 12 * 10 * 10 + 128 + 10
    report = graphcount.count(
        str(FIXTURES / "cnn.onnx"), dims={"batch": 16}, macs_convention="torchinfo"
    )
    assert report.totals.macs == 16 * (CNN_MACS + biases)
    assert f"{16 * (CNN_MACS + biases) / 1e6:.2f} M" == "6.07 M"


def transformer_macs(batch: int, sequence: int) -> int:
    """Two layers of width 32: four projections, scores and mix, two products of the MLP."""
    width, hidden, layers = 32, 64, 2
    tokens = batch * sequence
    attention = 4 * tokens * width * width + 2 * batch * sequence * sequence * width
    return layers * (attention + 2 * tokens * width * hidden)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(1, 40))
def test_the_formula_gives_what_the_numbers_give(batch: int, sequence: int) -> None:
    path = str(FIXTURES / "transformer_block.onnx")
    free = graphcount.count(path, deep=False)
    bound = graphcount.count(path, deep=False, dims={"batch": batch, "sequence": sequence})
    expected = transformer_macs(batch, sequence)
    assert free.macs(batch=batch, sequence=sequence) == bound.totals.macs == expected
    activations = free.activation_nbytes(batch=batch, sequence=sequence)
    assert activations == bound.totals.activation_nbytes


GPT2 = {"depth": 2, "width": 16, "vocabulary": 96}


def test_gpt2_prints_its_polynomial(capsys: pytest.CaptureFixture[str]) -> None:
    """12·width² of each layer and the output layer for a token; Q·Kᵀ and P·V for two."""
    depth, width, vocabulary = GPT2.values()
    linear = depth * 12 * width**2 + width * vocabulary
    expected = f"{depth * 2 * width}*batch*sequence^2 + {linear}*batch*sequence"
    assert main([str(FIXTURES / "gpt2_like.onnx")]) == 0
    assert f"at these sizes; {expected}\n" in capsys.readouterr().out


def test_gpt2_costs_what_torch_counts() -> None:
    path = str(FIXTURES / "gpt2_like.onnx")
    truth = json.loads((FIXTURES / "truth.json").read_text())["gpt2_like.onnx"]["flops"]
    free = graphcount.count(path, deep=False)
    assert {(row["batch"], row["sequence"]) for row in truth} >= {(1, 128), (8, 1024)}
    for row in truth:
        sizes = {"batch": row["batch"], "sequence": row["sequence"]}
        bound = graphcount.count(path, deep=False, dims=sizes).totals
        assert free.macs(**sizes) == bound.macs == row["flops"] // 2
        assert bound.flops == row["flops"]
        assert free.activation_nbytes(**sizes) == bound.activation_nbytes


def test_a_dynamic_dimension_without_a_size_is_asked_for() -> None:
    report = graphcount.count(str(FIXTURES / "transformer_block.onnx"))
    with pytest.raises(graphcount.UsageError, match="sequence"):
        report.macs(batch=1)


@pytest.mark.parametrize(
    ("dims", "shapes", "words"),
    [
        ({"bach": 2}, {}, "batch"),
        ({}, {"y": (1, 3, 32, 32)}, "no input y"),
        ({}, {"x": (1, 3)}, "4 dimensions"),
        ({}, {"x": (1, 4, 32, 32)}, "cannot take these sizes"),
        ({"batch": 2}, {"x": (3, 3, 32, 32)}, "2 and to 3"),
    ],
)
def test_bindings_that_do_not_fit_are_refused(
    dims: dict[str, int], shapes: dict[str, tuple[int, ...]], words: str
) -> None:
    with pytest.raises(ShapeError, match=words):
        graphcount.count(str(FIXTURES / "cnn.onnx"), dims=dims, shapes=shapes)


def test_an_unknown_operator_makes_macs_a_lower_bound_and_leaves_counts_exact(
    save: Save, weights: Weights
) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "W"], ["h"]),
        helper.make_node("Swirl", ["h"], ["y"], domain="acme"),
        helper.make_node("Swirl", ["y"], ["z"], domain="acme"),
    ]
    path = save(nodes, [weights("W", 3, 4)], inputs=[("x", [2, 3])], outputs=["z"])
    report = graphcount.count(path)
    assert (report.totals.macs, report.totals.lower_bound) == (2 * 3 * 4, True)
    named = [unknown for unknown in report.unknown if unknown.what == "operator"]
    assert [(u.where, u.affects) for u in named] == [("acme::Swirl", "cost")]
    assert "2 nodes" in named[0].why
    assert report.doubts == ()


def loop(save: Save, weights: Weights, trips: TensorProto | None) -> graphcount.Report:
    """A product of 2x2 in a Loop."""
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["s", "W"], ["s_out"]),
            helper.make_node("Identity", ["cond"], ["cond_out"]),
        ],
        "body",
        [
            info("i", TensorProto.INT64, []),
            info("cond", TensorProto.BOOL, []),
            info("s", TensorProto.FLOAT, [1, 2]),
        ],
        [info("cond_out", TensorProto.BOOL, []), info("s_out", TensorProto.FLOAT, [1, 2])],
        [weights("W", 2, 2)],
    )
    node = helper.make_node("Loop", ["n", "", "x"], ["y"], "loop", body=body)
    inputs: list[Any] = [("x", [1, 2])]
    if trips is None:
        inputs.append(info("n", TensorProto.INT64, []))
    return graphcount.count(save([node], [trips] if trips else [], inputs=inputs, outputs=["y"]))


def test_a_loops_body_counts_once_a_trip(save: Save, weights: Weights) -> None:
    trips = helper.make_tensor("n", TensorProto.INT64, [], [7])
    assert loop(save, weights, trips).totals.macs == 7 * 2 * 2


def test_unknown_trips_are_a_lower_bound(save: Save, weights: Weights) -> None:
    """They may be 0, so the bound is 0 as well; the node itself is not known."""
    report = loop(save, weights, None)
    assert (report.totals.macs, report.totals.lower_bound) == (0, True)
    assert [node.macs for node in report.nodes if node.op_type == "MatMul"] == [None]
    assert "trip count" in {unknown.what for unknown in report.unknown}


def test_memory_of_a_chain_by_hand(save: Save, weights: Weights) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "W1"], ["a"], "one"),
        helper.make_node("Relu", ["a"], ["b"], "two"),
        helper.make_node("MatMul", ["b", "W2"], ["y"], "three"),
    ]
    tensors = [weights("W1", 8, 100), weights("W2", 100, 3)]
    report = graphcount.count(save(nodes, tensors, inputs=[("x", [5, 8])], outputs=[("y", [5, 3])]))
    totals = report.totals
    assert (totals.input_nbytes, totals.output_nbytes) == (4 * 5 * 8, 4 * 5 * 3)
    assert totals.activation_nbytes == 4 * 5 * (100 + 100 + 3)
    assert totals.peak_activation_nbytes == 4 * 5 * (100 + 100)
    assert report.peak is not None
    assert report.peak.node == "two"
    assert {name for name, _ in report.peak.values} == {"a", "b"}


def test_without_cost_nothing_is_zero() -> None:
    report = graphcount.count(str(FIXTURES / "cnn.onnx"), cost=False)
    assert report.totals.macs is None
    assert report.totals.macs_expression is None
    assert report.exact
    with pytest.raises(graphcount.UsageError):
        report.macs(batch=1)


def generated(save: Save, dims: list[Any]) -> graphcount.Report:
    """ConstantOfShape of a computed shape: 3, and what `dims` says, times two."""
    info = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Shape", ["W"], ["s"], "shape"),
        helper.make_node("Mul", ["s", "two"], ["t"], "twice"),
        helper.make_node("ConstantOfShape", ["t"], ["made"], "maker"),
        helper.make_node("Expand", ["W", "s"], ["same"], "as_it_is"),
        helper.make_node("Add", ["x", "same"], ["u"], "add"),
        helper.make_node("ReduceSum", ["made"], ["v"], "sum", keepdims=0),
        helper.make_node("Add", ["u", "v"], ["y"], "last"),
    ]
    tensors = [
        helper.make_tensor("W", TensorProto.FLOAT, [3, 5], [0.5] * 15),
        helper.make_tensor("two", TensorProto.INT64, [1], [2]),
    ]
    inputs = [info("x", TensorProto.FLOAT, dims)]
    return graphcount.count(save(nodes, tensors, inputs=inputs, outputs=["y"]))


def test_a_computed_size_is_settled_by_shapes(save: Save) -> None:
    """6·10 numbers are made; an Expand that leaves its tensor as it is makes none."""
    report = generated(save, ["n", 5])
    assert report.totals.generated == 6 * 10
    assert report.exact
    assert not report.totals.lower_bound


def test_without_shapes_only_what_is_generated_is_in_doubt(save: Save) -> None:
    node = helper.make_node("NonZero", ["W"], ["s"], "nonzero")
    nodes = [
        node,
        helper.make_node("Squeeze", ["s"], ["t"], "squeeze"),
        helper.make_node("ConstantOfShape", ["t"], ["made"], "maker"),
        helper.make_node("Identity", ["made"], ["y"], "last"),
    ]
    weight = helper.make_tensor("W", TensorProto.FLOAT, [3], [0.5, 0.0, 0.5])
    report = graphcount.count(save(nodes, [weight], outputs=["y"]), cost=False)
    assert [unknown.affects for unknown in report.unknown] == ["generated"]
    assert not report.totals.lower_bound
    assert not report.exact
    verdicts = judge(
        Subject(report), [parse_budget("generated=10", "max"), parse_budget("nbytes=99", "max")]
    )
    assert [verdict.kept for verdict in verdicts] == [False, True]
