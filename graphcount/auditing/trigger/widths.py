"""Through how many elements a sample a value depends on inputs, and where the trunk lies.

The width of a value is the number of elements a sample that decide it: those it has, or those of
what it is made of, whichever are fewer. So one yes or no stays one element, however wide it is
spread. A value of few elements of a much wider input is narrow: a cut.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from graphcount.auditing.trigger.flow import Flow, is_counting
from graphcount.graph import Body, Use, reached
from graphcount.symbolic import Dim, evaluate

FEW = 32
"""So many elements a sample are few."""

NARROWER = 4
"""The input has to have so many times as many: an input of few elements is a parameter."""

DYNAMIC = 256
"""What a dynamic dimension of an input counts for. The first one of several is its batch, 1; so is
what the data decide, which may be as small."""

STRING, STRING_TYPE = 256, 8
"""What one string counts for, and its element type."""

COUNTING = frozenset({"Range", "CumSum", "NonZero", "EyeLike", "Trilu"})
"""Policy: what makes positions: what is compared with them is a mask, not one decision."""


class Widths:
    """Widths of what depends on inputs.

    Attributes:
        flow: The graph.
        of: Width of each node that depends on inputs.
        widest: Elements a sample of the widest input it depends on.
        public: Nodes from which values that are not narrow lead on to a good share of the weights,
            or to an output.
        trunk: Nodes behind a layer that is public or that makes a good share of the weights.
    """

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self._sizes, self._batch = self._assumed()
        self._elements: dict[tuple[str, str], int | None] = {}
        self._turns = self._turning()
        self._passed: dict[tuple[str, str], int] = {}
        self.of: dict[str, int] = {}
        self.widest: dict[str, int] = {}
        for _ in range(2 if flow.back else 1):  # a state may be as wide as what comes back
            for node in flow.order:
                if node in flow.values:
                    self._measure(node)
        self.public = self._public()
        layers = {node for node in flow.weights if node in self.public or flow.is_heavy(node)}
        self.trunk = reached(flow.after, layers)

    def elements(self, node: str, value: str) -> int | None:
        """Return the elements a sample of a value; None where its shape is not known."""
        key = node, value
        if key not in self._elements:
            self._elements[key] = self._counted(key)
        return self._elements[key]

    def width(self, use: Use) -> int:
        """Return the elements a sample that a use of a value passes on; 0 of constants."""
        key = use.producer, use.value
        width = self._passed.get(key)
        if width is None:
            width = self._passed[key] = self._pass(use)
        return width

    def _pass(self, use: Use) -> int:
        width = self.of.get(use.producer, 0)
        if width < 2:
            return width
        elements = self.elements(*self.flow.graph.made(use))
        return width if elements is None else min(width, elements)

    def is_narrow(self, use: Use) -> bool:
        """Return whether a use passes on few elements of a much wider input."""
        width = self.width(use)
        return 0 < width <= FEW and width * NARROWER <= self.widest[use.producer]

    def _counted(self, key: tuple[str, str]) -> int | None:
        shapes = self.flow.context.shapes
        shape = shapes.shapes.get(key) if shapes is not None else None
        if shape is None or shapes is None:
            return None
        sizes = [self._size(dim) for dim in shape]
        each = STRING if shapes.dtypes.get(key) == STRING_TYPE else 1
        each *= self._turns.get(key[0], 1)
        return max(prod(sizes[1:] if sizes[:1] == [self._batch] else sizes), 1) * each

    def _size(self, dim: Dim | None) -> int:
        """Return a dimension in numbers; 1 where only the data decide it: it may be as small."""
        if dim is None or isinstance(dim, int):
            return max(dim or 1, 1)
        sizes = {name: self._sizes.get(name, 1) for name in dim.symbols()}
        size = evaluate(dim, sizes)
        return size if isinstance(size, int) and size > 0 else DYNAMIC  # 0 where they do not fit

    def _assumed(self) -> tuple[dict[str, int], int]:
        """Return sizes of dynamic dimensions, and the batch where it is a number."""
        shapes = self.flow.context.shapes
        if shapes is None:
            return {}, 1
        sizes = {name: DYNAMIC for name, place in shapes.places.items() if not place.maker}
        batches = set()
        for node in self.flow.graph.inputs:
            shape = shapes.shapes.get((node.id, node.name), ())
            first = shape[0] if len(shape) > 1 else None
            if isinstance(first, int):
                batches.add(first)
            elif first is not None:
                sizes.update(dict.fromkeys(first.symbols(), 1))
        return sizes, batches.pop() if len(batches) == 1 else 1

    def _turning(self) -> dict[str, int]:
        """Return in how many turns of a loop each is made: what a counter picks is all, in time."""
        flow = self.flow
        turns: dict[str, int] = {}
        shapes = flow.context.shapes
        for body in flow.graph.bodies:
            trips = shapes.trips.get(body.node.id) if shapes is not None else None
            if body.name != "body" or trips == 1:
                continue
            number = self._size(trips)
            for node in self._turned(body):
                turns[node] = turns.get(node, 1) * number
        return turns

    def _turned(self, body: Body) -> set[str]:
        """Return what depends on the inputs of a body, in it."""
        flow, scope = self.flow, f"{body.scope}/"
        inputs = [f"{scope}input:{name}" for name in body.inputs]
        return reached(
            lambda node: [one for one in flow.after(node) if one.startswith(scope)],
            [node for node in inputs if node in flow.nodes],
        )

    def _measure(self, node: str) -> None:
        flow = self.flow
        record = flow.nodes[node]
        renamed = flow.graph.operand(node, 0) if self._renames(node) else None
        if renamed is not None:  # whatever its shape says, it is the same elements
            elements = self.elements(*flow.graph.made(renamed))
            self._elements.update({(node, value): elements for value in record.outputs})
        own = [self.elements(node, value) for value in record.outputs if value]
        most = None if None in own else max((size or 0 for size in own), default=None)
        if record.kind == "input" and not record.scope:
            self.of[node] = self.widest[node] = DYNAMIC * DYNAMIC if most is None else most
            return
        uses = [use for use in flow.graph.entering(node) if use.producer in flow.values]
        begins = flow.begins.get(node, ())
        through = sum(map(self._pass, uses)) + sum(self.of.get(source, 0) for source in begins)
        if most is not None and (through > most or self._meets_places(node)):
            through = most
        self.of[node] = through
        sources = [*(use.producer for use in uses), *begins]
        self.widest[node] = max((self.widest.get(source, 0) for source in sources), default=0)

    def _renames(self, node: str) -> bool:
        return "renames" in self.flow.operator(node).traits

    def _meets_places(self, node: str) -> bool:
        """Return whether a node sets something beside positions: a result for each of them."""
        flow = self.flow
        if not flow.operator(node).traits & {"compares", "arithmetic"}:
            return False
        fixed = [one for one in flow.graph.producers(node) if one not in flow.values]
        return any(flow.op(one) in COUNTING or is_counting(flow.numbers(one)) for one in fixed)

    def _public(self) -> set[str]:
        flow = self.flow
        ends = {output.id for output in flow.graph.outputs}
        ends |= {node for node in flow.depths if flow.is_heavy(node)}
        return reached(lambda node: self._wide(flow.graph.entering(node)), ends)

    def _wide(self, uses: Iterable[Use]) -> list[str]:
        return [use.producer for use in uses if self.width(use) and not self.is_narrow(use)]
