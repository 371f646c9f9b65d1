"""Which narrow ways past the weights are triggers, and where they meet the trunk.

A way is one when all of this holds:

1. A value of few elements a sample (a cut) depends on a much wider input, and on no layer that the
   trunk uses (`widths`).
2. It meets a value of the trunk, or what the trunk is given, at a node: a join.
3. On the way it bends, and it is particular: it looks at a fixed part of the input or at a stored
   pattern, or for a stored number. Statistics of a whole input (its mean, its largest element, what
   normalises it) are not; they count where steps are made of them and stored numbers put in place,
   or nothing in answer to much (voice activity detection answers little with nothing).
4. It is not only the place of what the trunk made (the last token, the end of a text).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from graphcount.auditing.context import Context
from graphcount.auditing.trigger.facts import (
    BENT,
    EQUAL,
    FALLS,
    FILTER,
    PARTICULAR,
    PATTERN,
    PICKED,
    STEEP,
    STEP,
    STORED,
    TARGET,
    WayFacts,
)
from graphcount.auditing.trigger.flow import Flow
from graphcount.auditing.trigger.widths import FEW, Widths
from graphcount.graph import Use, shortest_path

VERY_NEGATIVE = -1e4

JOINING = frozenset({"Concat", "SequenceConstruct", "SequenceInsert"})
"""Policy: values that are joined here can be chosen among by an index."""

SILENCING = frozenset({"Mul", "And"})
"""Policy: where a gate of zero lets nothing through."""

MAX_MOVES = 8
"""Operators that may stand between values that are joined and the choice among them."""

MOST = 8
"""Triggers of one model that are worked out."""


class Join(NamedTuple):
    """A node where a narrow value meets the trunk.

    Attributes:
        gate: The narrow value.
        node: Where it meets.
        others: What it meets.
        facts: Of the way to it.
        deep: It meets what layers made; else what they are given.
    """

    gate: Use
    node: str
    others: tuple[Use, ...]
    facts: int
    deep: bool


class Trigger(NamedTuple):
    """One input-triggered way past the weights.

    Attributes:
        node: Where it meets the trunk for the first time.
        cut: First narrow node of the way.
        input: Name of the input that decides.
        outputs: Names of the outputs it reaches.
        path: From the input through cut, gate and join to the first output.
        width: Elements a sample of the gate.
        compared: Some of the stored numbers on the way.
        target: It is particular, and it is seen what is put in place.
        joins: Nodes where it meets the trunk.
        bypassed: Learned weights it passes by before the join.
        total: Learned weights before the output.
    """

    node: str
    cut: str
    input: str
    outputs: tuple[str, ...]
    path: tuple[str, ...]
    width: int
    compared: tuple[float, ...]
    target: bool
    joins: tuple[str, ...]
    bypassed: int
    total: int


def find_triggers(context: Context) -> Iterator[Trigger]:
    """Yield input-triggered ways past the weights of a model, one for each trigger.

    Raises:
        LimitError: The model asks for too much work.
    """
    if context.graph.cyclic:
        return
    flow = Flow(context)
    if flow.learned:  # else there is nothing to pass by
        widths = Widths(flow)
        yield from _Judge(flow, widths, WayFacts(flow, widths)).triggers()


class _Judge:
    def __init__(self, flow: Flow, widths: Widths, facts: WayFacts) -> None:
        self.flow = flow
        self.widths = widths
        self.facts = facts
        self._totals: dict[str, int] = {}

    def triggers(self) -> Iterator[Trigger]:
        """Yield one trigger for each group of gates that hang together."""
        groups: dict[str, list[Join]] = {}
        heads = self._heads()
        for join in self.joins():
            groups.setdefault(_head(heads, join.gate.producer), []).append(join)
        for joins in islice(groups.values(), MOST):
            yield self.trigger(joins)

    def joins(self) -> Iterator[Join]:
        """Yield places where a narrow value that can be a trigger meets the trunk."""
        flow, widths = self.flow, self.widths
        for node in flow.order:
            if flow.nodes[node].kind != "operator" or node in flow.graph.dead:
                continue
            if node not in widths.trunk and node not in widths.public:
                continue
            uses = [use for use in flow.graph.entering(node) if use.producer in flow.values]
            gates = [use for use in uses if self._is_gate(use)]
            others = tuple(use for use in uses if use.producer in widths.trunk)
            deep = bool(others)
            if not deep:
                others = tuple(use for use in uses if not widths.is_narrow(use))
            for gate in gates if others else ():
                join = Join(gate, node, others, self.facts.through(gate), deep)
                if self.counts(join):
                    yield join

    def _is_gate(self, use: Use) -> bool:
        bends = self.facts.of.get(use.producer, 0)  # nothing of what stands behind the trunk
        return bool(bends) and self.widths.is_narrow(use)

    def counts(self, join: Join) -> bool:
        """Return whether points 3 and 4 hold."""
        facts = join.facts
        sharp = bool(facts & (STEP | STEEP))
        if not facts & BENT or self._is_feature(join):
            return False
        if facts & PATTERN or (facts & FILTER and sharp):
            return True
        if facts & PICKED and facts & (STORED | STEEP):
            return True
        if self._only_places(join):
            return False
        if facts & EQUAL:
            return True
        return sharp and (self.has_target(join) or self._answers_much_with_nothing(join))

    # -------------------------------------------------------------------------- what is put there

    def has_target(self, join: Join) -> bool:
        """Return whether stored numbers stand for an answer: on the way, or beside the trunk."""
        if join.facts & TARGET:
            return True
        return any(numbers and not _is_nothing(numbers) for numbers in self._stored(join).values())

    def _stored(self, join: Join) -> dict[int, Sequence[float]]:
        """Return stored numbers that a join can choose instead of the trunk's.

        Those of a choice between two values by 1 (where it is true) and 2, of others by 0 and less.
        """
        flow, node = self.flow, join.node
        stored: dict[int, Sequence[float]] = {}
        if flow.op(node) == "Where":
            fixed = [use for use in flow.graph.operands(node) if use.producer not in flow.values]
            stored = {use.index or 0: flow.numbers(use.producer) for use in fixed}
        elif flow.operator(node).is_control_flow:
            fixed = [use for use in flow.graph.results(node) if use.producer not in flow.values]
            names = {"then_branch": 1, "else_branch": 2}
            stored = {names.get(use.body, 0): flow.numbers(use.producer) for use in fixed}
        else:
            stored = {-i: self._joined(use.producer) for i, use in enumerate(join.others)}
        return stored

    def _joined(self, node: str) -> Sequence[float]:
        """Return stored numbers that were joined to what an index chooses from."""
        flow = self.flow
        for _ in range(MAX_MOVES):
            uses = flow.graph.operands(node)
            if flow.op(node) in JOINING:
                fixed = [use.producer for use in uses if use.producer not in flow.values]
                return flow.numbers(fixed[0]) if fixed else ()
            if not uses or "keeps values" not in flow.operator(node).traits:
                break
            node = uses[0].producer
        return ()

    def _is_feature(self, join: Join) -> bool:
        """Return whether it only stands beside what layers are given, which weigh it."""
        if self.flow.op(join.node) not in JOINING:
            return False
        sharp = join.facts & (STEP | STEEP) and join.facts & (FILTER | STORED)
        return not join.deep or not (sharp or join.facts & (PATTERN | EQUAL))

    def _only_places(self, join: Join) -> bool:
        """Return whether it chooses among places of what the trunk made, and nothing stored."""
        traits = self.flow.operator(join.node).traits
        return "picks" in traits and bool(join.gate.index) and not self.has_target(join)

    def _answers_much_with_nothing(self, join: Join) -> bool:
        """Return whether nothing goes on where there is more of what was measured."""
        falls = bool(join.facts & FALLS)
        if self.flow.op(join.node) in SILENCING:
            return falls
        nothing = [index for index, numbers in self._stored(join).items() if _is_nothing(numbers)]
        return any(falls == (index == 2) for index in nothing if index > 0)

    # --------------------------------------------------------------------------- one trigger whole

    def _heads(self) -> dict[str, str]:
        """Return for each narrow node another one that it hangs together with; see `_head`."""
        heads: dict[str, str] = {}
        for node in self.facts.of:
            if node not in self.widths.public:
                for use in self.flow.graph.entering(node):
                    if self._is_gate(use):
                        heads[_head(heads, use.producer)] = _head(heads, node)
        return heads

    def trigger(self, joins: Sequence[Join]) -> Trigger:
        """Return what is reported of joins of one trigger."""
        flow = self.flow
        first = joins[0]
        cone = flow.cone([join.gate.producer for join in joins])
        after = flow.graph.descendants(join.node for join in joins)
        outputs = [output for output in flow.graph.outputs if output.id in after]
        before = flow.cone([first.gate.producer])
        inputs = [node for node in flow.inputs if node in before]
        start = max(inputs, key=lambda node: self.widths.of.get(node, 0))
        way = shortest_path(flow.after, start, first.gate.producer, flow.values & before)
        cut = next((node for node in way[1:] if self.widths.of[node] <= FEW), way[-1])
        path = [*way]
        for a, b in pairwise((first.gate.producer, first.node, outputs[0].id)):
            path += shortest_path(flow.after, a, b)[1:]
        kept = flow.cone(use.producer for use in first.others) if first.deep else set()
        return Trigger(
            node=first.node,
            cut=cut,
            input=flow.nodes[start].name,
            outputs=tuple(output.name for output in outputs),
            path=tuple(path),
            width=self.widths.width(first.gate),
            compared=self._compared(cone),
            target=any(
                join.facts & (PARTICULAR | FILTER) and self.has_target(join) for join in joins
            ),
            joins=tuple(dict.fromkeys(join.node for join in joins)),
            bypassed=sum(flow.learned.get(node, 0) for node in kept - cone),
            total=self._total(outputs[0].id),
        )

    def _total(self, output: str) -> int:
        if output not in self._totals:
            cone = self.flow.cone([output])
            self._totals[output] = sum(self.flow.learned.get(node, 0) for node in cone)
        return self._totals[output]

    def _compared(self, cone: set[str]) -> tuple[float, ...]:
        """Return some stored numbers that the way meets."""
        met = (numbers for node, numbers in self.facts.met.items() if node in cone)
        return tuple(number for numbers in met for number in numbers if number == number)[:8]


def _head(heads: dict[str, str], node: str) -> str:
    while node in heads and heads[node] != node:
        heads[node] = node = heads.get(heads[node], heads[node])
    return node


def _is_nothing(numbers: Sequence[float]) -> bool:
    return bool(numbers) and all(n == 0 or n != n or n <= VERY_NEGATIVE for n in numbers)
