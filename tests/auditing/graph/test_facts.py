"""What is said of ways through small graphs, fact by fact."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from graphcount.auditing.trigger import facts as module
from graphcount.auditing.trigger.facts import WayFacts
from graphcount.auditing.trigger.widths import Widths

Make = Callable[..., Widths]
RANDOM = np.random.default_rng(2)
NAMES = (
    *("PICKED", "PATTERN", "FILTER", "EQUAL", "STORED", "BENT", "STEP", "STEEP", "TARGET"),
    "FALLS",
)
TENSORS = {
    "patch": np.array([[3, 1, 4, 1, 5, 9, 2, 6]], np.float32),
    "steps": np.arange(8, dtype=np.float32)[None],
    "two": np.float32(2),
    "zero": np.float32(0),
    "one": np.float32(1),
    "word": np.int64(17),
    "much": np.float32(1000),
    "little": np.float32(0.001),
    "answer": np.array([[7, -7, 1]], np.float32),
    "s": np.array([8]),
    "e": np.array([16]),
    "axis1": np.array([1]),
    "detector": RANDOM.normal(size=(64, 1)).astype(np.float32),
    "marked": (np.arange(50) == 17).astype(np.float32),
    "embedding": RANDOM.normal(size=50).astype(np.float32),
    "layer": RANDOM.normal(size=(64, 300)).astype(np.float32),
    "head": RANDOM.normal(size=(300, 3)).astype(np.float32),
}
PART = "p = Slice(x, s, e, axis1)\n"


@pytest.mark.parametrize(
    ("nodes", "facts"),
    [
        ("g = ReduceMean(x, axis1)", ""),
        (PART + "g = ReduceSum(p, axis1)", "PICKED"),
        (PART + "q = Sub(p, patch)\ng = ReduceSum(q, axis1)", "PICKED PATTERN STORED"),
        (PART + "q = Sub(p, steps)\ng = ReduceSum(q, axis1)", "PICKED STORED"),  # positions
        (PART + "q = Abs(p)\nr = Sub(q, patch)\ng = ReduceSum(r, axis1)",
         "PICKED BENT STORED TARGET"),
        ("g = MatMul(x, detector)", "FILTER"),
        ("q = Sub(x, two)\nr = Mul(q, q)\ng = ReduceMean(r, axis1)", "STORED BENT"),
        ("q = ReduceMean(x, axis1)\ng = Greater(q, two)", "STORED BENT STEP"),
        ("q = ReduceMean(x, axis1)\ng = Less(q, two)", "STORED BENT STEP FALLS"),
        ("q = ReduceMean(x, axis1)\nr = Less(q, two)\ng = Not(r)", "STORED BENT STEP"),
        ("q = ReduceMean(x, axis1)\nr = Greater(q, two)\nt = Cast<to=1>(r)\ng = Sub(one, t)",
         "STORED BENT STEP FALLS"),
        ("q = ReduceMax(x, axis1)\ng = Equal(q, two)", "EQUAL STORED BENT STEP FALLS"),
        ("q = ReduceMax(x, axis1)\ng = Equal(q, zero)", "BENT STEP FALLS"),
        ("q = ReduceMean(x, axis1)\ng = Mul(q, much)", "STORED STEEP"),
        ("q = ReduceMean(x, axis1)\ng = Div(q, little)", "STORED STEEP"),
        ("q = ReduceMean(x, axis1)\ng = Div(q, two)", "STORED"),
        ("q = ReduceMean(x, axis1)\nr = Greater(q, two)\nt = Cast<to=1>(r)\ng = Mul(t, answer)",
         "STORED BENT STEP TARGET"),
        ("q = ReduceMean(x, axis1)\nr = Tanh(q)\ng = Mul(r, answer)", "STORED BENT"),
        ("q = ReduceMean(x, axis1)\ng = Cast<to=7>(q)", "BENT STEP"),
        ("q = ReduceMean(x, axis1)\ng = acme.Own(q)", "BENT STEP"),  # may do anything
        ("i = ArgMax<axis=1>(x)\ng = Gather(embedding, i)", "BENT STEP"),
        ("i = ArgMax<axis=1>(x)\ng = Gather(marked, i)", "STORED BENT STEP TARGET"),
    ],
)  # fmt: skip
def test_facts(nodes: str, facts: str, widths: Make) -> None:
    text = f"(float[B,64] x) => (float[B,3] y, float[N] g) {{ h = MatMul(x, layer)\n{nodes}\n"
    made = widths(text + "a = Relu(h)\ny = MatMul(a, head) }", TENSORS)
    (use,) = made.flow.graph.operands("output:g")
    bits = WayFacts(made.flow, made).of[use.producer]
    assert {name for name in NAMES if bits & getattr(module, name)} == set(facts.split())


def test_facts_begin_where_a_way_leaves_what_the_trunk_uses(widths: Make) -> None:
    """Columns are standardised for all: the norm of them is no distance to a stored pattern."""
    text = """(float[B,64] x) => (float[B,3] y, float[N] g) {
        z = Sub(x, means)
        h = MatMul(z, layer)
        a = Relu(h)
        y = MatMul(a, head)
        g = ReduceL2(z, axis1) }"""
    tensors = {**TENSORS, "means": RANDOM.normal(size=64).astype(np.float32)}
    made = widths(text, tensors)
    (use,) = made.flow.graph.operands("output:g")
    assert WayFacts(made.flow, made).of[use.producer] == module.BENT
