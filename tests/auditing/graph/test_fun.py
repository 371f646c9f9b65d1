"""Rules on local functions."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import onnx
import pytest
from onnx import helper

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
    [("", "Relu", "high"), ("ai.onnx", "Relu", "high"), ("com.microsoft", "BiasGelu", "medium")],
)
def test_shadowed_operator(domain: str, name: str, severity: str, write: Write, find: Find) -> None:
    made = function(name, "z = Neg(a)", domain)
    text = "(float[3] x) => (float[3] y) { y = Abs(x) }"
    path = write(text, functions=[made], opsets={"": 20, "com.microsoft": 1})
    assert [finding.severity for finding in find(path, "FUN002")] == [severity]


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
