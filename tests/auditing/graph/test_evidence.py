"""What a predicate looks at, and for which amounts it chooses the other side."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from graphcount.auditing.context import Context
from graphcount.auditing.trigger.evidence import TriggerEvidence, answers_to_much
from graphcount.auditing.trigger.flow import Flow
from graphcount.auditing.trigger.predicates import find_predicates
from graphcount.auditing.trigger.selects import find_selects

Make = Callable[..., Context]
TENSORS = {
    "k": np.float32(2),
    "zero": np.float32(0),
    "steps": np.arange(6, dtype=np.float32),
    "pattern": np.array([3, 1, 4, 1, 5, 9], np.float32),
    "s": np.array([0]),
    "e": np.array([1]),
}


def evidence(nodes: str, context: Make) -> tuple[TriggerEvidence, set[str]]:
    made = context(f"(float[6] x) => (float[6] y) {{ {nodes} }}", TENSORS)
    flow = Flow(made)
    return TriggerEvidence(made, flow), find_predicates(flow)[0]


@pytest.mark.parametrize(
    ("nodes", "narrow", "reduced", "exact", "compared"),
    [
        ("y = Less(x, k)", False, False, False, (2,)),
        ("y = Equal(x, k)", False, False, True, (2,)),
        ("y = Equal(x, zero)", False, False, False, (0,)),
        ("a = Slice(x, s, e)\ny = Less(a, k)", True, False, False, (2,)),
        ("a = ReduceSum(x)\ny = Less(a, k)", False, True, False, (2,)),
        ("a = LpPool<kernel_shape = [6]>(x)\ny = Less(a, k)", False, True, False, (2,)),
        ("y = Less(x, pattern)", False, False, True, (3, 1, 4, 1, 5, 9)),
    ],
)
def test_what_a_predicate_looks_at(
    nodes: str, narrow: bool, reduced: bool, exact: bool, compared: tuple[float, ...], context: Make
) -> None:
    found, atoms = evidence(nodes, context)
    (atom,) = atoms
    trigger = found.trigger(atom, atoms)
    assert (trigger.narrow, trigger.reduced, trigger.exact) == (narrow, reduced, exact)
    assert trigger.compared == compared
    assert trigger.inputs == ("input:x",)
    assert atom in found.telling([atom], atoms)


@pytest.mark.parametrize("nodes", ["y = Less(x, steps)", "y = Relu(x)"])
def test_positions_and_steps_alone_make_no_trigger(nodes: str, context: Make) -> None:
    found, atoms = evidence(nodes, context)
    (atom,) = atoms
    assert found.trigger(atom, atoms).atoms == ()
    assert found.telling([atom], atoms) == set()


@pytest.mark.parametrize(
    ("condition", "much"),
    [
        ("p = Greater(x, k)", True),
        ("p = Less(x, k)", False),
        ("p = Less(k, x)", True),
        ("p = GreaterOrEqual(k, x)", False),
        ("q = Less(x, k)\np = Not(q)", True),
        ("q = Greater(x, k)\nr = Not(q)\np = Not(r)", True),
        ("q = Less(x, k)\nf = Cast<to = 1>(q)\ng = Sub(k, f)\np = Cast<to = 9>(g)", True),
    ],
)
def test_the_amount_that_chooses_the_first_value(condition: str, much: bool, context: Make) -> None:
    """`Where(p, other, kept)`: the other side goes on where p holds."""
    found, atoms = evidence(f"{condition}\nm = Tanh(x)\ny = Where(p, zero, m)", context)
    predicates = find_predicates(found.flow)[1]
    (select,) = (
        one for one in find_selects(found.flow, predicates) if one.kept[0].startswith("Tanh")
    )
    trigger = found.trigger(select.predicate, atoms)
    assert answers_to_much(found, select, trigger) == much
