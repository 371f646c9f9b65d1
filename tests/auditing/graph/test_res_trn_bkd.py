"""Rules on loops, on failed inference, training information and constant branches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from graphcount.report.finding_rows import Finding

Write = Callable[..., str]
Find = Callable[..., list[Finding]]


def shape(*dims: int) -> Any:
    return np.array(dims, np.int64)


LOOP = """(float[3] x) => (float[3] y) {{
    y = Loop(m, c, x) < body = b (int64 i, bool k, float[3] v) => (bool k2, float[3] w) {{
        k2 = Identity(k)
        {inside} }} > }}"""
YES = {"c": np.array(True)}


def test_loop_bomb(write: Write, find: Find) -> None:
    text = LOOP.format(inside="w = Relu(v)")
    [finding] = find(write(text, {"m": np.int64(10**12), **YES}), "RES003")
    assert finding.severity == "medium"
    assert finding.evidence["trips"] == 10**12
    assert finding.evidence["executions"] == 2 * 10**12  # two nodes
    assert find(write(text, {"m": np.int64(10**6), **YES}), "RES003") == []


def test_nested_loops_multiply(write: Write, find: Find) -> None:
    inner = """w = Loop(m, c, v) < body = b2 (int64 j, bool l, float[3] p)
        => (bool l2, float[3] q) {
        l2 = Identity(l)
        q = Relu(p) } >"""
    text = LOOP.format(inside=inner)
    [finding] = find(write(text, {"m": np.int64(10**5), **YES}), "RES003")
    assert finding.evidence["executions"] == 2 * 10**10
    assert find(write(text, {"m": np.int64(10**4), **YES}), "RES003") == []


def test_a_loop_until_something_happens_is_no_bomb(write: Write, find: Find) -> None:
    text = """(float[3] x) => (float[3] y) {
        y = Loop(m, c, x) < body = b (int64 i, bool k, float[3] v) => (bool k2, float[3] w) {
            w = Relu(v)
            least = ReduceMax<keepdims = 0>(w)
            k2 = Greater(least, f) } > }"""
    path = write(text, {"m": np.int64(2**63 - 1), "f": np.float32(0), **YES})
    assert find(path, "RES003") == []


def test_a_failing_inference_is_a_finding(
    write: Write, find: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: Any, **kwargs: Any) -> None:
        raise MemoryError("too much")

    path = write("(float[3] x) => (float[3] y) { y = Relu(x) }")
    assert find(path, "RES004") == []
    monkeypatch.setattr("graphcount.auditing.context.infer_shapes", fails)
    [finding] = find(path, "RES004", "GRF014", "QNT", "RES002", "OPS007", "BKD")
    assert (finding.rule, finding.severity) == ("RES004", "medium")
    assert "MemoryError: too much" in finding.message


# ---------------------------------------------------------------------------------- training_info


def test_training_info(write: Write, find: Find) -> None:
    def train(model: onnx.ModelProto) -> None:
        info = model.training_info.add()
        info.algorithm.name = "algorithm"
        info.algorithm.node.append(helper.make_node("Add", ["m", "m"], ["m2"]))
        state = numpy_helper.from_array(np.zeros(25, np.float32), "m")
        info.algorithm.initializer.append(state)

    text = "(float[3] x) => (float[3] y) { y = Relu(x) }"
    [finding] = find(write(text, change=train), "TRN001")
    assert finding.severity == "medium"
    assert finding.evidence == {"graphs": finding.evidence["graphs"], "nodes": 1, "nbytes": 100}
    assert find(write(text), "TRN001") == []


# ---------------------------------------------------------------------------------------- branches


BRANCH = """({more}float[3] x) => (float[3] y) {{
    y = If(c) < then_branch = t () => (float[3] p) {{ p = Relu(x) }},
                else_branch = e () => (float[3] q) {{ q = Identity(x) }} > }}"""


def test_constant_condition(write: Write, find: Find) -> None:
    [finding] = find(write(BRANCH.format(more=""), YES), "BKD002")
    assert (finding.severity, finding.where) == ("low", {"node": "If#0"})
    assert find(write(BRANCH.format(more="bool c, ")), "BKD002") == []
    where = "(float[3] x) => (float[3] y) { a = Neg(x)\n y = Where(c, x, a) }"
    assert len(find(write(where, YES), "BKD002")) == 1
    mask = {"c": np.array([True, False, True])}
    assert find(write(where, mask), "BKD002") == []  # a mask of positions is no branch


def test_a_condition_on_the_shape_is_not_constant(write: Write, find: Find) -> None:
    text = """(float[N] x) => (float[N] y) {
        s = Size(x)
        c = Greater(s, two)
        y = If(c) < then_branch = t () => (float[N] p) { p = Relu(x) },
                    else_branch = e () => (float[N] q) { q = Identity(x) } > }"""
    assert find(write(text, {"two": np.int64(2)}), "BKD002") == []


def test_a_loop_that_never_runs(write: Write, find: Find) -> None:
    text = LOOP.format(inside="w = Relu(v)")
    assert len(find(write(text, {"m": np.int64(0), **YES}), "BKD002")) == 1
    assert find(write(text, {"m": np.int64(3), **YES}), "BKD002") == []


def test_outputs_without_inputs_and_inputs_without_outputs(write: Write, find: Find) -> None:
    text = "(float[3] x, float[3] idle) => (float[3] y, float[3] z) { y = Relu(x)\n z = Neg(k) }"
    idle, fixed = find(write(text, {"k": np.ones(3, np.float32)}), "BKD003")
    assert fixed.severity == idle.severity == "low"
    assert fixed.evidence == {"values": ["z"], "count": 1}
    assert idle.evidence == {"values": ["idle"], "count": 1}
    assert find(write("(float[3] x) => (float[3] y) { y = Relu(x) }"), "BKD003") == []
    made = "() => (float[3] y) { y = Neg(k) }"
    assert find(write(made, {"k": np.ones(3, np.float32)}), "BKD003") == []
