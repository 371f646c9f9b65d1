"""How often each body runs: once for each trip of a Loop or Scan, and one branch of an If.

Of an If whose condition is known its branch runs; of another the one that costs most counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from graphcount.analysis.shapes import ValueShapes
from graphcount.graph import ModelGraph
from graphcount.ops.call import Call
from graphcount.ops.formulas import Cost
from graphcount.symbolic import (
    LARGEST_NUMBER,
    Dim,
    TooComplexError,
    evaluate,
    largest_number,
)

PROBE = 64
"""Dimensions take this value where two symbolic branches have to be compared."""

BodyCall: TypeAlias = "tuple[Call, str]"
"""What runs and in which body: nodes that share both contribute the same."""

Singles: TypeAlias = "Mapping[Call, Cost | None]"
"""What one run of a call costs."""

Trips: TypeAlias = "Mapping[str, Dim | None]"
"""Trips of each Loop and Scan, by its id."""


class Rival(NamedTuple):
    """A branch of an If beside the one that is taken to cost most.

    Attributes:
        chosen: MACs of that one, in symbols.
        other: MACs of this one.
        alone: The If is in the main graph, and no other operator with a body is in the branches.
    """

    chosen: Dim
    other: Dim
    alone: bool


@dataclass(slots=True)
class Runs:
    """How often bodies run.

    Attributes:
        times: By scope of the body; the main graph runs once.
        never: Scopes of bodies that surely do not run.
        endless: Operators whose trips are not known.
        repeated: Scopes of bodies that run an unknown number of times; they count once.
        perhaps: Those of them that may not run at all: they count nothing.
        chosen: Scopes of branches that count because they cost most, not because they surely run.
        rivals: Branches of which sizes decide which one costs most.
    """

    times: dict[str, Dim] = field(default_factory=lambda: {"": 1})
    never: set[str] = field(default_factory=set)
    endless: list[str] = field(default_factory=list)
    repeated: set[str] = field(default_factory=set)
    perhaps: set[str] = field(default_factory=set)
    chosen: set[str] = field(default_factory=set)
    rivals: list[Rival] = field(default_factory=list)

    def of(self, scope: str) -> Dim | None:
        """Return how often a body runs; 0: it costs less than another; None: never."""
        return None if scope in self.never else self.times[scope]

    def branches(self, around: str, dead: Set[str], totals: Mapping[str, Dim]) -> str:
        """Enter the branches of an If; return the one that counts: that may run and costs most.

        Args:
            around: Scope of the body around it.
            dead: Scopes of branches that are never taken.
            totals: MACs of each branch by its scope.
        """
        self.never |= dead
        alive = [scope for scope in totals if scope not in dead] or list(totals)
        most_expensive = max(alive, key=lambda scope: probe(totals[scope]))
        if len(alive) > 1:
            self.chosen.add(most_expensive)
        outer = self.times[around]
        self.times.update({scope: outer if scope == most_expensive else 0 for scope in totals})
        return most_expensive

    def loop(self, id: str, around: str, scopes: list[str], trips: Dim | None, idle: bool) -> None:
        """Enter the bodies of a Loop or Scan.

        Args:
            id: Of the operator.
            around: Scope of the body around it.
            scopes: Scopes of the bodies.
            trips: How often they run; None: not known.
            idle: Where that is not known, they may not run at all.
        """
        outer = self.times[around]
        runs = scaled(outer, trips)
        if trips == 0:
            self.never.update(scopes)
        if runs is None:
            runs = outer
            self.endless.append(id)
            self.repeated.update(scopes)
            if idle and trips is None:
                runs = 0
                self.perhaps.update(scopes)
        self.times.update(dict.fromkeys(scopes, runs))


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
        shapes: Says which branches are never taken, and which loops may have no trips.
        uses: Nodes by what runs and in which body.
        single: Cost of one run.
        trips: Trips of loops.
    """
    totals = _body_totals(graph, uses, single, trips)
    runs = Runs()
    for id, bodies in graph.control_flow.items():  # outer ones first
        node, scopes = bodies[0].node, [body.scope for body in bodies]
        around = graph.scopes.get(node.scope, "")
        for inherited in (runs.repeated, runs.perhaps, runs.never, runs.chosen):
            if around in inherited:
                inherited.update(scopes)
        if node.op_type == "If":
            dead = {scope for scope in scopes if f"{scope}/" in shapes.dead}
            costs = {scope: totals.get(scope, 0) for scope in scopes}
            chosen = runs.branches(around, dead, costs)
            alive = [scope for scope in scopes if scope not in dead]
            runs.rivals += _rivals(graph, totals, chosen, alive, not around)
        else:
            runs.loop(id, around, scopes, trips.get(id), id in shapes.perhaps)
    runs.endless = [id for id in runs.endless if graph.control_flow[id][0].scope not in runs.never]
    return runs


def _rivals(
    graph: ModelGraph,
    totals: Mapping[str, Dim],
    chosen: str,
    scopes: Iterable[str],
    in_main: bool,
) -> Iterator[Rival]:
    """Yield what a branch costs and what others do, where that depends on sizes."""
    cost = totals.get(chosen, 0)
    others = [scope for scope in scopes if scope != chosen]
    inside = tuple(f"{scope}/" for scope in (chosen, *others))
    for scope in others:
        other = totals.get(scope, 0)
        if not (isinstance(cost, int) and isinstance(other, int)):
            nodes = (bodies[0].node for bodies in graph.control_flow.values())
            nested = any(f"{node.scope}/".startswith(inside) for node in nodes)
            yield Rival(cost, other, in_main and not nested)


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
        return _countable(part * factor)
    except TooComplexError:
        return None


def summed(a: Dim, b: Dim) -> Dim | None:
    """Return the sum; None when it gets too long."""
    try:
        return _countable(a + b)
    except TooComplexError:
        return None


def _countable(dim: Dim) -> Dim | None:
    """Return a dimension that a report can hold; None for one with thousands of digits."""
    return dim if largest_number(dim) < LARGEST_NUMBER else None


def added(parts: Iterable[tuple[Dim | None, int]]) -> tuple[Dim, int]:
    """Return the sum of what is known, each part so many times, and how many got too long."""
    total: Dim = 0
    lost = 0
    for part, count in parts:
        if part is None or part == 0:
            continue
        longer = summed(total, part * count)
        if longer is None:
            lost += count
        else:
            total = longer
    return total, lost
