"""A user's formulas: closed forms, symbols, and what is no formula."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

import pytest
from onnx import TensorProto, helper

import graphcount
from graphcount.cli.main import main
from graphcount.errors import UsageError
from graphcount.ops.formulas import evaluate
from graphcount.ops.user import parse
from graphcount.symbolic import symbol

Save = Callable[..., str]
CallOf = Callable[..., Any]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", 7),
        ("-2 + 5", 3),
        ("inputs[0][1]", 8),
        ("inputs[-1][-1]", 9),
        ("inputs[-2][-3]", 2),
        ("outputs[-1][-1]", 5),
        ("prod(outputs[0])", 2 * 16 * 5),
        ("prod(inputs[0][1:])", 8 * 7),
        ("prod(inputs[0][:-2])", 2),
        ("len(inputs) * 10 + len(outputs)", 21),
        ("len(inputs[0])", 3),
        ("max(inputs[0][0], inputs[0][2], 3)", 7),
        ("min(inputs[0])", 2),
        ("max(inputs[0])", 8),
        ("attributes['groups'] + attributes.get('absent', 40)", 44),
        ("attributes.get('groups', 1)", 4),
        ("attributes['kernel'][1]", 5),
        ("prod(attributes['kernel'])", 15),
        ("inputs[0][1] * prod(outputs[0]) // attributes['groups']", 8 * 2 * 16 * 5 // 4),
        ("(1 + 2) * 3 - 4 // 3", 8),
    ],
)
def test_closed_forms(text: str, expected: int, call: CallOf) -> None:
    node = call(
        "Foo", [(2, 8, 7), (6, 9)], [(2, 16, 5)], groups=4, kernel=[3, 5], domain="com.acme"
    )
    assert evaluate(parse(text), node) == expected


def test_symbols(call: CallOf) -> None:
    batch, seq = symbol("batch"), symbol("seq")
    node = call("Foo", [(batch, seq, 8)], [(batch, seq, 8)], domain="com.acme")
    formula = parse("prod(inputs[0]) * inputs[0][-1] // 4 + max(1, 2)")
    assert evaluate(formula, node) == batch * seq * 16 + 2


@pytest.mark.parametrize(
    "text",
    [
        "inputs[5][0]",
        "inputs[1][0]",
        "inputs[-2][0]",
        "outputs[-2][0]",
        "inputs[0][-4]",
        "inputs[0][9]",
        "attributes['nothing']",
        "attributes['kernel']",
        "1 // (inputs[0][0] - 2)",
        "inputs[0][0] - 100",
    ],
)
def test_what_the_node_has_not_is_not_known(text: str, call: CallOf) -> None:
    node = call("Foo", [(2, 8, 7)], [(2, 16, 5)], kernel=[3, 5], domain="com.acme")
    assert evaluate(parse(text), node) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "invalid syntax|syntax"),
        ("__import__('os').system('true')", "column 1: the functions are"),
        ("(lambda: 1)()", "column"),
        ("[x for x in inputs]", "column 1: not a number"),
        ("inputs.__class__", "column 1"),
        ("9 ** 9 ** 9", "only + - "),
        ("1 if inputs else 2", "column 1"),
        ("2.5 * 3", "column 1: an integer"),
        ("True", "an integer"),
        ("'a' * 1000", "an integer"),
        ("9" * 400, "too large"),
        ("inputs", "column 1"),
        ("inputs[0]", "column 1: this is a shape"),
        ("prod(3)", "column 6: a shape"),
        ("inputs[0][::2][0]", "no step"),
        ("inputs[inputs[0][0]][0]", "an integer"),
        ("attributes[3]", "in quotes"),
        ("max()", "functions are"),
        ("attributes.get('a')", "column 1: write attributes.get"),
        ("attributes.pop('a', 1)", "column 1: write attributes.get"),
        ("1 + len(inputs, outputs)", "column 5: the functions are"),
        ("prod(inputs[0], start=3)", "named arguments"),
        ("(" * 10_000 + "1" + ")" * 10_000, "characters"),
        ("(" * 450 + "1" + ")" * 450, "parentheses|not an expression"),
        ("-" * 900 + "1", "inside each other|not an expression"),
        ("1" + "+1" * 400, "inside each other"),
        ("x := 3", "column"),
        ("1; 2", "column"),
        ("inputs[0][0]\x00", "null|not an expression|source code"),
        (r"attributes['\d']", "backslash"),
    ],
)
def test_what_is_no_formula_is_refused_with_its_place(text: str, words: str) -> None:
    with pytest.raises(UsageError, match="macs") as caught:
        parse(text, "operators: com.acme::Foo: macs")
    assert re.search(words.replace("+", r"\+"), str(caught.value))
    assert "\n" not in str(caught.value)


def model(save: Save, *, declared: bool) -> str:
    """Foo on 1 x 3 x 8, then a product that needs Foo's shape."""
    info = helper.make_tensor_value_info("f", TensorProto.FLOAT, ["batch", 16])
    return save(
        [
            helper.make_node("Foo", ["x"], ["f"], "foo", domain="com.acme", groups=2),
            helper.make_node("MatMul", ["f", "W"], ["y"], "matmul"),
        ],
        [helper.make_tensor("W", TensorProto.FLOAT, [16, 4], [0.5] * 64)],
        inputs=[("x", ["batch", 3, 8])],
        outputs=["y"],
        opsets=[("", 20), ("com.acme", 1)],
        value_info=[info] if declared else [],
    )


