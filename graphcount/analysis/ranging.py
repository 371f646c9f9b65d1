"""The measures of a model whose sizes have ranges, in symbols or counted anew at sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

from graphcount.analysis.cost import ModelCost
from graphcount.analysis.memory import Memory, live_sums
from graphcount.analysis.runs import Rival
from graphcount.analysis.shapes import Bindings, ShapeError, ValueShapes
from graphcount.analysis.shapes.declared import Declarations
from graphcount.analysis.shapes.sizes import no_such
from graphcount.graph import ModelGraph
from graphcount.loading.model import ModelProto
from graphcount.symbolic import Dim, TooComplexError
from graphcount.symbolic.intervals import SizeRange

Candidates: TypeAlias = "tuple[Dim, ...] | None"
"""What a measure is the largest of; None: not known."""

AtSizes: TypeAlias = "Mapping[str, int]"


Pass: TypeAlias = "tuple[ValueShapes, ModelCost, Memory]"
"""A forward pass, worked out."""


MAX_RIVALS = 3
"""Each doubles the sums of MACs that are looked at."""


class Sums(NamedTuple):
    """The measures of a forward pass, in symbols or as numbers.

    Attributes:
        least: What each is the largest of, at least.
        most: The same, at most.
        whole: Those that lack nothing.
        dead: Scopes of branches that are never taken.
        rivals: Branches of which sizes decide which one costs most; `macs` has both where it can.
    """

    least: dict[str, Candidates]
    most: dict[str, Candidates]
    whole: frozenset[str]
    dead: tuple[str, ...]
    rivals: tuple[Rival, ...]


class Ranging(NamedTuple):
    """A model whose sizes have ranges.

    Attributes:
        proto: The model.
        graph: Its graph.
        bindings: AtSizes that are given.
        ranges: Least and most size by name of a dimension; `*` is every other one.
        work: Works out a pass at sizes; whether to refuse what the model cannot take.
        in_place: Results take over memory.
    """

    proto: ModelProto
    graph: ModelGraph
    bindings: Bindings
    ranges: Mapping[str, SizeRange]
    work: Callable[[Bindings, bool], Pass]
    in_place: bool

    def spans(self, shapes: ValueShapes) -> dict[str, SizeRange]:
        """Return the range of each dimension that has one and no size.

        Raises:
            ShapeError: There is no such dimension, or it has a size.
        """
        for name in self.ranges:
            if name not in shapes.places and name != "*":
                self.refuse(name, shapes)
        ranges = {name: self.ranges.get(name, self.ranges.get("*")) for name in shapes.places}
        return {name: ends for name, ends in ranges.items() if ends is not None}

    def refuse(self, name: str, shapes: ValueShapes) -> None:
        """Refuse the range of what is no dimension without a size.

        Raises:
            ShapeError: It has a size, or there is none.
        """
        dims, given, _, where_present, _ = self.bindings
        if name in dims:
            raise ShapeError(f"dimension {name} has a size, {dims[name]}, and a range")
        names = sorted({*Declarations(self.proto, Bindings()).names(), *shapes.places})
        if name in names and given:
            raise ShapeError(f"dimension {name} has a size by the shapes that are given, no range")
        if name not in (*names, *where_present):
            raise ShapeError(no_such("dimension", name, names))

    def again(self, sizes: AtSizes, refuse: bool) -> Pass | None:
        """Return a pass at more sizes; None where the model cannot take them."""
        dims = {**self.bindings.dims, **sizes}
        try:
            return self.work(self.bindings._replace(dims=dims), refuse)
        except ShapeError:
            return None

    def sums(self, worked: Pass) -> Sums:
        """Return the measures of a pass."""
        shapes, cost, used = worked
        alive = live_sums(self.graph, shapes, in_place=self.in_place)
        freed = alive
        if self.in_place:
            freed = live_sums(self.graph, shapes, in_place=True, where_equal=True)
        least: dict[str, Candidates] = {
            "macs": _either(cost.macs, cost.rivals),
            "elementwise": (cost.elementwise,),
            "input_nbytes": _one(used.inputs),
            "output_nbytes": _one(used.outputs),
            "activation_nbytes": _one(used.activations),
            "peak_activation_nbytes": freed,
        }
        lost = ("activation_nbytes", "peak_activation_nbytes") if used.lost else ()
        lacking = {*cost.lacking, *lost, *(name for name, dims in least.items() if dims is None)}
        most = {name: None if name in lacking else dims for name, dims in least.items()}
        if "macs" in lacking:
            most["macs"] = _one(cost.macs_at_most)
        if "elementwise" in lacking:
            most["elementwise"] = _one(cost.elementwise_at_most)
        if "peak_activation_nbytes" not in lacking:
            most["peak_activation_nbytes"] = alive
        whole = frozenset(least.keys() - lacking)
        return Sums(least, most, whole, shapes.dead, cost.rivals)

    def at(self, sizes: AtSizes) -> Sums | None:
        """Return the measures as numbers; None where the model cannot take the sizes."""
        worked = self.again(sizes, True)
        return None if worked is None else self.sums(worked)


def _either(macs: Dim, rivals: tuple[Rival, ...]) -> Candidates:
    """Return MACs with any of the branches, of which the most expensive one counts."""
    candidates = [macs]
    if len(rivals) > MAX_RIVALS or not all(rival.alone for rival in rivals):
        return (macs,)
    try:
        for chosen, other, _ in rivals:
            candidates += [macs - chosen + other for macs in candidates]
    except TooComplexError:
        return (macs,)
    return tuple(candidates)


def _one(dim: Dim | None) -> Candidates:
    return None if dim is None else (dim,)
