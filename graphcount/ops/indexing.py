"""Look-ups: parts of a tensor picked, written and counted by indices.

A stored table that is looked up is an embedding, stored indices are indices. Gather multiplies
nothing: an embedding is a look-up, though frameworks that write it as a product with one-hot rows
would count it.
Source: ONNX Operators.md (Gather, GatherND, TopK, …).
"""

from __future__ import annotations

from graphcount.ops import largest
from graphcount.ops.attributes import AXIS, REDUCES_UPDATES, first_fault
from graphcount.ops.call import (
    MAX_NUMBERS,
    MAX_RANK,
    Axes,
    Call,
    Facts,
    Number,
    Results,
    Shape,
    Shapes,
    given,
    integers_of,
    numbers_of,
    size,
)
from graphcount.ops.elements import first_input, picked, strides, whole_axes
from graphcount.ops.formulas import FREE, READ, CostRule, input_shape
from graphcount.ops.inference import INT64, always, axis_of, of_input, product, replace, same
from graphcount.ops.operator import FIRST, PICKS, Operator, family, past, traits
from graphcount.ops.slicing import check_slice, slice_, sliced
from graphcount.symbolic import Dim, Expr

LOOK_UP = CostRule("a look-up: rows are copied, nothing is multiplied, 0 MACs")


def _scattered(call: Call) -> Dim:
    if call.node.text("reduction", "none") == "none":
        return 0
    return size(input_shape(call, 2))


SCATTER = CostRule(
    "a reduction joins each update with an element; writing costs nothing", elementwise=_scattered
)


def gather(call: Call) -> Shapes:
    """Gather: the axis is replaced by the shape of the indices."""
    data, indices = call.input(0), call.input(1)
    if data is None or indices is None:
        return [None]
    axis = axis_of(call.node.integer("axis", 0), len(data))
    return [_ranked(data[:axis] + indices + data[axis + 1 :])]


def gather_nd(call: Call) -> Shapes:
    """GatherND: indices without their last dimension, then what of the data is not indexed."""
    data, indices = call.input(0), call.input(1)
    if data is None or not indices:
        return [None]
    batch = call.node.integer("batch_dims", 0)
    depth = indices[-1]
    if not isinstance(depth, int):
        return [None]
    if depth < 0 or not 0 <= batch <= len(data) - depth:
        raise ValueError("indices do not fit")
    return [_ranked(indices[:-1] + data[batch + depth :])]


def _ranked(shape: Shape) -> Shape | None:
    return shape if len(shape) <= MAX_RANK else None


def top_k(call: Call) -> Shapes:
    """TopK: k along the axis (attribute in TopK-1)."""
    data = call.input(0)
    if data is None:
        return [None, None]
    axis = axis_of(call.node.integer("axis", -1), len(data))
    k = call.node.integer("k", -1)
    numbers = numbers_of(call, 1)
    size: Number = k if k >= 0 else (numbers[0] if numbers else None)
    dim = size if isinstance(size, int | Expr) else None
    return [replace(data, axis, dim)] * 2


def compress(call: Call) -> Shapes:
    """Compress: how many are kept depends on the data, unless the condition is known."""
    data = call.input(0)
    condition = numbers_of(call, 1)
    kept = None
    if condition is not None and all(isinstance(number, int) for number in condition):
        kept = sum(1 for number in condition if number)
    if call.node.attribute("axis") is None:
        return [(kept,)]
    if data is None:
        return [None]
    return [replace(data, axis_of(call.node.integer("axis", 0), len(data)), kept)]


def non_zero(call: Call) -> Shapes:
    """NonZero: (rank, how many); how many is known when the values are."""
    data = call.input(0)
    numbers = numbers_of(call, 0)
    count = None
    if numbers is not None and all(isinstance(number, int) for number in numbers):
        count = sum(1 for number in numbers if number)
    return [(max(len(data), 1) if data is not None else None, count)]


def unique(call: Call) -> Shapes:
    """Unique: how many there are depends on the data."""
    data = call.input(0)
    first: Shape | None = (None,)
    if call.node.attribute("axis") is not None:
        if data is None:
            return [None, (None,), (None,), (None,)]
        axis = axis_of(call.node.integer("axis", 0), len(data))
        first, inverse = replace(data, axis, None), (data[axis],)
    else:
        inverse = (product(data),) if data is not None else (None,)
    return [first, (None,), inverse, (None,)]


def one_hot(call: Call) -> Shapes:
    """OneHot: a dimension of size `depth` is inserted at the axis."""
    indices = call.input(0)
    if indices is None:
        return [None]
    axis = axis_of(call.node.integer("axis", -1), len(indices) + 1)
    depth = numbers_of(call, 1)
    dim = depth[0] if depth and isinstance(depth[0], int | Expr) else None
    return [_ranked((*indices[:axis], dim, *indices[axis:]))]


# ---------------------------------------------------------------------------------------- data


