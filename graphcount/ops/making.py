"""Operators that make a tensor from sizes, from an attribute or at random.

Random elements, ranges and windows that the graph computes count one an element.
Source: ONNX Operators.md (ConstantOfShape, Range, Shape, …).
"""

from __future__ import annotations

from graphcount.ops import arithmetic
from graphcount.ops.call import (
    MAX_RANK,
    Call,
    Facts,
    Number,
    Numbers,
    Ratio,
    Results,
    Shape,
    Shapes,
    given,
    listed,
    numbers_of,
)
from graphcount.ops.elements import small
from graphcount.ops.formulas import FREE, OUTPUT, UNARY
from graphcount.ops.inference import (
    FLOAT,
    INT32,
    INT64,
    STRING,
    add,
    always,
    by_attribute,
    dim,
    larger,
    over,
    product,
    same,
    scalar,
    shape_from,
)
from graphcount.ops.operator import Operator, Trait, each, family, traits
from graphcount.symbolic import Dim, Expr, ceildiv


def shape(call: Call) -> Shapes:
    """Shape: as many elements as the part of the shape asked for has dimensions."""
    data = call.input(0)
    return [(len(data[shape_part(call, len(data))]),)] if data is not None else [(None,)]


def shape_part(call: Call, rank: int) -> slice:
    """Return which dimensions Shape returns: from `start` to `end`, clamped."""
    start = call.node.integer("start", 0)
    end = call.node.integer("end", rank)
    return slice(_clamped(start, rank), _clamped(end, rank))


def _clamped(bound: int, rank: int) -> int:
    return min(max(bound + rank if bound < 0 else bound, 0), rank)


def constant(call: Call) -> Shapes:
    """Constant: the tensor or values in its attribute.

    Raises:
        ValueError: It has none.
    """
    if not call.node.attributes:
        raise ValueError("a Constant without a value")
    for attribute in call.node.attributes:
        held = [tensor.dims for tensor in attribute.tensors]
        held += [sparse.dims for sparse in attribute.sparse_tensors]
        if held:
            return [held[0] if len(held[0]) <= MAX_RANK else None]
        if attribute.numbers is not None and attribute.name.startswith("value_"):
            listed = attribute.name.endswith("s")
            return [(len(attribute.numbers.values),) if listed else ()]
    return [None]


def range_(call: Call) -> Shapes:
    """Range: max(ceil((limit - start) / delta), 0)."""
    parts = [(numbers_of(call, index) or (None,))[0] for index in range(3)]
    if not call.has(2):
        parts[2] = 1  # onnxruntime's own Range, which may leave it out
    start, limit, delta = (_over_one(part) for part in parts)
    if start is None or limit is None or delta is None:
        return [(None,)]
    (a, b), (c, d), (e, f) = start, limit, delta
    # (c/d - a/b) / (e/f) over the common denominator
    count = ceildiv((c * b - a * d) * f, b * d * e)
    return [(max(count, 0) if isinstance(count, int) else larger(count, 0),)]


def _over_one(number: int | Expr | Ratio | None) -> tuple[Dim, Dim] | None:
    if number is None:
        return None
    return (number.over, number.under) if isinstance(number, Ratio) else (number, 1)


def given_shape(call: Call) -> Shapes:
    """Return a shape in the attribute `shape`."""
    sizes: Numbers | None = call.node.integers("shape")
    if sizes is None or len(sizes) > MAX_RANK:
        return [None]
    return [tuple(dim(size) for size in sizes)]


def window(call: Call) -> Shapes:
    """Windows: `size` elements."""
    size = numbers_of(call, 0)
    return [(dim(size[0]) if size else None,)]


def mel_weights(call: Call) -> Shapes:
    """MelWeightMatrix: (dft_length / 2 + 1, num_mel_bins)."""
    bins, length = (numbers_of(call, index) or (None,) for index in range(2))
    return [(add(over(dim(length[0]), 2), 1), dim(bins[0]))]


def multinomial(call: Call) -> Shapes:
    """Multinomial: (batch, sample_size)."""
    data = call.input(0)
    batch = data[0] if data else None
    return [(batch, dim(call.node.integer("sample_size", 1)))]


def constant_of_shape(call: Call) -> Shapes:
    """ConstantOfShape: the shape its input holds."""
    return [shape_from(call, 0)]


def type_of_constant(call: Call) -> list[int]:
    """Constant, ConstantOfShape: the type of the tensor or values they hold."""
    for held in call.node.attributes:
        for tensor in held.tensors:
            return [tensor.data_type]
        for sparse in held.sparse_tensors:
            return [sparse.values.data_type]
        if held.numbers is not None:
            return [{"int": INT64, "float": FLOAT, "string": STRING}.get(held.numbers.kind, 0)]
    return [FLOAT]


