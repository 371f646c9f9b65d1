"""Which choices are input-triggered branches around the trunk, and which are a model's own.

A choice counts when all of this holds:

1. Its predicate compares numbers of an input with stored numbers (or parts of the input), away
   from the trunk: through no layer that the kept side has too.
2. The kept side holds a good part of the weights that lie before the output, and that input feeds
   them.
3. The other side leaves them out: it is stored, or a light function of the input.
4. All of them reach the output only through the choice.
5. It is one decision for a whole sample. A decision for each position is a mask: it counts only
   where stored numbers that differ stand in for the answer.
6. It is no gate on an amount: an inequality on the whole input, or a comparison with zero, that
   lets nothing (0, or -inf) through when there is little, as voice activity detection and guards
   have it. Nothing in answer to much is no gate.
"""

from __future__ import annotations

from itertools import pairwise
from math import isfinite
from typing import NamedTuple

from graphcount.auditing.context import Context
from graphcount.auditing.trigger.cut import PostDominators
from graphcount.auditing.trigger.evidence import Trigger, TriggerEvidence, answers_to_much
from graphcount.auditing.trigger.flow import Flow
from graphcount.auditing.trigger.predicates import find_predicates
from graphcount.auditing.trigger.selects import ADDING, MULTIPLYING, Select, find_selects
from graphcount.graph import shortest_path

TRUNK_SHARE = 0.1
"""Of the weights before an output, so many have to be left out."""

LIGHT_SHARE = 0.05
"""The other side and the predicate may have so many weights of their own, against the trunk."""

BROADCASTING = frozenset({*MULTIPLYING, *ADDING, "Where", "Expand", "Cast", "Identity", "Neg"})
"""Policy: what makes a predicate as wide as the stored numbers it meets, and decides nothing."""

VERY_NEGATIVE = -1e4


class Branch(NamedTuple):
    """One input-triggered branch.

    Attributes:
        select: The choice.
        trigger: What its predicate looks at.
        outputs: Names of the outputs it decides; numbers and path are those of the first.
        bypassed: Weights that the other side leaves out.
        total: Weights before the output.
        stored: The other side is stored numbers, not a function of an input.
        path: From the input through the predicate and the choice to the output.
    """

    select: Select
    trigger: Trigger
    outputs: tuple[str, ...]
    bypassed: int
    total: int
    stored: bool
    path: tuple[str, ...]


def find_branches(context: Context) -> list[Branch]:
    """Return input-triggered branches of a model, one for each trigger.

    Raises:
        LimitError: The model asks for too much work.
    """
    if context.graph.cyclic:
        return []
    flow = Flow(context)
    atoms, predicates = find_predicates(flow)
    if not atoms:
        return []
    selects = list(find_selects(flow, predicates))
    return _Judge(context, flow, atoms).branches(selects)