FORMULAS = {
    "com.acme::Foo": {
        "macs": "inputs[0][1] * prod(outputs[0]) // attributes['groups']",
        "elementwise": "prod(inputs[0])",
    }
}


def test_a_formula_fills_the_gap(save: Save) -> None:
    path = model(save, declared=True)
    assert graphcount.count(path).totals.lower_bound
    report = graphcount.count(path, operators=FORMULAS)
    assert {u.what for u in report.unknown} == {"declared shape"}  # nothing derives its shape
    assert report.totals.at_least == ()
    assert report.macs(batch=6) == 3 * 6 * 16 // 2 + 6 * 16 * 4
    assert report.totals.elementwise_expression == "24*batch"
    bound = graphcount.count(path, operators=FORMULAS, dims={"batch": 6})
    assert bound.totals.macs == report.macs(batch=6)
    told = {node.id: node.explain for node in bound.nodes}["foo"]
    assert "user's formula" in told
    assert f"= {3 * 6 * 16 // 2}" in told
    assert FORMULAS["com.acme::Foo"]["macs"] in told


def test_an_undeclared_shape_stays_unknown(save: Save) -> None:
    report = graphcount.count(model(save, declared=False), operators=FORMULAS)
    assert report.totals.lower_bound
    assert "foo" in {unknown.where for unknown in report.unknown}


@pytest.mark.parametrize(
    ("operators", "words"),
    [
        ({"Conv": {"macs": "1"}}, "Conv: its cost is known"),
        ({"ai.onnx::MatMul": {"macs": "1"}}, "its cost is known"),
        ({"com.microsoft::FusedConv": {"macs": "1"}}, "its cost is known"),
        ({"com.acme::": {"macs": "1"}}, "domain::op_type"),
        ({"com.acme::Foo": {}}, "give a formula"),
        ({"com.acme::Foo": {"mac": "1"}}, "'mac' is no measure"),
        ({"::Foo": {"macs": "1"}, "Foo": {"macs": "1"}}, "given twice"),
        ({"com.acme::Foo": {"macs": "open('x')"}}, "com.acme::Foo: macs: column 1"),
    ],
)
def test_wrong_configuration_is_refused(
    operators: dict[str, dict[str, str]], words: str, fixtures: Any
) -> None:
    with pytest.raises(UsageError) as caught:
        graphcount.count(str(fixtures / "cnn.onnx"), operators=operators, cost=False)
    assert words in str(caught.value)


def test_the_default_domain_has_no_name(save: Save) -> None:
    path = save(
        [helper.make_node("Swirl", ["x"], ["y"], "s")],
        inputs=[("x", [5, 7])],
        outputs=[("y", [5, 7])],
    )
    for name in ("Swirl", "::Swirl", "ai.onnx::Swirl"):
        report = graphcount.count(path, operators={name: {"macs": "prod(inputs[0])"}})
        assert report.totals.macs == math.prod([5, 7])
        assert not [u for u in report.unknown if u.what == "operator"]


def test_in_place_on_the_command_line(fixtures: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The first convolution of the CNN makes 4·5·28·28 floats; its Relu needs no more in place."""
    found = []
    for option in ([], ["--in-place"]):
        path = str(fixtures / "cnn.onnx")
        assert main([path, "--dim", "batch=4", "--format", "json", *option]) == 0
        totals = json.loads(capsys.readouterr().out)["totals"]
        found.append(totals["peak_activation_nbytes"])
    conv, pooled = 4 * 4 * 5 * 28 * 28, 4 * 4 * 5 * 12 * 12
    assert found == [2 * conv, conv + pooled]


def test_a_number_that_no_report_holds_is_not_known(save: Save) -> None:
    """The square of a square of a product of 30 sizes of 62 bits has 4,480 digits."""
    node = helper.make_node("Foo", ["x"], ["y"], domain="com.acme")
    shape = [2**62] * 30
    opsets = [("", 20), ("com.acme", 1)]
    path = save([node], inputs=[("x", shape)], outputs=[("y", shape)], opsets=opsets)
    four = "(prod(inputs[0]) * prod(inputs[0])) * (prod(inputs[0]) * prod(inputs[0]))"
    operators = {"com.acme::Foo": {"macs": f"({four}) * ({four})"}}
    found = graphcount.count(path, operators=operators)
    assert found.nodes[0].macs is None
    assert "macs = " in found.nodes[0].explain
    assert [row.what for row in found.unknown] == ["macs", "declared shape"]
