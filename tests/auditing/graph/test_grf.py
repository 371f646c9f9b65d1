"""Rules on the graph: what triggers each, and what only looks like it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper

from graphcount.report.finding_rows import Finding
from tests.conftest import names

Write = Callable[..., str]
Find = Callable[..., list[Finding]]

W = {"W": np.ones((3, 3), np.float32)}


def test_cycle_is_printed_and_is_a_shortest_one(write: Write, find: Find) -> None:
    path = write(
        """(float[3] x) => (float[3] y) {
            a = Add(x, d)
            b = Relu(a)
            c = Relu(b)
            d = Add(c, b)
            y = Relu(d) }"""
    )
    [finding] = find(path, "GRF001")
    assert finding.severity == "high"
    assert finding.evidence["nodes"] == 4
    cycle = names(finding.evidence["cycle"])
    assert cycle[0] == cycle[-1]
    assert set(cycle) == {"Add#0", "Relu#1", "Add#3"}
    straight = "(float[3] x) => (float[3] y) { a = Relu(x)\n b = Relu(a)\n y = Add(a, b) }"
    assert find(write(straight), "GRF001") == []


def test_two_cycles_are_two_findings_and_a_node_can_be_its_own(write: Write, find: Find) -> None:
    path = write(
        """(float[3] x) => (float[3] y) {
            a = Add(x, a)
            b = Add(a, c)
            c = Relu(b)
            y = Relu(c) }"""
    )
    cycles = [names(finding.evidence["cycle"]) for finding in find(path, "GRF001")]
    assert sorted(map(len, cycles)) == [2, 3]


def test_duplicate_value(write: Write, find: Find) -> None:
    twice = "(float[3] x) => (float[3] y) { y = Relu(x)\n y = Neg(x) }"
    [finding] = find(write(twice), "GRF002")
    assert finding.severity == "high"
    assert finding.evidence["definitions"] == ["operator", "operator"]
    stored = find(write("(float[3] x) => (float[3] W) { W = MatMul(x, W) }", W), "GRF002")
    assert [item.evidence["definitions"] for item in stored] == [["initializer", "operator"]]
    default = write("(float[3] x, float[3,3] W) => (float[3] y) { y = MatMul(x, W) }", W, ir=3)
    assert find(default, "GRF002") == []


def test_missing_input_is_one_finding_for_all_its_readers(write: Write, find: Find) -> None:
    text = "(float[3] x) => (float[3] y) { a = Add(x, lost)\n y = Mul(a, lost) }"
    [finding] = find(write(text), "GRF003", "GRF005")
    assert (finding.rule, finding.severity) == ("GRF003", "high")
    assert finding.where == {"node": "Add#0", "value": "lost"}
    assert finding.evidence == {"readers": 2}
    left_out = "(float[3] x) => (float[3] y) { y = Clip(x, , W) }"
    assert find(write(left_out, {"W": np.float32(1)}), "GRF003") == []


def test_missing_output_of_the_model_and_of_a_body(write: Write, find: Find) -> None:
    [finding] = find(write("(float[3] x) => (float[3] z) { y = Relu(x) }"), "GRF005", "GRF003")
    assert (finding.rule, finding.severity) == ("GRF005", "high")
    assert finding.where == {"value": "z"}
    body = """(bool c, float[3] x) => (float[3] y) { y = If(c) <
        then_branch = t () => (float[3] a) { b = Relu(x) },
        else_branch = e () => (float[3] d) { d = Identity(x) } > }"""
    [inside] = find(write(body), "GRF005", "GRF003")
    assert inside.rule == "GRF005"
    assert inside.where == {"node": "If#0", "value": "a"}


def test_duplicate_node_names(write: Write, find: Find) -> None:
    def name(model: onnx.ModelProto) -> None:
        for node in model.graph.node:
            node.name = "same"

    text = "(float[3] x) => (float[3] y) { a = Relu(x)\n b = Relu(a)\n y = Relu(b) }"
    [finding] = find(write(text, change=name), "GRF004")
    assert finding.severity == "info"
    assert finding.evidence == {"names": 1, "nodes": 3}
    assert find(write(text), "GRF004") == []  # no names at all


def test_dead_nodes_and_what_only_they_read(write: Write, find: Find) -> None:
    text = """(float[3] x) => (float[3] y) {
        y = MatMul(x, W)
        a = MatMul(x, big)
        b = Relu(a) }"""
    path = write(text, {**W, "big": np.ones((3, 300), np.float32)})
    [finding] = find(path, "GRF006", "GRF007")
    assert (finding.rule, finding.severity) == ("GRF006", "medium")
    assert finding.evidence == {
        "nodes": 2,
        "tensors": 1,
        "nbytes": 3 * 300 * 4,
        "total_nbytes": 3 * 300 * 4 + 9 * 4,
    }
    [small] = find(write(text, {**W, "big": np.ones((3, 3), np.float32)}), "GRF006")
    assert small.severity == "low"
    alive = "(float[3] x) => (float[3] y, float[3] z) { y = Relu(x)\n z = Neg(x) }"
    assert find(write(alive), "GRF006") == []


def test_captured_values_keep_nodes_alive(write: Write, find: Find) -> None:
    path = write(
        """(bool c, float[3] x) => (float[3] y) {
            a = MatMul(x, W)
            y = If(c) < then_branch = t () => (float[3] p) { p = Relu(a) },
                        else_branch = e () => (float[3] q) { q = Identity(x) } > }""",
        W,
    )
    assert find(path, "GRF006", "GRF007", "BKD003") == []


def test_unused_tensors_with_their_share(write: Write, find: Find) -> None:
    text = "(float[3] x) => (float[3] y) { y = MatMul(x, W) }"
    [finding] = find(write(text, {**W, "extra": np.ones(1000, np.float32)}), "GRF007")
    assert finding.severity == "medium"
    assert finding.evidence == {"tensors": 1, "nbytes": 4000, "total_nbytes": 4036}
    assert "(99.1% of all)" in finding.message
    [small] = find(write(text, {**W, "extra": np.ones(2, np.float32)}), "GRF007")
    assert small.severity == "low"
    assert find(write(text, W), "GRF007") == []


def test_overridable_weights_only_since_ir_4(write: Write, find: Find) -> None:
    text = "(float[3] x, float[3,3] W) => (float[3] y) { y = MatMul(x, W) }"
    [finding] = find(write(text, W), "GRF008")
    assert finding.severity == "low"
    assert finding.evidence == {"tensors": 1, "nbytes": 36}
    assert find(write(text, W, ir=3), "GRF008") == []


IF = """(bool c, float[3] x) => (float[3] y) {{
    h = Relu(x)
    y = If(c) < then_branch = t () => (float[3] {name}) {{ {name} = Relu(h) }},
                else_branch = e () => (float[3] q) {{ q = Identity(x) }} > }}"""


def test_shadowing(write: Write, find: Find) -> None:
    [finding] = find(write(IF.format(name="h")), "GRF009")
    assert finding.severity == "medium"
    assert finding.where == {"node": "If#1", "value": "h"}
    assert find(write(IF.format(name="p")), "GRF009") == []


def test_branches_may_use_the_same_names(write: Write, find: Find) -> None:
    assert find(write(IF.format(name="q")), "GRF009", "GRF002") == []


def test_empty_graph(write: Write, find: Find) -> None:
    [finding] = find(write("(float[3] x) => () { }"), "GRF010")
    assert finding.severity == "medium"
    assert finding.message == "the graph has no nodes and no outputs"
    assert find(write("(float[3] x) => (float[3] y) { y = Relu(x) }"), "GRF010") == []


def test_unsorted_also_from_a_body(write: Write, find: Find) -> None:
    [finding] = find(write("(float[3] x) => (float[3] y) { y = Relu(a)\n a = Neg(x) }"), "GRF012")
    assert finding.severity == "low"
    assert finding.where == {"node": "Relu#0", "value": "a"}
    body = """(bool c, float[3] x) => (float[3] y) {
        y = If(c) < then_branch = t () => (float[3] p) { p = Relu(later) },
                    else_branch = e () => (float[3] q) { q = Identity(x) } >
        later = Neg(x) }"""
    [inside] = find(write(body), "GRF012")
    assert inside.where == {"node": "If#0/then_branch/Relu#0", "value": "later"}
    assert find(write(IF.format(name="p")), "GRF012") == []


def test_a_cycle_is_not_unsorted_too(write: Write, find: Find) -> None:
    path = write("(float[3] x) => (float[3] y) { a = Add(x, b)\n b = Relu(a)\n y = Relu(b) }")
    assert [finding.rule for finding in find(path, "GRF")] == ["GRF001"]


def test_negative_dimension(write: Write, find: Find) -> None:
    def negative(model: onnx.ModelProto) -> None:
        value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [-1, 3])
        model.graph.input[0].CopyFrom(value)

    text = "(float[N,3] x) => (float[N,3] y) { y = Relu(x) }"
    [finding] = find(write(text, change=negative), "GRF013")
    assert finding.severity == "medium"
    assert finding.where == {"value": "x"}
    assert find(write(text), "GRF013") == []


def test_declared_shape(write: Write, find: Find) -> None:
    text = "(float[{n},3] x) => (float[2,{m}] y) {{ y = MatMul(x, W) }}"
    weight = {"W": np.ones((3, 5), np.float32)}
    [finding] = find(write(text.format(n=2, m=7), weight), "GRF014")
    assert finding.severity == "medium"
    assert finding.evidence == {"declared": "[2, 7]", "derived": "[2, 5]", "values": 1}
    [rank] = find(write("(float[2,3] x) => (float[6,1,1] y) { y = Flatten(x) }"), "GRF014")
    assert rank.evidence["derived"] == "[2, 3]"
    for sizes in ({"n": 2, "m": 5}, {"n": "N", "m": 5}, {"n": 2, "m": "M"}):
        assert find(write(text.format(**sizes), weight), "GRF014") == []  # may fit


def test_a_cycle_through_a_value_defined_twice_has_one_cause(write: Write, find: Find) -> None:
    text = "(float[3] x) => (float[3] y) { a = MatMul(x, W)\n y = Relu(a)\n W = Relu(y) }"
    found = find(write(text, W), "GRF001", "GRF002")
    assert [finding.rule for finding in found] == ["GRF002"]
