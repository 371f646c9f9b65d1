"""Rules on local functions."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import helper

import graphcount
from graphcount.report.finding_rows import Finding
from tests.conftest import names

Write = Callable[..., str]
Find = Callable[..., list[Finding]]

CALL = "(float[3] x) => (float[3] y) { y = acme.F(x) }"
OPSETS = {"": 20, "acme": 1}


def function(name: str, body: str, domain: str = "acme") -> str:
    head = f'<domain: "{domain}", opset_import: ["" : 20, "acme" : 1]>'
    return f"{head}\n{name} (a) => (z) {{ {body} }}"


def test_recursion_also_through_a_subgraph(write: Write, find: Find) -> None:
    inner = """c = Constant<value = bool {1}>()
        z = If(c) < then_branch = t () => (float[3] p) { p = acme.F(a) },
                    else_branch = e () => (float[3] q) { q = Identity(a) } >"""
    functions = [function("F", "z = acme.G(a)"), function("G", inner)]
    [finding] = find(write(CALL, functions=functions, opsets=OPSETS), "FUN001", "FUN004")
    assert (finding.rule, finding.severity) == ("FUN001", "high")
    assert finding.evidence["functions"] == 2
    calls = names(finding.evidence["calls"])
    assert calls[0] == calls[-1]
    assert set(calls) == {"acme:F", "acme:G"}
    straight = [function("F", "z = acme.G(a)"), function("G", "z = Relu(a)")]
    assert find(write(CALL, functions=straight, opsets=OPSETS), "FUN") == []


@pytest.mark.parametrize(
    ("domain", "name", "severity"),
    [("", "Relu", "high"), ("ai.onnx", "Relu", "high"), ("com.microsoft", "BiasGelu", "high")],
)
def test_shadowed_operator(domain: str, name: str, severity: str, write: Write, find: Find) -> None:
    made = function(name, "z = Neg(a)", domain)
    text = "(float[3] x) => (float[3] y) { y = Abs(x) }"
    path = write(text, functions=[made], opsets={"": 20, "com.microsoft": 1})
    assert [finding.severity for finding in find(path, "FUN002")] == [severity]


@pytest.mark.parametrize("domain", ["", "ai.onnx", "com.microsoft"])
def test_the_operator_is_counted_that_onnxruntime_takes(
    domain: str, write: Write, find: Find
) -> None:
    """MatMul and FusedMatMul of 4 x 3 weights, which a function of that name does without."""
    name = "FusedMatMul" if domain == "com.microsoft" else "MatMul"
    made = f'<domain: "{domain}", opset_import: ["" : 20]> {name} (a, b) => (z) {{ z = Neg(a) }}'
    call = f"{domain}.{name}" if domain == "com.microsoft" else name
    text = f"(float[2, 4] x) => (float[2, 3] y) {{ y = {call}(x, w) }}"
    opsets = {"": 20, "com.microsoft": 1}
    weight = np.ones((4, 3), np.float32)
    path = write(text, {"w": weight}, functions=[made], opsets=opsets)
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {"x": np.ones((2, 4), np.float32)})
    assert result.tolist() == [[4.0] * 3] * 2  # the operator, not the function
    report = graphcount.count(path)
    assert (report.totals.macs, report.totals.parameters) == (24, 12)
    assert report.totals.lower_bound
    assert "function" in [unknown.what for unknown in report.unknown]
    assert [finding.severity for finding in find(path, "FUN002")] == ["high"]


def test_of_two_defaults_the_first_counts_as_for_onnxruntime(write: Write, find: Find) -> None:
    """A convolution of 1 x 1 x 3 weights with strides of 1, not of 4: 14 x 3 MACs."""

    def change(model: onnx.ModelProto) -> None:
        for strides in ([1], [4]):
            made = helper.make_attribute("strides", strides)
            model.functions[0].attribute_proto.append(made)

    made = function("F", "z = Conv <strides: ints = @strides> (a, w)").replace("(a)", "(a, w)", 1)
    text = "(float[1, 1, 16] x) => (float[1, 1, n] y) { y = acme.F(x, w) }"
    weight = np.ones((1, 1, 3), np.float32)
    path = write(text, {"w": weight}, functions=[made], opsets=OPSETS, change=change)
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {"x": np.ones((1, 1, 16), np.float32)})
    assert result.shape == (1, 1, 14)
    assert graphcount.count(path).totals.macs == 14 * 3
    assert [finding.severity for finding in find(path, "OPS008")] == ["high"]


def test_an_operators_name_in_a_domain_of_its_own_is_no_shadow(write: Write, find: Find) -> None:
    made = function("Relu", "z = Neg(a)")
    text = "(float[3] x) => (float[3] y) { y = acme.Relu(x) }"
    assert find(write(text, functions=[made], opsets=OPSETS), "FUN002") == []


def test_duplicate_function(write: Write, find: Find) -> None:
    made = function("F", "z = Neg(a)")
    [finding] = find(write(CALL, functions=[made, made], opsets=OPSETS), "FUN003")
    assert finding.severity == "high"
    assert finding.evidence == {"definitions": 2}

    def overload(model: onnx.ModelProto) -> None:
        model.functions[1].overload = "other"

    path = write(CALL, functions=[made, made], opsets=OPSETS, change=overload)
    assert find(path, "FUN003") == []


def laughs(tmp_path: Path, functions: int, calls: int) -> str:
    """Functions F0, F1, …, each calling the next one some times; the last is one Relu."""
    made = []
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("acme", 1)]
    for number in range(functions):
        values = ["a", *(f"v{place}" for place in range(calls - 1)), "z"]
        nodes = [
            helper.make_node(f"F{number + 1}", [before], [after], domain="acme")
            for before, after in pairwise(values)
        ]
        if number == functions - 1:
            nodes = [helper.make_node("Relu", ["a"], ["z"])]
        made.append(helper.make_function("acme", f"F{number}", ["a"], ["z"], nodes, opsets))
    x, y = (helper.make_tensor_value_info(name, 1, [3]) for name in "xy")
    call = helper.make_node("F0", ["x"], ["y"], domain="acme")
    graph = helper.make_graph([call], "laughs", [x], [y])
    model = helper.make_model(graph, functions=made, opset_imports=opsets, ir_version=10)
    path = tmp_path / "laughs.onnx"
    path.write_bytes(model.SerializeToString())
    return str(path)


def test_expansion_is_summed_and_not_done(tmp_path: Path, find: Find) -> None:
    started = time.perf_counter()
    [finding] = find(laughs(tmp_path, 11, 10), "FUN004", "FUN001")
    assert time.perf_counter() - started < 5
    assert finding.severity == "high"
    assert finding.where == {"function": "acme:F6"}
    size = 1  # F10 is a Relu; every other one is ten calls and ten times what is called
    for _ in range(4):
        size = 10 + 10 * size
    assert finding.evidence["found"] == size
    assert finding.evidence["limit"] == 5_000


def test_three_thousand_functions_deep(tmp_path: Path, find: Find) -> None:
    started = time.perf_counter()
    [finding] = find(laughs(tmp_path, 3000, 1), "FUN004", "FUN001")
    assert time.perf_counter() - started < 10
    assert finding.evidence == {"found": 101, "limit": 100, "functions": 1}


def test_a_hundred_functions_deep_is_fine(tmp_path: Path, find: Find) -> None:
    assert find(laughs(tmp_path, 100, 1), "FUN") == []


def test_unused_function_with_its_bytes(write: Write, find: Find) -> None:
    blob = "z = Constant<value = float[2] {1.5, 2.5}>()"
    functions = [
        function("F", "z = Neg(a)"),
        function("Left", "z = acme.Over(a)"),
        function("Over", blob),
    ]
    [finding] = find(write(CALL, functions=functions, opsets=OPSETS), "FUN005")
    assert finding.severity == "low"
    assert finding.evidence == {"functions": 2, "nbytes": 8}
    assert find(write(CALL, functions=functions[:1], opsets=OPSETS), "FUN005") == []


def test_call_arity(write: Write, find: Find) -> None:
    made = function("F", "z = Neg(a)")
    text = "(float[3] x) => (float[3] y) { y = acme.F(x, x) }"
    [finding] = find(write(text, functions=[made], opsets=OPSETS), "FUN006")
    assert finding.severity == "medium"
    assert "2 inputs for 1" in finding.message

    def needs(model: onnx.ModelProto) -> None:
        model.functions[0].attribute.append("alpha")

    [missing] = find(write(CALL, functions=[made], opsets=OPSETS, change=needs), "FUN006")
    assert "'alpha' is missing" in missing.message
    assert find(write(CALL, functions=[made], opsets=OPSETS), "FUN006") == []