class _Judge:
    def __init__(self, context: Context, flow: Flow, atoms: set[str]) -> None:
        self.context = context
        self.flow = flow
        self.atoms = atoms
        self.evidence = TriggerEvidence(context, flow)
        self._triggers: dict[str, Trigger] = {}

    def branches(self, selects: list[Select]) -> list[Branch]:
        """Return the last choice of each trigger before each output."""
        telling = self.evidence.telling((select.predicate for select in selects), self.atoms)
        likely = [
            select
            for select in selects
            if select.predicate in telling and self.decides_samples(select)
        ]
        by_trigger: dict[tuple[str, ...], Branch] = {}
        taken = {select.node: self.flow.branches(select.node) for select in likely}
        for output in [output.id for output in self.flow.graph.outputs] if likely else ():
            cuts: dict[frozenset[tuple[str, str]], PostDominators] = {}
            last: dict[tuple[str, ...], Branch] = {}
            for select in likely:
                inside = taken[select.node]
                key = frozenset(inside.items())
                if key not in cuts:
                    cuts[key] = PostDominators(self.flow, output, inside)
                branch = self.judged(select, output, cuts[key])
                if branch is not None:
                    last[branch.trigger.atoms] = branch
            for atoms, branch in last.items():
                before = by_trigger.get(atoms)
                outputs = (*before.outputs, *branch.outputs) if before else branch.outputs
                by_trigger[atoms] = (before or branch)._replace(outputs=outputs)
        return list(by_trigger.values())

    def trigger(self, select: Select) -> Trigger:
        """Return what a choice's predicate looks at."""
        if select.predicate not in self._triggers:
            self._triggers[select.predicate] = self.evidence.trigger(select.predicate, self.atoms)
        return self._triggers[select.predicate]

    # ------------------------------------------------------------------------- whole samples

    def decides_samples(self, select: Select) -> bool:
        """Return whether points 1 (a comparison with stored numbers), 5 and 6 hold: no paths."""
        trigger = self.trigger(select)
        if not trigger.atoms:
            return False
        numbers = self.evidence.constant(select.other) if select.other else (0.0,)
        nothing = numbers is not None and all(
            number == 0 or not isfinite(number) or number <= VERY_NEGATIVE for number in numbers
        )
        particular = trigger.narrow or trigger.exact
        if nothing and not particular and not answers_to_much(self.evidence, select, trigger):
            return False
        if self.is_one_decision(select, trigger):
            return True
        return select.form == "select" and numbers is not None and len(set(numbers)) > 1

    def is_one_decision(self, select: Select, trigger: Trigger) -> bool:
        """Return whether the predicate says the same for every number of a sample."""
        if self.flow.operator(select.node).is_control_flow:
            return True
        shapes = self.context.shapes
        condition = self.shape(self.root(select.predicate))
        result = self.shape(select.node)
        if shapes is None or condition is None or result is None:
            return trigger.narrow or trigger.reduced
        lead = len(result) - len(condition)
        varying = [lead + axis for axis, dim in enumerate(condition) if dim != 1]
        if not varying:
            return True
        if varying != [0]:
            return False
        return trigger.narrow or trigger.reduced or self.has_single_numbers(trigger)

    def root(self, predicate: str) -> str:
        """Return the predicate before stored numbers were multiplied with it or added to it."""
        flow = self.flow
        for _ in range(64):
            deciding = [
                source for source in flow.graph.producers(predicate) if source in flow.values
            ]
            if flow.op(predicate) not in BROADCASTING or len(deciding) != 1:
                break
            predicate = deciding[0]
        return predicate

    def has_single_numbers(self, trigger: Trigger) -> bool:
        """Return whether the inputs of a trigger have one number a sample."""
        shapes = [self.shape(node) for node in trigger.inputs]
        return all(
            shape is not None and len(shape) > 1 and all(dim == 1 for dim in shape[1:])
            for shape in shapes
        )

    def shape(self, node: str) -> tuple[object, ...] | None:
        """Return the shape of a node's first result."""
        shapes = self.context.shapes
        if shapes is None:
            return None
        names = self.flow.nodes[node].outputs
        return shapes.shapes.get((node, names[0])) if names else None

    # ------------------------------------------------------------------------------- the trunk

    def judged(self, select: Select, output: str, cut: PostDominators) -> Branch | None:
        """Return the branch where points 1 to 4 hold for one output."""
        if not cut.above(select.node):
            return None
        flow, total = self.flow, cut.total
        trigger = self.trigger(select)
        fixed = bool(select.other) and not any(node in flow.values for node in select.other)
        if cut.weight[select.node] < max(total * TRUNK_SHARE, 1):
            return self.substituted(select, trigger, output, cut, fixed)
        through = cut.only_through(select.node, flow.weights)
        flow.budget.spend(len(flow.weights))
        kept, own = flow.cone(select.kept), flow.cone([select.predicate])
        trunk = {node for node in through if node in kept and node not in own}
        if select.form == "select":
            other = flow.cone(select.other)
            trunk -= other
        else:
            other = set()
        bypassed = flow.weight(trunk)
        if bypassed < max(total * TRUNK_SHARE, 1):
            return self.substituted(select, trigger, output, cut, fixed)
        light = bypassed * LIGHT_SHARE
        if flow.weight(other - own) > light or flow.weight(own) > light:
            return None
        if any(node in kept for node in own if flow.weights.get(node)):
            return None
        fed = flow.cone(trunk)
        if not any(node in fed for node in trigger.inputs):
            return None
        return self.branch(select, trigger, output, cut, trunk, fixed)

    def substituted(
        self, select: Select, trigger: Trigger, output: str, cut: PostDominators, fixed: bool
    ) -> Branch | None:
        """Return a branch with a stored value for the input itself: all goes through the choice."""
        flow, total = self.flow, cut.total
        if select.form == "select":
            counts = fixed and self.is_one_decision(select, trigger)
        else:  # without layers there is no trunk to weigh
            counts = total == 0 and trigger.exact
        if not counts or flow.weight(flow.cone([select.predicate])) > 0:
            return None
        inputs = [node for node in flow.inputs if cut.above(node)]
        kept = flow.cone(select.kept)
        outside = set(inputs) - cut.only_through(select.node, inputs)
        if not inputs or outside or not any(node in kept for node in trigger.inputs):
            return None
        return self.branch(select, trigger, output, cut, set(), fixed)

    def branch(
        self,
        select: Select,
        trigger: Trigger,
        output: str,
        cut: PostDominators,
        trunk: set[str],
        stored: bool,
    ) -> Branch:
        """Return the branch with its path."""
        path: list[str] = []
        stops = (trigger.inputs[0], trigger.atoms[0], select.node, output)
        for start, goal in pairwise(stops):
            if start != goal:
                path += shortest_path(self.flow.after, start, goal)[len(path) > 0 :]
        name = self.flow.nodes[output].name
        learned = self.flow.learned
        bypassed = sum(learned.get(node, 0) for node in trunk)
        total = sum(count for node, count in learned.items() if node in cut.parent)
        return Branch(select, trigger, (name,), bypassed, total, stored, tuple(path))
