"""What a forward pass costs: MACs and element-wise work of every node, times how often it runs.

The body of a Loop or Scan counts once for each trip; of an If, the most expensive branch counts.
What a node contributes is what it adds to the total, so nodes sum to the totals: a node in the
cheaper branch of an If contributes nothing. Where trips are not known a body counts once, and an
operator without a formula or with an unknown shape counts nothing: the totals are lower bounds
then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from graphcount.analysis.shapes import ValueShapes
from graphcount.domains import operator_name
from graphcount.errors import Unknown
from graphcount.graph import ModelGraph
from graphcount.ops.call import Call
from graphcount.ops.cost import NO_RULES, Cost, CostRule, cost
from graphcount.ops.operator import Key
from graphcount.symbolic import Dim, TooComplexError, evaluate

PROBE = 64
"""Dimensions take this value where two symbolic branches have to be compared."""


class NodeCost(NamedTuple):
    """What one node contributes to the totals; None where it is not known.

    Attributes:
        macs: Multiply-accumulates.
        elementwise: Element-wise operations.
        times: How often the node runs: trips of its loops; 0 in the cheaper branch of an If.
    """

    macs: Dim | None
    elementwise: Dim | None
    times: Dim


class ModelCost(NamedTuple):
    """Cost of a model.

    Attributes:
        nodes: By id of the operator.
        macs: Sum over the nodes; a lower bound when anything is unknown.
        elementwise: The same for element-wise work.
        unknowns: What is not known, one entry a cause.
    """

    nodes: dict[str, NodeCost]
    macs: Dim
    elementwise: Dim
    unknowns: tuple[Unknown, ...]


def model_cost(
    model_graph: ModelGraph,
    shapes: ValueShapes,
    more: Mapping[Key, CostRule] = NO_RULES,
    *,
    with_bias: bool = False,
) -> ModelCost:
    """Add up a forward pass; `more` are rules for operators that the program does not know.

    With `with_bias`, MACs have the additions of biases too, as torchinfo counts them.

    Nodes whose calls are the same cost the same: each call is worked out once, and each sum takes
    it once, times its nodes.
    """
    scopes = model_graph.scopes
    places = {
        node.id: (shapes.calls(node.id), scopes.get(node.scope, ""))
        for node in model_graph.operators
    }
    uses = Counter(places.values())
    single = {call: cost(call, more) for call in dict.fromkeys(call for call, _ in uses)}
    times, unknowns = _times(model_graph, shapes, uses, single)
    made = {
        (call, scope): _contribution(single[call] or NOT_KNOWN, times[scope], with_bias)
        for call, scope in uses
    }
    macs, lost_macs = _total((made[place].macs, count) for place, count in uses.items())
    work, lost_work = _total((made[place].elementwise, count) for place, count in uses.items())
    unknowns += _unknown_operators(uses, single)
    unknowns += _unknown_shapes(places, made, single)
    unknowns += _unknown_sums(macs=lost_macs, elementwise=lost_work)
    nodes = {node: made[place] for node, place in places.items()}
    return ModelCost(nodes, macs, work, tuple(unknowns))


NOT_KNOWN = Cost(None, None, None)


def _contribution(cost: Cost, times: Dim, with_bias: bool) -> NodeCost:
    """Return what a node adds that runs several times."""
    macs = _scaled(cost.macs, times)
    if with_bias and macs is not None and (bias := _scaled(cost.bias, times)) is not None:
        macs = _sum(macs, bias)
    return NodeCost(macs, _scaled(cost.elementwise, times), times)


def _total(parts: Iterable[tuple[Dim | None, int]]) -> tuple[Dim, int]:
    """Return the sum of what is known, and for how many nodes it got too long."""
    total: Dim = 0
    lost = 0
    for part, count in parts:
        if part is None or part == 0:
            continue
        longer = _sum(total, part * count)
        if longer is None:
            lost += count
        else:
            total = longer
    return total, lost


def _scaled(part: Dim | None, factor: Dim | None) -> Dim | None:
    """Return the product; None when a factor is not known, or when it gets too long."""
    if part is None or factor is None:
        return None
    try:
        return part * factor
    except TooComplexError:
        return None


def _sum(a: Dim, b: Dim) -> Dim | None:
    """Return the sum; None when it gets too long."""
    try:
        return a + b
    except TooComplexError:
        return None


# ----------------------------------------------------------------------------- how often things run


BodyCall: TypeAlias = "tuple[Call, str]"
"""What runs and in which body: nodes that share both contribute the same."""


def _times(
    graph: ModelGraph,
    shapes: ValueShapes,
    uses: Mapping[BodyCall, int],
    single: Mapping[Call, Cost | None],
) -> tuple[dict[str, Dim], list[Unknown]]:
    """Return how often each body runs, by its scope; the main graph runs once."""
    totals = _body_totals(graph, shapes, uses, single)
    times: dict[str, Dim] = {"": 1}
    unknowns: list[Unknown] = []
    for id, bodies in graph.control_flow.items():  # outer ones first
        node, scopes = bodies[0].node, [body.scope for body in bodies]
        outer = times[graph.scopes.get(node.scope, "")]
        if node.op_type == "If":
            most_expensive = max(scopes, key=lambda scope: _probe(totals.get(scope, 0)))
            times.update({scope: outer if scope == most_expensive else 0 for scope in scopes})
            continue
        runs = _scaled(outer, shapes.trips.get(id))
        if runs is None:
            why = f"the number of trips of {node.op_type} is not known; its body counts once"
            unknowns.append(Unknown(id, "trip count", why, "cost"))
            runs = outer
        times.update(dict.fromkeys(scopes, runs))
    return times, unknowns


def _body_totals(
    graph: ModelGraph,
    shapes: ValueShapes,
    uses: Mapping[BodyCall, int],
    single: Mapping[Call, Cost | None],
) -> dict[str, Dim]:
    """Return the MACs of one run of each body, those inside too, for the branches' costs."""
    totals: dict[str, Dim] = {}
    if not graph.bodies:
        return totals
    for (call, scope), count in uses.items():
        cost = single[call]
        if cost is not None and cost.macs:
            totals[scope] = _at_least(totals.get(scope, 0), cost.macs * count)
    for id, bodies in reversed(list(graph.control_flow.items())):  # inner ones first
        node = bodies[0].node
        inside = [totals.get(body.scope, 0) for body in bodies]
        most_expensive = max(inside, key=_probe)
        trips = 1 if node.op_type == "If" else shapes.trips.get(id)
        total = _scaled(most_expensive, trips)
        scope = graph.scopes.get(node.scope, "")
        totals[scope] = _at_least(totals.get(scope, 0), most_expensive if total is None else total)
    return totals


