"""Whether the other side of a choice is taken when the input has much of something, or little."""

from __future__ import annotations

from graphcount.auditing.trigger.evidence import Evidence, Trigger
from graphcount.auditing.trigger.selects import Select

LARGER = frozenset({"Greater", "GreaterOrEqual"})
SMALLER = frozenset({"Less", "LessOrEqual"})
TURNING = frozenset({"Not", "Neg"})
MAX_STEPS = 64


def answers_to_much(evidence: Evidence, select: Select, trigger: Trigger) -> bool:
    """True where it is clear that the other side goes on when the compared amount is large."""
    if select.when is None or len(trigger.atoms) != 1:
        return False
    truth = _at_atom(evidence, select.predicate, trigger.atoms[0], select.when)
    if truth is None:
        return False
    flow, atom = evidence.flow, trigger.atoms[0]
    first_varies = flow.sources(atom).get(0) in flow.values
    op_type = flow.op(atom)
    if op_type in LARGER:
        return truth == first_varies
    if op_type in SMALLER:
        return truth != first_varies
    return op_type == "Equal" and not truth  # with zero: else the trigger is an exact one


def _at_atom(evidence: Evidence, predicate: str, atom: str, truth: bool) -> bool | None:
    """What the comparison says when the predicate says `truth`; None where the way branches."""
    flow = evidence.flow
    node = predicate
    for _ in range(MAX_STEPS):
        if node == atom:
            return truth
        deciding = [source for source in flow.graph.producers(node) if source in flow.values]
        if len(deciding) != 1:
            return None
        op_type = flow.op(node)
        sources = flow.sources(node)
        if op_type in TURNING or (op_type == "Sub" and sources.get(1) == deciding[0]):
            truth = not truth
        elif op_type == "Equal":
            others = [source for source in sources.values() if source != deciding[0]]
            numbers = evidence.constant(others)
            if not numbers or len(set(numbers)) != 1:
                return None
            truth = truth if numbers[0] else not truth
        elif op_type in SMALLER:
            truth = truth if sources.get(1) == deciding[0] else not truth
        node = deciding[0]
    return None
