"""What a comparison decides alone, followed by hand through small graphs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from graphcount.auditing.trigger.flow import Flow
from graphcount.auditing.trigger.predicates import find_predicates

MakeFlow = Callable[..., Flow]


@pytest.mark.parametrize(
    ("nodes", "atoms", "predicates"),
    [
        ("y = Relu(x)", {"Relu#0"}, {"Relu#0"}),  # a step of numbers
        ("y = Tanh(x)", set(), set()),
        ("a = Equal(x, k)\ny = Not(a)", {"Equal#0"}, {"Equal#0", "Not#1"}),
        ("a = Less(x, k)\nb = Cast<to = 1>(a)\ny = Mul(b, x)", {"Less#0"}, {"Less#0", "Cast#1"}),
        (
            "a = Less(x, k)\nb = Cast<to = 1>(a)\ny = Erf(b)",
            {"Less#0"},
            {"Less#0", "Cast#1", "Erf#2"},
        ),
        ("a = Less(x, k)\nb = Cast<to = 1>(a)\ny = MatMul(b, w)", {"Less#0"}, {"Less#0", "Cast#1"}),
        (
            "a = Less(x, k)\nb = Cast<to = 1>(a)\nc = Neg(x)\ny = Add(b, c)",
            {"Less#0"},
            {"Less#0", "Cast#1"},
        ),
        ("a = MatMul(x, w)\ny = Less(a, k)", set(), set()),  # behind the layer
        ("a = acme.Less(x, k)\ny = Not(a)", set(), set()),
    ],
)
def test_what_a_comparison_decides(
    nodes: str, atoms: set[str], predicates: set[str], flow: MakeFlow
) -> None:
    tensors = {"k": np.float32(2), "w": np.ones((3, 3), np.float32)}
    found = find_predicates(flow(f"(float[3] x) => (float[3] y) {{ {nodes} }}", tensors))
    assert (found[0], found[1] - {"output:y"}) == (atoms, predicates)