def _at_least(a: Dim, b: Dim) -> Dim:
    """Return the sum, or the first part when the sum gets too long: it is only compared."""
    total = _sum(a, b)
    return a if total is None else total


def _probe(dim: Dim) -> int:
    """Return a number to compare dimensions by: the value when every symbol is `PROBE`."""
    if isinstance(dim, int):
        return dim
    try:
        value = evaluate(dim, dict.fromkeys(dim.symbols(), PROBE))
    except ZeroDivisionError:  # floor(a / (n - PROBE))
        return 0
    return value if isinstance(value, int) else 0


# ---------------------------------------------------------------------------------- what is unknown


def _unknown_operators(
    uses: Mapping[BodyCall, int], single: Mapping[Call, Cost | None]
) -> list[Unknown]:
    """Return operators without a formula, each type once with its number of nodes."""
    missing: Counter[Key] = Counter()
    for (call, _), count in uses.items():
        if single[call] is None:
            missing[call.node.domain, call.node.op_type] += count
    return [
        Unknown(
            operator_name(domain, op_type),
            "operator",
            f"no formula for this operator ({count} node{'s' if count > 1 else ''})",
            "cost",
        )
        for (domain, op_type), count in sorted(missing.items())
    ]


def _unknown_shapes(
    places: Mapping[str, BodyCall],
    made: Mapping[BodyCall, NodeCost],
    single: Mapping[Call, Cost | None],
) -> list[Unknown]:
    """Return nodes whose MACs depend on a shape that is not known."""
    lost = {
        place
        for place, contribution in made.items()
        if contribution.macs is None and single[place[0]] is not None
    }
    if not lost:
        return []
    return [
        Unknown(node, "macs", "a shape it needs is not known", "cost")
        for node, place in places.items()
        if place in lost
    ]


def _unknown_sums(**lost: int) -> list[Unknown]:
    """Return totals that lack nodes, because the formula got too long."""
    return [
        Unknown(
            "model",
            measure,
            f"the formula has too many terms; {count} node{'s' if count > 1 else ''} not in it",
            "cost",
        )
        for measure, count in lost.items()
        if count
    ]
