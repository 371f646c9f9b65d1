"""What a file declares of a value beside what operators make of it, and sizes that neither says.

A declaration fills a gap, which is counted; where it contradicts, the operators are right, and the
contradiction is kept once for what caused it.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.analysis.shapes.declared import DimPlace
from graphcount.analysis.shapes.sizes import only_symbol
from graphcount.analysis.shapes.state import MAX_UNKNOWNS, Conflict, State, ValueKey
from graphcount.domains import operator_name
from graphcount.graph import OperatorNode
from graphcount.ops.call import Shape
from graphcount.symbolic import Dim, Expr, symbol


def settled(
    state: State, key: ValueKey, maker: OperatorNode, derived: Shape | None, declared: Shape
) -> Shape | None:
    """Return a shape: what the operators make, and what is declared where they leave a gap.

    Args:
        key: The value.
        maker: The operator that makes it, or in whose body it is.
        derived: Its shape by what makes it.
        declared: Its shape as the file has it.
        state: What is known; gaps that were filled and contradictions are added.
    """
    if derived is None:
        if (before := state.cause(key[0])) is not None:  # stale sizes came before
            state.stale[key] = before
            return None
        rely(state, maker)
        _place(state, key, maker, enumerate(declared))
        return declared
    _alias(state, derived, declared)
    if len(derived) != len(declared):
        conflict(state, key, declared, derived)
        return derived
    pairs = list(zip(derived, declared, strict=True))
    if any(
        isinstance(made, int) and isinstance(size, int) and made != size for made, size in pairs
    ):
        conflict(state, key, declared, derived)
    if None not in derived:
        return derived
    if (before := state.cause(key[0])) is not None:
        state.stale[key] = before
        return derived
    gaps = [(axis, size) for axis, (made, size) in enumerate(pairs) if made is None]
    if any(_is_claim(state, size) for _, size in gaps):
        rely(state, maker)
    _place(state, key, maker, gaps)
    return tuple(size if made is None else made for made, size in pairs)


def _alias(state: State, derived: Shape, declared: Shape) -> None:
    """Remember what the file calls a size that the data decide."""
    stated = state.declared
    for made, size in zip(derived, declared, strict=False):
        name, called = only_symbol(made), only_symbol(size)
        if name is None or called is None or called in stated.places or name in stated.aliases:
            continue
        place = stated.places.get(name)
        is_ours = place is not None and place.maker and name == f"{place.value}[{place.axis}]"
        if is_ours and called not in stated.aliases.values():
            stated.aliases[name] = called


def _is_claim(state: State, size: Dim | None) -> bool:
    """Return whether a declared size says more than a name: a number, or a size of an input."""
    if not isinstance(size, Expr):
        return size is not None
    places = state.declared.places
    return any(name in places and not places[name].maker for name in size.symbols())


def _place(
    state: State, key: ValueKey, maker: OperatorNode, gaps: Iterable[tuple[int, Dim | None]]
) -> None:
    """Remember where declared names stand that nothing before has."""
    for axis, size in gaps:
        for name in size.symbols() if isinstance(size, Expr) else ():
            place = DimPlace(key[1], axis, maker.record.op_type)
            state.declared.places.setdefault(name, place)


def rely(state: State, maker: OperatorNode) -> None:
    """Count a shape that is taken as declared."""
    label = operator_name(maker.record.domain, maker.record.op_type)
    state.relied[label] = state.relied.get(label, 0) + 1


def conflict(state: State, key: ValueKey, declared: Shape, derived: Shape) -> None:
    """Remember a declaration that cannot be right, under what the first such one caused."""
    cause = state.cause(key[0])
    if cause is None:
        cause = Conflict(*key, declared, derived)
        if len(state.conflicts) < MAX_UNKNOWNS:
            state.conflicts.append(cause)
    else:
        cause.values += 1
    state.stale[key] = cause


def named(state: State, node: OperatorNode) -> tuple[Shape | None, ...]:
    """Name the sizes of results that the data decide."""
    shapes = state.shapes
    known = [shapes.get((node.id, name)) for name in node.record.outputs]
    for position, (name, shape) in enumerate(zip(node.record.outputs, known, strict=True)):
        if name and shape is not None and None in shape:
            dims = enumerate(shape)
            made = tuple(
                size(state, node, name, axis) if dim is None else dim for axis, dim in dims
            )
            known[position] = shapes[node.id, name] = made
    return tuple(known)


def size(state: State, node: OperatorNode, name: str, axis: int) -> Dim | None:
    """Return the size of a result that the data decide, under a name of its own."""
    declared = state.declared
    made = declared.fresh(name, axis, node.id)
    declared.places.setdefault(made, DimPlace(name, axis, node.record.op_type))
    return declared.sized(symbol(made))
