"""Operators that keep the elements and change the shape or the type; attribution passes them.

Source: ONNX Operators.md, by operator name.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest
from math import prod

from graphcount.ops import arithmetic
from graphcount.ops.attributes import axis_within, is_element_type, permutes, permutes_all
from graphcount.ops.call import (
    MAX_RANK,
    Axes,
    AxesRule,
    Call,
    DataRule,
    DtypeRule,
    Facts,
    NodeCheck,
    Numbers,
    Results,
    Shape,
    ShapeRule,
    Shapes,
    beyond,
    complete,
    given,
    integers_of,
    listed,
    numbers_of,
    repeated,
    whole,
)
from graphcount.ops.elements import (
    FLOATS,
    INTEGERS,
    first_input,
    picked,
    small,
    stretched,
    unchanged,
    whole_axes,
)
from graphcount.ops.formulas import FREE
from graphcount.ops.inference import (
    BOOL,
    axes_of,
    axis_of,
    by_attribute,
    dim,
    joined,
    of_input,
    of_rank,
    product,
    same,
    shape_from,
)
from graphcount.ops.operator import (
    FIRST,
    KEEPS_VALUES,
    RENAMES,
    Operator,
    Role,
    Trait,
    family,
    traits,
)
from graphcount.symbolic import Dim, floordiv


def reshape(call: Call) -> Shapes:
    """Reshape: 0 copies a dimension, -1 is what is left."""
    target: Numbers | None = numbers_of(call, 1)
    if call.node.integers("shape") is not None:
        target = call.node.integers("shape")
    if target is None:
        return [shape_from(call, 1)]
    if len(target) > MAX_RANK:
        return [None]
    data = call.input(0)
    dims: list[Dim | None] = []
    for position, number in enumerate(target):
        if number == 0 and not call.node.integer("allowzero", 0):
            dims.append(data[position] if data is not None and position < len(data) else None)
        else:
            dims.append(dim(number))
    holes = [position for position, size in enumerate(dims) if size is None]
    if len(holes) == 1 and data is not None:
        dims[holes[0]] = _left_over(data, [size for size in dims if size is not None])
    return [tuple(dims)]


def _left_over(data: Shape, dims: list[Dim]) -> Dim | None:
    """Return elements of `data` divided by dimensions; equal ones are cancelled first."""
    over: list[Dim | None] = list(data)
    under: list[Dim] = []
    for size in dims:
        if size in over:
            over.remove(size)
        else:
            under.append(size)
    elements = complete(tuple(over))
    if elements is None:
        return None
    divisor = product(under)
    total = product(elements)
    return None if total is None or not divisor else floordiv(total, divisor)


def transpose(call: Call) -> Shapes:
    """Transpose: dimensions by `perm`, else reversed."""
    data = call.input(0)
    if data is None:
        return [None]
    perm = call.node.integers("perm")
    if perm is None:
        return [data[::-1]]
    if len(perm) != len(data):
        raise ValueError("perm does not fit")
    return [tuple(data[axis_of(axis, len(data))] for axis in perm)]


def axes(call: Call, index: int) -> tuple[int, ...] | None:
    """Return axes as an attribute (older opsets) or as an input; None when neither is known."""
    given = call.node.integers("axes")
    return given if given is not None else integers_of(call, index)


def squeeze(call: Call) -> Shapes:
    """Squeeze: the axes named go; without axes, those of size 1."""
    data = call.input(0)
    if data is None:
        return [None]
    chosen = axes(call, 1)
    if chosen is not None:
        gone = set(axes_of(chosen, len(data)))
        if any(isinstance(data[axis], int) and data[axis] != 1 for axis in gone):
            raise ValueError("a squeezed dimension is not 1")
        return [tuple(size for axis, size in enumerate(data) if axis not in gone)]
    if call.has(1):
        count = call.input(1)
        number = count[0] if count else None
        return [of_rank(len(data) - number) if isinstance(number, int) else None]
    if any(not isinstance(size, int) for size in data):
        return [None]
    return [tuple(size for size in data if size != 1)]


def unsqueeze(call: Call) -> Shapes:
    """Unsqueeze: dimensions of size 1 at the axes of the result."""
    data = call.input(0)
    if data is None:
        return [None]
    chosen = axes(call, 1)
    if chosen is None:
        count = call.input(1)
        number = count[0] if count else None
        return [of_rank(len(data) + number) if isinstance(number, int) else None]
    rank = len(data) + len(chosen)
    new = set(axes_of(chosen, rank))
    if rank > MAX_RANK or len(new) != len(chosen):
        raise ValueError("axes repeat")
    rest = iter(data)
    return [tuple(1 if axis in new else next(rest) for axis in range(rank))]


def flatten(call: Call) -> Shapes:
    """Flatten: a matrix, split at `axis`."""
    data = call.input(0)
    if data is None:
        return [(None, None)]
    axis = call.node.integer("axis", 1)
    if not -len(data) <= axis <= len(data):
        raise IndexError("axis")
    axis = axis + len(data) if axis < 0 else axis
    return [(product(data[:axis]), product(data[axis:]))]


def expand(call: Call) -> Shapes:
    """Expand: data and shape broadcast against each other."""
    target = shape_from(call, 1)
    data = call.input(0)
    if data is None or target is None:
        return [None]
    wide = max(len(data), len(target))
    a = (1,) * (wide - len(data)) + data
    b = (1,) * (wide - len(target)) + target
    return [tuple(joined(x, y) for x, y in zip(a, b, strict=True))]


# ---------------------------------------------------------------------------------------- data


def cast(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Cast, CastLike: to integers rounded towards zero, to booleans whether it is 0."""
    numbers = facts.numbers[0]
    to = facts.node.integer("to", 0) or facts.dtype(1)
    if numbers is None or to not in INTEGERS | FLOATS | {BOOL}:
        return [None]
    if to == BOOL:
        return [tuple(arithmetic.negated(arithmetic.equal(number, 0)) for number in numbers)]
    if to in INTEGERS:
        return [tuple(arithmetic.truncated(number) for number in numbers)]
    return [numbers]