def gathered(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Gather: indices may be negative."""
    numbers, shape = first_input(facts)
    indices = integers_of(facts, 1)
    if indices is None:
        return [None]
    axis = axis_of(facts.node.integer("axis", 0), len(shape))
    offsets = whole_axes(shape)
    offsets[axis] = [offsets[axis][index] for index in indices]
    return [picked(numbers, offsets)]


def coordinates(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """NonZero: coordinates, an axis a row."""
    numbers, shape = first_input(facts)
    if any(not isinstance(number, int) for number in numbers):
        return [None]
    places = [position for position, number in enumerate(numbers) if number]
    sizes = shape or (1,)
    if len(places) * len(sizes) > MAX_NUMBERS:
        return [None]
    rows: list[Number] = []
    for length, stride in zip(sizes, strides(sizes), strict=True):
        rows.extend(place // stride % length for place in places)
    return [tuple(rows)]


# --------------------------------------------------------------------------------------- checks


def check_gather(call: Call) -> str:
    """Indices lie inside the axis."""
    data, indices = call.input(0), given(call, 1)
    if not data or not indices:
        return ""
    axis = call.node.integer("axis", 0)
    size = data[axis] if -len(data) <= axis < len(data) else None
    if not isinstance(size, int) or size < 1:
        return ""
    bad = next((index for index in indices if not -size <= index < size), None)
    return "" if bad is None else f"index {bad} of {size}"


def check_gather_nd(call: Call) -> str:
    """batch_dims leave something to choose, and an index has as many values as that at most."""
    data, indices = call.input(0), call.input(1)
    batch = call.node.integer("batch_dims", 0)
    if batch < 0:
        return f"batch_dims is {batch}"
    if data is None or indices is None:
        return ""
    if batch >= min(len(data), len(indices)):
        return f"batch_dims is {batch} for {len(data)} and {len(indices)} dimensions"
    width = indices[-1]
    if isinstance(width, int) and width > len(data) - batch:
        return f"indices of {width} values for {len(data) - batch} dimensions"
    return ""


def check_top_k(call: Call) -> str:
    """As many as the axis has, at most."""
    data, wanted = call.input(0), given(call, 1, "k")
    axis = call.node.integer("axis", -1)
    if not wanted or len(wanted) != 1:
        return ""
    size = data[axis] if data and -len(data) <= axis < len(data) else None
    if wanted[0] < 0 or (isinstance(size, int) and wanted[0] > size):
        return f"k is {wanted[0]}" + (f" of {size}" if isinstance(size, int) else "")
    return ""


def check_one_hot(call: Call) -> str:
    """At least one class."""
    depth = given(call, 1)
    return f"depth is {depth[0]}" if depth and depth[0] < 1 else ""


def gathered_axes(call: Call, axes: Axes) -> Axes | None:
    """Gather: the axis gives way to those of the indices, of which there is at most one."""
    at, indices = call.node.integer("axis", 0), call.input(1)
    if indices is None or len(indices) > 1 or not -len(axes) <= at < len(axes):
        return None
    at %= len(axes)
    return (*axes[:at], *(None,) * len(indices), *axes[at + 1 :])


TABLE = family(
    "indexing",
    {
        "Gather": Operator(
            roles=("embedding", "index"),
            shape=gather,
            data=gathered,
            axes=gathered_axes,
            reads="picked",
            cost=LOOK_UP,
            check=first_fault(AXIS, check_gather),
            lookups=((1, 0),),
            traits=PICKS,
        ),
        "GatherElements": Operator(
            roles=("embedding", "index"),
            shape=same(1),
            cost=LOOK_UP,
            check=AXIS,
            lookups=((1, 0),),
            traits=PICKS,
        ),
        "GatherND": Operator(
            roles=("embedding", "index"),
            shape=gather_nd,
            cost=LOOK_UP,
            check=check_gather_nd,
            traits=PICKS,
        ),
        "Scatter": Operator(
            roles=("operand", "index", "operand"),
            shape=same(0),
            cost=FREE,
            traits=traits("writes", "overwrites"),
        ),
        "ScatterElements": Operator(
            roles=("operand", "index", "operand"),
            shape=same(0),
            cost=SCATTER,
            check=AXIS,
            attribute_check=REDUCES_UPDATES,
            traits=traits("writes", "overwrites"),
        ),
        "ScatterND": Operator(
            roles=("operand", "index", "operand"),
            shape=same(0),
            cost=SCATTER,
            attribute_check=REDUCES_UPDATES,
            traits=traits("writes"),
        ),
        "TensorScatter": Operator(
            roles=("operand", "operand", "index"),
            shape=same(0),
            cost=FREE,
            states=past((0, 0), axis=-2),
            traits=traits("writes", "overwrites"),
        ),
        "OneHot": Operator(
            roles=("index", "scalar", "literal"),
            shape=one_hot,
            dtypes=of_input(2),
            cost=FREE,
            check=check_one_hot,
        ),
        "Compress": Operator(
            roles=("operand", "mask"),
            shape=compress,
            most=largest.kept,
            cost=FREE,
            check=AXIS,
            traits=PICKS | traits("sized by data"),
        ),
        "Slice": Operator(
            roles=("operand", "index", "index", "axes", "index"),
            passes=FIRST,
            shape=slice_,
            most=largest.of_data,
            data=sliced,
            reads="picked",
            cost=FREE,
            check=check_slice,
            traits=PICKS,
        ),
        "NonZero": Operator(
            roles=("operand",),
            shape=non_zero,
            most=largest.places,
            dtypes=always(INT64),
            data=coordinates,
            cost=FREE,
            traits=traits("sized by data"),
        ),
        "Unique": Operator(
            roles=("operand",),
            shape=unique,
            most=largest.different,
            dtypes=always(0, INT64, INT64, INT64),
            cost=READ,
            traits=traits("sized by data"),
        ),
        "TopK": Operator(
            roles=("operand", "scalar"),
            shape=top_k,
            most=largest.of_data,
            dtypes=always(0, INT64),
            cost=READ,
            check=first_fault(AXIS, check_top_k),
            traits=traits("folds"),
        ),
    },
)
