"""Stored bodies and uses of operators: each once, with the opset that holds there."""

from __future__ import annotations

from collections.abc import Callable

import onnx

from graphcount.auditing.bodies import find_bodies, uses
from graphcount.domains import opsets
from graphcount.loading import read_model

Write = Callable[..., str]

NESTED = """(bool c, float[3] x) => (float[3] y) {
    a = Relu(x)
    y = If(c) < then_branch = t () => (float[3] p) {
            p = If(c) < then_branch = u () => (float[3] q) { q = acme.F(a) },
                        else_branch = v () => (float[3] r) { r = acme.G(a) } > },
        else_branch = w () => (float[3] s) { s = Neg(x) } > }"""
FUNCTION = '<domain: "acme", opset_import: ["" : 17]>\nF (k) => (z) { m = Abs(k)\nz = Neg(m) }'


def test_bodies_stand_before_those_inside_them(write: Write) -> None:
    path = write(NESTED, functions=[FUNCTION], opsets={"": 20, "acme": 1})
    bodies = list(find_bodies(read_model(path).proto))
    labels = [body.label for body in bodies]
    inner = "If#1/then_branch/If#0"
    assert set(labels) == {
        *("", "If#1/then_branch", "If#1/else_branch", "function:acme:F"),
        *(f"{inner}/then_branch", f"{inner}/else_branch"),
    }
    for body in bodies:
        if body.parent is not None:
            assert labels.index(body.parent.label) < labels.index(body.label)
            assert body.parent.nodes[body.owner].op_type == "If"
    main = bodies[labels.index("")]
    assert main.producers == {"a": 0, "y": 1}
    assert main.given == {"c", "x"}


def test_uses_are_of_operators_and_not_of_functions(write: Write) -> None:
    path = write(NESTED, functions=[FUNCTION], opsets={"": 20, "acme": 1})
    proto = read_model(path).proto
    found = {(use.key, use.opset) for use in uses(proto, find_bodies(proto))}
    assert found == {
        *((("", op_type), 20) for op_type in ("Relu", "If", "Neg")),
        *((("", op_type), 17) for op_type in ("Abs", "Neg")),
        (("acme", "G"), 1),  # F is a function of the file
    }


def test_the_first_import_of_a_domain_holds() -> None:
    assert opsets([("ai.onnx", 20), ("", 7), ("acme", 1)]) == {"": 20, "acme": 1}


def test_a_name_that_is_made_twice_is_the_first_ones(write: Write) -> None:
    def twice(model: onnx.ModelProto) -> None:
        model.graph.node.add(op_type="Neg", input=["x"], output=["a"])

    body = next(find_bodies(read_model(write(NESTED, change=twice)).proto))
    assert body.producers["a"] == 0