def transposed(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Transpose: axes in another order."""
    numbers, shape = first_input(facts)
    perm = facts.node.integers("perm") or tuple(reversed(range(len(shape))))
    axes = whole_axes(shape)
    return [picked(numbers, [axes[axis] for axis in perm])]


def expanded(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Expand: broadcast to the result's shape."""
    numbers, shape = first_input(facts)
    to = small(outputs[0])
    return [stretched(numbers, shape, to) if to is not None else None]


# --------------------------------------------------------------------------------------- checks


def check_reshape(call: Call) -> str:
    """At most one -1, nothing below, and as many elements as there are."""
    asked = given(call, 1, "shape")
    if asked is None:
        return ""
    if min(asked, default=0) < -1 or asked.count(-1) > 1:
        return f"shape {listed(asked)}"
    keeps_zeros = bool(call.node.integer("allowzero", 0))
    if keeps_zeros and 0 in asked and -1 in asked:
        return f"shape {listed(asked)} with allowzero"
    data = call.input(0)
    if data is None:
        return ""
    if not keeps_zeros:
        if any(size == 0 for size in asked[len(data) :]):
            return f"shape {listed(asked)} copies a dimension that {len(data)} do not have"
        pairs = zip_longest(asked, data[: len(asked)])
        copied = whole(old if size == 0 else size for size, old in pairs if size is not None)
        if copied is None:
            return ""
        asked = copied
    return _elements(asked, whole(data))


def _elements(asked: tuple[int, ...], sizes: tuple[int, ...] | None) -> str:
    if sizes is None or min(sizes, default=0) < 0:
        return ""
    have, known = prod(sizes), prod(size for size in asked if size != -1)
    if -1 in asked and not known:
        return ""
    fits = have % known == 0 if -1 in asked else have == known
    return "" if fits else f"shape {listed(asked)} for {listed(sizes)}"


def check_squeeze(call: Call) -> str:
    """The axes exist and are 1 long."""
    data, axes = call.input(0), given(call, 1, "axes")
    if data is None or axes is None:
        return ""
    why = beyond(axes, len(data))
    if why or not data:
        return why
    bad = next((a for a in axes if isinstance(data[a], int) and data[a] != 1), None)
    return "" if bad is None else f"axis {bad} is {data[bad]} long, not 1"


def check_unsqueeze(call: Call) -> str:
    """The axes exist in the result, once each."""
    data, axes = call.input(0), given(call, 1, "axes")
    if data is None or axes is None:
        return ""
    rank = len(data) + len(axes)
    return beyond(axes, rank) or repeated(axes, rank)


def check_expand(call: Call) -> str:
    """Broadcasting: sizes are the same, or one of them is 1; exporters write -1 for "as it is"."""
    data, asked = call.input(0), given(call, 1)
    if asked is None:
        return ""
    if min(asked, default=0) < -1:
        return f"shape {listed(asked)}"
    for old, new in zip(reversed(data or ()), reversed(asked), strict=False):
        if isinstance(old, int) and old != new and 1 not in (old, new) and new != -1:
            return f"shape {listed(asked)} for {listed(data or ())}"
    return ""


# --------------------------------------------------------------------------------------- axes


def kept_axes(call: Call, axes: Axes) -> Axes | None:
    """Every axis stays where it is."""
    return axes


def transposed_axes(call: Call, axes: Axes) -> Axes | None:
    """Transpose: as `perm` says, or reversed."""
    rank = len(axes)
    order = call.node.integers("perm") or tuple(reversed(range(rank)))
    return tuple(axes[at] for at in order) if sorted(order) == list(range(rank)) else None


def _picked(call: Call) -> list[int] | None:
    stated = call.node.integers("axes") or call.value(1)
    return None if stated is None else [at for at in stated if isinstance(at, int)]


def squeezed_axes(call: Call, axes: Axes) -> Axes | None:
    """Squeeze: those that are named go."""
    picked = _picked(call)
    if picked is None:
        return None
    gone = {at % max(len(axes), 1) for at in picked}
    return tuple(axis for at, axis in enumerate(axes) if at not in gone)


def unsqueezed_axes(call: Call, axes: Axes) -> Axes | None:
    """Unsqueeze: new ones come where the result has them."""
    picked = _picked(call)
    if picked is None:
        return None
    result = list(axes)
    for at in sorted(at % (len(axes) + len(picked)) for at in picked):
        result.insert(at, None)
    return tuple(result)


def _moved(
    shape: ShapeRule,
    second: Role | None = None,
    *,
    dtypes: DtypeRule | None = None,
    data: DataRule | None = None,
    axes: AxesRule | None = None,
    check: NodeCheck | None = None,
    names: frozenset[Trait] = frozenset(),
) -> Operator:
    """Return the record of an operator that passes its first input, maybe told how by a second."""
    return Operator(
        roles=("operand",) if second is None else ("operand", second),
        passes=FIRST,
        shape=shape,
        dtypes=dtypes,
        data=data,
        axes=axes,
        cost=FREE,
        check=check,
        traits=names,
    )


TABLE = family(
    "reshaping",
    {
        "Identity": _moved(same(0), data=unchanged, axes=kept_axes, names=RENAMES),
        "Cast": replace(
            _moved(same(0), dtypes=by_attribute("to", 0), data=cast, axes=kept_axes),
            attribute_check=is_element_type,
            traits=traits("overwrites"),
        ),
        "BitCast": _moved(same(0), dtypes=by_attribute("to", 0), names=traits("overwrites")),
        "Transpose": replace(
            _moved(transpose, data=transposed, axes=transposed_axes, names=KEEPS_VALUES),
            check=permutes_all,
            attribute_check=permutes,
        ),
        "Flatten": _moved(flatten, data=unchanged, check=axis_within(1), names=RENAMES),
        "CastLike": _moved(same(0), "literal", dtypes=of_input(1), data=cast, axes=kept_axes),
        "Reshape": _moved(reshape, "shape", data=unchanged, check=check_reshape, names=RENAMES),
        "Expand": _moved(
            expand,
            "shape",
            data=expanded,
            check=check_expand,
            names=traits("generates", "keeps values"),
        ),
        "Squeeze": _moved(
            squeeze, "axes", data=unchanged, axes=squeezed_axes, check=check_squeeze, names=RENAMES
        ),
        "Unsqueeze": _moved(
            unsqueeze,
            "axes",
            data=unchanged,
            axes=unsqueezed_axes,
            check=check_unsqueeze,
            names=RENAMES,
        ),
    },
)
