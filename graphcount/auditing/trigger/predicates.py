"""Values that are yes or no by a comparison of input numbers, however they are passed on."""

from __future__ import annotations

from collections.abc import Sequence

from graphcount.auditing.trigger.flow import UNKNOWN, Flow
from graphcount.ops import Operator

BOOL = 9

TESTS = frozenset({"IsNaN", "IsInf", "Sign", "RegexFullMatch", "Binarizer", "LabelEncoder"})
"""Policy: what makes a yes or no, a sign or a code of one operand can stand for a comparison."""

STEPS = frozenset(
    {
        *("Clip", "Relu", "Floor", "Ceil", "Round", "HardSigmoid", "Hardmax", "ThresholdedRelu"),
        *("Shrink", "Sigmoid"),
    }
)
"""Policy: what makes steps of numbers is enough to write a comparison without one."""

MAX_ROUNDS = 8


def find_predicates(flow: Flow) -> tuple[set[str], set[str]]:
    """Return comparisons of input numbers, and everything that they and constants alone decide.

    Nodes behind a layer are left out: they judge what the model computed, not what it was given.
    """
    shallow = {node for node in flow.values if node not in flow.deep}
    atoms = {node for node in shallow if _is_atom(flow, node)}
    if not atoms:
        return set(), set()
    states = {state for fed in flow.back.values() for state in fed} & shallow
    for _ in range(MAX_ROUNDS):
        predicates = _propagated(flow, shallow, atoms, states)
        wrong = {
            state
            for producer, fed in flow.back.items()
            for state in fed
            if state in states and producer in flow.values and producer not in predicates
        }
        if not wrong:
            break
        states -= wrong
    # what compares nothing but other predicates is no beginning
    first = {
        atom
        for atom in atoms
        if any(node in flow.values and node not in predicates for node in flow.before(atom))
    }
    return first, predicates


def _is_atom(flow: Flow, node: str) -> bool:
    op_type = flow.op(node)
    if "compares" in flow.operator(node).traits or op_type in TESTS or op_type in STEPS:
        return True
    if op_type == "Gather":  # a stored table of yes and no
        table = flow.nodes[flow.sources(node).get(0, node)]
        return table.kind == "initializer" and table.data_type == BOOL
    if op_type == "Cast":
        return flow.record(node).integer("to", 0) == BOOL
    return False


def _propagated(flow: Flow, shallow: set[str], atoms: set[str], states: set[str]) -> set[str]:
    predicates: set[str] = set()
    for node in flow.order:
        if node not in shallow:
            continue
        if node in atoms or (node in states and _fed_by(flow, node, predicates)):
            predicates.add(node)
        elif flow.nodes[node].kind == "input":
            sources = flow.graph.producers(node)
            if sources and all(source in predicates for source in sources) and node not in states:
                predicates.add(node)
        elif _passes_on(flow.operator(node)) and _fed_by(flow, node, predicates):
            predicates.add(node)
    return predicates


def _passes_on(operator: Operator) -> bool:
    """Return whether what predicates and constants alone decide is a predicate behind an operator.

    It is behind every one that is known, but for layers: what these make is the model's answer.
    """
    return operator is not UNKNOWN and (not operator.multiplies or operator.family == "einsum")


def _fed_by(flow: Flow, node: str, predicates: set[str]) -> bool:
    """Return whether only predicates and constants decide a node; of a state, where it begins."""
    if flow.operator(node).is_control_flow:
        sources: Sequence[str] = list(flow.results(node).values())
        if flow.op(node) == "If":
            sources = [
                *sources,
                *(source for index, source in flow.sources(node).items() if index == 0),
            ]
    else:
        sources = flow.graph.producers(node)
    deciding = [source for source in sources if source in flow.values]
    if flow.nodes[node].kind == "input":  # a state: its beginning may be a constant
        return all(source in predicates for source in deciding)
    return bool(deciding) and all(source in predicates for source in deciding)
