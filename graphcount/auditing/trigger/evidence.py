"""What a predicate compares, and what is put in the place of the model's answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from graphcount.analysis.counts import Row
from graphcount.auditing.context import Context
from graphcount.auditing.trigger.flow import LAYER_ROLES, Flow
from graphcount.auditing.trigger.predicates import COMPARISONS, STEPS

NARROWING = frozenset(
    {"Slice", "Gather", "GatherND", "GatherElements", "Split", "ArrayFeatureExtractor"}
)
"""Operators that look at a part of a value."""

REDUCING = frozenset(
    {
        *("ArgMax", "ArgMin", "GlobalMaxPool", "GlobalAveragePool", "GlobalLpPool", "MatMul"),
        *("Gemm", "Einsum", "Conv", "MaxPool", "AveragePool", "ReduceMax", "ReduceMin"),
        *("ReduceSum", "ReduceMean", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare"),
        *("ReduceLogSum", "ReduceLogSumExp", "Size", "Loop", "Scan", "TopK"),
    }
)
"""Operators that make one number of many."""

COUNTING = frozenset({"Range", "CumSum", "NonZero", "EyeLike", "Trilu"})
"""Operators that make positions: a comparison with them is a mask of positions."""

NO_PATTERN = LAYER_ROLES | {
    *("shape", "axes", "index", "bias", "embedding", "running mean", "running variance"),
    *("quantization scale", "zero point", "rotary table"),
}
"""Roles of stored tensors that are parts of layers or say where, and are compared with nothing."""

PATTERN_NUMBERS = 5
LARGEST_READ = 65_536


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


class Evidence:
    """Reads stored numbers around predicates and their alternatives."""

    def __init__(self, context: Context, flow: Flow) -> None:
        self.context = context
        self.flow = flow
        self.rows: dict[str, Row] = {
            holder: row for row in context.rows for holder in row.tensor.holders
        }
        self._compared: dict[str, Sequence[float] | None] = {}

    def numbers(self, node: str) -> Sequence[float] | None:
        """Numbers of the stored tensor a node holds, or None."""
        row = self.rows.get(node)
        if row is None or row.stored.elements > LARGEST_READ:
            return None
        return self.context.values.numbers(row.stored)

    def trigger(self, predicate: str, atoms: set[str]) -> Trigger:
        """What a predicate looks at."""
        flow = self.flow
        cone = flow.cone([predicate])
        ops = flow.ops(cone & flow.values)
        inside = sorted(atoms & cone, key=flow.position.__getitem__)
        narrow = bool(ops & NARROWING)
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
        return Trigger(
            inputs, tuple(valid), narrow, bool(ops & REDUCING), exact, tuple(compared[:8])
        )

    def compared(self, atom: str) -> Sequence[float] | None:
        """Stored numbers that an atom compares with; None where there are none, or positions."""
        if atom not in self._compared:
            self._compared[atom] = self._read_compared(atom)
        return self._compared[atom]

    def _read_compared(self, atom: str) -> Sequence[float] | None:
        if self.flow.op(atom) not in COMPARISONS:
            return None if self.flow.op(atom) in STEPS else ()
        found: list[float] = []
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
            found += list(numbers or ())[:64]
        return found

    def _is_pattern(self, node: str) -> bool:
        """Whether a constant holds several different numbers that are no positions."""
        row = self.rows.get(node)
        if row is None or row.stored.elements < PATTERN_NUMBERS:
            return False
        if row.verdict.role in NO_PATTERN or row.stored.dtype == "string":
            return False
        numbers = self.numbers(node)
        return numbers is None or (len(set(numbers)) > 1 and not _is_counting(numbers))

    def constant(self, nodes: Iterable[str]) -> tuple[float, ...] | None:
        """Numbers behind nodes that no input decides; empty where there are none to read."""
        nodes = tuple(nodes)
        if any(node in self.flow.values for node in nodes):
            return None
        found: list[float] = []
        for node in self.flow.cone(nodes):
            row = self.rows.get(node)
            if row is not None and row.verdict.role not in ("shape", "axes"):
                found += list(self.numbers(node) or ())[:4096]
        return tuple(found)


def _is_counting(numbers: Sequence[float]) -> bool:
    """Whether numbers go up by the same step: positions, not a pattern."""
    if len(numbers) < PATTERN_NUMBERS - 1:
        return False
    step = numbers[1] - numbers[0]
    return step != 0 and all(b - a == step for a, b in pairwise(numbers))
