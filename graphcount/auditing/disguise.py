"""Weights in disguise: products whose stored operand holds few numbers that count as parameters.

An operand of a product is followed back to what the file stores or draws from a seed, over
everything that depends on no input. Where most of it is no parameter and comes there over
operators that make numbers of it (a sum, a look-up, a cast of text), it does a weight's work under
another name. Floats that come to a product as they are stored are what their kind says: filters,
frequencies, spectra.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from graphcount.analysis.counts import Row
from graphcount.analysis.folded import drawn
from graphcount.analysis.operand_elements import NumberSource, reads
from graphcount.analysis.verdict import LEARNED_ROLES
from graphcount.auditing.context import Context
from graphcount.auditing.trigger.flow import WorkBudget
from graphcount.dtypes import BY_NAME
from graphcount.graph import GraphNode, ModelGraph, OperatorNode, Use, is_constant, traits_of

LEAST = 1024
"""Numbers of a disguise that is reported; masks, frequencies and grids of small models are less."""

UNPACKING = frozenset({"BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor"})
"""Policy: with what quantizers take integers apart."""


class Disguise(NamedTuple):
    """One operand of a product that is made of other numbers than parameters.

    Attributes:
        node: Id of the product.
        operand: Which of its inputs.
        elements: Numbers it is made of that are no parameters.
        parameters: Numbers it is made of that are.
        kinds: The former by what they count as.
        path: Names of the largest tensor (or the node that draws it), of nodes, of the product.
        as_quantizers_write: The largest tensor has integers that are looked up in a table, or taken
            apart by bits.
    """

    node: str
    operand: int
    elements: int
    parameters: int
    kinds: Mapping[str, int]
    path: tuple[str, ...]
    as_quantizers_write: bool


def find_disguises(context: Context) -> Iterator[Disguise]:
    """Yield every operand in disguise, each once however many products share it.

    Raises:
        LimitError: They are too entangled to follow.
    """
    operands = context.operands
    if not operands.constant:
        return
    held: dict[str, list[NumberSource]] = {}
    random = drawn(operands, context.shapes) if operands.open and context.shapes else []
    for source in (*operands.sources, *random):
        for origin in source.origins:
            if origin in operands.constant:
                held.setdefault(origin, []).append(source)
    budget, seen = WorkBudget(), set[str]()
    for node in context.graph.operators:
        if node.id not in operands.influential or node.id in operands.constant:
            continue
        for use in context.graph.operands(node.id):
            if (
                use.producer in operands.constant
                and use.producer not in seen
                and _weighs(node, use)
            ):
                seen.add(use.producer)
                disguise = _judged(context, use, held, budget)
                if disguise is not None:
                    yield disguise


def _weighs(node: OperatorNode, use: Use) -> bool:
    """Return whether a weight may enter there: a product, a sum, a table that is looked up."""
    operator, index = node.operator, use.index
    if operator is None or index is None:
        return False
    role = operator.role(index)
    if role in LEARNED_ROLES:
        return True
    return role in ("operand", "data", None) and (
        operator.multiplies or "arithmetic" in operator.traits
    )


class _Link(NamedTuple):
    """A node on the way back from an operand.

    Attributes:
        node: Its id.
        after: Step towards the product; None for the operand itself.
        changed: Numbers are made of others between here and the product.
        unpacked: They are looked up, or taken apart by bits.
    """

    node: str
    after: _Link | None
    changed: bool
    unpacked: bool


def _judged(
    context: Context, use: Use, held: Mapping[str, list[NumberSource]], budget: WorkBudget
) -> Disguise | None:
    """Return what is in disguise in one operand; None where parameters are most of it."""
    graph, constant = context.graph, context.operands.constant
    queue = deque([_Link(use.producer, None, changed=False, unpacked=False)])
    seen = {use.producer}
    learned, hidden = 0, list[tuple[NumberSource, _Link]]()
    while queue:
        step = queue.popleft()
        node = graph.nodes[step.node]
        computes = node.kind == "operator" and not is_constant(node)
        for source in held.get(step.node, ()):
            if source.row is not None and source.row.verdict.kind == "parameter":
                learned += source.elements
            elif _bears(node, source.row) and (
                step.changed or computes or not _is_float(source.row)
            ):
                hidden.append((source, step))
        for way in reads(graph, node):
            budget.spend(1)
            if way.producer in constant and way.producer not in seen:
                seen.add(way.producer)
                queue.append(_before(node, way, step))
    elements = sum(source.elements for source, _ in hidden)
    if elements < LEAST or learned >= elements:
        return None
    return _disguise(graph, use, learned, hidden)


def _before(node: GraphNode, way: Use, step: _Link) -> _Link:
    """Return the step before a node, over one of its operands."""
    operator, index = node.operator, way.index
    if operator is None or index is None:
        return _Link(way.producer, step, step.changed, step.unpacked)
    moved = index in operator.passes or "renames" in operator.traits
    joined = "keeps values" in operator.traits and not operator.lookups
    looked_up = any(index == indices for indices, _ in operator.lookups)
    return _Link(
        way.producer,
        step,
        step.changed or not (moved or joined),
        step.unpacked or looked_up or node.op_type in UNPACKING,
    )


def _disguise(
    graph: ModelGraph, use: Use, learned: int, hidden: list[tuple[NumberSource, _Link]]
) -> Disguise:
    """Return the record, with the way of the largest source."""
    kinds: dict[str, int] = {}
    for source, step in hidden:
        kind = _kind(source, graph.nodes[step.node])
        kinds[kind] = kinds.get(kind, 0) + source.elements
    largest, step = max(hidden, key=lambda pair: pair[0].elements)
    path = [] if largest.row is None else [largest.row.stored.name]
    walked: _Link | None = step if largest.row is None else step.after
    while walked is not None:
        path.append(walked.node)
        walked = walked.after
    return Disguise(
        use.node,
        use.index or 0,
        sum(kinds.values()),
        learned,
        kinds,
        (*path, use.node),
        step.unpacked and _is_integer(largest),
    )


def _kind(source: NumberSource, node: GraphNode) -> str:
    """Return what numbers count as."""
    if source.row is not None:
        return source.row.verdict.kind
    return "generated" if "random" in traits_of(node) else "in an attribute"


def _bears(node: GraphNode, row: Row | None) -> bool:
    """Return whether numbers may be any: a range is what its ends say."""
    return row is not None or "random" in traits_of(node) or "generates" not in traits_of(node)


def _is_float(row: Row | None) -> bool:
    dtype = BY_NAME.get(row.stored.dtype) if row is not None else None
    return dtype is not None and dtype.family == "float"


def _is_integer(source: NumberSource) -> bool:
    dtype = BY_NAME.get(source.row.stored.dtype) if source.row is not None else None
    return dtype is not None and dtype.family == "int"
