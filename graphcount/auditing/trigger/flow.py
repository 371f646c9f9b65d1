"""What depends on elements of the inputs, and which weights lie on the ways there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise

from graphcount.analysis.counts import Row
from graphcount.auditing.context import Context
from graphcount.errors import LimitError
from graphcount.graph import ModelGraph, reached
from graphcount.loading.model import Node
from graphcount.ops import Operator

UNKNOWN = Operator()
"""The record of what is no known operator."""

MAX_STEPS = 2_000_000
"""Nodes visited for one model, one or two microseconds each; the passes over the whole graph, which
are proportional to it, are not counted."""

LAYER_ROLES = frozenset(
    {
        *("weight", "recurrent weight", "peephole weight", "quantized weight"),
        *("threshold", "leaf value"),
    }
)
"""What the weights of a layer are; tables that are looked up and vectors are no trunk's work."""

LIGHT_SHARE = 0.05
"""Of the weights on the heaviest way to an output, so many may lie on one that passes by them."""

SMALL = 65_536
"""Weights of a layer of which those that are zeros are told apart."""

READ, MADE = 64, 16
"""Numbers kept of a stored tensor, and of what is made of several."""

COUNTED = 4
"""So many numbers have to go up evenly to be positions."""

UNREAD = tuple(float("nan") for _ in range(3))
"""What stands for numbers that cannot be read here: they may be any, and differ."""

SAYS_WHERE = frozenset({"shape", "axes", "running mean", "running variance", "rotary table"})
"""Roles of stored tensors that say where, or belong to a layer, and are compared with nothing."""


class WorkBudget:
    """Counts work, in nodes visited and not in seconds, and ends it.

    Attributes:
        left: Steps that may still be done.
    """

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self.left = steps

    def spend(self, steps: int) -> None:
        """Note work that was done.

        Raises:
            LimitError: It was too much.
        """
        self.left -= steps
        if self.left < 0:
            raise LimitError("its branches are too entangled to follow them all")


