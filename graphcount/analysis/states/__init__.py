"""What a step of a model hands to the next: keys and values, states of recurrences.

A state is an input that comes out again: the output has its type and its rank, and its shape but
for one axis that may grow. That alone says nothing: an image goes in and an image comes out. So one
of these has to be there, too (`pairs.py` has them in order):

* an operator takes the input as its state and returns the output (`Operator.states`);
* what is new is joined to it, or written into it, and what comes of it is multiplied with something
  computed, as keys and values are, or runs through a convolution;
* it is scaled and added to by what does not depend on it, as states of linear recurrences are, or a
  loop carries it, and outputs that are no states depend on it;
* it comes out unchanged and is multiplied with something computed: keys and values of an encoder;
* the names say so (`names.py`), and the output depends on the input.

Bytes are exact where shapes are: of what is handed on, the outputs, and of what is taken in.
"""

from __future__ import annotations

from collections.abc import Collection

from graphcount.analysis.lifetimes import value_nbytes
from graphcount.analysis.memory import total
from graphcount.analysis.shapes import ValueShapes
from graphcount.analysis.states.kinds import kind_of
from graphcount.analysis.states.pairs import StatePair, find_pairs
from graphcount.analysis.states.uses import batch_names
from graphcount.dtypes import dtype_name
from graphcount.graph import ModelGraph
from graphcount.ops.call import Shape
from graphcount.report.pass_rows import StateRow, StatesRow
from graphcount.report.rows import Dim
from graphcount.symbolic import Dim as Size
from graphcount.symbolic import Expr

PAGE_AXES = 2
"""Axes of a cache in pages before those of one key: pages, and keys of a page."""


def find_states(graph: ModelGraph, shapes: ValueShapes) -> StatesRow | None:
    """Return the states of a model at its sizes; None when it has none.

    Sums are not known where there are too many ways through the graph to follow them all.
    """
    pairs, complete = find_pairs(graph, shapes)
    if not pairs:
        return None
    taken = {pair.source.name for pair in pairs}
    batches = batch_names(node for node in graph.inputs if node.name not in taken)
    sizes = {
        name
        for node in graph.inputs
        for dim in shapes.shapes.get((node.id, node.name), ())
        if isinstance(dim, Expr)
        for name in dim.symbols()
    }
    sized = [_Sized(pair, batches, sizes) for pair in pairs]
    columns = (
        [one.nbytes for one in sized],
        [one.nbytes_in for one in sized],
        [one.per_sequence for one in sized],
        [one.per_token for one in sized],
    )
    sums = [_written(total(parts)) if complete else None for parts in columns]
    return StatesRow(tuple(one.row for one in sized), *sums)


class _Sized:
    """A pair with its axes and bytes."""

    def __init__(
        self, pair: StatePair, batches: Collection[object], sizes: Collection[str]
    ) -> None:
        source, target = pair.source, pair.target or pair.source
        self.kind = kind_of(pair)
        batch = _batch_axis(pair, self.kind, batches)
        axis = pair.axis if pair.axis != batch else None
        out = _filled(target.shape, source.shape, axis, sizes)
        self.nbytes, self.nbytes_in = (
            value_nbytes(out, source.code),
            value_nbytes(source.shape, source.code),
        )
        pages = self.kind == "paged"
        kept = source.shape if axis is None else _without(source.shape, axis)
        if pages:
            kept = source.shape[PAGE_AXES:]
        elif batch is not None:
            kept = _without(source.shape, *(one for one in (axis, batch) if one is not None))
        unit = value_nbytes(kept, source.code)
        grows = axis is not None or pages
        self.per_token: Size | None = unit if grows else 0
        self.per_sequence: Size | None = 0 if grows else unit
        self.row = StateRow(
            input=source.name,
            output=pair.target.name if pair.target is not None else None,
            kind=self.kind,
            why=pair.why,
            node=pair.node,
            dtype=dtype_name(source.code),
            shape=tuple(_written(dim) for dim in source.shape),
            output_shape=tuple(_written(dim) for dim in out) if pair.target is not None else None,
            batch_axis=batch,
            axis=axis,
            step=_written(_step(source.shape, out, axis)),
            nbytes=_written(self.nbytes),
            nbytes_in=_written(self.nbytes_in),
        )


def _batch_axis(pair: StatePair, kind: str, batches: Collection[object]) -> int | None:
    """Return the axis of the sequences: by its dimension's name, else as operators have it."""
    declared = pair.source.declared
    if kind == "paged" or len(declared) < 2:
        return None
    for axis, dim in enumerate(declared):
        if isinstance(dim, str) and (dim in batches or "batch" in dim.lower()):
            return axis
    state = pair.state
    axis = 1 if len(declared) == 5 else 0
    if state is not None and state.batch is not None:
        axis = state.batch
    return axis


def _filled(shape: Shape, before: Shape, axis: int | None, sizes: Collection[str]) -> Shape:
    """Return the shape of an output; what no input's size decides is as the input has it."""
    return tuple(
        old if at != axis and not (isinstance(new, int) or _is_known(new, sizes)) else new
        for at, (new, old) in enumerate(zip(shape, before, strict=True))
    )


def _is_known(dim: Size | None, sizes: Collection[str]) -> bool:
    return isinstance(dim, Expr) and dim.symbols() <= set(sizes)


def _step(before: Shape, after: Shape, axis: int | None) -> Size | None:
    if axis is None:
        return 0
    old, new = before[axis], after[axis]
    return new - old if old is not None and new is not None else None


def _without(shape: Shape, *axes: int) -> Shape:
    return tuple(dim for axis, dim in enumerate(shape) if axis not in axes)


def _written(dim: Size | None) -> Dim:
    return str(dim) if isinstance(dim, Expr) else dim
