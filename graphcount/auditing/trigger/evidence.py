"""What a predicate compares, what stands in for the model's answer, and when it does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from graphcount.analysis.counts import Row
from graphcount.auditing.context import Context
from graphcount.auditing.trigger.flow import LAYER_ROLES, Flow
from graphcount.auditing.trigger.predicates import STEPS
from graphcount.auditing.trigger.selects import Select
from graphcount.graph import reached

COUNTING = frozenset({"Range", "CumSum", "NonZero", "EyeLike", "Trilu"})
"""Policy: what makes positions; a comparison with them is a mask of positions."""

NO_PATTERN = LAYER_ROLES | {
    *("shape", "axes", "index", "bias", "embedding", "running mean", "running variance"),
    *("quantization scale", "zero point", "rotary table"),
}
"""Roles of stored tensors that are parts of layers or say where, and are compared with nothing."""

PATTERN_NUMBERS = 5
"""Fewer numbers are no pattern."""

LARGEST_READ = 65_536
"""Stored tensors of more elements are not read."""

MAX_STEPS = 64
"""Nodes followed from a predicate to its comparison."""


class Trigger(NamedTuple):
    """What a predicate looks at.

    Attributes:
        inputs: Graph inputs whose numbers decide it.
        atoms: Comparisons that look at stored numbers, or at parts of the input.
        narrow: It looks at a part of the input.
        reduced: It makes one answer of many.
        exact: It wants certain numbers: an equality with something else than zero, or a pattern.
        compared: Some of the stored numbers.
    """

    inputs: tuple[str, ...]
    atoms: tuple[str, ...]
    narrow: bool
    reduced: bool
    exact: bool
    compared: tuple[float, ...]


class TriggerEvidence:
    """Reads stored numbers around predicates and their alternatives."""

    def __init__(self, context: Context, flow: Flow) -> None:
        self.context = context
        self.flow = flow
        self.rows: dict[str, Row] = {
            node: row for row in context.rows for node in row.tensor.origins
        }
        self._compared: dict[str, Sequence[float] | None] = {}

    def numbers(self, node: str) -> Sequence[float] | None:
        """Return numbers of the stored tensor a node holds, or None."""
        row = self.rows.get(node)
        if row is None or row.stored.elements > LARGEST_READ:
            return None
        return self.context.values.numbers(row.stored)

    def trigger(self, predicate: str, atoms: set[str]) -> Trigger:
        """Return what a predicate looks at."""
        flow = self.flow
        cone = flow.cone([predicate])
        varying = cone & flow.values
        inside = sorted(atoms & cone, key=flow.position.__getitem__)
        narrow = flow.has("picks", varying)
        exact = any(self._is_pattern(node) for node in cone - flow.values)
        valid, compared = [], []
        particular = narrow or exact
        for atom in inside:
            stored = self.compared(atom)
            if stored is None and not particular:
                continue
            valid.append(atom)
            compared += list(stored or ())[:8]
            wanted = flow.op(atom) == "Equal" and any(number != 0 for number in stored or ())
            exact |= wanted
        inputs = tuple(node for node in flow.inputs if node in cone)
        reduced = flow.has("folds", varying) or any(
            flow.operator(node).multiplies for node in varying
        )
        return Trigger(inputs, tuple(valid), narrow, reduced, exact, tuple(compared[:8]))

    def telling(self, predicates: Iterable[str], atoms: set[str]) -> set[str]:
        """Return what depends on something that can make a predicate a trigger.

        It looks for that in all cones at once: most choices of a model have nothing of it.
        """
        flow = self.flow
        cone = flow.cone(predicates)
        starts = [
            node
            for node in cone
            if (node in atoms and self.compared(node) is not None)
            or (flow.has("picks", [node]) if node in flow.values else self._is_pattern(node))
        ]
        return reached(
            lambda node: [reader for reader in flow.after(node) if reader in cone], starts
        )

    def compared(self, atom: str) -> Sequence[float] | None:
        """Return stored numbers an atom compares with; None where there are none, or positions."""
        if atom not in self._compared:
            self._compared[atom] = self._read_compared(atom)
        return self._compared[atom]

    def _read_compared(self, atom: str) -> Sequence[float] | None:
        if "compares" not in self.flow.operator(atom).traits:
            return None if self.flow.op(atom) in STEPS else ()
        read: list[float] = []
        constants = [
            node for node in self.flow.graph.producers(atom) if node not in self.flow.values
        ]
        if not constants:
            return None
        for node in self.flow.cone(constants):
            if self.flow.op(node) in COUNTING:
                return None
            numbers = self.numbers(node)
            if numbers is not None and _is_counting(numbers):
                return None
            read += list(numbers or ())[:64]
        return read

    def _is_pattern(self, node: str) -> bool:
        """Return whether a constant holds several different numbers that are no positions."""
        row = self.rows.get(node)
        if row is None or row.stored.elements < PATTERN_NUMBERS:
            return False
        if row.verdict.role in NO_PATTERN or row.stored.dtype == "string":
            return False
        numbers = self.numbers(node)
        return numbers is None or (len(set(numbers)) > 1 and not _is_counting(numbers))

    def constant(self, nodes: Iterable[str]) -> tuple[float, ...] | None:
        """Return numbers behind nodes that no input decides; empty where there are none to read."""
        nodes = tuple(nodes)
        if any(node in self.flow.values for node in nodes):
            return None
        read: list[float] = []
        for node in self.flow.cone(nodes):
            row = self.rows.get(node)
            if row is not None and row.verdict.role not in ("shape", "axes"):
                read += list(self.numbers(node) or ())[:4096]
        return tuple(read)


def _is_counting(numbers: Sequence[float]) -> bool:
    """Return whether numbers go up by the same step: positions, not a pattern."""
    if len(numbers) < PATTERN_NUMBERS - 1:
        return False
    step = numbers[1] - numbers[0]
    return step != 0 and all(b - a == step for a, b in pairwise(numbers))


def answers_to_much(evidence: TriggerEvidence, select: Select, trigger: Trigger) -> bool:
    """Return whether the other side of a choice clearly goes on when the input has much."""
    if select.when is None or len(trigger.atoms) != 1:
        return False
    truth = _at_atom(evidence, select.predicate, trigger.atoms[0], select.when)
    if truth is None:
        return False
    flow, atom = evidence.flow, trigger.atoms[0]
    first_varies = flow.sources(atom).get(0) in flow.values
    traits = flow.operator(atom).traits
    if "compares" not in traits:
        return False
    if flow.op(atom) == "Equal":  # with zero: else the trigger is an exact one
        return not truth
    return (truth == first_varies) != ("falls" in traits)


def _at_atom(evidence: TriggerEvidence, predicate: str, atom: str, truth: bool) -> bool | None:
    """Return the comparison's answer where the predicate's is `truth`; None where ways meet."""
    flow = evidence.flow
    node = predicate
    for _ in range(MAX_STEPS):
        if node == atom:
            return truth
        deciding = [source for source in flow.graph.producers(node) if source in flow.values]
        if len(deciding) != 1:
            return None
        op_type, traits, sources = flow.op(node), flow.operator(node).traits, flow.sources(node)
        if op_type == "Equal":
            others = [source for source in sources.values() if source != deciding[0]]
            numbers = evidence.constant(others)
            if not numbers or len(set(numbers)) != 1:
                return None
            truth = truth if numbers[0] else not truth
        elif op_type == "Sub":
            truth = truth if sources.get(0) == deciding[0] else not truth
        elif "falls" in traits:
            truth = truth if sources.get(0) != deciding[0] else not truth
        node = deciding[0]
    return None
