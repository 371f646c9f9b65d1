"""What a file declares of a value beside what operators make of it, and sizes that neither says.

A declaration fills a gap, which is counted; where it contradicts, the operators are right, and the
contradiction is kept once for what caused it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphcount.analysis.shapes.declared import DimPlace
from graphcount.analysis.shapes.sizes import only_symbol
from graphcount.analysis.shapes.state import MAX_UNKNOWNS, Calls, Conflict, State, ValueKey
from graphcount.domains import canonical, operator_name
from graphcount.graph import OperatorNode
from graphcount.ops.call import Facts, Shape
from graphcount.ops.inference import CANNOT, at_least
from graphcount.symbolic import Dim, Expr, Factor, evaluate, symbol


def settled(
    state: State,
    calls: Calls,
    key: ValueKey,
    maker: OperatorNode,
    derived: Shape | None,
    declared: Shape,
) -> Shape | None:
    """Return a shape: what the operators make, and what is declared where they leave a gap.

    Args:
        key: The value.
        maker: The operator that makes it, or in whose body it is.
        derived: Its shape by what makes it.
        declared: Its shape as the file has it.
        state: What is known; gaps that were filled and contradictions are added.
        calls: What enters each operator.
    """
    if derived is None:
        if (before := state.cause(key[0])) is not None:  # stale sizes came before
            state.stale[key] = before
            return None
        rely(state, key, maker)
        _place(state, calls, key, maker, enumerate(declared))
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
        rely(state, key, maker)
    _place(state, calls, key, maker, gaps)
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
    state: State,
    calls: Calls,
    key: ValueKey,
    maker: OperatorNode,
    gaps: Iterable[tuple[int, Dim | None]],
) -> None:
    """Remember where declared names stand that nothing before has."""
    places, largest = state.declared.places, None
    for axis, size in gaps:
        for name in size.symbols() if isinstance(size, Expr) else ():
            if name in places:
                continue
            if largest is None:
                largest = bounds(state, calls, maker) if key[0] == maker.id else {}
            most = largest.get((key[1], axis)) if size == symbol(name) else None
            places[name] = DimPlace(key[1], axis, maker.record.op_type, most)


def rely(state: State, key: ValueKey, maker: OperatorNode) -> None:
    """Remember a shape that is taken as declared."""
    state.relied[key] = operator_name(maker.record.domain, maker.record.op_type)


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


def named(state: State, calls: Calls, node: OperatorNode) -> tuple[Shape | None, ...]:
    """Name the sizes of results that the data decide."""
    shapes, most = state.shapes, bounds(state, calls, node)
    known = [shapes.get((node.id, name)) for name in node.record.outputs]
    for position, (name, shape) in enumerate(zip(node.record.outputs, known, strict=True)):
        if name and shape is not None and None in shape:
            dims = enumerate(shape)
            made = tuple(
                dim if dim is not None else size(state, node, name, axis, most.get((name, axis)))
                for axis, dim in dims
            )
            known[position] = shapes[node.id, name] = made
    return tuple(known)


def size(state: State, node: OperatorNode, name: str, axis: int, most: Dim | None) -> Dim | None:
    """Return the size of a result that the data decide, under a name of its own."""
    declared = state.declared
    made = declared.fresh(name, axis, node.id)
    declared.places.setdefault(made, DimPlace(name, axis, node.record.op_type, most))
    return declared.sized(symbol(made))


def bounds(state: State, calls: Calls, node: OperatorNode) -> dict[tuple[str, int], Dim]:
    """Return what dimensions of results are never above, by name and axis.

    Sizes in them that the data decide are replaced by their own bounds.
    """
    operator = node.operator
    largest: list[Shape | None] = []
    try:
        if operator is not None and operator.is_control_flow:
            from graphcount.analysis.shapes import control

            largest = control.largest(state, node.id, node.record)
        elif operator is not None and operator.most is not None:
            largest = operator.most(calls.facts(node.id, node.record))
        return {
            (name, axis): _at_most(dim, state.declared.places)
            for name, shape in zip(node.record.outputs, largest, strict=False)
            for axis, dim in enumerate(shape or ())
            if dim is not None
        }
    except CANNOT:
        return {}


def _at_most(dim: Dim, places: Mapping[str, DimPlace]) -> Dim:
    """Return a bound in which sizes that the data decide are as large as they can be."""
    if isinstance(dim, int):
        return dim
    known = {
        name: place.most
        for name in dim.symbols()
        if (place := places.get(name)) is not None and place.most is not None and grows(dim, name)
    }
    return evaluate(dim, known) if known else dim


def grows(dim: Dim, name: str) -> bool:
    """Return whether a dimension surely never falls when a size grows; sizes are not negative."""
    if isinstance(dim, int):
        return True
    return all(
        coefficient > 0 and all(_grows(factor, name) for factor, _ in monomial)
        for monomial, coefficient in dim.terms
        if name in Expr(((monomial, 1),)).symbols()
    )


def _grows(factor: Factor, name: str) -> bool:
    """Return whether a factor is never negative and never falls when a size grows."""
    if isinstance(factor, str):
        return True
    if factor.op == "//" and not isinstance(factor.args[1], int):
        return False
    low = at_least(Expr(((((factor, 1),), 1),)))
    return low is not None and low >= 0 and all(grows(arg, name) for arg in factor.args)


def undecided(facts: Facts) -> str:
    """Return why a shape is not known that no input loses: one is not there, or data decide."""
    from graphcount.ops.schemas import schema

    node = facts.node
    known = schema(canonical(node.domain), node.op_type, facts.opset)
    given = sum(map(bool, node.inputs))
    if known is not None and given < known.inputs.fewest:
        return f"it has {given} of the {known.inputs.fewest} inputs that it needs"
    return "its size depends on the values that enter it"