# ---------------------------------------------------------------------------------------- data


def shape_of(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Shape: dimensions as numbers."""
    data = facts.input(0)
    return [data[shape_part(facts, len(data))] if data is not None else None]


def size_of(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Size: the product of the dimensions."""
    data = facts.input(0)
    return [(product(data),) if data is not None else None]


def filled(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """ConstantOfShape: one value (0 by default) everywhere."""
    shape = small(outputs[0])
    held: Number = facts.held[0] if facts.held else 0
    count = product(shape) if shape is not None else None
    return [(held,) * count if isinstance(count, int) else None]


def held(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Constant: what its attribute holds."""
    return [facts.held]


def counted(facts: Facts, outputs: tuple[Shape | None, ...]) -> Results:
    """Range: start, start + delta and so on."""
    shape = small(outputs[0])
    if shape is None or any(not numbers for numbers in facts.numbers[:3]):
        return [None]
    start, _, delta, *_ = (*(numbers[0] for numbers in facts.numbers[:3] if numbers), 1)
    result: list[Number] = []
    for _ in range(shape[0]):
        result.append(start)
        start = arithmetic.plus(start, delta)
    return [tuple(result)]


# --------------------------------------------------------------------------------------- checks


def check_constant_of_shape(call: Call) -> str:
    """The dimensions are none below 0."""
    return _sizes(given(call, 0))


def check_sizes(call: Call) -> str:
    """The dimensions in `shape` are none below 0."""
    return _sizes(call.node.integers("shape"))


def _sizes(sizes: tuple[int, ...] | None) -> str:
    return f"sizes {listed(sizes)}" if sizes and min(sizes) < 0 else ""


def check_range(call: Call) -> str:
    """Steps of 0 never arrive."""
    return "delta is 0" if given(call, 2) == (0,) else ""


def _drawn_like(*names: Trait) -> Operator:
    """Return the record of an operator that draws as many elements as its input has."""
    return Operator(
        rest="operand",
        shape=same(0),
        dtypes=by_attribute("dtype", 0),
        cost=UNARY,
        traits=traits(*names),
    )


RANGE = Operator(
    roles=("scalar", "scalar", "scalar"),
    shape=range_,
    data=counted,
    cost=OUTPUT,
    check=check_range,
    traits=traits("generates"),
)
"""ONNX's own; onnxruntime's domain has the same one for older opsets, with a delta of 1."""

TABLE = family(
    "making",
    {
        "Shape": Operator(
            roles=("operand",),
            shape=shape,
            dtypes=always(INT64),
            data=shape_of,
            reads="none",
            cost=FREE,
            traits=traits("shape only"),
        ),
        "Size": Operator(
            roles=("operand",),
            shape=scalar,
            dtypes=always(INT64),
            data=size_of,
            reads="none",
            cost=FREE,
            traits=traits("folds", "shape only"),
        ),
        "EyeLike": Operator(
            roles=("operand",),
            shape=same(0),
            dtypes=by_attribute("dtype", 0),
            cost=FREE,
            traits=traits("shape only"),
        ),
        "ConstantOfShape": Operator(
            roles=("shape",),
            attributes={"value": "literal"},
            shape=constant_of_shape,
            dtypes=type_of_constant,
            data=filled,
            reads="none",
            cost=FREE,
            check=check_constant_of_shape,
            traits=traits("generates"),
        ),
        "Range": RANGE,
        "Constant": Operator(
            shape=constant, dtypes=type_of_constant, data=held, reads="none", cost=FREE
        ),
        **each(
            "RandomNormal RandomUniform",
            Operator(
                shape=given_shape,
                dtypes=by_attribute("dtype", FLOAT),
                cost=OUTPUT,
                check=check_sizes,
                traits=traits("generates", "random"),
            ),
        ),
        **each("RandomNormalLike RandomUniformLike", _drawn_like("random", "shape only")),
        "Bernoulli": _drawn_like("random"),
        "Multinomial": Operator(
            rest="operand",
            shape=multinomial,
            dtypes=by_attribute("dtype", INT32),
            cost=OUTPUT,
            traits=traits("random"),
        ),
        **each(
            "BlackmanWindow HammingWindow HannWindow",
            Operator(
                roles=("scalar",),
                shape=window,
                dtypes=by_attribute("output_datatype", FLOAT),
                cost=OUTPUT,
            ),
        ),
        "MelWeightMatrix": Operator(
            rest="scalar",
            shape=mel_weights,
            dtypes=by_attribute("output_datatype", FLOAT),
            cost=OUTPUT,
        ),
    },
)
