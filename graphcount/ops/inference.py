"""What rules for shapes and element types are made of: dimensions that broadcast, axes, types.

A rule takes a `Call` and returns the shape of each output, None where it cannot tell. It only adds,
subtracts, multiplies and divides dimensions and compares them for equality, so numbers and symbols
go the same way. Sizes behind symbols are taken to be at least 1. A rule may raise one of `CANNOT`:
attributes that make no sense leave the shape unknown.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphcount.ops.call import (
    MAX_RANK,
    Call,
    DtypeRule,
    Number,
    Shape,
    ShapeRule,
    Shapes,
    numbers_of,
)
from graphcount.symbolic import Atom, Dim, Expr, ceildiv, floordiv, maximum, minimum

CANNOT = (LookupError, ValueError, TypeError, ArithmeticError)
"""What a rule may raise: index out of range, rank mismatch, division by zero, TooComplexError."""

# ---------------------------------------------------------------------------------- simple rules


def same(*indices: int) -> ShapeRule:
    """Return the rule by which output i has the shape of input `indices[i]`."""

    def rule(call: Call) -> Shapes:
        return [call.input(index) for index in indices]

    return rule


def unknown(call: Call) -> Shapes:
    """Tell nothing, and no mistake: it is no tensor, or its size depends on the data."""
    return [None] * len(call.node.outputs)


def scalar(call: Call) -> Shapes:
    """Return the shape of one element."""
    return [()]


# -------------------------------------------------------------------------------------- dimensions


CASES = 4
"""Operations max and min that are taken apart, one after the other, to bound a difference."""


def at_least(dim: Dim, cases: int = CASES) -> int | None:
    """Return what the dimension cannot fall below when every symbol is at least 1; None: nothing.

    Exact for products and sums with positive coefficients; a max or min is one of its operands.
    """
    if isinstance(dim, int):
        return dim
    low = _of_terms(dim)
    return low if low is not None or not cases else _by_cases(dim, cases - 1)


def _by_cases(dim: Expr, cases: int) -> int | None:
    """Return a bound with one max or min replaced by each of its operands.

    A min that is added is one of them, and so is a max that is taken away: the lower bound holds. A
    max that is added is above both: the higher bound holds. The former go first, so that the latter
    can choose.
    """
    chosen: tuple[Atom, int] | None = None
    either = False
    for monomial, coefficient in dim.terms:
        atom = monomial[0][0] if len(monomial) == 1 and monomial[0][1] == 1 else None
        if isinstance(atom, Atom) and atom.op != "//" and not either:
            chosen, either = (atom, coefficient), atom.op == ("min" if coefficient > 0 else "max")
    if chosen is None:
        return _by_quotient(dim, cases)
    atom, coefficient = chosen
    rest = dim - coefficient * Expr(((((atom, 1),), 1),))
    lows = [at_least(rest + coefficient * operand, cases) for operand in atom.args]
    known = [low for low in lows if low is not None]
    if either:
        return min(known) if len(known) == len(lows) else None
    return max(known, default=None)


def _by_quotient(dim: Expr, cases: int) -> int | None:
    """Return a bound with one floor(a / b), b a number, replaced by (a - b + 1) / b or a / b."""
    for monomial, coefficient in dim.terms:
        atom = monomial[0][0] if len(monomial) == 1 and monomial[0][1] == 1 else None
        if isinstance(atom, Atom) and atom.op == "//":
            a, b = atom.args
            if not isinstance(b, int):
                continue
            rest = dim - coefficient * Expr(((((atom, 1),), 1),))
            low = at_least(rest * b + coefficient * (a if coefficient < 0 else a - (b - 1)), cases)
            return None if low is None else -(-low // b)
    return None


def _of_terms(dim: Expr) -> int | None:
    total = 0
    for monomial, coefficient in dim.terms:
        if not monomial:
            total += coefficient
            continue
        if coefficient < 0:
            return None
        lowest = 1
        for factor, power in monomial:
            low = _lowest(factor) if isinstance(factor, Atom) else 1
            if low is None or low < 0:
                return None
            lowest *= low**power
        total += coefficient * lowest
    return total


def _lowest(atom: Atom) -> int | None:
    a, b = (at_least(arg) for arg in atom.args)
    if atom.op == "max":
        known = [low for low in (a, b) if low is not None]
        return max(known, default=None)
    if a is None:
        return None
    if atom.op == "min":
        return min(a, b) if b is not None else None
    divisor = atom.args[1]
    if isinstance(divisor, int) and divisor > 0:
        return a // divisor
    return 0 if a >= 0 and b is not None and b > 0 else None


def larger(a: Dim, b: Dim) -> Dim:
    """Return max(a, b), without an operation where it is clear which one that is."""
    if _never_below(a, b) or _holds(a, "max", b) or _holds(b, "min", a):
        return a
    if _never_below(b, a) or _holds(b, "max", a) or _holds(a, "min", b):
        return b
    return maximum(a, b)


def smaller(a: Dim, b: Dim) -> Dim:
    """Return min(a, b), without an operation where it is clear which one that is."""
    if _never_below(b, a) or _holds(a, "min", b) or _holds(b, "max", a):
        return a
    if _never_below(a, b) or _holds(b, "min", a) or _holds(a, "max", b):
        return b
    return minimum(a, b)


def _never_below(a: Dim, b: Dim) -> bool:
    """Return whether a >= b for all sizes from 1 on (False: not found)."""
    low = at_least(a - b)
    return low is not None and low >= 0


def _holds(dim: Dim, op: str, operand: Dim) -> bool:
    """Return whether `dim` is `op(operand, …)`: max(a, min(a, b)) is a."""
    if not isinstance(dim, Expr) or len(dim.terms) != 1:
        return False
    monomial, coefficient = dim.terms[0]
    if coefficient != 1 or len(monomial) != 1 or monomial[0][1] != 1:
        return False
    atom = monomial[0][0]
    return isinstance(atom, Atom) and atom.op == op and operand in atom.args


def product(dims: Iterable[Dim | None]) -> Dim | None:
    """Return the product of dimensions; None when one is not known."""
    total: Dim = 1
    for dim in dims:
        if dim is None:
            return None
        total = total * dim
    return total


def add(*dims: Dim | None) -> Dim | None:
    """Return the sum of dimensions; None when one is not known."""
    total: Dim = 0
    for dim in dims:
        if dim is None:
            return None
        total = total + dim
    return total


def times(a: Dim | None, b: Dim | None) -> Dim | None:
    """Return the product of two dimensions; None when one is not known."""
    return None if a is None or b is None else a * b


def over(a: Dim | None, b: Dim | None) -> Dim | None:
    """Return floor(a / b); None when one is not known."""
    return None if a is None or b is None else floordiv(a, b)


def ceil_over(a: Dim | None, b: Dim | None) -> Dim | None:
    """Return ceil(a / b); None when one is not known."""
    return None if a is None or b is None else ceildiv(a, b)


# ------------------------------------------------------------------------------------ broadcasting


def joined(a: Dim | None, b: Dim | None) -> Dim | None:
    """Return one dimension of a broadcast (Broadcasting.md): equal, or one of them is 1.

    Two symbols that may differ give their maximum, which is right in both cases.
    """
    if a == b or b == 1:
        return a
    if a == 1:
        return b
    if isinstance(a, int):
        return None if isinstance(b, int) else a
    if isinstance(b, int):
        return b
    if a is None or b is None:
        return None
    return larger(a, b)


def broadcast(shapes: Iterable[Shape | None]) -> Shape | None:
    """Return the shape that several shapes broadcast to, multidirectionally."""
    result: Shape | None = None
    for number, shape in enumerate(shapes):
        if shape is None:
            return None
        if number == 0 or result is None:
            result = shape
        elif shape != result:
            result = _broadcast_two(result, shape)
    return result


def _broadcast_two(a: Shape, b: Shape) -> Shape:
    if len(a) < len(b):
        a, b = b, a
    lead = len(a) - len(b)
    pairs = zip(a[lead:], b, strict=True)
    return a[:lead] + tuple([x if x == y else _broadcast_dims(x, y) for x, y in pairs])


def _broadcast_dims(a: Dim | None, b: Dim | None) -> Dim | None:
    """Return the size that two broadcast to.

    Raises:
        ValueError: They do not.
    """
    if isinstance(a, int) and isinstance(b, int) and a != b and 1 not in (a, b):
        raise ValueError(f"{a} and {b} do not broadcast")
    return joined(a, b)


def broadcasting(call: Call) -> Shapes:
    """Broadcast all inputs multidirectionally."""
    return [broadcast(call.inputs)]


# -------------------------------------------------------------------------------------------- axes


def axis_of(axis: int, rank: int) -> int:
    """Return an axis counted from the front.

    Raises:
        IndexError: There is no such axis.
    """
    if not -rank <= axis < rank:
        raise IndexError(f"axis {axis} of {rank}")
    return axis + rank if axis < 0 else axis


def axes_of(axes: Iterable[int], rank: int) -> list[int]:
    """Return axes counted from the front.

    Raises:
        IndexError: One does not exist.
        ValueError: There are too many.
    """
    numbers = []
    for axis in axes:
        numbers.append(axis_of(axis, rank))
        if len(numbers) > MAX_RANK:
            raise ValueError("too many axes")
    return numbers


def replace(shape: Shape, axis: int, dim: Dim | None) -> Shape:
    """Return the shape with another dimension at an axis that exists."""
    return (*shape[:axis], dim, *shape[axis + 1 :])


def of_rank(rank: int | Dim | None) -> Shape | None:
    """Return a shape of which only the rank is known."""
    if not isinstance(rank, int) or not 0 <= rank <= MAX_RANK:
        return None
    return (None,) * rank


def dim(number: Number) -> Dim | None:
    """Return an element as a dimension; None for what cannot be one."""
    if isinstance(number, int):
        return number if number >= 0 else None
    return number if isinstance(number, Expr) else None


def shape_from(call: Call, index: int) -> Shape | None:
    """Return the shape that an input holds; only its rank when the elements are not known."""
    numbers = numbers_of(call, index)
    if numbers is None:
        given = call.input(index)
        return of_rank(given[0]) if given is not None and len(given) == 1 else None
    return tuple(dim(number) for number in numbers) if len(numbers) <= MAX_RANK else None


# ----------------------------------------------------------------------------------- element types

FLOAT, UINT8, INT8, INT32, INT64, STRING, BOOL, HALF = 1, 2, 3, 6, 7, 8, 9, 10
UINT32, BFLOAT16 = 12, 16


def always(*codes: int) -> DtypeRule:
    """Return the rule of types that are always these; 0 stands for the type of input 0."""
    return lambda call: [code or call.dtype(0) for code in codes]


def of_input(*indices: int) -> DtypeRule:
    """Return the rule of the types of these inputs; one that is left out has that of input 0."""
    return lambda call: [call.dtype(index if call.has(index) else 0) for index in indices]


def by_attribute(name: str, default: int) -> DtypeRule:
    """Return the rule of a type that an attribute names, with a default: 0, that of input 0."""
    return lambda call: [call.node.integer(name, 0) or default or call.dtype(0)]


def result_dtypes(rule: DtypeRule | None, call: Call) -> list[int]:
    """Return the element type of each output, as far as it is known."""
    count = len(call.node.outputs)
    if rule is None:
        return [call.dtype(0)] * count
    dtypes = rule(call)[:count]
    return dtypes + [dtypes[0]] * (count - len(dtypes)) if dtypes else [0] * count
