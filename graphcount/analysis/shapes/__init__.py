"""Shapes of all values: declared ones, and what follows from them operator by operator.

>>> infer_shapes(proto, model_graph, rows, values).shapes["Conv_0", "x"]   # doctest: +SKIP
(Expr(batch), 64, 112, 112)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, cast

from graphcount.analysis.counts import Row
from graphcount.analysis.shapes.declared import Bindings, Declarations, ShapeError
from graphcount.analysis.shapes.state import (
    Calls,
    Conflict,
    Literals,
    State,
    ValueKey,
    only_dims,
)
from graphcount.analysis.values import Values
from graphcount.errors import Unknown
from graphcount.graph import ModelGraph
from graphcount.loading.model import ModelProto
from graphcount.ops.call import Call, Shape, Value
from graphcount.symbolic import Dim

MAX_ROUNDS = 4
"""Passes until the state of every loop is stable; each one knows less of it than the one before."""

NOTHING_BOUND = Bindings()


class ValueShapes(NamedTuple):
    """What is known of every value, by (id of the producing node, name of the value).

    Attributes:
        shapes: Shapes of results, inputs and initializers; None for a dimension not known. A value
            of which nothing is known is missing.
        dtypes: TensorProto.DataType codes.
        values: Numbers of small integer tensors.
        unresolved: Where a shape was lost: the first operators, not those that depend on them.
        trips: Iterations of each Loop and Scan, by its id.
        calls: The `Call` of an operator, with everything known around it; nodes that no rule could
            tell apart share one, so it can be the key of what follows from it.
        conflicts: Declarations that contradict what was inferred.
        exhausted: The small integer tensors of the file were too many to compute them all.
        beyond: Numbers in results with a dimension beyond 64 bits, by node; their shapes are lost.
    """

    shapes: dict[ValueKey, Shape]
    dtypes: dict[ValueKey, int]
    values: dict[ValueKey, Value]
    unresolved: tuple[Unknown, ...]
    trips: dict[str, Dim | None]
    calls: Callable[[str], Call]
    conflicts: tuple[Conflict, ...]
    exhausted: bool
    beyond: dict[str, int]


def infer_shapes(
    proto: ModelProto,
    model_graph: ModelGraph,
    rows: Iterable[Row],
    values: Values,
    bindings: Bindings = NOTHING_BOUND,
    *,
    check_declared: bool = False,
) -> ValueShapes:
    """Return shapes, element types and small integer values of everything in a graph.

    Args:
        proto: The model.
        model_graph: Its graph.
        rows: Its stored tensors: their values are shapes, axes and indices.
        values: Reads these numbers.
        bindings: Sizes to put in the place of symbols.
        check_declared: Infer also where the file declares everything, to compare.

    Raises:
        ShapeError: A binding does not fit the model.
    """
    declared = Declarations(proto, bindings)
    literals = Literals(rows, values)
    if not check_declared and declared.all_numbers():
        state = _as_declared(State(model_graph, declared, literals, {}))
        return _published(state, Calls(state))
    return _published(*_propagated(model_graph, declared, literals))


def _as_declared(state: State) -> State:
    """Return what is declared: by numbers alone, so nothing is left to infer."""
    for node_id, node in state.graph.nodes.items():
        if node.kind == "initializer":
            state.shapes[node_id, node.name] = node.tensor.dims
            state.dtypes[node_id, node.name] = getattr(node.tensor, "data_type", 0)
            continue
        for name in node.outputs:
            info = state.declared.info("", name)
            if info is not None and info.shape is not None:
                state.shapes[node_id, name] = cast(Shape, info.shape)
                state.dtypes[node_id, name] = info.data_type
    return state


def _propagated(
    model_graph: ModelGraph, declared: Declarations, literals: Literals
) -> tuple[State, Calls]:
    """Run passes until the states of loops are stable; without these if they never are."""
    from graphcount.analysis.shapes.propagate import Propagation

    widened: dict[tuple[str, int], Shape | None] = {}
    for number in range(MAX_ROUNDS):
        state = State(model_graph, declared, literals, dict(widened))
        calls = Calls(state)
        Propagation(state, calls).run()
        if not state.unstable:
            break
        widened = state.widened if number < MAX_ROUNDS - 2 else _nothing_kept(state)
    dead = tuple(state.dead)
    if dead:
        state.unknowns = [item for item in state.unknowns if not item.where.startswith(dead)]
        state.conflicts = [item for item in state.conflicts if not item.node.startswith(dead)]
    return state, calls


def _nothing_kept(state: State) -> dict[tuple[str, int], Shape | None]:
    """Return that no loop keeps anything of the shape of its state."""
    return {
        (body.node.id, position): None
        for body in state.graph.bodies
        for position in range(len(body.inputs))
    }


def _published(state: State, calls: Calls) -> ValueShapes:
    known: dict[ValueKey, Value] = {}
    for key, numbers in state.numbers.items():
        dims = only_dims(numbers)
        if dims is not None:
            known[key] = dims
    return ValueShapes(
        state.shapes,
        state.dtypes,
        known,
        tuple(state.unknowns),
        state.trips,
        calls.call,
        tuple(state.conflicts),
        state.exhausted,
        state.beyond,
    )


__all__ = ["Bindings", "Conflict", "ShapeError", "ValueShapes", "infer_shapes"]
