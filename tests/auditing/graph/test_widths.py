"""Elements a sample through which a value depends on inputs, counted by hand in small graphs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from graphcount.auditing.trigger.widths import DYNAMIC, FEW, STRING, Widths

Make = Callable[..., Widths]
TENSORS = {
    "k": np.array([5], np.int64),
    "starts": np.array([0, 0], np.int64),
    "ends": np.array([3, 3], np.int64),
    "hw": np.array([2, 3], np.int64),
    "wide": np.ones((1, 128), np.float32),
    "places": np.arange(400, dtype=np.int64),
    "back": np.array([-1, 8], np.int64),
    "i0": np.int64(0),
    "i1": np.int64(1),
    "f0": np.float32(0),
    "trips": np.int64(400),
    "once": np.int64(1),
}
PICTURE = "(float[B,3,16,16] x) => (float[N] y)"


@pytest.mark.parametrize(
    ("signature", "nodes", "width"),
    [
        (PICTURE, "y = Relu(x)", 3 * 16 * 16),
        (PICTURE, "y = Slice(x, starts, ends, hw)", 3 * 3 * 3),
        (PICTURE, "y = ReduceMean(x)", 1),
        # spread over 128 elements, it is still one
        (PICTURE, "a = ReduceSum<keepdims=0>(x)\ny = Mul(a, wide)", 1),
        (PICTURE, "a = ReduceSum(x)\nb = ReduceMax(x)\ny = Add(a, b)", 1),
        (PICTURE, "a = ReduceSum(x)\nb = ReduceMax(x)\ny = Concat<axis=1>(a, b)", 2),
        # the batch is no width, whether it has a name or a number
        ("(float[8,6] x) => (float[N] y)", "y = Relu(x)", 6),
        ("(float[T] x) => (float[N] y)", "y = Relu(x)", DYNAMIC),
        ("(int64[B,T] x) => (float[N] y)", "y = Identity(x)", DYNAMIC),
        ("(string[1] x) => (string[N] y)", "y = Identity(x)", STRING),
        # however many the data leave over, all of them come from one
        (PICTURE, "a = ReduceSum<keepdims=0>(x)\ny = NonZero(a)", 1),
        # what is set beside positions makes a mask
        (
            "(int64[B,T] x) => (bool[N] y)",
            "a = ReduceMax<keepdims=0>(x)\ny = Less(places, a)",
            400,
        ),
        ("(int64[B,T] x) => (bool[N] y)", "a = ReduceMax<keepdims=0>(x)\ny = Less(k, a)", 1),
        # another shape, the same elements, whatever a shape that does not fit says
        ("(float[B,T,8] x) => (float[N] y)", "y = Reshape(x, back)", DYNAMIC * 8),
    ],
)
def test_widths(signature: str, nodes: str, width: int, widths: Make) -> None:
    made = widths(f"{signature} {{ {nodes} }}", TENSORS)
    (use,) = made.flow.graph.operands("output:y")
    assert made.width(use) == width


@pytest.mark.parametrize(("trips", "narrow"), [("trips", False), ("once", True)])
def test_what_a_counter_picks_is_all_of_it_in_time(trips: str, narrow: bool, widths: Make) -> None:
    text = f"""(float[1,400] x) => (float[N] y, float[N] s) {{
        y, s = Loop({trips}, , f0) < body = b (int64 i, bool c, float a)
            => (bool c2, float a2, float g) {{
                c2 = Identity(c)
                g = Gather<axis=1>(x, i)
                h = Squeeze(g)
                a2 = Add(a, h) }} > }}"""
    made = widths(text, TENSORS)
    (gather,) = [node for node in made.flow.order if made.flow.op(node) == "Gather"]
    (use,) = [use for use in made.flow.graph.readers(gather) if made.flow.op(use.node) == "Squeeze"]
    assert made.is_narrow(use) == narrow
    assert made.width(made.flow.graph.operands("output:y")[0]) == 1


@pytest.mark.parametrize(
    ("columns", "narrow"), [(2, False), (3, False), (4, True), (FEW * 4, True)]
)
def test_few_elements_of_an_input_of_few_are_no_cut(
    columns: int, narrow: bool, widths: Make
) -> None:
    text = f"(float[B,{columns}] x) => (float[B,1] y) {{ y = Gather<axis=1>(x, k0) }}"
    made = widths(text, {"k0": np.array([1])})
    (use,) = made.flow.graph.operands("output:y")
    assert made.is_narrow(use) == narrow


def test_what_is_public_and_what_is_behind_the_trunk(widths: Make) -> None:
    """A filter of its own is no trunk; the block that weighs channels is behind one."""
    text = """(float[B,3,16,16] x) => (float[B,4] y) {
        seen = Conv<kernel_shape=[2,2]>(x, own)
        most = ReduceMax<keepdims=0>(seen, axes)
        c1 = Conv<kernel_shape=[3,3]>(x, stem)
        pooled = GlobalAveragePool(c1)
        weighed = Mul(c1, pooled)
        g = GlobalAveragePool(weighed)
        f = Flatten(g)
        logits = MatMul(f, head)
        m = Unsqueeze(most, axis1)
        y = Add(logits, m) }"""
    random = np.random.default_rng(1)
    tensors = {
        "own": random.normal(size=(1, 3, 2, 2)).astype(np.float32),
        "stem": random.normal(size=(64, 3, 3, 3)).astype(np.float32),
        "head": random.normal(size=(64, 4)).astype(np.float32),
        "axes": np.array([1, 2, 3], np.int64),
        "axis1": np.array([1], np.int64),
    }
    made = widths(text, tensors)
    assert {"input:x", "Conv#2", "Mul#4", "MatMul#7"} <= made.public
    assert {"Conv#0", "ReduceMax#1", "Unsqueeze#8"}.isdisjoint(made.public)
    assert {"Conv#2", "GlobalAveragePool#3", "Mul#4", "Add#9"} <= made.trunk
    assert {"Conv#0", "ReduceMax#1", "Unsqueeze#8"}.isdisjoint(made.trunk)
