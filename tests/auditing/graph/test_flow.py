"""What depends on elements of inputs, and what lies behind layers, by small graphs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from graphcount.auditing.trigger.flow import LIGHT_SHARE, Flow

MakeFlow = Callable[..., Flow]


@pytest.mark.parametrize(
    ("nodes", "varying"),
    [
        ("a = Relu(x)\ny = Neg(a)", {"Relu#0", "Neg#1"}),
        ("a = Shape(x)\ny = Neg(a)", set()),
        ("a = Size(x)\ny = Neg(a)", set()),
        ("a = RandomNormalLike(x)\ny = Neg(a)", set()),
        ("a = NonZero(x)\ny = Shape(a)", {"NonZero#0", "Shape#1"}),
        ("a, i, j, c = Unique(x)\ny = Size(i)", {"Unique#0", "Size#1"}),
        ("a = Shape(x)\nb = Relu(x)\ny = Expand(b, a)", {"Relu#1", "Expand#2"}),
    ],
)
def test_what_depends_on_elements_and_not_on_shapes(
    nodes: str, varying: set[str], flow: MakeFlow
) -> None:
    made = flow(f"(float[3] x) => (float[N] y) {{ {nodes} }}")
    operators = {node.id for node in made.graph.operators}
    assert made.values & operators == varying


def test_the_heaviest_way_decides_what_is_heavy(flow: MakeFlow) -> None:
    """The first layer has 4 of 4 + 40000 weights, less than a twentieth."""
    text = """(float[2,2] x) => (float[2,20000] y, float[2,2] b) {
        a = MatMul(x, small)
        b = Relu(a)
        c = MatMul(b, large)
        y = Relu(c) }"""
    tensors = {"small": np.ones((2, 2), np.float32), "large": np.ones((2, 20000), np.float32)}
    made = flow(text, tensors)
    assert made.total == 4 + 40000
    assert made.depths["Relu#1"] == 4
    assert LIGHT_SHARE * 40004 > 4
    assert {node for node in made.order if made.is_heavy(node)} == {
        *("MatMul#2", "Relu#3", "output:y")
    }


@pytest.mark.parametrize(
    ("nodes", "numbers"),
    [
        ("y = Add(x, k)", (3, 1, 4)),
        ("c = Neg(k)\ny = Add(x, c)", (3, 1, 4)),  # not worked out: of what it is made
        ("c = Concat<axis = 0>(k, m)\ny = Add(x, c)", (3, 1, 4, 1, 5)),
        ("c = Shape(k)\nd = Expand(m, c)\ny = Mul(x, d)", (1, 5)),  # sizes are none
    ],
)
def test_numbers_of_constants(nodes: str, numbers: tuple[float, ...], flow: MakeFlow) -> None:
    tensors = {"k": np.array([3, 1, 4], np.float32), "m": np.array([1, 5], np.float32)}
    made = flow(f"(float[N] x) => (float[N] y) {{ {nodes} }}", tensors)
    (last,) = [use.producer for use in made.graph.operands("output:y")]
    (fixed,) = [node for node in made.graph.producers(last) if node not in made.values]
    assert sorted(made.numbers(fixed)) == sorted(numbers)


def test_a_product_without_weights_is_a_layer_of_one(flow: MakeFlow) -> None:
    made = flow("(float[2,2] x) => (float[2,2] y) { y = MatMul(x, x) }")
    assert made.weights == {"MatMul#0": 1}
    fused = "(float[2,2] x) => (float[2,2] y) { y = com.microsoft.TransposeMatMul(x, x) }"
    assert flow(fused).weights == {"TransposeMatMul#0": 1}


def test_the_state_of_a_loop_depends_on_the_trip_before(flow: MakeFlow) -> None:
    text = """(float[3] x) => (float[3] y) {
        y = Loop(trips, , first) < body = b (int64 i, bool c, float[3] v)
            => (bool c2, float[3] w) { c2 = Identity(c)\nw = Add(v, x) } > }"""
    made = flow(text, {"trips": np.int64(3), "first": np.zeros(3, np.float32)})
    (state,) = [node for node in made.nodes if node.endswith("input:v")]
    (adding,) = [node for node in made.nodes if made.op(node) == "Add"]
    assert state in made.after(adding)
    assert adding in made.before(state)
    assert state in made.values  # by what is added to it