class Flow:
    """The graph as the trigger rule sees it; loops are closed: a state depends on its results.

    Attributes:
        context: The model.
        budget: Work that may still be done.
        order: Nodes in an order of execution.
        inputs: Ids of the graph's inputs.
        learned: Learned numbers of each layer.
        weights: The same, and 1 for a matrix operator that has none.
        values: Nodes that depend on the numbers of an input, not only on its shape.
        depths: Weights on the heaviest way to a node, its own included.
        total: Weights on the heaviest way to an output.
        back: Result of a loop's body → the state input it becomes in the next trip.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self.budget = WorkBudget()
        self.graph = graph = context.graph
        self.nodes = graph.nodes
        self.order = graph.order
        self.inputs = [node.id for node in graph.inputs]
        self.back = _back_edges(graph)
        self.begins = _reversed(self.back)
        self.rows: Mapping[str, Row] = {
            node: row for row in context.rows for node in row.tensor.origins
        }
        self.learned = _learned(context)
        matrices = self._operators(lambda operator: operator.multiplies)
        self.weights = {**dict.fromkeys(matrices, 1), **self.learned}
        self.values = self._values()
        self.depths = self._depths()
        self.total = max((self.depths.get(output.id, 0) for output in graph.outputs), default=0)
        self._numbers: dict[str, Sequence[float]] = {}

    def op(self, node: str) -> str:
        """Return the operator of ONNX of which a node's is a form; empty for anything else."""
        operator = self.nodes[node].operator
        return "" if operator is None else operator.form_of or self.nodes[node].op_type

    def operator(self, node: str) -> Operator:
        """Return what is known of the operator of a node."""
        return self.nodes[node].operator or UNKNOWN

    def record(self, node: str) -> Node:
        """Return the stored record of an operator."""
        return self.graph.operator(node).record

    def after(self, node: str) -> Sequence[str]:
        """Return the nodes that a node's values enter, in the next trip of a loop too."""
        readers = [use.node for use in self.graph.readers(node)]
        return [*readers, *self.back[node]] if node in self.back else readers

    def before(self, node: str) -> Sequence[str]:
        """Return the nodes whose values enter a node, from the trip before too."""
        producers = self.graph.producers(node)
        return [*producers, *self.begins[node]] if node in self.begins else producers

    def cone(self, starts: Iterable[str]) -> set[str]:
        """Return everything some nodes depend on, these included.

        Raises:
            LimitError: The budget is spent.
        """
        cone = reached(self.before, starts)
        self.budget.spend(len(cone))
        return cone

    def is_heavy(self, node: str) -> bool:
        """Return whether a good share of the weights lies on a way to a node."""
        return self.depths.get(node, 0) > self.total * LIGHT_SHARE

    def head(self, row: Row) -> Sequence[float] | None:
        """Return first numbers of a stored tensor; external data is read in deep audits only."""
        if row.stored.external is not None and not self.context.deep:
            return None
        return self.context.values.head(row.stored)

    def numbers(self, node: str) -> Sequence[float]:
        """Return first numbers of a constant: stored, or of what it is made of; none of sizes."""
        stack = [node]
        while stack:
            at = stack[-1]
            if at in self._numbers:
                stack.pop()
                continue
            waiting = [one for one in self.graph.producers(at) if one not in self._numbers]
            if waiting and at not in self.rows:
                stack += waiting
            else:
                self._numbers[stack.pop()] = self._read(at)
        return self._numbers[node]

    def _read(self, node: str) -> Sequence[float]:
        row = self.rows.get(node)
        if row is not None:
            return _some(self.head(row), row.stored.elements)
        operator = self.operator(node)
        uses = self.graph.operands(node)
        parts = [
            self._numbers[use.producer]
            for use in uses
            if operator.role(use.index or 0) not in SAYS_WHERE
        ]
        parts = [part for part in parts if part]
        if len(parts) == 1:
            return parts[0]
        return tuple(number for part in parts for number in part[:MADE])[:MADE]

    def _depths(self) -> dict[str, int]:
        depths: dict[str, int] = {}
        for node in self.order:
            before = depths.get(node, 0)
            if 1 < self.weights.get(node, 0) <= SMALL:  # a detector of its own is mostly zeros
                self.weights[node] = self._without_zeros(node)
            depth = before + self.weights.get(node, 0)
            if depth:
                depths[node] = depth
                for use in self.graph.readers(node):
                    if depths.get(use.node, 0) < depth:
                        depths[use.node] = depth
        return depths

    def _without_zeros(self, node: str) -> int:
        """Return the weights of a layer, as far as its first numbers say how many are zeros."""
        zeros, looked_at = 0, 0
        for producer in self.graph.producers(node):
            row = self.rows.get(producer)
            if row is not None and row.owner == node and row.verdict.role in LAYER_ROLES:
                head = self.head(row) or ()
                zeros += sum(number == 0 for number in head)
                looked_at += len(head)
        weights = self.weights[node]
        return max(weights - weights * zeros // looked_at, 1) if looked_at else weights

    def _operators(self, asked: Callable[[Operator], bool]) -> list[str]:
        """Return the nodes whose operator answers a question with yes."""
        return [
            node.id
            for nodes in self.graph.by_operator.values()
            if nodes[0].operator is not None and asked(nodes[0].operator)
            for node in nodes
        ]

    def _values(self) -> set[str]:
        """Return the nodes that depend on elements of an input."""
        sized = set(self._operators(lambda operator: "sized by data" in operator.traits))
        shaped = set(self._operators(lambda operator: "shape only" in operator.traits))
        behind: set[str] = reached(self.after, sized)
        values = reached(self._reading(shaped - behind), self.inputs)
        if not shaped:
            return values
        sized |= {node for node in values if self._sized_by(values, node)}
        behind = reached(self.after, sized)
        return reached(self._reading(shaped - behind), self.inputs)

    def _reading(self, shaped: set[str]) -> Callable[[str], Iterable[str]]:
        return lambda node: [reader for reader in self.after(node) if reader not in shaped]

    def _sized_by(self, values: set[str], node: str) -> bool:
        """Return whether one of some values is a size, a place or an end that a node is given."""
        operator = self.operator(node)
        roles = {"shape", "axes"}
        if "generates" in operator.traits:
            roles.add("scalar")  # first, last, how many
        if "picks" in operator.traits and operator.role(0) == "operand":
            roles.add("index")  # ends, not places in a table
        return any(
            use.producer in values and operator.role(use.index or 0) in roles
            for use in self.graph.operands(node)
        )


def _some(head: Sequence[float] | None, elements: int) -> Sequence[float]:
    """Return a few numbers of a tensor that show whether they differ, and how much."""
    if head is None or (len(head) < elements and min(head) == max(head)):
        return UNREAD[:elements]  # others may come behind what was read
    if len(head) <= READ or is_counting(head):
        return head[:READ]
    return (*head[: READ - 2], min(head), max(head))


def is_counting(numbers: Sequence[float]) -> bool:
    """Return whether numbers go up by the same step: positions, not a pattern."""
    if len(numbers) < COUNTED:
        return False
    step = numbers[1] - numbers[0]
    return step != 0 and all(b - a == step for a, b in pairwise(numbers))


def _learned(context: Context) -> dict[str, int]:
    learned: dict[str, int] = {}
    for row in context.rows:
        if row.owner is not None and row.verdict.role in LAYER_ROLES:
            learned[row.owner] = learned.get(row.owner, 0) + row.elements
    return learned


def _back_edges(graph: ModelGraph) -> dict[str, list[str]]:
    """Return where the results of Loop and Scan bodies go on in the next trip."""
    states_of: defaultdict[str, list[str]] = defaultdict(list)
    for body in graph.bodies:
        node = body.node
        if not (node.operator or UNKNOWN).is_control_flow or body.name != "body":
            continue  # a branch
        shift = 1 if node.op_type == "Loop" else 0
        states = len(body.inputs) - (0 if shift else node.record.integer("num_scan_inputs", 0))
        for use in graph.results(node.id, body.name):
            if use.result + shift < states:
                state = f"{body.scope}/input:{body.inputs[use.result + shift]}"
                if state in graph.nodes:
                    states_of[use.producer].append(state)
    return dict(states_of)


def _reversed(back: Mapping[str, list[str]]) -> dict[str, list[str]]:
    producers: defaultdict[str, list[str]] = defaultdict(list)
    for producer, states in back.items():
        for state in states:
            producers[state].append(producer)
    return dict(producers)
