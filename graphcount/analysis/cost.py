"""What a forward pass costs: MACs and element-wise work of every node, times how often it runs.

The body of a Loop or Scan counts once for each trip; of an If, the most expensive branch counts.
What a node contributes is what it adds to the total, so nodes sum to the totals: a node in the
cheaper branch of an If contributes nothing. Where trips are not known a body counts once, or not
where it may not run at all, and an operator without a formula or with an unknown shape counts
nothing: the totals are lower bounds then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from graphcount.analysis.runs import BodyCall, Rival, Runs, added, how_often, scaled, summed
from graphcount.analysis.shapes import ValueShapes
from graphcount.domains import canonical, operator_name
from graphcount.errors import Unknown
from graphcount.graph import ModelGraph
from graphcount.ops import lookup
from graphcount.ops.call import Call
from graphcount.ops.cost import NO_RULES, Cost, CostRule, cost
from graphcount.ops.operator import Key
from graphcount.symbolic import Dim
from graphcount.units import counted


class NodeCost(NamedTuple):
    """What one node contributes to the totals; None where it is not known.

    Attributes:
        macs: Multiply-accumulates.
        elementwise: Element-wise operations.
        times: How often the node counts: trips of its loops; 0 in the cheaper branch of an If, and
            in a loop that may have no trips.
        why: Why it counts so; empty where it surely runs so often.
    """

    macs: Dim | None
    elementwise: Dim | None
    times: Dim
    why: str = ""


class ModelCost(NamedTuple):
    """Cost of a model.

    Attributes:
        nodes: By id of the operator.
        macs: Sum over the nodes; a lower bound when `lacking` has it.
        elementwise: The same for element-wise work.
        macs_at_most: MACs if every Loop that may end early runs to its limit; None where `macs` is
            exact, and where no limit is known.
        elementwise_at_most: The same of element-wise work.
        lacking: Which of the sums lack something: `macs`, `elementwise`.
        unknowns: What is not known, one entry a cause.
        runs: How often each body counts.
        places: What runs and in which body, by id: nodes that share both cost the same.
    """

    nodes: dict[str, NodeCost]
    macs: Dim
    elementwise: Dim
    macs_at_most: Dim | None
    elementwise_at_most: Dim | None
    lacking: tuple[str, ...]
    unknowns: tuple[Unknown, ...]
    runs: Runs
    places: Mapping[str, BodyCall]

    @property
    def rivals(self) -> tuple[Rival, ...]:
        """Branches of which sizes decide which one costs most."""
        return tuple(self.runs.rivals)


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
    runs = how_often(model_graph, shapes, uses, single, shapes.trips)
    made = {
        (call, scope): _contribution(single[call] or NOT_KNOWN, runs, scope, with_bias)
        for call, scope in uses
    }
    macs, lost_macs = added((made[place].macs, count) for place, count in uses.items())
    work, lost_work = added((made[place].elementwise, count) for place, count in uses.items())
    lacking = _lacking(made, runs, macs=lost_macs, elementwise=lost_work)
    at_most: dict[str, Dim | None] = {}
    if lacking and runs.endless and shapes.limits:
        most = how_often(model_graph, shapes, uses, single, {**shapes.trips, **shapes.limits})
        at_most = {measure: _at_most(measure, uses, single, most, with_bias) for measure in lacking}
    nodes = {node: made[place] for node, place in places.items()}
    unknowns = (
        *_unknown_trips(model_graph, runs),
        *_unknown_operators(uses, single, runs),
        *_unknown_shapes(places, made, single, runs),
        *_unknown_sums(macs=lost_macs, elementwise=lost_work),
    )
    limits = at_most.get("macs"), at_most.get("elementwise")
    return ModelCost(nodes, macs, work, *limits, lacking, unknowns, runs, places)


NOT_KNOWN = Cost(None, None, None)
NEVER = NodeCost(0, 0, 0, "not counted: it does not run")


def _contribution(cost: Cost, runs: Runs, scope: str, with_bias: bool) -> NodeCost:
    """Return what a node adds that runs as often as the body it is in."""
    times = runs.of(scope)
    if times is None:
        return NEVER
    if scope in runs.perhaps:
        nothing, work = (0 if part == 0 else None for part in (cost.macs, cost.elementwise))
        return NodeCost(nothing, work, 0, _case(runs, scope))
    macs = scaled(cost.macs, times)
    if with_bias and macs is not None and (bias := scaled(cost.bias, times)) is not None:
        macs = summed(macs, bias)
    return NodeCost(macs, scaled(cost.elementwise, times), times, _case(runs, scope))


def _case(runs: Runs, scope: str) -> str:
    """Return why a body counts as often as it does, where it may run more or less often."""
    if scope in runs.perhaps:
        return "not counted: its loop may have no trips"
    if scope in runs.repeated:
        return "counted once: how often it runs is not known"
    if scope in runs.chosen:
        return "counted: which branch of its If runs is not known, and this one costs most"
    if runs.times[scope] == 0:
        return "not counted: of the branches of an If only the most expensive one is"
    return ""


def _lacking(made: Mapping[BodyCall, NodeCost], runs: Runs, **lost: int) -> tuple[str, ...]:
    """Return the sums that lack something: what is not known, too long, or of unknown trips."""
    lacking = []
    for measure, nodes in lost.items():
        parts = ((getattr(cost, measure), scope) for (_, scope), cost in made.items())
        if nodes or any(
            part is None or (part != 0 and scope in runs.repeated) for part, scope in parts
        ):
            lacking.append(measure)
    return tuple(lacking)


def _at_most(
    measure: str,
    uses: Mapping[BodyCall, int],
    single: Mapping[Call, Cost | None],
    runs: Runs,
    with_bias: bool,
) -> Dim | None:
    """Return a sum where every Loop runs to its limit; None when something else is unknown."""
    made = {
        (call, scope): _contribution(single[call] or NOT_KNOWN, runs, scope, with_bias)
        for call, scope in uses
    }
    total, lost = added((getattr(made[place], measure), count) for place, count in uses.items())
    known = not lost and not _lacking(made, runs, **{measure: 0})
    return total if known else None


# ---------------------------------------------------------------------------------- what is unknown


def _unknown_trips(graph: ModelGraph, runs: Runs) -> list[Unknown]:
    """Return the operators whose body runs nobody knows how often."""
    unknowns = []
    for id in runs.endless:
        trips = f"the number of trips of {graph.operator(id).op_type} is not known"
        if graph.control_flow[id][0].scope in runs.perhaps:
            why = f"{trips} and may be 0; its body is not counted"
        else:
            why = f"{trips}; its body counts once"
        unknowns.append(Unknown(id, "trip count", why, "cost"))
    return unknowns


def _unknown_operators(
    uses: Mapping[BodyCall, int], single: Mapping[Call, Cost | None], runs: Runs
) -> list[Unknown]:
    """Return operators without a formula, each type once with its number of nodes."""
    missing: Counter[Key] = Counter()
    for (call, scope), count in uses.items():
        if single[call] is None and runs.of(scope) is not None:
            missing[call.node.domain, call.node.op_type] += count
    return [
        Unknown(
            operator_name(domain, op_type),
            "operator",
            f"{_why(domain, op_type)} ({counted(count, 'node')})",
            "cost",
        )
        for (domain, op_type), count in sorted(missing.items())
    ]


def _why(domain: str, op_type: str) -> str:
    """Return why an operator has no cost."""
    operator = lookup(canonical(domain), op_type)
    return (
        operator.unknowable if operator and operator.unknowable else "no formula for this operator"
    )


def _unknown_shapes(
    places: Mapping[str, BodyCall],
    made: Mapping[BodyCall, NodeCost],
    single: Mapping[Call, Cost | None],
    runs: Runs,
) -> list[Unknown]:
    """Return nodes whose MACs, or element-wise work, depend on a shape that is not known."""
    lost: dict[BodyCall, str] = {}
    for place, contribution in made.items():
        cost = single[place[0]] if place[1] in runs.perhaps else contribution
        if single[place[0]] is None or cost is None:
            continue
        if None in (cost.macs, cost.elementwise):
            lost[place] = "macs" if cost.macs is None else "elementwise"
    if not lost:
        return []
    unknowns: list[Unknown] = []
    after: dict[str, list[str]] = {"macs": [], "elementwise": []}
    for node, place in places.items():
        what = lost.get(place)
        if what is None:
            continue
        why = _wrong(place[0])
        if why:
            unknowns.append(Unknown(node, what, why, "cost"))
        else:
            after[what].append(node)
    for what, nodes in after.items():
        if nodes:
            others = len(nodes) - 1
            more = f", and of {counted(others, 'more node')}" if others else ""
            why = f"a shape it needs is not known{more}"
            unknowns.append(Unknown(nodes[0], what, why, "cost"))
    return unknowns


def _wrong(call: Call) -> str:
    """Return why an operator cannot take what enters it; empty where that is not what is wrong."""
    operator = lookup(call.node.domain, call.node.op_type)
    return operator.check(call) if operator is not None and operator.check is not None else ""


def _unknown_sums(**lost: int) -> list[Unknown]:
    """Return totals that lack nodes, because the formula got too long."""
    return [
        Unknown(
            "model",
            measure,
            f"the formula has too many terms; {counted(count, 'node')} not in it",
            "cost",
        )
        for measure, count in lost.items()
        if count
    ]
