"""Allow lists: each offender is named, what is ignored is left alone, the unknown fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from onnx import TensorProto, helper

import graphcount
from graphcount.config import read_config
from graphcount.errors import Unknown
from graphcount.gates.checks import findings, run
from graphcount.gates.subject import Subject
from graphcount.report.records import Report
from graphcount.report.rows import CheckRow

Save = Callable[..., str]
Weights = Callable[..., TensorProto]


@pytest.fixture(scope="module")
def report(fixtures: Path) -> Report:
    return graphcount.count(str(fixtures / "cnn.onnx"))


def check(report: Report, text: str) -> CheckRow:
    (made,) = read_config(f"[[checks]]\n{text}\n", "graphcount.toml").checks
    return run(made, Subject(report))


ALL = '"AveragePool", "Conv", "Gemm", "MaxPool", "Relu", "Reshape"'


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"operators = [{ALL}]", True),
        ('operators = ["Conv", "Gemm", "MaxPool", "Relu", "Reshape"]', False),
        ('forbidden_operators = ["Loop"]', True),
        ('forbidden_operators = ["Gemm"]', False),
        ('dtypes = ["float32", "int64"]', True),
        ('dtypes = ["float32"]', False),
        ('domains = ["ai.onnx"]', True),
        ('domains = ["com.microsoft"]', False),
        ("opset = 20", True),
        ("opset = 19", False),
        ("opset = { min = 21 }", False),
        ("opset = { min = 20, max = 20 }", True),
        ("opset = { max = 19 }", False),
    ],
)
def test_lists(report: Report, text: str, kept: bool) -> None:
    (verdict,) = check(report, text).verdicts
    assert verdict.kept is kept
    assert verdict.origin == "graphcount.toml:2"


def test_one_operator_outside_the_list_is_named_with_its_node(save: Save, weights: Weights) -> None:
    nodes = [
        helper.make_node("MatMul", ["x", "W"], ["y"], "first"),
        helper.make_node("Gelu", ["y"], ["z"], "the_new_one", domain="com.microsoft"),
    ]
    opsets = [("", 20), ("com.microsoft", 1)]
    grown = save(nodes, [weights("W", 3, 3)], inputs=["x"], outputs=["z"], opsets=opsets)
    text = 'operators = ["MatMul"]\ndomains = ["ai.onnx"]'
    row = check(graphcount.count(grown), text)
    rules = {finding.rule: finding for finding in findings([row])}
    assert set(rules) == {"BUD011", "BUD012"}
    assert rules["BUD011"].where["node"] == "the_new_one"
    assert "com.microsoft::Gelu is not allowed: node the_new_one" in rules["BUD011"].message
    same = save(nodes[:1], [weights("W", 3, 3)], inputs=["x"], outputs=["y"])
    assert findings([check(graphcount.count(same), text)]) == ()


def test_nodes_in_subgraphs_count(save: Save, weights: Weights) -> None:
    inner = helper.make_graph(
        [helper.make_node("Erf", ["x"], ["t"], "hidden")],
        "then",
        [],
        [helper.make_tensor_value_info("t", TensorProto.FLOAT, None)],
    )
    other = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["e"])],
        "else",
        [],
        [helper.make_tensor_value_info("e", TensorProto.FLOAT, None)],
    )
    node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=other)
    report = graphcount.count(save([node], inputs=["c", "x"], outputs=["y"]))
    (verdict,) = check(report, 'operators = ["If", "Identity"]').verdicts
    assert "operator Erf is not allowed" in verdict.message
    assert "hidden" in verdict.where["node"]


def test_what_is_ignored_is_left_alone(report: Report) -> None:
    first = next(n.id for n in report.nodes if n.op_type == "Gemm")
    ignore = f'ignore = [{{ rule = "BUD011", where = "{first}", reason = "known" }}]'
    text = f'forbidden_operators = ["Gemm"]\n{ignore}'
    (verdict,) = check(report, text).verdicts
    assert not verdict.kept  # the other one
    assert verdict.value == 1
    (verdict,) = check(report, text.replace(first, "*")).verdicts
    assert verdict.kept


def test_a_list_over_what_is_not_all_known_fails(report: Report) -> None:
    unsure = replace(report, unknown=(Unknown("f", "function", "too deep"),))
    (verdict,) = check(unsure, f"operators = [{ALL}]").verdicts
    assert (verdict.kept, verdict.rule) == (False, "BUD002")
    assert "too deep" in verdict.message


def test_no_opset_is_not_within_a_range(report: Report) -> None:
    without = replace(report, model=report.model._replace(opset_imports={"com.acme": 1}))
    (verdict,) = check(without, "opset = { max = 99 }").verdicts
    assert (verdict.kept, verdict.rule) == (False, "BUD002")
