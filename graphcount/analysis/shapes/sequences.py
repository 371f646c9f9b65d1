"""Sequences and optional values: what they hold is kept beside the shapes of tensors."""

from __future__ import annotations

from graphcount.analysis.shapes.state import State, ValueKey
from graphcount.graph import Body, OperatorNode
from graphcount.loading.model import Node
from graphcount.ops import Operator
from graphcount.ops.call import Elements, Facts, Made
from graphcount.ops.inference import CANNOT
from graphcount.ops.sequences import repeated


def held(state: State, sources: list[ValueKey | None]) -> tuple[Elements | None, ...]:
    """Return what each of some values holds, None for a tensor or where it is not known."""
    return tuple(state.elements.get(key) if key is not None else None for key in sources)


def made(state: State, node: OperatorNode, operator: Operator, facts: Facts) -> list[Made]:
    """Return the tensors that an operator makes; what others hold is kept."""
    rule, outputs = operator.elements, node.record.outputs
    results: list[Elements | Made | None] = []
    if rule is not None:
        try:
            results = rule(facts, held(state, state.sources(node.id, len(facts.inputs))))
        except CANNOT:
            results = []
    tensors: list[Made] = []
    for name, result in zip(outputs, results, strict=False):
        if isinstance(result, Elements):
            state.elements[node.id, name] = result
        tensors.append(result if isinstance(result, Made) else Made(None))
    return tensors


def renamed(state: State, node: OperatorNode) -> None:
    """Keep what a value holds that an operator passes on under another name."""
    (before,) = held(state, state.sources(node.id, 1))
    if before is not None:
        state.elements[node.id, node.record.outputs[0]] = before


def chosen(state: State, key: ValueKey, branches: list[ValueKey | None], taken: int | None) -> None:
    """Keep what an If returns: of the branch that is taken, or where both return the same."""
    yes, no = held(state, branches)
    result = (yes, no)[taken] if taken is not None else yes if yes == no else None
    if result is not None:
        state.elements[key] = result


# ------------------------------------------------------------------------------- SequenceMap


def mapped_input(state: State, body: Body, position: int) -> Made:
    """Return what enters the body of a SequenceMap: an element, or a tensor that all share."""
    count = len(body.node.record.inputs)
    sources = state.sources(body.node.id, count)
    source = sources[position] if position < count else None
    (before,) = held(state, [source])
    if before is not None:
        return Made(before.common, before.dtype)
    return Made(state.shape(source), state.dtypes.get(source, 0) if source is not None else 0)


def mapped(state: State, node_id: str, node: Node) -> None:
    """Keep what the results of a SequenceMap hold, and how often its body runs."""
    (first,) = held(state, state.sources(node_id, 1)) or (None,)
    state.trips[node_id] = length = first.length if first is not None else None
    for position, key in state.results(node_id, "body").items():
        if position < len(node.outputs):
            shape, dtype = state.shapes.get(key), state.dtypes.get(key, 0)
            state.elements[node_id, node.outputs[position]] = repeated(length, shape, dtype)
