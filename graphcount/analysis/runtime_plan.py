"""The memory that onnxruntime plans on a CPU, with its optimisation off.

By what its source does (onnxruntime 1.32, core/framework): allocation_planner.cc gives each result
a buffer, in the order that GraphViewer makes of a graph; mem_pattern_planner.h gives each buffer a
place in one block. Each body of If, Loop and Scan has a plan of its own.

1. A result takes the memory of its first input where the kernel is registered so: always (Alias;
   trait `renames`), or where shape and width of elements are the same and nobody reads the input
   any more (MayInplace; trait `overwrites`).
2. Else it takes the last freed buffer of the same shape and width.
3. Else it has a buffer of its own. What the graph returns always has one, beside the block.
4. A buffer takes a multiple of 256 bytes. It has a place from its first result to its last reader,
   in the smallest gap that holds it, else at the end.

What a kernel asks for while it runs (columns of a convolution, packed operands) is not planned: it
differs by version and processor.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from graphcount.analysis.lifetimes import sizes
from graphcount.analysis.shapes import ValueShapes
from graphcount.analysis.shapes.state import ValueKey
from graphcount.dtypes import BY_NAME, DTYPES
from graphcount.graph import ModelGraph, OperatorNode, computes, is_constant, traits_of
from graphcount.ops.call import complete

ALIGNMENT = 256
"""Bytes of which each buffer takes a multiple (kAllocAlignment)."""

STRING = BY_NAME["string"].code

Alike: TypeAlias = "tuple[tuple[int, ...], int] | None"
"""Shape, and bytes of an element; None where onnxruntime does not compare them."""


class RuntimePlan(NamedTuple):
    """What onnxruntime allocates for results.

    Attributes:
        blocks: Bytes of the block of each graph: of the main graph, whose scope is empty, and of
            each body; None where the size of a result is not known.
        nodes: Bytes that are allocated for the results of each operator; None where not known.
    """

    blocks: Mapping[str, int | None]
    nodes: Mapping[str, int | None]


@dataclass(slots=True)
class _Graph:
    """A graph or a body, as onnxruntime plans it.

    Attributes:
        nodes: Operators in the order of the file.
        inputs: Values that each takes, those that its bodies take from outside included; a value
            that enters twice is there twice.
        returned: Values that leave it.
        of_loop: The first input of the body of a Loop: its number.
    """

    nodes: list[OperatorNode] = field(default_factory=list)
    inputs: dict[str, list[ValueKey]] = field(default_factory=dict)
    returned: set[ValueKey] = field(default_factory=set)
    of_loop: str | None = None


def runtime_plan(graph: ModelGraph, shapes: ValueShapes) -> RuntimePlan:
    """Return what onnxruntime allocates at sizes that are all known."""
    known = _Known(graph, shapes)
    blocks: dict[str, int | None] = {}
    nodes: dict[str, int | None] = {}
    for scope, one in _graphs(graph, shapes.dead).items():
        planning = _Planning(graph, one, known)
        planning.run(_execution_order(one))
        nodes |= planning.allocated
        blocks[scope] = None if planning.lost else _block(planning.steps)
    return RuntimePlan(blocks, nodes)


# -------------------------------------------------------------------------------- graphs and order


def _graphs(graph: ModelGraph, dead: tuple[str, ...]) -> dict[str, _Graph]:
    """Return the main graph and every body that may run, by scope."""
    graphs: dict[str, _Graph] = {"": _Graph()}
    for body in graph.bodies:
        if not (dead and f"{body.scope}/".startswith(dead)):
            graphs[body.scope] = _Graph()
            if body.node.op_type == "Loop" and body.inputs:
                graphs[body.scope].of_loop = body.inputs[0]
    for node in graph.operators:
        one = graphs.get(graph.scopes.get(node.scope, ""))
        if one is not None and not is_constant(node):
            one.nodes.append(node)
            one.inputs[node.id] = [(use.producer, use.value) for use in graph.operands(node.id)]
    for output in graph.outputs:
        graphs[""].returned |= {(use.producer, use.value) for use in graph.operands(output.id)}
    for body in graph.bodies:
        if body.scope in graphs:
            uses = graph.results(body.node.id, body.name)
            graphs[body.scope].returned |= {(use.producer, use.value) for use in uses}
    _capture(graph, graphs)
    return graphs


def _capture(graph: ModelGraph, graphs: Mapping[str, _Graph]) -> None:
    """Give operators what their bodies take from outside, once each."""
    captured: dict[str, dict[ValueKey, None]] = {}
    for scope, one in graphs.items():
        if not scope:
            continue
        taken = {value for values in one.inputs.values() for value in values} | one.returned
        for value in sorted(taken):
            home = graph.nodes[value[0]].scope
            home = graph.scopes.get(home, "")
            inside = scope
            while inside and inside != home:
                owner = graph.body_at[inside].node
                captured.setdefault(owner.id, {})[value] = None
                inside = graph.scopes.get(owner.scope, "")
    for one in graphs.values():
        for id, values in one.inputs.items():
            values += captured.get(id, ())


def _execution_order(one: _Graph) -> list[OperatorNode]:
    """Return the order of execution: depth first from the last result back (GraphViewer)."""
    place = {node.id: at for at, node in enumerate(one.nodes)}
    read = {value[0] for values in one.inputs.values() for value in values}
    stack = [(at, False) for at, node in enumerate(one.nodes) if node.id not in read]
    entered = [False] * len(one.nodes)
    order = []
    while stack:
        at, done = stack.pop()
        if done:
            order.append(one.nodes[at])
        elif not entered[at]:
            entered[at] = True
            stack.append((at, True))
            before = {
                place[value[0]] for value in one.inputs[one.nodes[at].id] if value[0] in place
            }
            stack += [(other, False) for other in sorted(before) if not entered[other]]
    return order


# ------------------------------------------------------------------------------------------ buffers


class _Known:
    """Sizes of values."""

    def __init__(self, graph: ModelGraph, shapes: ValueShapes) -> None:
        self.graph, self.shapes = graph, shapes
        self.sizes = sizes(shapes)

    def alike(self, value: ValueKey) -> Alike:
        """Return what two values must have in common so that one can take the other's memory."""
        dims = complete(self.shapes.shapes.get(value))
        code = self.shapes.dtypes.get(value, 0)
        if dims is None or code not in DTYPES or code == STRING:
            return None
        numbers = tuple([dim for dim in dims if isinstance(dim, int)])
        return (numbers, -(-DTYPES[code].bits // 8)) if len(numbers) == len(dims) else None

    def nbytes(self, value: ValueKey) -> int | None:
        """Return the bytes that a value takes; 0 for text and sequences, which are not planned."""
        if value in self.shapes.sequences or self.shapes.dtypes.get(value, 0) == STRING:
            return 0
        nbytes = self.sizes(*value)
        return -(-nbytes // ALIGNMENT) * ALIGNMENT if isinstance(nbytes, int) else None


class _Planning:
    """A pass over one graph that gives each result a buffer.

    Attributes:
        allocated: Bytes allocated for the results of each node.
        steps: For each step the buffers that begin, with their bytes, and those that end.
        lost: The size of a buffer in the block is not known.
    """

    def __init__(self, graph: ModelGraph, one: _Graph, known: _Known) -> None:
        self.graph, self.one, self.known = graph, one, known
        self.allocated: dict[str, int | None] = {}
        self.steps: list[tuple[list[tuple[ValueKey, int]], list[ValueKey]]] = []
        self.lost = False
        self.buffers: dict[ValueKey, ValueKey] = {}
        self.free: dict[Alike, list[ValueKey]] = {}
        self.uses = Counter(value for values in one.inputs.values() for value in values)
        self.uses.update(one.returned)
        self.ends: dict[ValueKey, int] = {}

    def run(self, order: Sequence[OperatorNode]) -> None:
        """Go through the nodes in order."""
        self.uses.update((node.id, name) for node in order for name in node.outputs if name)
        made = {node.id for node in order}
        for step, node in enumerate(order):
            begin: list[tuple[ValueKey, int]] = []
            results = [(node.id, name) for name in node.outputs if name]
            sums = [self._allocate(node, value, made, begin) for value in results]
            known = [nbytes for nbytes in sums if nbytes is not None]
            self.allocated[node.id] = sum(known) if len(known) == len(sums) else None
            self.steps.append((begin, []))
            for value in self.one.inputs[node.id]:
                if value[0] in made:
                    self._release(value)
                    self.ends[self.buffers[value]] = step
            for value in results:
                self._release(value)
        for buffer, step in self.ends.items():
            self.steps[step][1].append(buffer)

    def _allocate(
        self,
        node: OperatorNode,
        value: ValueKey,
        made: Iterable[str],
        begin: list[tuple[ValueKey, int]],
    ) -> int | None:
        """Give a result a buffer; return the bytes that are allocated for it."""
        self.buffers[value] = value
        nbytes = self.known.nbytes(value)
        if value in self.one.returned:
            return 0 if self._is_shared(node, made) else nbytes
        taken = self._taken_over(node, value, made) or self._freed(value)
        if taken is not None:
            self.buffers[value] = taken
            self.uses[taken] += self.uses[value]
            return 0
        if nbytes is None:
            self.lost = True
        else:
            begin.append((value, nbytes))
        return nbytes

    def _is_shared(self, node: OperatorNode, made: Iterable[str]) -> bool:
        """Return whether a Loop hands on a value as it came, but for the number of the trip."""
        values = self.one.inputs[node.id]
        if self.one.of_loop is None or computes(node) != "Identity" or not values:
            return False
        return values[0][0] not in made and values[0][1] != self.one.of_loop

    def _taken_over(
        self, node: OperatorNode, value: ValueKey, made: Iterable[str]
    ) -> ValueKey | None:
        """Return the buffer of the first input, where the result takes it."""
        use = self.graph.operand(node.id, 0)
        if use is None or value[1] != node.outputs[0]:
            return None
        first = use.producer, use.value
        buffer = self.buffers.get(first, first)
        if "renames" in traits_of(node):
            return buffer
        if "overwrites" not in traits_of(node) or use.producer not in made:
            return None
        alike = self.known.alike(first)
        same = alike is not None and alike == self.known.alike(value)
        return buffer if same and self.uses[buffer] == 1 else None

    def _freed(self, value: ValueKey) -> ValueKey | None:
        """Return the last freed buffer of the same shape and width; scalars take none."""
        alike = self.known.alike(value)
        if alike is None or not alike[0]:
            return None
        free = self.free.get(alike)
        return free.pop() if free else None

    def _release(self, value: ValueKey) -> None:
        buffer = self.buffers[value]
        self.uses[buffer] -= 1
        if self.uses[buffer] == 0:
            self.free.setdefault(self.known.alike(buffer), []).append(buffer)


def _block(steps: Iterable[tuple[list[tuple[ValueKey, int]], list[ValueKey]]]) -> int:
    """Return the size of the block: each buffer in the smallest gap that holds it."""
    block = _Block()
    for begin, end in steps:
        for buffer, nbytes in begin:
            if nbytes:
                block.take(buffer, nbytes)
        for buffer in end:
            block.give(buffer)
    return block.most


class _Block:
    """A block with the buffers that are in it, and the gaps between them.

    Attributes:
        most: The furthest that it reached.
        top: The end of its last buffer: behind it is no gap.
        held: Offset and bytes of each buffer.
        gaps: Bytes and offset of each gap, smallest first, at equal size the lowest first.
        starts: Bytes of each gap by its offset.
        ends: Offset of each gap by its end.
    """

    def __init__(self) -> None:
        self.most = self.top = 0
        self.held: dict[ValueKey, tuple[int, int]] = {}
        self.gaps: list[tuple[int, int]] = []
        self.starts: dict[int, int] = {}
        self.ends: dict[int, int] = {}

    def take(self, buffer: ValueKey, nbytes: int) -> None:
        """Place a buffer."""
        at = bisect_left(self.gaps, (nbytes, 0))
        if at < len(self.gaps):
            size, offset = self.gaps[at]
            self._close(offset)
            if size > nbytes:
                self._open(offset + nbytes, size - nbytes)
        else:
            offset, self.top = self.top, self.top + nbytes
            self.most = max(self.most, self.top)
        self.held[buffer] = offset, nbytes

    def give(self, buffer: ValueKey) -> None:
        """Take a buffer out, if it is in: gaps beside it become one with it."""
        if buffer not in self.held:
            return
        start, nbytes = self.held.pop(buffer)
        end = start + nbytes
        if start in self.ends:
            start = self.ends[start]
            self._close(start)
        if end in self.starts:
            end += self._close(end)
        if end == self.top:
            self.top = start
        else:
            self._open(start, end - start)

    def _open(self, offset: int, nbytes: int) -> None:
        insort(self.gaps, (nbytes, offset))
        self.starts[offset], self.ends[offset + nbytes] = nbytes, offset

    def _close(self, offset: int) -> int:
        """Remove a gap; return its bytes."""
        nbytes = self.starts.pop(offset)
        del self.ends[offset + nbytes]
        del self.gaps[bisect_left(self.gaps, (nbytes, offset))]
        return nbytes
