"""Where a predicate chooses, by what goes on in either case."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from graphcount.auditing.trigger.flow import Flow
from graphcount.auditing.trigger.predicates import find_predicates
from graphcount.auditing.trigger.selects import find_selects

MakeFlow = Callable[..., Flow]
HEAD = "p = Less(x, k)\nf = Cast<to = 1>(p)\ni = Cast<to = 7>(p)\nm = Tanh(x)\nn = Exp(x)\n"
P, F, COUNT, M, N = "Less#0", "Cast#1", "Cast#2", "Tanh#3", "Exp#4"


@pytest.mark.parametrize(
    ("node", "choices"),
    [
        ("Where(p, m, n)", {("select", P, (M,), (N,)), ("select", P, (N,), (M,))}),
        ("Mul(f, m)", {("mask", F, (M,), ())}),
        ("Add(m, f)", {("sum", F, (M,), (F,))}),
        ("Add(m, n)", set()),
        ("PRelu(m, f)", {("sum", F, (M,), (F,))}),
        ("Gemm(m, n, f)", {("sum", F, (M, N), (F,))}),
        ("com.microsoft.FusedGemm(m, n, f)", {("sum", F, (M, N), (F,))}),
        ("ScatterElements(m, i, n)", {("sum", COUNT, (M,), (COUNT,))}),
        ("Gather(m, i)", set()),  # of one value, nothing was joined
        ("acme.Where(p, m, n)", set()),
    ],
)
def test_choices(node: str, choices: set[tuple[object, ...]], flow: MakeFlow) -> None:
    made = flow(f"(float[3,3] x) => (float[3,3] y) {{ {HEAD} y = {node} }}", {"k": np.float32(1)})
    found = find_selects(made, find_predicates(made)[1])
    assert {(one.form, one.predicate, one.kept, one.other) for one in found} == choices


@pytest.mark.parametrize("moved", ["", "c = Transpose(j)", "c = Reshape(j, s)", "c = Identity(j)"])
def test_an_index_chooses_among_what_was_joined_before(moved: str, flow: MakeFlow) -> None:
    value = "c" if moved else "j"
    nodes = f"{HEAD} j = Concat<axis = 0>(m, n)\n{moved}\ny = Gather({value}, i)"
    made = flow(
        f"(float[3,3] x) => (float[N] y) {{ {nodes} }}",
        {"k": np.float32(1), "s": np.array([6, 3])},
    )
    found = list(find_selects(made, find_predicates(made)[1]))
    assert {(one.kept, one.other) for one in found} == {((M,), (N,)), ((N,), (M,))}
    assert {one.predicate for one in found} == {COUNT}
