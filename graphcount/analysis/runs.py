"""How often each body runs: once for each trip of a Loop or Scan, and one branch of an If.

Of an If whose condition is known its branch runs; of another the one that costs most counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from graphcount.analysis.shapes import ValueShapes
from graphcount.graph import ModelGraph
from graphcount.ops.call import Call
from graphcount.ops.formulas import Cost
from graphcount.symbolic import Dim, TooComplexError, evaluate

PROBE = 64
"""Dimensions take this value where two symbolic branches have to be compared."""

BodyCall: TypeAlias = "tuple[Call, str]"
"""What runs and in which body: nodes that share both contribute the same."""

Singles: TypeAlias = "Mapping[Call, Cost | None]"
"""What one run of a call costs."""

Trips: TypeAlias = "Mapping[str, Dim | None]"
"""Trips of each Loop and Scan, by its id."""


class Runs(NamedTuple):
    """How often bodies run.

    Attributes:
        times: By scope of the body; the main graph runs once.
        never: Scopes of bodies that surely do not run.
        endless: Operators whose trips are not known; their bodies count once.
        repeated: Scopes of bodies that run an unknown number of times.
    """

    times: dict[str, Dim]
    never: frozenset[str]
    endless: tuple[str, ...]
    repeated: frozenset[str]

    def of(self, scope: str) -> Dim | None:
        """Return how often a body runs; 0: it costs less than another; None: never."""
        return None if scope in self.never else self.times[scope]


def how_often(
    graph: ModelGraph,
    shapes: ValueShapes,
    uses: Mapping[BodyCall, int],
    single: Singles,
    trips: Trips,
) -> Runs:
    """Return how often each body runs.

    Args:
        graph: The graph.
        shapes: Says which branches are never taken.
        uses: Nodes by what runs and in which body.
        single: Cost of one run.
        trips: Trips of loops.
    """
    totals = _body_totals(graph, uses, single, trips)
    times: dict[str, Dim] = {"": 1}
    never: set[str] = set()
    endless: list[str] = []
    repeated: set[str] = set()
    for id, bodies in graph.control_flow.items():  # outer ones first
        node, scopes = bodies[0].node, [body.scope for body in bodies]
        around = graph.scopes.get(node.scope, "")
        outer = times[around]
        if around in repeated:
            repeated.update(scopes)
        if around in never:
            never.update(scopes)
        if node.op_type == "If":
            dead = {scope for scope in scopes if f"{scope}/" in shapes.dead}
            never |= dead
            alive = [scope for scope in scopes if scope not in dead] or scopes
            most_expensive = max(alive, key=lambda scope: probe(totals.get(scope, 0)))
            times.update({scope: outer if scope == most_expensive else 0 for scope in scopes})
            continue
        runs = scaled(outer, trips.get(id))
        if runs is None:
            endless.append(id)
            repeated.update(scopes)
        elif trips.get(id) == 0:
            never.update(scopes)
        times.update(dict.fromkeys(scopes, outer if runs is None else runs))
    known = tuple(id for id in endless if graph.control_flow[id][0].scope not in never)
    return Runs(times, frozenset(never), known, frozenset(repeated))


def _body_totals(
    graph: ModelGraph, uses: Mapping[BodyCall, int], single: Singles, trips: Trips
) -> dict[str, Dim]:
    """Return the MACs of one run of each body, those inside too, for the branches' costs."""
    totals: dict[str, Dim] = {}
    if not graph.bodies:
        return totals
    for (call, scope), count in uses.items():
        cost = single[call]
        if cost is not None and cost.macs:
            totals[scope] = _longer(totals.get(scope, 0), cost.macs * count)
    for id, bodies in reversed(list(graph.control_flow.items())):  # inner ones first
        node = bodies[0].node
        inside = [totals.get(body.scope, 0) for body in bodies]
        most_expensive = max(inside, key=probe)
        times = 1 if node.op_type == "If" else trips.get(id)
        total = scaled(most_expensive, times)
        scope = graph.scopes.get(node.scope, "")
        totals[scope] = _longer(totals.get(scope, 0), most_expensive if total is None else total)
    return totals


def _longer(a: Dim, b: Dim) -> Dim:
    """Return the sum, or the first part when the sum gets too long: it is only compared."""
    total = summed(a, b)
    return a if total is None else total


def probe(dim: Dim) -> int:
    """Return a number to compare dimensions by: the value when every symbol is `PROBE`."""
    if isinstance(dim, int):
        return dim
    try:
        value = evaluate(dim, dict.fromkeys(dim.symbols(), PROBE))
    except ZeroDivisionError:  # floor(a / (n - PROBE))
        return 0
    return value if isinstance(value, int) else 0


def scaled(part: Dim | None, factor: Dim | None) -> Dim | None:
    """Return the product; None when a factor is not known, or when it gets too long."""
    if part is None or factor is None:
        return None
    try:
        return part * factor
    except TooComplexError:
        return None


def summed(a: Dim, b: Dim) -> Dim | None:
    """Return the sum; None when it gets too long."""
    try:
        return a + b
    except TooComplexError:
        return None
