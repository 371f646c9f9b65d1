"""Inputs and the outputs that they come out as: which output is which input's state of later."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

from graphcount.analysis.shapes import ValueShapes
from graphcount.analysis.states.names import paired, words_of
from graphcount.analysis.states.uses import InputUses, batch_names
from graphcount.analysis.states.ways import StateWay, Ways
from graphcount.dtypes import BY_NAME
from graphcount.graph import ModelGraph, traits_of
from graphcount.loading.model import Dim
from graphcount.ops.call import Shape
from graphcount.ops.operator import KeptState

NO_STATES = frozenset({0, BY_NAME["bool"].code, BY_NAME["string"].code})
"""Types of what is no state: masks and flags are bool."""

SURE = 2
"""Evidence that needs nothing beside it; with 1, `upheld` decides."""

_KEYS_RANK = 3
"""Keys have a sequence, a length and a size at least."""


class StateValue(NamedTuple):
    """An input or output of the graph that a state may be.

    Attributes:
        name: Its name.
        id: Id of the node: of the input, or of what makes the output.
        made: Its name at that node.
        shape: Its dimensions.
        code: Its element type.
        declared: Dimensions as the file has them.
    """

    name: str
    id: str
    made: str
    shape: Shape
    code: int
    declared: tuple[Dim, ...]


class StatePair(NamedTuple):
    """A state.

    Attributes:
        source: The input.
        target: The output; None where nothing of it leaves the graph.
        way: How it comes out; empty where names alone say so.
        axis: Axis along which it grows.
        attended: It is multiplied with something computed, as it is or joined.
        convolved: A convolution takes it.
        why: The evidence, as a sentence without an end.
        rank: How good the evidence is, the better the more.
        node: Operator that takes it; empty without one.
        state: The state of this operator that it is.
    """

    source: StateValue
    target: StateValue | None
    way: StateWay
    axis: int | None
    attended: bool
    convolved: bool
    why: str
    rank: tuple[int, ...]
    node: str
    state: KeptState | None


def find_pairs(graph: ModelGraph, shapes: ValueShapes) -> tuple[list[StatePair], bool]:
    """Return the states of a model in the order of its inputs, and whether these are all."""
    finder = _PairFinder(graph, shapes)
    pairs = finder.upheld(finder.chosen())
    taken = {pair.source.name for pair in pairs}
    pairs += [
        pair
        for source in finder.sources
        if source.name not in taken and (pair := finder.not_returned(source)) is not None
    ]
    order = {source.name: at for at, source in enumerate(finder.sources)}
    return sorted(pairs, key=lambda pair: order[pair.source.name]), finder.ways.left > 0


class _PairFinder:
    """Compares the inputs of a graph with its outputs."""

    def __init__(self, graph: ModelGraph, shapes: ValueShapes) -> None:
        self.graph, self.shapes = graph, shapes
        self.ways, self.uses = Ways(graph), InputUses(graph, shapes)
        made = (
            self._value(node.name, node.id, node.name, node.info.shape) for node in graph.inputs
        )
        self.sources = [value for value in made if value is not None]
        self.by_name = {value.name: value for value in self.sources}

    def _value(
        self, name: str, id: str, made: str, declared: tuple[Dim, ...] | None
    ) -> StateValue | None:
        shape, code = self.shapes.shapes.get((id, made)), self.shapes.dtypes.get((id, made), 0)
        if not shape or code in NO_STATES:
            return None
        return StateValue(name, id, made, shape, code, declared or (None,) * len(shape))

    @cached_property
    def targets(self) -> list[StateValue]:
        """Outputs that can be a state of some input: of its type and rank."""
        kinds = {(value.code, len(value.shape)) for value in self.sources}
        made = (
            self._value(node.name, use.producer, use.value, node.info.shape)
            for node in self.graph.outputs
            for use in self.graph.operands(node.id)
        )
        return [one for one in made if one is not None and (one.code, len(one.shape)) in kinds]

    # ------------------------------------------------------------------------------------- pairs

    def chosen(self) -> list[StatePair]:
        """Return the best pairs, each input and each output in one at most."""
        candidates = [pair for target in self.targets for pair in self._of_output(target)]
        pairs: list[StatePair] = []
        inputs: set[str] = set()
        outputs: set[str] = set()
        for pair in sorted(candidates, key=lambda pair: pair.rank, reverse=True):
            assert pair.target is not None
            if pair.source.name not in inputs and pair.target.name not in outputs:
                inputs.add(pair.source.name)
                outputs.add(pair.target.name)
                pairs.append(pair)
        return pairs

    def _of_output(self, target: StateValue) -> Iterator[StatePair]:
        """Yield the inputs that an output may be a state of."""
        names = set()
        for way in self.ways.to_inputs(target.id, target.made):
            source = self.by_name.get(way.source)
            if source is not None:
                names.add(source.name)
                pair = self._pair(source, target, way)
                if pair is not None:
                    yield pair
        for source in self._named(target):
            past = "past" in words_of(source.name).roles  # made anew: keys of an encoder
            if source.name not in names and (past or target.id in (self._after(source) or ())):
                pair = self._pair(source, target, StateWay())
                if pair is not None:
                    yield pair

    def _named(self, target: StateValue) -> Iterator[StateValue]:
        """Yield the inputs whose name goes with that of an output."""
        for source in self._by_words.get(words_of(target.name).rest, ()):
            if self.ways.left > 0 and paired(source.name, target.name):
                self.ways.left -= 1
                yield source

    @cached_property
    def _by_words(self) -> dict[tuple[str, ...], list[StateValue]]:
        words: dict[tuple[str, ...], list[StateValue]] = {}
        for source in self.sources:
            words.setdefault(words_of(source.name).rest, []).append(source)
        return words

    def _pair(self, source: StateValue, target: StateValue, way: StateWay) -> StatePair | None:
        """Return the pair of an input and an output, if there is evidence enough."""
        if source.code != target.code or len(source.shape) != len(target.shape):
            return None
        attended, convolved = source.id in self.uses.attended, source.id in self.uses.convolved
        named = paired(source.name, target.name)
        sure = named and "past" in words_of(source.name).roles
        strong = sure or way.state is not None
        strong |= way.joined is not None and (attended or convolved)
        fits, axis = _growth(source, target, way, strong)
        if not fits:
            return None
        level, why = self._evidence(source, way, named, attended, convolved, axis)
        if not level:
            return None
        rank = (level, named, way.state is not None, -(way.joined or 0), axis is None)
        return StatePair(
            source, target, way, axis, attended, convolved, why,
            tuple(map(int, rank)), way.node, way.state,
        )  # fmt: skip

    def _evidence(
        self,
        source: StateValue,
        way: StateWay,
        named: bool,
        attended: bool,
        convolved: bool,
        axis: int | None,
    ) -> tuple[int, str]:
        """Return how good the evidence of a pair is, 0 for none, and what it is."""
        if way.state is not None:
            return SURE, f"{self.graph.nodes[way.node].op_type} takes it as its state"
        is_large = len(source.shape) > 1
        new = "joined to it" if way.joined is not None else "written into it"
        if way.joined is not None or way.written:
            if attended:
                return SURE, f"what is new is {new}, and it is multiplied as keys and values are"
            if axis is None and convolved:
                return SURE, f"what is new is {new}, and a convolution takes it"
        if named and "past" in words_of(source.name).roles:
            return SURE, "its name and that of the output"
        if way.handed_through and way.source and attended and len(source.shape) >= _KEYS_RANK:
            return 1, "it is multiplied as keys and values are, and handed through"
        if axis is None and way.joined is not None and way.cut and is_large:
            return 1, f"what is new is {new}, and as much is left out"
        if axis is None and way.changed and is_large and self._is_recurrence(source, way):
            return 1, "it is scaled and added to by what does not depend on it"
        if axis is None and way.looped and is_large:
            return 1, "a loop starts with it and returns it"
        if named:
            return 1, "its name and that of the output"
        return 0, ""

    def _is_recurrence(self, source: StateValue, way: StateWay) -> bool:
        """Return whether an input is scaled and added to by what depends on others, not on it."""
        nodes = self.graph.nodes
        scaled = [node for node, _ in way.changed if "scales" in traits_of(nodes[node])]
        others = {
            use.producer
            for node, index in way.changed
            for use in self.graph.operands(node)
            if use.index != index
        }
        if len(scaled) == len(way.changed) or not scaled or self.uses.fed.isdisjoint(others):
            return False
        after = self._after(source)
        return after is not None and after.isdisjoint(others)

    def _after(self, source: StateValue) -> set[str] | None:
        """Return what depends on an input; None where such questions have taken too long."""
        if self.ways.left <= 0:
            return None
        after = self.graph.descendants([source.id])
        self.ways.left -= len(after)
        return after

    def upheld(self, pairs: list[StatePair]) -> list[StatePair]:
        """Return the pairs whose evidence is enough.

        Weak evidence is, where what is no state depends on the state, the new state on an input
        that is none, and no dynamic dimension but the batch is that of such an input: what has the
        length of a step, or the size of an image, is not kept from one to the next.
        """
        if all(pair.rank[0] >= SURE for pair in pairs):
            return pairs
        returned = {pair.target.name for pair in pairs if pair.target is not None}
        kept = {pair.source.name for pair in pairs}
        fresh = [node for node in self.graph.inputs if node.name not in kept]
        results = [node.id for node in self.graph.outputs if node.name not in returned]
        read = self.graph.ancestors(results)
        renewed = self.graph.descendants(node.id for node in fresh)
        sizes = {dim for node in fresh for dim in node.info.shape or () if isinstance(dim, str)}
        batches = batch_names(fresh)

        def holds(pair: StatePair) -> bool:
            dynamic = [dim for dim in pair.source.declared if not isinstance(dim, int)]
            common = sizes.intersection(dim for dim in dynamic if isinstance(dim, str))
            if pair.source.id not in read or len(common) > 1 or not common <= batches:
                return False
            through = pair.way.handed_through and bool(pair.way.source)
            is_new = pair.target is not None and pair.target.id in renewed
            return through or (is_new and len(dynamic) < 2)

        return [pair for pair in pairs if pair.rank[0] >= SURE or holds(pair)]

    # ---------------------------------------------------------------------- what is not returned

    def not_returned(self, source: StateValue) -> StatePair | None:
        """Return keys or values that nothing of leaves the graph, but an operator's own past."""
        words = words_of(source.name)
        by_name = "past" in words.roles or bool(words.is_kept and words.is_cross)
        if len(source.shape) < _KEYS_RANK:
            return None
        node, way, axis = self.uses.past_reader(
            source.id, len(source.shape), by_name or "cache" in source.name.lower()
        )
        if node is None and not by_name:
            return None
        attended = source.id in self.uses.attended
        if node is None:
            if not attended:
                return None
            why = "it is multiplied as keys and values are, and has the name of what is kept"
            return StatePair(source, None, way, None, attended, False, why, (), "", None)
        op_type = self.graph.nodes[node].op_type
        why = (
            f"{op_type} takes it as its state"
            if way.state is not None
            else f"{op_type} joins what is new to it, and it has the name of what is kept"
        )
        return StatePair(source, None, way, axis, attended, False, why, (), node, way.state)


def _growth(
    source: StateValue, target: StateValue, way: StateWay, strong: bool
) -> tuple[bool, int | None]:
    """Return whether one shape can be fed as the other again, and the axis that grows.

    A size that the file fixes does not change from step to step; where it seems to, the evidence is
    strong: a step of another length than the next, or one that was exported for one length.
    """
    pairs = list(enumerate(zip(source.shape, target.shape, strict=True)))
    differ = [at for at, (old, new) in pairs if None not in (old, new) and old != new]
    unknown = [at for at, (_, new) in pairs if new is None]
    fixed = [at for at in differ if isinstance(source.declared[at], int)]
    free = [at for at in differ if at not in fixed]
    if not strong and (len(free) > 1 or any(isinstance(target.shape[at], int) for at in fixed)):
        return False, None
    state = way.state
    if state is not None:
        axis = None if state.axis is None else state.axis % len(pairs)
        return True, axis if axis in (*differ, *unknown) else None
    if free:
        return True, next((at for at in free if at), free[0])
    return True, unknown[0] if len(unknown) == 1 and way.joined is not None else None
