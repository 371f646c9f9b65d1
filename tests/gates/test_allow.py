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
from graphcount.report.finding_rows import CheckRow, ContributorRow, VerdictRow
from graphcount.report.records import Report

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
    assert "hidden" in str(verdict.where["node"])


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


# -------------------------------------------------------------------------- the whole verdict


def test_every_field_of_a_list_that_is_broken(report: Report) -> None:
    text = 'name = "edge"\nseverity = "low"\nforbidden_operators = ["Relu", "Gemm"]'
    gemm, relu = check(report, text).verdicts
    holders = [node.id for node in report.nodes if node.op_type == "Relu"]
    assert relu == VerdictRow(
        rule="BUD011",
        measure="forbidden_operators",
        kept=False,
        severity="low",
        value=4,
        unit="count",
        bound="allowed",
        limit=None,
        written="Gemm, Relu",
        message=f"operator Relu is forbidden: node {holders[0]} and 3 more",
        note="",
        origin="graphcount.toml:4",
        where={
            "check": "edge",
            "measure": "forbidden_operators",
            "limit": {"file": "graphcount.toml", "line": 4},
            "node": holders[0],
            "name": "Relu",
            "count": 4,
        },
        contributors=tuple(ContributorRow(holder, 1) for holder in holders[:3]),
    )
    assert (gemm.value, len(gemm.contributors)) == (2, 2)
    assert gemm.message.endswith(" and 1 more")


@pytest.mark.parametrize(
    ("text", "rule", "message"),
    [
        (f"operators = [{ALL}]", "BUD011", f"operators {ALL.replace(chr(34), '')}"),
        ('forbidden_operators = ["Loop"]', "BUD011", "forbidden_operators AveragePool, Conv, "),
        ('dtypes = ["int64", "float32"]', "BUD010", "dtypes float32, int64"),
        ('domains = ["ai.onnx"]', "BUD012", "domains ai.onnx"),
        ("opset = 20", "BUD013", "opset 20 is within 20..20"),
        ("opset = { min = 3 }", "BUD013", "opset 20 is within 3.."),
        ("opset = { max = 20 }", "BUD013", "opset 20 is within ..20"),
    ],
)
def test_what_is_kept_says_what_is_there(
    report: Report, text: str, rule: str, message: str
) -> None:
    (verdict,) = check(report, text).verdicts
    assert (verdict.kept, verdict.rule, verdict.bound) == (True, rule, "allowed")
    assert verdict.message.startswith(message)
    assert verdict.contributors == ()


@pytest.mark.parametrize(
    ("text", "rule", "about", "message"),
    [
        ('dtypes = ["float16", "int64"]', "BUD010", "tensor", "element type float32 is not"),
        ('domains = ["com.acme"]', "BUD012", "node", "domain ai.onnx is not allowed: node "),
        ('operators = ["Relu"]', "BUD011", "node", "operator AveragePool is not allowed: node "),
    ],
)
def test_what_is_not_allowed_is_told_with_who_has_it(
    report: Report, text: str, rule: str, about: str, message: str
) -> None:
    verdict = check(report, text).verdicts[0]
    assert (verdict.kept, verdict.rule) == (False, rule)
    assert verdict.message.startswith(message)
    holder = verdict.where[about]
    assert f": {about} {holder}" in verdict.message
    names = {"tensor": [row.name for row in report.tensors], "node": [n.id for n in report.nodes]}
    assert holder in names[about]


@pytest.mark.parametrize(
    ("text", "limit", "message"),
    [
        ("opset = { min = 21 }", 21, "opset 20 is outside 21.."),
        ("opset = { max = 19 }", 19, "opset 20 is outside ..19"),
        ("opset = { min = 1, max = 19 }", 19, "opset 20 is outside 1..19"),
        ("opset = { min = 21, max = 30 }", 21, "opset 20 is outside 21..30"),
    ],
)
def test_an_opset_outside_says_which_side(
    report: Report, text: str, limit: int, message: str
) -> None:
    (verdict,) = check(report, text).verdicts
    assert (verdict.kept, verdict.rule, verdict.value, verdict.limit) == (
        False, "BUD013", 20, limit
    )  # fmt: skip
    assert (verdict.message, verdict.measure) == (message, "opset")
    assert verdict.written == message.split()[-1]
    assert verdict.where["limit"] == {"file": "graphcount.toml", "line": 2}


def test_no_opset_says_what_was_allowed(report: Report) -> None:
    without = replace(report, model=report.model._replace(opset_imports={}))
    (verdict,) = check(without, "opset = { min = 3, max = 99 }").verdicts
    assert verdict.message == "opset is not known: no ai.onnx is imported (allowed 3..99)"
    assert (verdict.written, verdict.value, verdict.limit) == ("3..99", None, None)


def test_a_model_of_nothing_has_none_of_it(save: Save) -> None:
    empty = graphcount.count(save([], inputs=["x"], outputs=["x"]))
    (verdict,) = check(empty, 'operators = ["Relu"]').verdicts
    assert (verdict.kept, verdict.message) == (True, "operators none")


def test_only_ignores_of_the_same_rule_count(report: Report) -> None:
    ignore = 'ignore = [{ rule = "BUD012", where = "*", reason = "another list" }]'
    (verdict,) = check(report, f'forbidden_operators = ["Gemm"]\n{ignore}').verdicts
    assert not verdict.kept
    (verdict,) = check(report, f'domains = ["com.acme"]\n{ignore}').verdicts
    assert verdict.kept


def test_doubts_about_the_cost_spoil_no_list(report: Report) -> None:
    unsure = replace(report, unknown=(Unknown("n", "operator", "no formula", "cost"),))
    (verdict,) = check(unsure, f"operators = [{ALL}]").verdicts
    assert verdict.kept
    doubtful = replace(report, unknown=(Unknown("f", "function", "too deep"),))
    (verdict,) = check(doubtful, f"operators = [{ALL}]").verdicts
    assert verdict.message == "operators are not all known: f: function: too deep"
    (verdict,) = check(doubtful, 'forbidden_operators = ["Conv"]').verdicts
    assert verdict.rule == "BUD011"  # it surely is there
