"""Places where a predicate chooses between values: Where, If, masks, indices, loops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from graphcount.auditing.trigger.flow import Flow
from graphcount.ops import Operator, Role

MULTIPLYING = frozenset({"Mul", "Div", "Pow", "And", "BitwiseAnd"})
"""Policy: a predicate here keeps the other operand or wipes it out."""

ADDING = frozenset(
    {
        *("Add", "Sub", "Sum", "Max", "Min", "Mean", "Or", "Xor", "BitwiseOr", "BitwiseXor"),
        *("Mod", "Clip"),
    }
)
"""Policy: something that a predicate decides is put on top of the other operand here."""

JOINING = frozenset({"Concat", "SequenceConstruct"})
"""Policy: values that are joined here can be chosen among by an index."""

ADDENDS: frozenset[Role] = frozenset({"bias", "quantized bias", "slope"})
"""Roles of inputs that are added to what an operator makes (or turn it down)."""

MAX_MOVES = 8
"""Operators that may stand between values that are joined and the choice among them."""


class Select(NamedTuple):
    """One choice.

    Attributes:
        node: Where it is made.
        form: `select` (one of two values), `mask` (a value or nothing), `sum` (a value with
            something put on top).
        predicate: Node that decides.
        kept: Nodes whose value goes on in the one case.
        other: Nodes whose value goes on in the other; empty for nothing.
        when: What the predicate says in the other case; None where that is not clear.
    """

    node: str
    form: str
    predicate: str
    kept: tuple[str, ...]
    other: tuple[str, ...]
    when: bool | None = None


def find_selects(flow: Flow, predicates: set[str]) -> Iterator[Select]:
    """Yield every place where a predicate meets a value it does not decide alone, in order.

    Where two values can go on, each of them is once the one that is kept.
    """
    gated: dict[str, str] = {}
    reading = {use.node for node in predicates for use in flow.graph.readers(node)}
    for node in flow.order:
        if node not in reading or node in predicates or node not in flow.values:
            continue
        yield from _at(flow, node, predicates, gated)
        if node in gated:  # what a mask gave can be put on top of something
            reading.update(use.node for use in flow.graph.readers(node))


def _at(flow: Flow, node: str, predicates: set[str], gated: dict[str, str]) -> Iterator[Select]:
    """Yield the choices at one node."""
    op_type, operator, sources = flow.op(node), flow.operator(node), flow.sources(node)
    if op_type == "Where" and sources.get(0) in predicates:
        yield from _both_ways(node, sources[0], (sources.get(1),), (sources.get(2),))
        if any(_is_stored(flow, sources.get(index)) for index in (1, 2)):
            gated[node] = sources[0]
    elif op_type == "If" and sources.get(0) in predicates:
        bodies: dict[str, list[str | None]] = {}
        for (body, _), producer in flow.results(node).items():
            bodies.setdefault(body, []).append(producer)
        then, other = bodies.get("then_branch", []), bodies.get("else_branch", [])
        yield from _both_ways(node, sources[0], tuple(then), tuple(other))
    elif op_type == "Loop" and (sources.get(0) in predicates or sources.get(1) in predicates):
        yield from _looped(flow, node, predicates)
    elif op_type in MULTIPLYING or op_type in ADDING:
        yield from _arithmetic(flow, node, op_type, predicates, gated)
    elif (put := sources.get(_addend(operator))) in predicates and put is not None:
        kept = tuple(source for source in sources.values() if source != put)
        yield Select(node, "sum", put, kept, (put,))
    elif "picks" in operator.traits:
        yield from _indexed(flow, node, predicates)
    elif "writes" in operator.traits and 0 in sources:
        deciding = [source for i, source in sources.items() if i and source in predicates]
        if deciding:
            yield Select(node, "sum", deciding[0], (sources[0],), tuple(deciding))


def _addend(operator: Operator) -> int:
    """Return the input that an operator adds to what it makes; -1 for none."""
    return next((i for i, role in enumerate(operator.roles) if role in ADDENDS), -1)


def _both_ways(
    node: str, predicate: str, one: tuple[str | None, ...], two: tuple[str | None, ...]
) -> Iterator[Select]:
    first = tuple(name for name in one if name is not None)
    second = tuple(name for name in two if name is not None)
    yield Select(node, "select", predicate, first, second, when=False)
    yield Select(node, "select", predicate, second, first, when=True)


def _looped(flow: Flow, node: str, predicates: set[str]) -> Iterator[Select]:
    """Yield what the trips make or what was before; and what was before, or stored numbers."""
    sources, results = flow.sources(node), flow.results(node)
    predicate = sources[0] if sources.get(0) in predicates else sources[1]
    begin = tuple(source for index, source in sources.items() if index > 1)
    yield Select(node, "select", predicate, tuple(results.values()), begin, False)
    for (_, position), producer in results.items():
        before = sources.get(position + 1)  # result 0 is the condition, state 0 is input 2
        if position and before in flow.values and _is_stored(flow, producer):
            yield Select(node, "select", predicate, (before,), (producer,), True)


def _arithmetic(
    flow: Flow, node: str, op_type: str, predicates: set[str], gated: dict[str, str]
) -> Iterator[Select]:
    """Yield a mask, or something put on top; what a mask gives is `gated` by its predicate."""
    operands = flow.graph.producers(node)
    deciding = [operand for operand in operands if operand in predicates]
    others = tuple(
        operand for operand in operands if operand in flow.values and operand not in predicates
    )
    if op_type in MULTIPLYING and deciding and others:
        gated[node] = deciding[0]
        yield Select(node, "mask", deciding[0], others, (), when=False)
    elif op_type in ADDING and deciding and others:
        yield Select(node, "sum", deciding[0], others, tuple(deciding))
    elif op_type in ADDING:
        for operand in others:
            rest = tuple(other for other in others if other != operand)
            if operand in gated and operand in flow.deep and rest:
                yield Select(node, "sum", gated[operand], rest, (operand,))


def _indexed(flow: Flow, node: str, predicates: set[str]) -> Iterator[Select]:
    """Yield choices by index: among values that were joined before."""
    sources = flow.sources(node)
    deciding = [source for index, source in sources.items() if index and source in predicates]
    data = sources.get(0)
    for _ in range(MAX_MOVES):
        if not deciding or data is None or flow.op(data) in JOINING:
            break
        data = flow.sources(data).get(0) if 0 in flow.operator(data).passes else None
    if not deciding or data is None or flow.op(data) not in JOINING:
        return
    joined = flow.graph.producers(data)
    for kept in joined:
        rest = tuple(other for other in joined if other != kept)
        if rest:
            yield Select(node, "select", deciding[0], (kept,), rest)


def _is_stored(flow: Flow, node: str | None) -> bool:
    """Return whether no input decides a value."""
    return node is not None and node not in flow.values
