"""Shapes of all values: what follows from the inputs, operator by operator.

What the file declares of a value fills the gap where nothing else says it, and is otherwise a claim
that is compared.

>>> infer_shapes(proto, model_graph, rows, values).shapes["Conv_0", "x"]   # doctest: +SKIP
(Expr(batch), 64, 112, 112)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from graphcount.analysis.counts import Row
from graphcount.analysis.shapes.declared import Declarations, DimPlace
from graphcount.analysis.shapes.sizes import Bindings, ShapeError, no_such
from graphcount.analysis.shapes.state import (
    Calls,
    Conflict,
    Literals,
    State,
    ValueKey,
    exact,
    only_dims,
)
from graphcount.analysis.values import Values
from graphcount.errors import Unknown
from graphcount.graph import ModelGraph
from graphcount.loading.model import ModelProto
from graphcount.ops.call import Call, Numbers, Shape, Value
from graphcount.ops.inference import product
from graphcount.symbolic import Dim

MAX_ROUNDS = 4
"""Passes until the state of every loop is stable; each one knows less of it than the one before."""

NOTHING_BOUND = Bindings()


@dataclass(frozen=True, slots=True)
class ValueShapes:
    """What is known of every value, by (id of the producing node, name of the value).

    Attributes:
        shapes: Shapes of results, inputs and initializers; None for a dimension not known. A value
            of which nothing is known is missing.
        dtypes: TensorProto.DataType codes.
        values: Elements of small integer tensors.
        unresolved: Where a shape was lost: the first operators, not those that depend on them.
        trips: Iterations of each Loop and Scan, by its id.
        limits: The most iterations of a Loop that may end before, by its id.
        perhaps: Loops of unknown trips that may have none.
        dead: Scopes of branches that are never taken.
        calls: The `Call` of an operator, with everything known around it; nodes that no rule could
            tell apart share one, so it can be the key of what follows from it.
        conflicts: Declarations that contradict what was derived, once a cause.
        relied: How many shapes are taken as declared because nothing derives them, by operator.
        places: Dynamic dimensions without a size, and where each stands first.
        resized: Shapes that the file has for inputs, where the caller replaced a number in them.
        applied: Names of dimensions and inputs that the caller gave and the model has.
        by_shape: Sizes of dimensions that follow from the shapes that the caller gave.
        refused: Nodes that cannot take sizes that were given.
        exhausted: The small integer tensors of the file were too many to compute them all.
        beyond: Elements of results with a dimension beyond 64 bits, by node; their shapes are lost.
        sequences: Values that are sequences or optional ones: they have no shape of their own.
    """

    shapes: dict[ValueKey, Shape]
    dtypes: dict[ValueKey, int]
    values: dict[ValueKey, Value]
    unresolved: tuple[Unknown, ...]
    trips: dict[str, Dim | None]
    limits: dict[str, Dim]
    perhaps: Collection[str]
    dead: tuple[str, ...]
    calls: Callable[[str], Call]
    conflicts: tuple[Conflict, ...]
    relied: dict[str, int]
    places: dict[str, DimPlace]
    resized: dict[str, Shape]
    applied: tuple[str, ...]
    by_shape: dict[str, int]
    refused: tuple[str, ...]
    exhausted: bool
    beyond: dict[str, int]
    sequences: Collection[ValueKey]


def infer_shapes(
    proto: ModelProto,
    model_graph: ModelGraph,
    rows: Iterable[Row],
    values: Values,
    bindings: Bindings = NOTHING_BOUND,
    *,
    refuse: bool = True,
) -> ValueShapes:
    """Return shapes, element types and small integer values of everything in a graph.

    Args:
        proto: The model.
        model_graph: Its graph.
        rows: Its stored tensors: their values are shapes, axes and indices.
        values: Reads these elements.
        bindings: Sizes to put in the place of dimensions, and elements of inputs.
        refuse: Raise an error where an operator cannot take these sizes.

    Raises:
        ShapeError: A size does not fit the model: it names nothing, or an operator cannot take it.
    """
    literals = Literals(rows, values)
    declared = Declarations(proto, bindings)
    if not bindings.dims.keys() <= {*declared.places, *declared.texts, "*"}:
        open_sizes = Declarations(proto, NOTHING_BOUND)
        _propagated(model_graph, open_sizes, literals, {})
        declared = Declarations(proto, bindings, open_sizes.aliases)
    state, calls = _propagated(model_graph, declared, literals, _elements(declared, bindings))
    if declared.aliases:  # the file has names for sizes that data decide: again, with these
        declared = Declarations(proto, bindings, {**declared.renamed, **declared.aliases})
        state, calls = _propagated(model_graph, declared, literals, _elements(declared, bindings))
    known = _known(bindings, declared)
    refusals = _refusals(state, calls) if known else {}
    if refuse and refusals:
        before = Declarations(proto, NOTHING_BOUND)
        _refuse(refusals, _refusals(*_propagated(model_graph, before, literals, {})))
    return _published(state, calls, known, tuple(refusals))


def _known(bindings: Bindings, declared: Declarations) -> tuple[str, ...]:
    """Return the names that were given and the model has.

    Raises:
        ShapeError: It does not have one, and that is not allowed.
    """
    if not bindings.given:
        return ()
    names = declared.names() if bindings.dims else []
    allowed = {"*", *names, *bindings.where_present}
    for name in bindings.dims:
        if name not in allowed:
            raise ShapeError(no_such("dimension", name, names))
    every = {*names, *declared.inputs, "*"}
    return tuple(n for n in (*bindings.dims, *bindings.shapes, *bindings.values) if n in every)


def _elements(declared: Declarations, bindings: Bindings) -> dict[str, Numbers]:
    """Return the elements that the caller gives, as inference has them; their inputs take shape.

    Raises:
        ShapeError: There is no such input, or it has another number of elements.
    """
    given: dict[str, Numbers] = {}
    for name, numbers in bindings.values.items():
        if name not in declared.inputs:
            if name in bindings.where_present:
                continue
            raise ShapeError(no_such("input", name, sorted(declared.inputs)))
        shape = declared.inputs[name]
        if shape is None or (len(shape) == 1 and not isinstance(shape[0], int)):
            shape = declared.inputs[name] = (len(numbers),)
        elements = product(shape)
        if elements != len(numbers):
            raise ShapeError(f"input {name} has {elements} elements, not {len(numbers)}")
        given[name] = tuple(exact(number) for number in numbers)
    return given


def _refusals(state: State, calls: Calls) -> dict[str, str]:
    """Return why nodes that surely run cannot take what enters them, by their ids."""
    refused: dict[str, str] = {}
    checked: dict[Call, str] = {}
    for node in state.graph.operators:
        check = node.operator.check if node.operator is not None else None
        why = state.misfits.get(node.id, "")
        if check is not None and not why:
            call = calls.call(node.id)
            if call not in checked:
                checked[call] = check(call)
            why = checked[call]
        if why and _surely_runs(state, node.scope):
            refused[node.id] = why
    return refused


def _surely_runs(state: State, scope: str) -> bool:
    """Return whether no branch around a scope is dead or depends on data."""
    around = state.graph.scopes.get(scope, "")
    while around:
        body = state.graph.body_at[around]
        if body.node.op_type == "If":
            branches = [f"{other.scope}/" for other in state.graph.control_flow[body.node.id]]
            if f"{around}/" in state.dead or set(state.dead).isdisjoint(branches):
                return False
        around = state.graph.scopes.get(body.node.scope, "")
    return True


def _refuse(refusals: Mapping[str, str], before: Mapping[str, str]) -> None:
    """Refuse sizes that an operator cannot take, where it can take those of the file.

    Raises:
        ShapeError: The first such operator.
    """
    for node, why in refusals.items():
        if node not in before:
            raise ShapeError(f"{node} cannot take these sizes: {why}")


def _propagated(
    model_graph: ModelGraph,
    declared: Declarations,
    literals: Literals,
    given: Mapping[str, Numbers],
) -> tuple[State, Calls]:
    """Run passes until the states of loops are stable; without these if they never are."""
    from graphcount.analysis.shapes.propagate import Propagation

    widened: dict[tuple[str, int], Shape | None] = {}
    for number in range(MAX_ROUNDS):
        state = State(model_graph, declared, literals, dict(widened), given)
        calls = Calls(state)
        Propagation(state, calls).run()
        if not state.unstable:
            break
        widened = state.widened if number < MAX_ROUNDS - 2 else _nothing_kept(state)
    dead = tuple(state.dead)
    if dead:
        state.unknowns = [item for item in state.unknowns if not item.where.startswith(dead)]
        state.conflicts = [item for item in state.conflicts if not item.node.startswith(dead)]
        for key in [key for key in state.relied if key[0].startswith(dead)]:
            del state.relied[key]
    return state, calls


def _nothing_kept(state: State) -> dict[tuple[str, int], Shape | None]:
    """Return that no loop keeps anything of the shape of its state."""
    return {
        (body.node.id, position): None
        for body in state.graph.bodies
        for position in range(len(body.inputs))
    }


def _published(
    state: State, calls: Calls, applied: tuple[str, ...], refused: tuple[str, ...]
) -> ValueShapes:
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
        state.limits,
        state.perhaps,
        tuple(state.dead),
        calls.call,
        tuple(state.conflicts),
        dict(Counter(state.relied.values())),
        state.declared.open_places(),
        state.declared.resized,
        applied,
        state.declared.by_shape(),
        refused,
        state.exhausted,
        state.beyond,
        state.elements.keys(),
    )


__all__ = ["Bindings", "Conflict", "ShapeError", "ValueShapes", "infer_shapes"]
